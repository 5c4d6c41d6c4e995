//! Which credential for which pull source (SPEC section 5), and what of a
//! Secret cannot be used.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_cluster::Secret;

use crate::support::{Cluster, EMPTY, NGINX, Node, Outcome, base64, docker_config, login, owned};

/// The login that the auth file has for a source, as `user:password`.
fn chosen(node: &Node, source: &str) -> Option<String> {
    let file = node.auth_file(NGINX)?;
    let auth = file["auths"].get(source)?["auth"].as_str()?.to_owned();
    let decoded = STANDARD.decode(auth).unwrap();
    Some(String::from_utf8(decoded).unwrap())
}

/// What nginx's mirror gets, pulled with these Secrets.
fn chosen_for_mirror(secrets: impl IntoIterator<Item = Secret>) -> (Option<String>, Outcome) {
    let node = Node::with_mirror();
    let cluster = Cluster::with(secrets);
    let outcome = node.provider(&cluster).pull(NGINX);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    (chosen(&node, "mirror.example/library/nginx"), outcome)
}

/// A Secret with a docker config of one entry for the mirror.
fn entry(name: &str, entry: &Value) -> Secret {
    let config = json!({"auths": {"mirror.example": entry}});
    Secret::docker_config_json(name, &config.to_string())
}

#[test]
fn the_namespaces_credentials_come_before_the_nodes() {
    let global = docker_config(&[("mirror.example/library/nginx", "global:p")]);
    let node = Node::with_mirror().and_global_auth(&global);
    let cluster = Cluster::with([login("pull", "*.example", "namespaced:p")]);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let source = "mirror.example/library/nginx";
    assert_eq!(chosen(&node, source).as_deref(), Some("namespaced:p"));
}

#[test]
fn the_more_specific_key_wins_whatever_its_secret_is_called() {
    // From the least to the most specific.
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
fn a_deeper_path_counts_more_than_an_exact_host() {
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

#[test]
fn an_entry_that_cannot_be_used_is_skipped_by_name_and_the_others_count() {
    for (name, given) in [
        ("a number", json!({"auth": 1})),
        ("not base64", json!({"auth": "hunter2!!hunter2"})),
        ("no colon", json!({"auth": base64("hunter2")})),
        ("no user", json!({"auth": base64(":hunter2")})),
        ("not UTF-8", json!({"auth": "/zpodW50ZXIy"})),
        ("empty", json!({})),
        ("null fields", json!({"auth": null, "username": null})),
        ("a text", json!("hunter2")),
        ("a list", json!(["hunter2"])),
        ("null", json!(null)),
        ("password alone", json!({"password": "hunter2"})),
        (
            "wrong types",
            json!({"username": ["hunter2"], "password": {"hunter2": 1}}),
        ),
        ("identity token alone", json!({"identitytoken": "hunter2"})),
        (
            "identity token of a wrong type",
            json!({"auth": base64("u:p"), "identitytoken": 5}),
        ),
    ] {
        let broken = entry("z-broken", &given);
        let good = login("a-good", "mirror.example", "good:p");

        let (chosen, outcome) = chosen_for_mirror([broken, good]);

        assert_eq!(chosen.as_deref(), Some("good:p"), "{name}: {outcome}");
        outcome.warns_with(&["z-broken", "mirror.example"]);
        outcome.never_says(&[
            "hunter2",
            &base64("hunter2"),
            &base64(":hunter2"),
            "/zpodW50ZXIy",
        ]);
    }
}

#[test]
fn the_other_entries_of_the_same_secret_count() {
    let node = Node::with_mirrors(&["one.example", "two.example"]);
    let config = json!({"auths": {
        "one.example": {"auth": 1},
        "two.example": {"auth": base64("user:hunter2")},
    }});
    let secret = Secret::docker_config_json("pull", &config.to_string());

    let outcome = node.provider(&Cluster::with([secret])).pull(NGINX);

    outcome.answers(&owned(NGINX));
    outcome.warns_with(&["pull", "one.example"]);
    let login = chosen(&node, "two.example/library/nginx");
    assert_eq!(login.as_deref(), Some("user:hunter2"));
}

#[test]
fn a_broken_entry_for_another_host_is_nobodys_business() {
    let config = json!({"auths": {
        "elsewhere.example": {"auth": 1},
        "mirror.example": {"auth": base64("user:hunter2")},
    }});
    let secret = Secret::docker_config_json("pull", &config.to_string());
    let (chosen, _) = chosen_for_mirror([secret]);
    assert_eq!(chosen.as_deref(), Some("user:hunter2"));
}

#[test]
fn a_secret_that_cannot_be_used_is_skipped_by_name_and_the_others_count() {
    let kind = "kubernetes.io/dockerconfigjson";
    let raw = |json: Value| {
        let mut whole = json!({"metadata": {"name": "z-broken"}, "type": kind});
        whole
            .as_object_mut()
            .unwrap()
            .extend(json.as_object().unwrap().clone());
        Secret::raw_json("z-broken", whole)
    };
    let json = |text: &str| Secret::docker_config_json("z-broken", text);
    let key = ".dockerconfigjson";
    for (name, broken) in [
        ("not JSON", json("hunter2")),
        (
            "cut",
            json("{\"auths\":{\"mirror.example\":{\"auth\":\"hunter2"),
        ),
        ("a list", json("[\"hunter2\"]")),
        ("a text", json("\"hunter2\"")),
        ("null", json("null")),
        ("empty", json("")),
        (
            "no auths",
            json("{\"mirror.example\":{\"auth\":\"hunter2\"}}"),
        ),
        ("auths is a list", json("{\"auths\":[\"hunter2\"]}")),
        ("auths is a text", json("{\"auths\":\"hunter2\"}")),
        ("deep", json(&format!("{{\"auths\":{}", "[".repeat(50_000)))),
        (
            "old format, not JSON",
            Secret::dockercfg("z-broken", "hunter2"),
        ),
        (
            "old format, a list",
            Secret::dockercfg("z-broken", "[\"hunter2\"]"),
        ),
        ("no data", raw(json!({}))),
        ("null data", raw(json!({"data": null}))),
        (
            "other key",
            raw(json!({"data": {"hunter2": "aHVudGVyMg=="}})),
        ),
        ("data is a list", raw(json!({"data": ["hunter2"]}))),
        ("data is a text", raw(json!({"data": "hunter2"}))),
        ("value is a number", raw(json!({"data": {key: 5}}))),
        ("value is a list", raw(json!({"data": {key: ["hunter2"]}}))),
        ("value is null", raw(json!({"data": {key: null}}))),
        (
            "value is not base64",
            raw(json!({"data": {key: "hunter2!"}})),
        ),
        (
            "stringData",
            raw(json!({"stringData": {key: "{\"auths\":{}}"}})),
        ),
    ] {
        let good = login("a-good", "mirror.example", "good:p");

        let (chosen, outcome) = chosen_for_mirror([broken, good]);

        assert_eq!(chosen.as_deref(), Some("good:p"), "{name}: {outcome}");
        outcome.answers(&owned(NGINX));
        outcome.warns_with(&["z-broken"]);
        outcome.never_says(&["hunter2", "aHVudGVyMg"]);
    }
}

#[test]
fn an_item_without_a_name_is_skipped_and_the_others_count() {
    let kind = "kubernetes.io/dockerconfigjson";
    for item in [
        json!({"type": kind}),
        json!({"type": kind, "metadata": {"name": 7}}),
        json!({"type": kind, "metadata": "hunter2"}),
        json!({"type": kind, "metadata": {"name": "x"}, "data": {".dockerconfigjson": {"hunter2": 1}}}),
    ] {
        let broken = Secret::raw_json("z-broken", item.clone());
        let good = login("a-good", "mirror.example", "good:p");
        let (chosen, outcome) = chosen_for_mirror([broken, good]);
        assert_eq!(chosen.as_deref(), Some("good:p"), "{item}: {outcome}");
        outcome.warns_with(&["skip"]);
        outcome.never_says(&["hunter2"]);
    }
}

#[test]
fn an_empty_docker_config_is_normal() {
    for secret in [
        Secret::docker_config_json("empty", r#"{"auths":{}}"#),
        Secret::dockercfg("empty", "{}"),
    ] {
        let (chosen, outcome) = chosen_for_mirror([secret]);
        assert_eq!(chosen, None);
        outcome.answers(EMPTY);
        outcome.is_quiet();
    }
}

#[test]
fn names_of_secrets_and_keys_cannot_forge_log_lines() {
    let kind = "kubernetes.io/dockerconfigjson";
    let key = "mirror.example/library\nERROR forged";
    let config =
        base64(&json!({"auths": {key: {"auth": 1}, "mirror.example": {"auth": 1}}}).to_string());
    let item = json!({
        "type": kind,
        "metadata": {"name": "x\nERROR forged\u{1b}[2J"},
        "data": {".dockerconfigjson": config},
    });
    let (_, outcome) = chosen_for_mirror([Secret::raw_json("x", item)]);
    outcome.answers(EMPTY);
    assert!(!outcome.stderr.contains('\u{1b}'), "{outcome}");
}
