//! The choice of a credential for each pull source.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_cluster::Secret;

use crate::support::{Cluster, EMPTY, NGINX, Node, Outcome, base64, docker_config, login, owned};

/// The login that the auth file has for a source, as `user:password`.
pub(crate) fn chosen(node: &Node, source: &str) -> Option<String> {
    let file = node.auth_file(NGINX)?;
    let auth = file["auths"].get(source)?["auth"].as_str()?.to_owned();
    let decoded = STANDARD.decode(auth).unwrap();
    Some(String::from_utf8(decoded).unwrap())
}

/// The login for nginx's mirror, pulled with these Secrets.
pub(crate) fn chosen_for_mirror(
    secrets: impl IntoIterator<Item = Secret>,
) -> (Option<String>, Outcome) {
    let node = Node::with_mirror();
    let cluster = Cluster::with(secrets);
    let outcome = node.provider(&cluster).pull(NGINX);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    (chosen(&node, "mirror.example/library/nginx"), outcome)
}

/// A Secret with a docker config of one entry for the mirror.
pub(crate) fn entry(name: &str, entry: &Value) -> Secret {
    let config = json!({"auths": {"mirror.example": entry}});
    Secret::docker_config_json(name, &config.to_string())
}

#[test]
fn the_namespaces_credentials_precede_the_nodes() {
    let global = docker_config(&[("mirror.example/library/nginx", "global:p")]);
    let node = Node::with_mirror().and_global_auth(&global);
    let cluster = Cluster::with([login("pull", "*.example", "namespaced:p")]);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let source = "mirror.example/library/nginx";
    assert_eq!(chosen(&node, source).as_deref(), Some("namespaced:p"));
}

#[test]
fn the_more_specific_key_wins_whatever_its_secret_is_called() {
    // The keys, from the least to the most specific.
    let keys = [
        "*.*",
        "*.example",
        "mirror*.example",
        "mirror.example",
        "https://mirror.example/v2/library",
        "mirror.example/library/nginx",
    ];
    for pair in keys.windows(2) {
        for names in [["a", "z"], ["z", "a"]] {
            let less = login(names[0], pair[0], "less:p");
            let more = login(names[1], pair[1], "more:p");
            let (chosen, outcome) = chosen_for_mirror([less, more]);
            assert_eq!(chosen.as_deref(), Some("more:p"), "{pair:?}: {outcome}");
        }
    }
}

#[test]
fn a_deeper_path_takes_precedence_over_an_exact_host() {
    let deep = login("a", "*.example/library", "deep:p");
    let exact = login("z", "mirror.example", "exact:p");
    let (chosen, _) = chosen_for_mirror([deep, exact]);
    assert_eq!(chosen.as_deref(), Some("deep:p"));
}

#[test]
fn of_equal_keys_the_secret_whose_name_sorts_last_wins() {
    let (chosen, _) = chosen_for_mirror([
        login("b", "mirror.example", "b:p"),
        login("c", "https://mirror.example/", "c:p"),
        login("a", "mirror.example", "a:p"),
    ]);
    assert_eq!(chosen.as_deref(), Some("c:p"));
}

#[test]
fn comparisons_are_logged_only_at_debug_level() {
    let node = Node::with_mirror();
    let cluster = Cluster::with([
        login("winner", "mirror.example", "a:hunter2"),
        login("loser", "*.example", "b:hunter2"),
        login("bystander", "elsewhere.example", "c:hunter2"),
    ]);
    for (level, told) in [("info", false), ("debug", true)] {
        let provider = node.provider(&cluster).flag("--log-level", level);
        let outcome = provider.pull(NGINX);
        outcome.answers(&owned(NGINX));
        outcome.never_prints(&["hunter2", &base64("b:hunter2")]);
        for name in ["loser", "bystander"] {
            let said = outcome.stderr.contains(&format!("secret \"{name}\""));
            assert_eq!(said, told, "{name} {level}: {outcome}");
        }
    }
}

#[test]
fn the_type_of_a_secret_makes_no_difference() {
    let config = |login| json!({"mirror.example": {"auth": base64(login)}}).to_string();
    let json = |name| login(name, "mirror.example", "json:p");
    let old = |name| Secret::dockercfg(name, &config("old:p"));
    let (chosen, _) = chosen_for_mirror([json("b"), old("a")]);
    assert_eq!(chosen.as_deref(), Some("json:p"));
    let (chosen, _) = chosen_for_mirror([json("a"), old("b")]);
    assert_eq!(chosen.as_deref(), Some("old:p"));
}

#[test]
fn every_pull_source_gets_its_own_credential() {
    let node = Node::with_mirrors(&["one.example", "two.example:5000/cache", "three.example"]);
    let cluster = Cluster::with([
        login("a", "one.example", "one:p"),
        login("b", "two.example:5000", "two:p"),
        login("c", "docker.io", "hub:p"),
        login("d", "unrelated.example", "unrelated:p"),
    ]);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let expected = json!({"auths": {
        "one.example/library/nginx": {"auth": base64("one:p")},
        "two.example:5000/cache/library/nginx": {"auth": base64("two:p")},
        "docker.io/library/nginx": {"auth": base64("hub:p")},
    }});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn a_key_serves_a_source_only_at_a_component_boundary_and_on_its_own_host() {
    for (key, serves) in [
        ("mirror.example", true),
        ("mirror.example/", true),
        ("https://mirror.example", true),
        ("http://mirror.example/v1/", true),
        ("https://mirror.example/v2/", true),
        ("https://mirror.example/v2/library/", true),
        ("mirror.example/library", true),
        ("mirror.example/library/", true),
        ("mirror.example/library/nginx", true),
        ("mirror.example/library/nginx/", true),
        ("*.example", true),
        ("mirr*.exam*", true),
        ("mirror.example/lib", false),
        ("mirror.example/library/ngin", false),
        ("mirror.example/library/nginx2", false),
        ("mirror.example/library/nginx/sub", false),
        ("mirror.example/other", false),
        ("mirror.example:443", false),
        ("mirror.example:5000", false),
        ("other.example", false),
        ("example", false),
        ("sub.mirror.example", false),
        ("*.mirror.example", false),
        ("*", false),
        ("*.*.example", false),
        ("mirror.example.evil", false),
        ("evilmirror.example", false),
        ("", false),
        ("/", false),
        ("https://", false),
    ] {
        let (chosen, outcome) = chosen_for_mirror([login("pull", key, "user:p")]);
        assert_eq!(chosen.is_some(), serves, "{key:?}: {outcome}");
        outcome.answers(&if serves {
            owned(NGINX)
        } else {
            EMPTY.to_owned()
        });
    }
}

#[test]
fn a_port_must_be_equal() {
    for (key, serves) in [
        ("mirror.example:5000", true),
        ("https://mirror.example:5000/v2/", true),
        ("*.example:5000", true),
        ("mirror.example", false),
        ("mirror.example:500", false),
        ("mirror.example:50000", false),
        ("mirror.example:*", false),
    ] {
        let node = Node::with_mirrors(&["mirror.example:5000"]);
        let cluster = Cluster::with([login("pull", key, "user:p")]);
        let outcome = node.provider(&cluster).pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{key}: {outcome}");
        let chosen = chosen(&node, "mirror.example:5000/library/nginx");
        assert_eq!(chosen.is_some(), serves, "{key}: {outcome}");
    }
}

#[test]
fn docker_hub_is_one_host_by_all_its_names_and_no_other() {
    for key in [
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
        "https://index.docker.io/v1/",
        "https://index.docker.io/v2/",
        "https://registry-1.docker.io",
        "docker.io/library",
    ] {
        let node = Node::with_mirrors(&["localhost/hub", "mirror.example", "registry-1.docker.io"]);
        let cluster = Cluster::with([login("hub", key, "hub:p")]);

        node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

        let entry = json!({"auth": base64("hub:p")});
        let expected = json!({"auths": {
            "registry-1.docker.io/library/nginx": entry,
            "docker.io/library/nginx": entry,
        }});
        assert_eq!(node.auth_file(NGINX), Some(expected), "{key}");
    }
}

#[test]
fn a_foreign_hosts_login_is_never_written() {
    let mut logins: Vec<_> = ["quay.io", "mirror.example.evil", "mirror.example:8443"]
        .map(|key| (key, "foreign:hunter2"))
        .to_vec();
    logins.push(("mirror.example", "user:hunter2"));
    let cluster = Cluster::with([Secret::docker_config_json("pull", &docker_config(&logins))]);
    let node = Node::with_mirror();

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let entry = json!({"auth": base64("user:hunter2")});
    let expected = json!({"auths": {"mirror.example/library/nginx": entry}});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn a_login_is_read_in_each_of_its_forms() {
    let unpadded = base64("user:hunter2").trim_end_matches('=').to_owned();
    for (name, given, expected) in [
        (
            "auth",
            json!({"auth": base64("user:hunter2")}),
            "user:hunter2",
        ),
        ("unpadded", json!({"auth": unpadded}), "user:hunter2"),
        (
            "two pads less",
            json!({"auth": base64("user:hunter").trim_end_matches('=')}),
            "user:hunter",
        ),
        (
            "trailing NULs",
            json!({"auth": base64("user:hunter2\0\0")}),
            "user:hunter2",
        ),
        (
            "colon in the password",
            json!({"auth": base64("user:hunt:er2")}),
            "user:hunt:er2",
        ),
        ("empty password", json!({"auth": base64("user:")}), "user:"),
        (
            "not ASCII",
            json!({"auth": base64("üser:pässword")}),
            "üser:pässword",
        ),
        (
            "user and password",
            json!({"username": "user", "password": "hunter2"}),
            "user:hunter2",
        ),
        (
            "auth counts more",
            json!({"auth": base64("user:hunter2"), "username": "other", "password": "other"}),
            "user:hunter2",
        ),
        (
            "empty auth counts nothing",
            json!({"auth": "", "username": "user", "password": "hunter2"}),
            "user:hunter2",
        ),
        (
            "null auth counts nothing",
            json!({"auth": null, "username": "user", "password": "hunter2"}),
            "user:hunter2",
        ),
        (
            "other fields",
            json!({"auth": base64("user:hunter2"), "email": "a@b", "x": {"y": [1]}}),
            "user:hunter2",
        ),
        (
            "escapes",
            json!({"username": "user", "password": "p\"\\\u{1}é"}),
            "user:p\"\\\u{1}é",
        ),
    ] {
        for secret in [
            entry("pull", &given),
            Secret::dockercfg("pull", &json!({"mirror.example": given}).to_string()),
        ] {
            let (chosen, outcome) = chosen_for_mirror([secret]);
            assert_eq!(chosen.as_deref(), Some(expected), "{name}: {outcome}");
            outcome.is_quiet();
        }
    }
}

#[test]
fn an_identity_token_is_carried_along() {
    let node = Node::with_mirror();
    let auth = base64("user:hunter2");
    let given = json!({"auth": auth, "identitytoken": "r3fr3sh", "registrytoken": "x"});
    let cluster = Cluster::with([entry("pull", &given)]);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let entry = json!({"auth": auth, "identitytoken": "r3fr3sh"});
    let expected = json!({"auths": {"mirror.example/library/nginx": entry}});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}
