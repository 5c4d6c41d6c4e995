//! Malicious input.

use std::fmt::Write;

use proptest::prelude::*;
use registries_conf::{Config, ImageName, Source};

const MANY: usize = 100_000;

fn error(text: &str) -> String {
    let source = Source::new("f", text);
    Config::parse(Some(&source), &[]).unwrap_err().to_string()
}

#[test]
fn deep_nesting_is_an_error_without_a_stack_overflow() {
    let dotted = ".a".repeat(MANY);
    for (case, text) in [
        ("arrays", format!("a = {}", "[".repeat(MANY))),
        (
            "closed arrays",
            format!("a = {}{}", "[".repeat(MANY), "]".repeat(MANY)),
        ),
        (
            "inline tables",
            format!("a = {}1{}", "{a=".repeat(MANY), "}".repeat(MANY)),
        ),
        ("dotted key", format!("a{dotted} = 1")),
        (
            "dotted key in an inline table",
            format!("a = {{a{dotted} = 1}}"),
        ),
        ("table header", format!("[a{dotted}]")),
        ("array of tables", format!("[[a{dotted}]]")),
        (
            "quoted parts",
            format!("a = 1\n\"\"{} = 1", " . ''".repeat(MANY)),
        ),
    ] {
        let line = if case == "quoted parts" { 2 } else { 1 };
        assert_eq!(
            error(&text),
            format!("f:{line}: nested too deeply"),
            "{case}"
        );
    }
}

#[test]
fn the_deepest_nesting_that_is_allowed_fits_the_stack() {
    let key = format!("a{}", ".a".repeat(15));
    let open = format!("{{{key} = ").repeat(15);
    let text = format!("[{key}]\n{key} = {open}[]{}", "}".repeat(15));
    assert!(Config::parse(Some(&Source::new("f", text)), &[]).is_ok());
    // Stray closing brackets hide the depth from the check, not from the parser.
    let text = format!(
        "[{key}]\n{key} = {}",
        format!("[}}{{{key} = ").repeat(MANY / 10)
    );
    error(&text);
}

#[test]
fn many_registries_in_two_files() {
    let mut text = String::new();
    for at in 0..10_000 {
        writeln!(
            text,
            "[[registry]]\nprefix = \"r{at}.example/ns\"\nlocation = \"r{at}.example\"\n\
             [[registry.mirror]]\nlocation = \"m.example/{at}\""
        )
        .unwrap();
    }
    let source = Source::new("f", text);
    let config = Config::parse(Some(&source), std::slice::from_ref(&source)).unwrap();
    assert_eq!(config.registries().len(), 10_000);
    let found = config.find_registry("r9999.example/ns/app").unwrap();
    assert_eq!(found.origin.line, 9_999 * 5 + 1);
}

/// Pieces that almost make a configuration, and sometimes a valid one.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "[[registry]]",
        "[[registry.mirror]]",
        "[registry]",
        "[registries.search]",
        "[aliases]",
        "registry",
        "mirror",
        "location",
        "prefix",
        "registries",
        "aliases",
        "blocked",
        "a",
        "pull-from-mirror",
        "\"all\"",
        "\"a.b\"",
        "\"*.a\"",
        "'x'",
        "\"\"\"",
        "'''",
        "\"",
        "'",
        "=",
        "=",
        "=",
        ".",
        ",",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "\n",
        "\n",
        "\n",
        "\r\n",
        "\r",
        " ",
        "#",
        "true",
        "1",
        "1.5",
        "1979-05-27",
        "inf",
        "0x",
        "_",
        "-",
        "\\",
        "\u{0}",
        "\u{fc}",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn bytes_never_panic(main: Vec<u8>, drop_in: Vec<u8>) {
        let drop_ins = [Source::new("d", drop_in)];
        drop(Config::parse(Some(&Source::new("f", main)), &drop_ins));
    }

    #[test]
    fn soup_never_panics_and_errors_are_one_line(main in soup(), drop_in in soup(), name in ".*") {
        let drop_ins = [Source::new("d", drop_in)];
        match Config::parse(Some(&Source::new("f", main)), &drop_ins) {
            Ok(config) => {
                config.find_registry(&name);
                for registry in config.registries() {
                    config.pull_sources_in(registry, &name);
                }
                if let Ok(image) = ImageName::parse(&name) {
                    config.short_name_candidates(&image);
                }
            }
            Err(error) => {
                let message = error.to_string();
                prop_assert!(!message.contains(char::is_control), "{message:?}");
            }
        }
    }

    #[test]
    fn short_names_are_completed_to_the_image_again(
        name in "((docker.io|localhost|a.b)/)?(library/)?[a-c0-9._/-]{0,12}|[0-9a-f]{64}|docker.io/library/[0-9a-f]{64}",
    ) {
        let text = "unqualified-search-registries = [\"s.x\", \"docker.io\"]\n[aliases]\na = \"x.y/a\"\n";
        let config = Config::parse(Some(&Source::new("f", text)), &[]).unwrap();
        if let Ok(image) = ImageName::parse(&name) {
            for candidate in config.short_name_candidates(&image) {
                let completed = ImageName::parse(&candidate.short_name);
                prop_assert_eq!(completed.as_ref(), Ok(&image));
                let again = ImageName::parse_canonical(candidate.name.as_str());
                prop_assert_eq!(again, Ok(candidate.name));
            }
        }
    }
}
