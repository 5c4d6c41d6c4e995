use proptest::prelude::*;
use registries_conf::{Config, Source};

use super::*;
use kubelet_credential_provider::provider_config::match_image;
use provider::sources::Sources;

fn config(text: &str) -> Config {
    Config::parse(Some(&Source::new("registries.conf", text)), &[]).unwrap()
}

fn registry(text: &str) -> Registry {
    config(text).registries()[0].clone()
}

/// A registry with that prefix, and one mirror.
fn mirrored(prefix: &str) -> String {
    let location = prefix.trim_start_matches("*.");
    format!(
        "[[registry]]\nprefix = \"{prefix}\"\nlocation = \"{location}\"\n\
         [[registry.mirror]]\nlocation = \"mirror.test\"\n"
    )
}

/// The registry of a text, blocked.
fn blocked(text: &str) -> String {
    text.replacen("location", "blocked = true\nlocation", 1)
}

#[test]
fn each_registry_with_something_else_to_pull_from_has_patterns() {
    for (name, text, expected) in [
        ("host", mirrored("docker.io"), vec!["docker.io"]),
        ("port", mirrored("a.test:5000"), vec!["a.test:5000"]),
        ("path", mirrored("quay.io/org/app"), vec!["quay.io/org/app"]),
        ("localhost", mirrored("localhost"), vec!["localhost"]),
        (
            "wildcard",
            mirrored("*.b.test"),
            vec!["*.b.test", "*.*.b.test", "*.*.*.b.test", "*.*.*.*.b.test"],
        ),
        (
            "another location",
            "[[registry]]\nprefix = \"a.test\"\nlocation = \"b.test\"\n".to_owned(),
            vec!["a.test"],
        ),
        (
            "wildcard with a location",
            "[[registry]]\nprefix = \"*.a.test\"\nlocation = \"b.test\"\n".to_owned(),
            vec!["*.a.test", "*.*.a.test", "*.*.*.a.test", "*.*.*.*.a.test"],
        ),
        (
            "wildcard alone",
            "[[registry]]\nprefix = \"*.a.test\"\n".to_owned(),
            vec![],
        ),
        (
            "itself",
            "[[registry]]\nlocation = \"a.test\"\n".to_owned(),
            vec![],
        ),
        (
            "mirror of itself",
            "[[registry]]\nlocation = \"a.test\"\n[[registry.mirror]]\nlocation = \"a.test\"\n"
                .to_owned(),
            vec![],
        ),
        (
            "blocked, with a mirror",
            blocked(&mirrored("a.test")),
            vec!["a.test"],
        ),
        (
            "blocked, without a mirror",
            blocked("[[registry]]\nlocation = \"a.test\"\n"),
            vec![],
        ),
        (
            "blocked, with another location",
            blocked("[[registry]]\nprefix = \"a.test\"\nlocation = \"b.test\"\n"),
            vec!["a.test"],
        ),
        (
            "a blocked mirror",
            mirrored("a.test") + &blocked("[[registry]]\nlocation = \"mirror.test\"\n"),
            vec![],
        ),
        (
            "a blocked mirror with an open path",
            mirrored("a.test")
                + &blocked("[[registry]]\nlocation = \"mirror.test\"\n")
                + "[[registry]]\nlocation = \"mirror.test/open\"\n",
            vec!["a.test"],
        ),
        (
            "a mirror with a blocked path",
            mirrored("a.test") + &blocked("[[registry]]\nlocation = \"mirror.test/a\"\n"),
            vec!["a.test"],
        ),
        (
            "an image with a mirror for itself alone",
            mirrored("a.test/b").replace("mirror.test", "mirror.test/b/a"),
            vec!["a.test/b"],
        ),
        (
            "a mirror with an invalid location",
            mirrored("a.test").replace("mirror.test", "mirror.test/a:1"),
            vec![],
        ),
    ] {
        let config = config(&text);
        let found = patterns(&config, &config.registries()[0]);
        assert_eq!(found.unwrap(), expected, "{name}");
    }
}

#[test]
fn prefixes_that_match_no_image_are_errors() {
    for prefix in [
        "quay.io/app:1",
        "index.docker.io",
        "library",
        "library/nginx",
        "quay.io/App",
        "*",
    ] {
        let config = config(&mirrored(prefix));
        let error = patterns(&config, &config.registries()[0]).unwrap_err();
        assert_eq!(error.prefix, prefix);
    }
}

#[test]
fn patterns_that_others_cover_are_dropped() {
    for (given, expected) in [
        (vec!["docker.io", "docker.io/library"], vec!["docker.io"]),
        (vec!["docker.io/library", "docker.io"], vec!["docker.io"]),
        (vec!["a.test", "a.test"], vec!["a.test"]),
        (
            vec!["*.test", "a.test", "a.test:5000"],
            vec!["*.test", "a.test:5000"],
        ),
        (vec!["a.test", "b.test"], vec!["a.test", "b.test"]),
    ] {
        let given = given.into_iter().map(str::to_owned).collect();
        assert_eq!(minimal(given), expected);
    }
}

#[test]
fn a_pattern_is_for_the_registries_whose_images_it_may_match() {
    for (pattern, prefix, expected) in [
        ("a.test", "a.test", true),
        ("a.test:5000", "a.test", true),
        ("a.test:5000", "a.test:5000", true),
        ("a.test:5001", "a.test:5000", false),
        ("a.test", "a.test:5000", false),
        ("a.test:5000", "a.test/org", false),
        ("a.test/organisation", "a.test/org", true),
        ("a.test/org/app", "a.test/org", true),
        ("a.test/other", "a.test/org", false),
        ("*.test", "a.test", true),
        ("a.*", "a.test", true),
        ("*.*.*.*.*.*.test", "*.test", true),
        ("a.b.test:5000/x", "*.test", true),
        ("test", "*.test", false),
        ("b.test", "a.test", false),
    ] {
        let registry = registry(&mirrored(prefix));
        let parsed = MatchImage::parse(pattern).unwrap();
        assert_eq!(is_for(&parsed, &registry), expected, "{pattern} {prefix}");
    }
}

/// Hosts and prefixes over few names, so that they often match.
fn host() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]", 1..=4).prop_map(|labels| labels.join(".") + ".test")
}

fn prefix() -> impl Strategy<Value = String> {
    let plain = (host(), "(:5000)?(/[ab]){0,2}").prop_map(|(host, rest)| host + &rest);
    let wildcard = prop_oneof!["[ab]\\.test", "test"].prop_map(|domain| format!("*.{domain}"));
    prop_oneof![plain, wildcard]
}

proptest! {
    /// This holds except for the two limits in the module's documentation.
    #[test]
    fn every_image_with_a_mirror_is_matched(
        prefixes in prop::collection::btree_map(prefix(), any::<bool>(), 1..6),
        mirrors in prop::collection::btree_map("mirror\\.test(/[ab]){0,2}", any::<bool>(), 0..3),
        host in host(),
        rest in "(:5000)?(/[ab]{1,2}){1,3}",
    ) {
        let source = |(prefix, is_blocked): (&String, &bool)| {
            // Two prefixes of one location must have the same `blocked`.
            let location = if prefix.starts_with('*') { "" } else { prefix };
            format!(
                "[[registry]]\nprefix = \"{prefix}\"\nlocation = \"{location}\"\n\
                 blocked = {is_blocked}\n[[registry.mirror]]\nlocation = \"mirror.test\"\n"
            )
        };
        let mirror = |(location, is_blocked): (&String, &bool)| {
            format!("[[registry]]\nlocation = \"{location}\"\nblocked = {is_blocked}\n")
        };
        let sources = prefixes.iter().map(source);
        let config = config(&sources.chain(mirrors.iter().map(mirror)).collect::<String>());
        let image = ImageName::parse_canonical(&(host + &rest)).unwrap();
        let sources = Sources::of(&image, &config);
        let all: Vec<String> = config
            .registries()
            .iter()
            .flat_map(|registry| patterns(&config, registry).unwrap())
            .collect();
        let all = minimal(all);
        if let Some(registry) = sources.own.registry && sources.no_login().is_none() {
            let below = registry.prefix.strip_prefix("*.").map(|domain| {
                image.host().split(['.', ':']).count() - domain.split('.').count()
            });
            let too_deep = below.is_some_and(|labels| labels > WILDCARD_LEVELS);
            let names_port = registry.prefix.contains([':', '/']);
            let other_port = image.host().contains(':') && !names_port;
            let matched = all.iter().any(|pattern| match_image(pattern, image.as_str()));
            prop_assert!(matched || too_deep || other_port, "{image} {all:?}");
        }
        for pattern in &all {
            let parsed = MatchImage::parse(pattern).unwrap();
            prop_assert!(config.registries().iter().any(|registry| is_for(&parsed, registry)));
        }
    }
}
