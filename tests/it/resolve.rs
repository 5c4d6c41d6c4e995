//! The output of `resolve`. The tests of `registries-conf` show that it agrees with
//! CRI-O's own library.

use serde_json::{Value, json};

use crate::support::{NGINX, Node, Outcome};

fn resolve(node: &Node, format: &str, images: &[&str]) -> Outcome {
    let arguments = ["resolve", "-o", format, "--"];
    let provider = node.provider_without_cluster();
    provider.run_with(&[&arguments, images].concat())
}

#[test]
fn drop_ins_are_read_without_a_main_file() {
    let node = Node::new();
    node.write(
        "etc/containers/registries.conf.d/10-a.conf",
        "[[registry]]\nlocation=\"docker.io\"\n[[registry.mirror]]\nlocation=\"m.local\"\n",
    );
    let outcome = resolve(&node, "json", &["nginx"]);
    let resolved: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let mirror = json!({
        "name": "m.local/library/nginx", "kind": "mirror", "pull": "all", "insecure": false,
        "blocked": false,
    });
    assert_eq!(resolved["images"][0]["sources"][0], mirror);
}

#[test]
fn the_json_is_exactly_this() {
    let node = Node::with_registries(
        "[[registry]]\nprefix = \"docker.io/library\"\nlocation = \"hub.example/lib\"\ninsecure = true\n\
         [[registry.mirror]]\nlocation = \"mirror.example:5000\"\npull-from-mirror = \"digest-only\"\n\
         [[registry]]\nlocation = \"quay.io\"\nblocked = true\n\
         [[registry.mirror]]\nlocation = \"mirror.example/quay\"\n",
    );
    let outcome = resolve(
        &node,
        "json",
        &["nginx:1.27", "quay.io/org/app", "gcr.io/a"],
    );
    let resolved: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let file = node.path("etc/containers/registries.conf");
    let source = |name: &str, kind: &str, pull: &str, insecure: bool| json!({"name": name, "kind": kind, "pull": pull, "insecure": insecure, "blocked": false});
    let registry = |prefix: &str, location: &str, blocked: bool, line: usize| json!({"prefix": prefix, "location": location, "blocked": blocked, "file": file, "line": line});
    let expected = json!({"version": 1, "ignoredKeys": [], "images": [
        {
            "image": "docker.io/library/nginx",
            "registry": registry("docker.io/library", "hub.example/lib", false, 1),
            "sources": [
                source("mirror.example:5000/nginx", "mirror", "digest-only", false),
                source("hub.example/lib/nginx", "primary", "all", true),
            ],
            "unusable": [],
            "failingPulls": null,
            "otherRegistries": [],
            "candidates": [],
        },
        {
            "image": "quay.io/org/app",
            "registry": registry("quay.io", "quay.io", true, 8),
            "sources": [
                source("mirror.example/quay/org/app", "mirror", "all", false),
                {
                    "name": "quay.io/org/app", "kind": "primary", "pull": "all", "insecure": false,
                    "blocked": true, "blockedBy": {"prefix": "quay.io", "file": file, "line": 8},
                },
            ],
            "unusable": [],
            "failingPulls": null,
            "otherRegistries": [],
            "candidates": [],
        },
        {
            "image": "gcr.io/a",
            "registry": null,
            "sources": [],
            "unusable": [],
            "failingPulls": null,
            "otherRegistries": [],
            "candidates": [],
        },
    ]});
    assert_eq!(resolved, expected);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_text_has_every_image_registry_and_source() {
    let node = Node::with_mirrors(&["one.example", "two.example"]);
    let outcome = resolve(&node, "text", &["nginx", "quay.io/org/app"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let mut rest = outcome.stdout.as_str();
    for expected in [
        "docker.io/library/nginx",
        "one.example/library/nginx",
        "two.example/library/nginx",
        "docker.io/library/nginx",
        "quay.io/org/app",
    ] {
        let (_, after) = rest
            .split_once(expected)
            .unwrap_or_else(|| panic!("{expected}: {outcome}"));
        rest = after;
    }
    let path = node.path("etc/containers/registries.conf");
    assert!(outcome.stdout.contains(path.to_str().unwrap()), "{outcome}");
    let default =
        node.provider_without_cluster()
            .run_with(&["resolve", "nginx", "quay.io/org/app"]);
    assert_eq!(default.stdout, outcome.stdout);
}

/// A node whose registries.conf has rules of every kind.
fn node_with_rules() -> Node {
    let node = Node::with_registries(
        "[[registry]]\nlocation = \"docker.io\"\n\
         [[registry]]\nprefix = \"*.io\"\n\
         [[registry]]\nlocation = \"quay.io\"\nblocked = true\n",
    );
    node.write(
        "etc/containers/registries.conf.d/10-hub.conf",
        "\n\n[[registry]]\nprefix = \"docker.io/library\"\nlocation = \"hub.example\"\ninsecure = true\n\
         [[registry.mirror]]\nlocation = \"one.example:5000\"\npull-from-mirror = \"digest-only\"\n\
         [[registry.mirror]]\nlocation = \"two.example\"\npull-from-mirror = \"tag-only\"\n\
         [[registry.mirror]]\nlocation = \"three.example/x:tag\"\n",
    );
    node
}

/// The lines of a text that have all these words.
fn lines_with<'a>(text: &'a str, words: &[&str]) -> Vec<&'a str> {
    let all = |line: &&str| words.iter().all(|word| line.contains(word));
    text.lines().filter(all).collect()
}

#[test]
fn the_text_shows_the_order_and_the_pulls_of_each_source() {
    let outcome = resolve(&node_with_rules(), "text", &["nginx"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    for words in [
        &["1", "one.example:5000/nginx", "mirror", "digest-only"][..],
        &["2", "two.example/nginx", "mirror", "tag-only"],
        &["3", "hub.example/nginx", "primary", "all", "insecure"],
        &[
            "three.example/x:tag",
            "mirror",
            "unusable",
            "not an image name",
        ],
    ] {
        assert_eq!(
            lines_with(&outcome.stdout, words).len(),
            1,
            "{words:?}: {outcome}"
        );
    }
    assert_eq!(
        lines_with(&outcome.stdout, &["one.example", "insecure"]).len(),
        0
    );
    assert_eq!(outcome.stderr, "");
}

#[test]
fn the_text_shows_which_rule_of_which_file_applies_and_which_do_not() {
    let node = node_with_rules();
    let main = node.path("etc/containers/registries.conf");
    let drop_in = node.path("etc/containers/registries.conf.d/10-hub.conf");
    let outcome = resolve(&node, "text", &["nginx"]);
    let at = |path: &std::path::Path, line: usize| format!("{}:{line}", path.display());
    for words in [
        &["registry", "docker.io/library", &at(&drop_in, 3)][..],
        &["docker.io", &at(&main, 1), "shorter"],
        &["*.io", &at(&main, 3), "shorter"],
    ] {
        assert_eq!(
            lines_with(&outcome.stdout, words).len(),
            1,
            "{words:?}: {outcome}"
        );
    }
}

#[test]
fn the_text_shows_which_sources_are_blocked_and_by_what() {
    let node = Node::with_registries(
        "[[registry]]\nprefix = \"docker.io\"\nlocation = \"cache.example\"\nblocked = true\n\
         [[registry.mirror]]\nlocation = \"one.internal.example\"\n\
         [[registry.mirror]]\nlocation = \"two.example\"\n\
         [[registry]]\nprefix = \"*.internal.example\"\nblocked = true\n",
    );
    let outcome = resolve(&node, "text", &["nginx"]);
    let conf = node.path("etc/containers/registries.conf");
    let by = format!("blocked by *.internal.example ({}:9)", conf.display());
    for words in [
        &["-", "one.internal.example/library/nginx", "mirror", &by][..],
        &["1", "two.example/library/nginx", "mirror", "all"],
        &["2", "cache.example/library/nginx", "primary", "all"],
    ] {
        assert_eq!(
            lines_with(&outcome.stdout, words).len(),
            1,
            "{words:?}: {outcome}"
        );
    }
    assert_eq!(outcome.stdout.matches("blocked").count(), 1, "{outcome}");
}

/// CRI-O adds the tag of the pull to the location's own: two tags are no name. A digest
/// may follow a tag.
#[test]
fn a_location_with_a_tag_fails_pulls_by_tag_of_the_image_of_its_prefix() {
    let node = Node::with_registries(
        "[[registry]]\nlocation = \"quay.io/org/app\"\n\
         [[registry.mirror]]\nlocation = \"mirror.example/a:tag\"\n",
    );
    let images = ["quay.io/org/app", "quay.io/org/app/below"];
    let text = resolve(&node, "text", &images).stdout;
    for (words, count) in [
        (&["every pull by tag of this image fails"][..], 1),
        (&["every pull of this image fails"], 1),
        (&["mirror.example/a ", "digest-only"], 1),
        (&["mirror.example/a:tag", "tag-only", "unusable"], 1),
        (&["mirror.example/a:tag", " all ", "unusable"], 1),
    ] {
        assert_eq!(lines_with(&text, words).len(), count, "{words:?}: {text}");
    }
    let json: Value = serde_json::from_str(&resolve(&node, "json", &images).stdout).unwrap();
    let failing = [0, 1].map(|image: usize| &json["images"][image]["failingPulls"]);
    assert_eq!(failing, ["tag-only", "all"], "{json:#}");
}

#[test]
fn an_image_with_a_scheme_is_refused_with_the_remedy() {
    let node = Node::with_mirror();
    for image in ["docker://nginx", "https://quay.io/org/app:1"] {
        let line = format!("ERROR {image:?} is not an image name: write it without a scheme\n");
        assert_eq!(resolve(&node, "text", &[image]).stderr, line);
    }
}

/// If one rewritten name does not parse, CRI-O refuses the pull before it contacts
/// anything: it does not fall back to the other sources.
#[test]
fn a_location_that_gives_no_name_fails_every_pull_and_is_reported_with_its_line() {
    for (location, pull, failing, words) in [
        ("my-mirror.example.:5500/", "all", "all", "every pull of"),
        ("docker://mirror.example", "all", "all", "every pull of"),
        ("[fd00::1]:5000", "all", "all", "every pull of"),
        ("index.docker.io", "all", "all", "every pull of"),
        (
            "mirror.example/a:tag",
            "tag-only",
            "tag-only",
            "every pull by tag of",
        ),
        (
            "mirror.example/a:tag",
            "digest-only",
            "digest-only",
            "every pull by digest of",
        ),
    ] {
        let node = Node::with_registries(&format!(
            "[[registry]]\nlocation = \"docker.io\"\n\n\
             [[registry.mirror]]\nlocation = \"good.example\"\n\
             [[registry.mirror]]\npull-from-mirror = \"{pull}\"\nlocation = \"{location}\"\n",
        ));
        let conf = node.path("etc/containers/registries.conf");
        let text = resolve(&node, "text", &["nginx"]).stdout;
        assert_eq!(lines_with(&text, &[words, "fails"]).len(), 1, "{text}");
        let row = [
            "-",
            location.trim_end_matches('/'),
            "unusable",
            &format!("{}:8", conf.display()),
        ];
        assert_eq!(lines_with(&text, &row).len(), 1, "{text}");

        let resolved: Value =
            serde_json::from_str(&resolve(&node, "json", &["nginx"]).stdout).unwrap();
        assert_eq!(
            resolved["images"][0]["failingPulls"], failing,
            "{resolved:#}"
        );
        let unusable = resolved["images"][0]["unusable"].as_array().unwrap();
        let [unusable] = &unusable[..] else {
            panic!("{resolved:#}")
        };
        assert_eq!(unusable["location"], location.trim_end_matches('/'));
        assert_eq!(
            (&unusable["file"], &unusable["line"]),
            (&json!(conf), &json!(8))
        );
        assert_eq!(
            (&unusable["kind"], &unusable["pull"]),
            (&json!("mirror"), &json!(pull))
        );
        let reason = unusable["reason"].as_str().unwrap();
        assert!(reason.contains("is not an image name"), "{reason}");
        let sources = resolved["images"][0]["sources"].as_array().unwrap().iter();
        let names: Vec<_> = sources.map(|source| &source["name"]).collect();
        assert_eq!(names, ["good.example/library/nginx", NGINX]);
    }
}

#[test]
fn a_location_with_a_tag_is_for_pulls_by_digest_of_the_prefix_itself() {
    let node = Node::with_registries(
        "[[registry]]\nlocation = \"quay.io/org/app\"\n\
         [[registry.mirror]]\nlocation = \"m.local/a:tag\"\n",
    );
    let outcome = resolve(&node, "json", &["quay.io/org/app"]);
    let resolved: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let source = |name, kind, pull| json!({"name": name, "kind": kind, "pull": pull, "insecure": false, "blocked": false});
    let expected = json!([
        source("m.local/a", "mirror", "digest-only"),
        source("quay.io/org/app", "primary", "all"),
    ]);
    assert_eq!(resolved["images"][0]["sources"], expected);
    assert_eq!(resolved["images"][0]["failingPulls"], "tag-only");
    assert_eq!(
        resolved["images"][0]["unusable"][0]["location"],
        "m.local/a:tag"
    );
}

#[test]
fn keys_that_cri_o_ignores_are_named_with_file_and_line() {
    let many = (0..30).fold(String::new(), |text, n| text + &format!("x{n} = 1\n"));
    let node = Node::with_registries(&format!(
        "[[registry]]\nlocation = \"docker.io\"\nblockd = true\n\
         [[registry.mirrors]]\nlocation = \"m.example\"\n[extra]\n{many}"
    ));
    node.write("etc/containers/registries.conf.d/x.conf", many);
    let conf = node.path("etc/containers/registries.conf");
    for format in ["text", "json"] {
        let outcome = resolve(&node, format, &["nginx"]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        for (line, key) in [
            (3, "registry.blockd"),
            (4, "registry.mirrors"),
            (6, "extra"),
        ] {
            outcome.warns_with(&[&format!("{}:{line}: ", conf.display()), &format!("{key:?}")]);
        }
        outcome.warns_with(&["13 more"]);
        assert_eq!(outcome.stderr.lines().count(), 21, "{outcome}");
    }
}

#[test]
fn colours_are_used_on_terminals_that_support_them_unless_turned_off() {
    let node = node_with_rules();
    let plain = resolve(&node, "text", &["nginx"]).stdout;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let provider = || node.provider_without_cluster();
    for (name, provider, coloured) in [
        ("terminal", provider(), true),
        ("empty NO_COLOR", provider().env("NO_COLOR", ""), true),
        ("NO_COLOR", provider().env("NO_COLOR", "1"), false),
        ("dumb terminal", provider().env("TERM", "dumb"), false),
    ] {
        let (code, seen) = provider.run_on_terminal(&["resolve", "nginx"]);
        assert_eq!(code, Some(0), "{name}: {seen}");
        assert_eq!(
            seen.contains("\u{1b}[1mdocker.io/library/nginx\u{1b}[0m"),
            coloured,
            "{name}: {seen}"
        );
        assert_eq!(seen == plain, !coloured, "{name}: {seen}");
    }
}

#[test]
fn a_closed_pipe_is_ignored_and_a_full_disk_is_a_failure() {
    let node = node_with_rules();
    let provider = node.provider_without_cluster();
    let run = |script: &str| provider.pull_in_script(script, &[], NGINX);
    for format in ["text", "json"] {
        let command = format!("\"$PROVIDER\" resolve -o {format} nginx");
        // The other end is closed when it writes.
        let closed = run(&format!(
            "{{ sleep 0.3; {command} || echo failed >&2; }} | :"
        ));
        assert!(
            !closed.stderr.contains("failed") && !closed.stderr.contains("ERROR"),
            "{closed}"
        );
        run(&format!("{command} > /dev/full")).fails_with(&["write to stdout"]);
    }
}

#[test]
fn control_characters_of_a_file_cannot_move_the_cursor() {
    let node = Node::with_registries(
        "[[registry]]\nprefix = \"docker.io\"\nlocation = \"a.example\"\n\
         [[registry.mirror]]\nlocation = \"evil\\u001b[2J\\nforged\"\n",
    );
    let outcome = resolve(&node, "text", &["nginx"]);
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome}");
    assert!(
        lines_with(&outcome.stdout, &["forged"])[0].contains("evil"),
        "{outcome}"
    );
}

#[test]
fn help_has_examples() {
    for command in ["resolve", "explain"] {
        let outcome = Node::new()
            .provider_without_cluster()
            .run_with(&[command, "--help"]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let example = format!("crio-credential-provider {command} ");
        let (_, examples) = outcome.stdout.split_once("Examples:").unwrap();
        assert!(examples.matches(&example).count() >= 3, "{outcome}");
    }
}

#[test]
fn an_image_that_does_not_parse_is_an_error_and_nothing_is_printed() {
    let node = Node::with_registries("");
    for image in [
        "",
        "Nginx",
        "nginx:",
        "a b",
        "nginx@sha256:0",
        "https://a.b/c",
    ] {
        let outcome = resolve(&node, "json", &["nginx", image]);
        assert_eq!(outcome.code, Some(1), "{image:?}: {outcome}");
        outcome.fails_with(&["image", &format!("{image:?}")]);
    }
}
