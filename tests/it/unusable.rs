//! Unusable Secrets and entries are skipped, with a warning that names them.

use serde_json::{Value, json};
use test_cluster::Secret;

use crate::selection::{chosen, chosen_for_mirror, entry};
use crate::support::{Cluster, EMPTY, NGINX, Node, base64, login, owned};

#[test]
fn an_unusable_entry_is_skipped_by_name_and_the_others_are_used() {
    for (name, given) in [
        ("a number", json!({"auth": 1})),
        ("not base64", json!({"auth": "hunter2!!hunter2"})),
        ("no colon", json!({"auth": base64("hunter2")})),
        ("no user", json!({"auth": base64(":hunter2")})),
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
    ] {
        let broken = entry("z-broken", &given);
        let good = login("a-good", "mirror.example", "good:p");

        let (chosen, outcome) = chosen_for_mirror([broken, good]);

        assert_eq!(chosen.as_deref(), Some("good:p"), "{name}: {outcome}");
        outcome.warns_with(&["z-broken", "mirror.example"]);
        outcome.never_prints(&["hunter2", &base64("hunter2"), &base64(":hunter2")]);
    }
}

#[test]
fn the_other_entries_of_the_same_secret_are_used() {
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
fn an_entry_that_kubelet_can_read_is_used_and_does_not_affect_others() {
    let node = Node::with_mirrors(&["one.example", "two.example", "three.example"]);
    // Latin-1, a lone surrogate, and types that only unused fields may have.
    let config =
        b"{\"auths\":{\"one.example\":{\"username\":\"m\xfcller\",\"password\":\"hunter2\"},\
        \"one.ex\xe4mple\":{\"auth\":\"\\ud83d\"}},\"credHelpers\":[],\"HttpHeaders\":1e999,\
        \"AUTHS\":{\"two.example\":{\"username\":\"a\\ud83d\",\"password\":\"hunter2\"},\
        \"three.example\":{\"auth\":\"dTpodW50ZXIy\",\"identitytoken\":5,\"username\":[]}}}";
    let data = [(".dockerconfigjson".to_owned(), config.to_vec())];
    let secret = Secret::raw_data("pull", "kubernetes.io/dockerconfigjson", data.into());

    let outcome = node.provider(&Cluster::with([secret])).pull(NGINX);

    outcome.answers(&owned(NGINX));
    outcome.never_prints(&["hunter2"]);
    for (host, login) in [
        ("one", "m\u{fffd}ller:hunter2"),
        ("two", "a\u{fffd}:hunter2"),
        ("three", "u:hunter2"),
    ] {
        let chosen = chosen(&node, &format!("{host}.example/library/nginx"));
        assert_eq!(chosen.as_deref(), Some(login), "{outcome}");
    }
}

#[test]
fn a_broken_entry_for_another_host_is_not_a_warning() {
    let config = json!({"auths": {
        "elsewhere.example": {"auth": 1},
        "mirror.example": {"auth": base64("user:hunter2")},
    }});
    let secret = Secret::docker_config_json("pull", &config.to_string());
    let (chosen, _) = chosen_for_mirror([secret]);
    assert_eq!(chosen.as_deref(), Some("user:hunter2"));
}

#[test]
fn an_unusable_secret_is_skipped_by_name_and_the_others_are_used() {
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
        outcome.never_prints(&["hunter2", "aHVudGVyMg"]);
    }
}

#[test]
fn an_item_without_a_name_is_skipped_and_the_others_are_used() {
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
        outcome.never_prints(&["hunter2"]);
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
