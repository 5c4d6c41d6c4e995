//! One file for each rule of containers-registries.conf(5).

use registries_conf::{Config, Source};

use crate::support::lines;

#[test]
fn rules() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            include_str!("../testdata/mirrors-come-before-the-registry-in-file-order.conf"),
            "docker.io/library/nginx",
            &[
                "second.example/hub/library/nginx mirror all",
                "first.example:5000/library/nginx mirror all insecure",
                "docker.io/library/nginx primary all",
            ],
        ),
        (
            include_str!("../testdata/the-longest-prefix-wins.conf"),
            "registry.example/team/project/app",
            &["registry.example/team/project/app primary all"],
        ),
        (
            include_str!("../testdata/the-longest-prefix-wins.conf"),
            "registry.example/team/other",
            &["team.example/other primary all"],
        ),
        (
            include_str!("../testdata/the-longest-prefix-wins.conf"),
            "registry.example/app",
            &["host.example/app primary all"],
        ),
        (
            include_str!("../testdata/a-prefix-ends-at-a-boundary.conf"),
            "registry.example/team/app",
            &[],
        ),
        (
            include_str!("../testdata/a-wildcard-is-for-the-hosts-below.conf"),
            "a.b.internal.example/app",
            &[
                "cache.example/internal/app mirror all",
                "a.b.internal.example/app primary all",
            ],
        ),
        (
            include_str!("../testdata/a-wildcard-is-for-the-hosts-below.conf"),
            "internal.example/app",
            &[],
        ),
        (
            include_str!("../testdata/pull-from-mirror-limits-one-mirror.conf"),
            "registry.example/app",
            &[
                "all.example/app mirror all",
                "digest.example/app mirror digest-only",
                "tag.example/app mirror tag-only",
                "registry.example/app primary all",
            ],
        ),
        (
            include_str!("../testdata/mirror-by-digest-only-limits-every-mirror.conf"),
            "registry.example/app",
            &[
                "one.example/app mirror digest-only",
                "two.example/app mirror digest-only",
                "registry.example/app primary all",
            ],
        ),
        (
            include_str!("../testdata/a-prefix-is-replaced-by-the-location.conf"),
            "example.com/foo/image",
            &["internal.example/mirror/bar/image primary all"],
        ),
        (
            include_str!("../testdata/the-first-table-of-a-prefix-counts.conf"),
            "registry.example/app",
            &[
                "first.example/app mirror all",
                "registry.example/app primary all",
            ],
        ),
        (
            include_str!("../testdata/version-one-blocks-and-marks-insecure.conf"),
            "insecure.example/app",
            &["insecure.example/app primary all insecure"],
        ),
    ];
    for (text, image, expected) in cases {
        let config = Config::parse(Some(&Source::new("f", *text)), &[]).unwrap();
        let sources = lines(&config.pull_sources(image));
        assert_eq!(sources, *expected, "{image} in\n{text}");
    }
}

#[test]
fn version_one() {
    let text = include_str!("../testdata/version-one-blocks-and-marks-insecure.conf");
    let config = Config::parse(Some(&Source::new("f", text)), &[]).unwrap();
    assert_eq!(config.unqualified_search_registries(), ["search.example"]);
    let registries: Vec<_> = config
        .registries()
        .iter()
        .map(|r| (r.prefix.as_str(), r.blocked, r.insecure, r.origin.line))
        .collect();
    let expected = [
        ("blocked.example/ns", true, false, 8),
        ("both.example", true, true, 8),
        ("insecure.example", false, true, 5),
    ];
    assert_eq!(registries, expected);
}
