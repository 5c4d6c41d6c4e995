use std::path::PathBuf;

use containers_auth::{DockerConfig, Format, Text};
use proptest::prelude::*;

use super::*;

/// Offers `(origin, key, password)` in this order and returns what each source got.
fn choose(sources: &[&str], offers: &[(Origin, &str, &str)]) -> Vec<(String, String)> {
    choose_and_report(sources, offers, &mut ())
}

fn choose_and_report(
    sources: &[&str],
    offers: &[(Origin, &str, &str)],
    observer: &mut impl Observer,
) -> Vec<(String, String)> {
    let mut selection = Selection::new(sources.iter().map(|name| ImageName::parse(name).unwrap()));
    for (origin, key, password) in offers {
        let login = serde_json::json!({"username": "user", "password": password});
        let text = serde_json::json!({ *key: login }).to_string();
        assert_eq!(offer(&mut selection, origin, &text, observer), [Ok(())]);
    }
    let of = |(source, candidate): (&ImageName, &Candidate)| {
        let password = candidate.credential.password.expose().to_vec();
        (source.to_string(), String::from_utf8(password).unwrap())
    };
    selection.chosen().map(of).collect()
}

/// Offers all entries of a dockercfg.
fn offer(
    selection: &mut Selection,
    origin: &Origin,
    text: &str,
    observer: &mut impl Observer,
) -> Vec<Result<(), EntryError>> {
    let text = Text::of_json(text.as_bytes());
    let config = DockerConfig::parse(&text, Format::DockerCfg).unwrap();
    let entries = config.auths.unwrap().into_iter();
    entries
        .map(|(key, entry)| selection.offer(origin, &key, entry, |_| true, observer))
        .collect()
}

fn secret(name: &str) -> Origin {
    Origin::Secret(name.to_owned())
}

fn named(place: usize, name: &str) -> Origin {
    Origin::NamedSecret(place, name.to_owned())
}

fn file(index: usize) -> Origin {
    Origin::GlobalFile(index, PathBuf::from(format!("/{index}.json")))
}

/// Collects the rules of the comparisons that were lost.
#[derive(Default)]
struct Lost(Vec<Rule>);

impl Observer for Lost {
    fn compared(&mut self, comparison: &Comparison<'_>) {
        if let Verdict::Wins { rule, .. } | Verdict::Loses { rule, .. } = comparison.verdict {
            self.0.push(rule);
        }
    }
}

/// The first of two entries wins by that rule, in any order of the offers.
fn assert_wins(name: &str, rule: Rule, winner: (Origin, &str), loser: (Origin, &str)) {
    let mut offers = [winner, loser].map(|(origin, key)| (origin, key, "loser"));
    offers[0].2 = "winner";
    for _ in 0..2 {
        let mut lost = Lost::default();
        let chosen = choose_and_report(&["quay.io/org/app"], &offers, &mut lost);
        let expected = vec![("quay.io/org/app".to_owned(), "winner".to_owned())];
        assert_eq!(chosen, expected, "{name}: {offers:?}");
        assert_eq!(lost.0, [rule], "{name}: {offers:?}");
        offers.reverse();
    }
}

#[test]
fn one_rule_decides_between_candidates() {
    for (name, rule, winner, loser) in [
        (
            "a Secret before a global file, however specific",
            Rule::LoginSource,
            (secret("a"), "*.io"),
            (file(0), "quay.io/org/app"),
        ),
        (
            "more path components",
            Rule::PathComponents,
            (secret("a"), "quay.io/org"),
            (secret("b"), "quay.io"),
        ),
        (
            "path components before the kind of host",
            Rule::PathComponents,
            (secret("a"), "*.io/org"),
            (secret("b"), "quay.io"),
        ),
        (
            "an exact host before a glob",
            Rule::ExactHost,
            (secret("a"), "quay.io"),
            (secret("b"), "quay.*"),
        ),
        (
            "the longer glob",
            Rule::GlobLength,
            (secret("a"), "qua*.io"),
            (secret("b"), "*.io"),
        ),
        (
            "the Secret whose name sorts last",
            Rule::SecretName,
            (secret("b"), "quay.io"),
            (secret("a"), "quay.io"),
        ),
        (
            "the Secret that is named first",
            Rule::SecretOrder,
            (named(0, "a"), "quay.io"),
            (named(1, "b"), "quay.io"),
        ),
        (
            "a more specific key of a Secret that is named later",
            Rule::PathComponents,
            (named(1, "a"), "quay.io/org"),
            (named(0, "b"), "quay.io"),
        ),
        (
            "a named Secret before a global file",
            Rule::LoginSource,
            (named(9, "a"), "*.io"),
            (file(0), "quay.io"),
        ),
        (
            "the first global file",
            Rule::FileOrder,
            (file(0), "quay.io"),
            (file(1), "quay.io"),
        ),
        (
            "a more specific key of a later global file",
            Rule::PathComponents,
            (file(1), "quay.io/org"),
            (file(0), "quay.io"),
        ),
    ] {
        assert_wins(name, rule, winner, loser);
    }
}

#[test]
fn of_several_spellings_of_a_key_the_plainest_wins() {
    for (name, rule, winner, loser) in [
        (
            "within a Secret, the key that is literally a parent of the source",
            Rule::LiteralKey,
            (secret("a"), "quay.io"),
            (secret("a"), "https://quay.io"),
        ),
        (
            "the only key that containers/image uses for the registry",
            Rule::RegistryKey,
            (named(0, "a"), "https://quay.io"),
            (named(0, "a"), "quay.io/"),
        ),
        (
            "https before http",
            Rule::Spelling,
            (file(0), "https://quay.io/v1/"),
            (file(0), "http://quay.io"),
        ),
        (
            "the shorter key",
            Rule::Spelling,
            (secret("a"), "quay.io/"),
            (secret("a"), "quay.io/v2/"),
        ),
        (
            "the key that sorts first",
            Rule::Spelling,
            (secret("a"), "q*y.io"),
            (secret("a"), "qu*.io"),
        ),
    ] {
        assert_wins(name, rule, winner, loser);
    }
}

#[test]
fn every_source_gets_its_own_login_and_other_repositories_get_none() {
    let chosen = choose(
        &[
            "mirror.local/library/nginx",
            "docker.io/library/nginx",
            "mirror.local/library/nginx",
        ],
        &[
            (secret("a"), "mirror.local/library", "mirror"),
            (secret("b"), "https://index.docker.io/v1/", "hub"),
            (secret("c"), "mirror.local/lib", "foreign"),
            (secret("d"), "other.local", "foreign"),
        ],
    );
    let expected = [
        ("mirror.local/library/nginx", "mirror"),
        ("docker.io/library/nginx", "hub"),
    ];
    assert_eq!(chosen, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[test]
fn an_unusable_entry_leaves_the_selection_as_it_was() {
    let source = ImageName::parse("quay.io/org/app").unwrap();
    let mut selection = Selection::new([source]);
    let text = r#"{"quay.io":{"username":"u"},"quay.io/org":{"auth":"*"},"other.io":{"auth":1}}"#;
    let outcomes = offer(&mut selection, &secret("a"), text, &mut ());
    assert_eq!(outcomes, [Ok(()), Err(EntryError::Base64), Ok(())]);
    let users: Vec<_> = selection
        .chosen()
        .map(|(_, candidate)| candidate.credential.username_lossy())
        .collect();
    assert_eq!(users, ["u"]);
}

#[test]
fn a_selection_can_be_narrowed_to_some_sources() {
    let names = ["a.io/x", "b.io/x", "c.io/x"].map(|name| ImageName::parse(name).unwrap());
    let mut whole = Selection::new(names.clone());
    let text = r#"{"a.io":{"auth":"dTpw"},"c.io":{"auth":"dTpw"}}"#;
    assert_eq!(
        offer(&mut whole, &secret("s"), text, &mut ()),
        [Ok(()), Ok(())]
    );
    let shown = |selection: &Selection| -> Vec<String> {
        selection
            .chosen()
            .map(|(source, chosen)| format!("{source} {}", chosen.key))
            .collect()
    };
    assert_eq!(shown(&whole), ["a.io/x a.io", "c.io/x c.io"]);
    assert_eq!(
        shown(&whole.narrowed([names[2].clone(), names[1].clone()])),
        ["c.io/x c.io"]
    );
    let other = ImageName::parse("d.io/x").unwrap();
    assert_eq!(shown(&whole.narrowed([other])), Vec::<String>::new());
}

#[test]
fn every_comparison_is_reported_with_its_result() {
    #[derive(Default)]
    struct Reported(Vec<String>);

    impl Observer for Reported {
        fn compared(&mut self, comparison: &Comparison<'_>) {
            let Comparison {
                source,
                origin,
                key,
                verdict,
                ..
            } = comparison;
            self.0
                .push(format!("{source}: {key} of {origin} {verdict}"));
        }

        fn unmatched(&mut self, origin: &Origin, key: &str) {
            self.0.push(format!("{key} of {origin} matches nothing"));
        }
    }

    let mut reported = Reported::default();
    let offers = [
        (secret("a"), "*.io", "p"),
        (secret("b"), "quay.io", "p"),
        (secret("b"), "quay.io", "p"),
        (secret("a"), "q*.io", "p"),
        (file(0), "gcr.io", "p"),
    ];
    choose_and_report(&["quay.io/org/app"], &offers, &mut reported);
    let expected = [
        "quay.io/org/app: *.io of secret \"a\" the first that matches",
        "quay.io/org/app: quay.io of secret \"b\" wins over \"*.io\" of secret \"a\", which has a glob for a host, not the exact name",
        "quay.io/org/app: quay.io of secret \"b\" listed once more",
        "quay.io/org/app: q*.io of secret \"a\" loses to \"quay.io\" of secret \"b\": it has a glob for a host, not the exact name",
        "gcr.io of global auth file \"/0.json\" matches nothing",
    ];
    assert_eq!(reported.0, expected);
}

prop_compose! {
    /// Names and keys from one small alphabet, so that they often match.
    fn host()(labels in prop::collection::vec("[ab]", 1..3), port in prop::option::of(Just(5000))) -> String {
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{}.x{port}", labels.join("."))
    }
}

prop_compose! {
    fn path()(parts in prop::collection::vec("[ab]{1,2}", 1..4)) -> String { parts.join("/") }
}

prop_compose! {
    fn source()(host in host(), path in path()) -> String { format!("{host}/{path}") }
}

prop_compose! {
    fn key()(
        scheme in prop::sample::select(vec!["", "https://", "http://"]),
        host in host(),
        glob in any::<bool>(),
        version in prop::sample::select(vec!["", "/v1", "/v2"]),
        path in prop::option::of(path()),
        slash in prop::sample::select(vec!["", "/"]),
    ) -> String {
        let host = if glob { host.replacen(['a', 'b'], "*", 1) } else { host };
        let path = path.map_or_else(String::new, |path| format!("/{path}"));
        format!("{scheme}{host}{version}{path}{slash}")
    }
}

fn origins() -> impl Strategy<Value = Origin> {
    prop_oneof![
        "[a-c]".prop_map(Origin::Secret),
        (0..3_usize).prop_map(|place| named(place, "n")),
        (0..2_usize).prop_map(file)
    ]
}

#[test]
fn a_login_is_kept_once_for_all_sources_and_an_entry_that_repeats_replaces_itself() {
    let sources = ["a.x/i", "b.x/i", "c.x/i"].map(|name| ImageName::parse(name).unwrap());
    let mut selection = Selection::new(sources);
    for password in ["old", "new"] {
        let text = serde_json::json!({
            "*.x": {"username": "u", "password": password},
            "x*.y": {"username": "u", "password": "p"},
        });
        let outcomes = offer(&mut selection, &secret("s"), &text.to_string(), &mut ());
        assert_eq!(outcomes, [Ok(()), Ok(())]);
    }
    let mut chosen: Vec<_> = selection.chosen().map(|(_, candidate)| candidate).collect();
    assert_eq!(chosen.len(), 3);
    chosen.dedup_by(|one, other| std::ptr::eq(*one, *other));
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0].credential.password.expose(), b"new");
}

proptest! {
    #[test]
    fn the_order_of_offers_does_not_matter(
        sources in prop::collection::vec(source(), 1..4),
        offers in prop::collection::vec((origins(), key()), 0..8),
        seed in any::<prop::sample::Index>(),
    ) {
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        // The password distinguishes the offers; of two with the same place only one can
        // exist.
        let mut unique: Vec<(Origin, &str, &str)> = Vec::new();
        for (origin, key) in &offers {
            if unique.iter().all(|(o, k, _)| (o, *k) != (origin, key.as_str())) {
                unique.push((origin.clone(), key, key));
            }
        }
        let straight = choose(&sources, &unique);
        if !unique.is_empty() {
            let middle = seed.index(unique.len());
            unique.rotate_left(middle);
        }
        unique.reverse();
        prop_assert_eq!(straight, choose(&sources, &unique));
    }

    #[test]
    fn the_chosen_entry_is_never_less_specific_than_another_that_matches(
        source in source(),
        offers in prop::collection::vec(key(), 1..8),
    ) {
        let name = ImageName::parse(&source).unwrap();
        let offers: Vec<_> = offers.iter().map(|key| (secret("a"), key.as_str(), key.as_str())).collect();
        let chosen = choose(&[&source], &offers);
        let best = offers
            .iter()
            .filter_map(|(_, key, _)| Key::parse(key).ok())
            .filter(|key| key.matches(&name))
            .map(|key| key.specificity())
            .max();
        let chosen = chosen.first().map(|(_, key)| Key::parse(key).unwrap().specificity());
        prop_assert_eq!(chosen, best);
    }

    #[test]
    fn an_entry_outside_every_source_changes_nothing(
        sources in prop::collection::vec(source(), 1..4),
        offers in prop::collection::vec((origins(), key()), 0..6),
        foreign in prop::collection::vec((origins(), path()), 1..4),
        at in any::<prop::sample::Index>(),
    ) {
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let offers: Vec<_> = offers.iter().map(|(origin, key)| (origin.clone(), key.as_str(), "u")).collect();
        let foreign: Vec<_> = foreign
            .into_iter()
            .map(|(origin, path)| (origin, format!("foreign.example/{path}")))
            .collect();
        let mut more = offers.clone();
        for (origin, key) in &foreign {
            more.insert(at.index(more.len() + 1), (origin.clone(), key, "foreign"));
        }
        prop_assert_eq!(choose(&sources, &offers), choose(&sources, &more));
    }
}
