use std::{collections::BTreeMap, fmt::Write, path::Path, sync::Arc};

use proptest::prelude::*;
use proptest::sample::select;

use super::PlainAliases;
use crate::aliases::{Alias, Aliases};
use crate::document::Document;

fn file() -> Arc<Path> {
    Arc::from(Path::new("f"))
}

/// What the scanner makes of a file.
fn scanned(text: &str) -> Option<PlainAliases> {
    PlainAliases::scan(text.as_bytes().into(), &file()).ok()
}

/// The aliases that the parser reads from a file.
fn parsed(text: &str) -> Option<BTreeMap<String, Alias>> {
    let aliases = Document::parse(text.as_bytes()).ok()?.aliases?;
    Some(Aliases::check(aliases, &file()).ok()?.all())
}

#[test]
fn files_of_distributions_are_accepted() {
    for text in [
        "[aliases]\n",
        "# short names\n\n[aliases]  # all of them\n",
        "[aliases]\n  # almalinux\n  \"almalinux\" = \"docker.io/library/almalinux\"\n\
         \t\"almalinux-minimal\"=\"docker.io/library/almalinux-minimal\" # (small)\n\n\
         # https://quay.io\n\"ubi8/ubi\" = \"registry.access.redhat.com/ubi8/ubi\"\n\
         \"a.b_c\" = \"a-b.c/d_e/f.g\"",
    ] {
        let taken = scanned(text).unwrap();
        let taken: BTreeMap<_, _> = taken.all().collect();
        assert_eq!(Some(taken), parsed(text), "{text}");
    }
}

#[test]
fn all_other_files_are_left_to_the_parser() {
    let long = "a".repeat(250);
    for (line, is_valid) in [
        ("a = \"b.c/d\"", true),
        ("'a' = \"b.c/d\"", true),
        ("\"a\" = 'b.c/d'", true),
        ("\"\\u0061\" = \"b.c/d\"", true),
        ("\"a--b\" = \"b.c/d\"", true),
        ("\"A/b\" = \"b.c/d\"", true),
        ("\"a\" = \"\"", true),
        ("\"a\" = \"localhost/d\"", true),
        ("\"a\" = \"b.c:5/d\"", true),
        ("\"a\" = \"b.c/d\"\r", true),
        ("\"a\" = \"b.c/d\" # \u{fc}", true),
        ("[registry2]", true),
        ("\"a\" = \"b.c/d\" \"b\" = \"b.c/d\"", false),
        ("\"a\" = \"b.c/d\"\u{c}", false),
        ("\"a\" = \"b.c/d\" # \u{1}", false),
        ("\"a\" \"b.c/d\"", false),
        ("\"a\" = \"b.c/d", false),
        ("\"a\" =", false),
        ("\"a", false),
        ("\"\" = \"b.c/d\"", false),
        ("\"-a\" = \"b.c/d\"", false),
        ("\"a-\" = \"b.c/d\"", false),
        ("\"a._b\" = \"b.c/d\"", false),
        ("\"a:1\" = \"b.c/d\"", false),
        ("\"a.b/c\" = \"b.c/d\"", false),
        ("\"localhost/c\" = \"b.c/d\"", false),
        ("\"a\" = \"b\"", false),
        ("\"a\" = \"b/c\"", false),
        ("\"a\" = \"b.c\"", false),
        ("\"a\" = \"b_x.c/d\"", false),
        ("\"a\" = \"b.c/d:1\"", false),
        ("\"a\" = \"b.c/\"", false),
        (&format!("\"a\" = \"docker.io/{long}\""), false),
        ("\"twice\" = \"b.c/d\"\n\"twice\" = \"b.c/d\"", false),
        ("[aliases]", false),
    ] {
        let text = format!("[aliases]\n\"z\" = \"b.c/d\"\n{line}\n");
        assert_eq!(scanned(&text), None, "{text}");
        assert_eq!(parsed(&text).is_some(), is_valid, "{text}");
    }
    for text in [
        "",
        "# nothing",
        "\"a\" = \"b.c/d\"",
        "\u{feff}[aliases]",
        "[aliases",
    ] {
        assert_eq!(scanned(text), None, "{text}");
    }
}

#[test]
fn each_of_many_names_is_found_and_no_other() {
    let letters = || ('a'..='z').chain('0'..='9');
    // The shortest entries first, which leave the least room for the next.
    let mut names: Vec<_> = letters().map(String::from).collect();
    for first in letters() {
        names.extend(letters().map(|second| format!("{first}{second}")));
    }
    for number in [1, 2, 36, 500, names.len()] {
        let (there, others) = names.split_at(number);
        let mut text = "[aliases]\n".to_owned();
        for name in there {
            writeln!(text, "\"{name}\"=\"b.c/{name}\"").unwrap();
        }
        let taken = scanned(&text).unwrap();
        for (place, name) in there.iter().enumerate() {
            let alias = taken.get(name).unwrap();
            assert_eq!(alias.origin.line, place + 2, "{name}");
            let target = alias.target.as_ref().map(AsRef::as_ref);
            assert_eq!(target, Some(format!("b.c/{name}").as_str()));
            let twice = format!("{text}\"{name}\"=\"b.c/d\"\n");
            assert_eq!(scanned(&twice), None, "{name}");
        }
        for name in others {
            assert_eq!(taken.get(name), None, "{name} of {number}");
        }
    }
}

/// Mostly entries that the scanner accepts.
fn line() -> impl Strategy<Value = String> {
    let piece = |pieces: Vec<&'static str>| {
        prop::collection::vec(select(pieces), 1..5).prop_map(|pieces| pieces.concat())
    };
    let name = piece(vec![
        "a",
        "b1",
        "a",
        "b1",
        "-",
        "_",
        ".",
        "/",
        "--",
        "A",
        "localhost/",
        ":",
    ]);
    let target = piece(vec![
        "c.d/",
        "e",
        "f/",
        "g",
        "docker.io/",
        "-",
        "_",
        ":5/",
        "localhost/",
    ]);
    let entry = (name, target, select(vec!["", "", " ", " # x", "\t"]))
        .prop_map(|(name, target, end)| format!(" \"{name}\" = \"{target}\"{end}"));
    let other = select(vec!["", "# x", "[aliases]", "a = \"b.c/d\"", "x", "\r"]);
    prop_oneof![8 => entry, 1 => other.prop_map(str::to_owned)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// For a file that it accepts, the scanner gives the same aliases as the parser.
    #[test]
    fn an_accepted_file_has_the_same_aliases_as_by_the_parser(lines in prop::collection::vec(line(), 0..6)) {
        let text = format!("[aliases]\n{}", lines.join("\n"));
        if let Some(taken) = scanned(&text) {
            let all: BTreeMap<_, _> = taken.all().collect();
            for (name, alias) in &all {
                prop_assert_eq!(taken.get(name), Some(alias.clone()));
            }
            prop_assert_eq!(taken.get("no-such-name"), None);
            prop_assert_eq!(Some(all), parsed(&text), "{}", text);
        }
    }
}
