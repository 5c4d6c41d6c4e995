use crate::config::{Config, Source};
use crate::registry::PullFromMirror;

#[test]
fn sources() {
    let mirrored = "[[registry.mirror]]\nlocation = \"m.x\"\ninsecure = true\n\
                    [[registry.mirror]]\nlocation = \"n.x/p\"\n";
    let cases = [
        (
            "mirrors, then the registry",
            format!("[[registry]]\nlocation = \"a.b\"\n{mirrored}"),
            "a.b/c",
            vec![
                "mirror m.x/c all insecure",
                "mirror n.x/p/c all",
                "primary a.b/c all",
            ],
            vec![],
        ),
        (
            "mirrors for digests only",
            format!(
                "[[registry]]\nprefix = \"a.b/c\"\nlocation = \"x.y/z\"\ninsecure = true\n\
                 mirror-by-digest-only = true\n{mirrored}"
            ),
            "a.b/c/d",
            vec![
                "mirror m.x/d digest-only insecure",
                "mirror n.x/p/d digest-only",
                "primary x.y/z/d all insecure",
            ],
            vec![],
        ),
        (
            "a host is not a repository",
            format!("[[registry]]\nlocation = \"a.b/c\"\n{mirrored}"),
            "a.b/c",
            vec!["mirror n.x/p all", "primary a.b/c all"],
            vec![
                "mirror m.x all (f:4): \"m.x\" is not an image name: \
                  short for \"docker.io/library/m.x\", which must be spelled out here",
            ],
        ),
        (
            "a wildcard without location",
            "[[registry]]\nprefix = \"*.b\"".to_owned(),
            "a.b/c",
            vec!["primary a.b/c all"],
            vec![],
        ),
        (
            "another registry's name",
            "[[registry]]\nprefix = \"*.b\"".to_owned(),
            "a.c/c",
            vec![],
            vec![],
        ),
    ];
    for (case, text, name, usable, unusable) in cases {
        check(case, text, name, &usable, &unusable);
    }
}

#[test]
fn a_location_with_a_tag_takes_a_digest_but_no_other_tag() {
    let cases = [
        (
            "a location with a tag takes a digest, but no other tag",
            "[[registry]]\nprefix = \"a.b/c\"\nlocation = \"x.y/z:1\"\n\
             [[registry.mirror]]\nlocation = \"m.x/d:1\"\npull-from-mirror = \"digest-only\"\n\
             [[registry.mirror]]\nlocation = \"m.x/t:1\"\npull-from-mirror = \"tag-only\"\n\
             [[registry.mirror]]\nlocation = \"m.x/e@sha256:0\"\n"
                .to_owned(),
            "a.b/c",
            vec!["mirror m.x/d digest-only", "primary x.y/z digest-only"],
            vec![
                "mirror m.x/t:1 tag-only (f:8): \"m.x/t:1\" is not an image name: \
                  a tag or digest is not allowed here",
                "mirror m.x/e@sha256:0 all (f:11): \"m.x/e@sha256:0\" is not an image name: \
                  malformed digest, or of an unknown algorithm",
                "primary x.y/z:1 tag-only (f:3): \"x.y/z:1\" is not an image name: \
                  a tag or digest is not allowed here",
            ],
        ),
        (
            "a location with a tag and a path below it",
            "[[registry]]\nprefix = \"a.b\"\nlocation = \"x.y/z:1\"".to_owned(),
            "a.b/c",
            vec![],
            vec![
                "primary x.y/z:1 all (f:3): \"x.y/z:1/c\" is not an image name: malformed: expected [HOST[:PORT]/]PATH[:TAG][@DIGEST]",
            ],
        ),
    ];
    for (case, text, name, usable, unusable) in cases {
        check(case, text, name, &usable, &unusable);
    }
}

fn check(case: &str, text: String, name: &str, usable: &[&str], unusable: &[&str]) {
    let config = Config::parse(Some(&Source::new("f", text)), &[]).unwrap();
    let sources = config.pull_sources_in(&config.registries()[0], name);
    let found: Vec<_> = sources
        .sources
        .iter()
        .map(|source| {
            let insecure = if source.insecure { " insecure" } else { "" };
            let pull = source.pull.as_str();
            format!("{} {} {pull}{insecure}", source.kind.as_str(), source.name)
        })
        .collect();
    assert_eq!(found, usable, "{case}");
    let found: Vec<_> = sources
        .unusable
        .iter()
        .map(|source| {
            let (kind, pull) = (source.kind.as_str(), source.pull.as_str());
            let (location, origin) = (&source.location, &source.origin);
            format!("{kind} {location} {pull} ({origin}): {}", source.error)
        })
        .collect();
    assert_eq!(found, unusable, "{case}");
}

#[test]
fn pulls_that_fail() {
    for (mirrors, expected) in [
        (&["m.x all"][..], None),
        (&["m.x/y: tag-only", "m.x all"], Some("tag-only")),
        (
            &["m.x digest-only", "m.x/y: digest-only"],
            Some("digest-only"),
        ),
        (&["m.x/y: tag-only", "m.x/z: digest-only"], Some("all")),
        (&["m.x/y: tag-only", "m.x/z: tag-only"], Some("tag-only")),
        (&["m.x/y: all", "m.x/z: tag-only"], Some("all")),
    ] {
        let mirror = |mirror: &&str| {
            let (location, pull) = mirror.split_once(' ').unwrap();
            format!("[[registry.mirror]]\nlocation = {location:?}\npull-from-mirror = {pull:?}\n")
        };
        let text: String = mirrors.iter().map(mirror).collect();
        let text = format!("[[registry]]\nlocation = \"a.b\"\n{text}");
        let config = Config::parse(Some(&Source::new("f", text)), &[]).unwrap();
        let failing = config.pull_sources("a.b/c").failing();
        assert_eq!(failing.map(PullFromMirror::as_str), expected, "{mirrors:?}");
    }
}
