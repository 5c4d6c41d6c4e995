//! Random input: each run ends with a response or an error, never with a panic, and an
//! input that cannot be used does not hide one that can.

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;
use test_cluster::Secret;

use crate::support::{Cluster, NGINX, Node, Request, base64, login, owned, token_with_claims};

/// Every case starts a process.
pub(crate) fn few() -> Config {
    Config {
        cases: 32,
        failure_persistence: None,
        ..Config::default()
    }
}

/// JSON that is close to a docker config, and JSON that is not.
pub(crate) fn documents() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("auths".to_owned()),
        Just("AUTHS".to_owned()),
        Just("mirror.example".to_owned()),
        Just("https://mirror.example/v1/".to_owned()),
        Just("auth".to_owned()),
        Just("username".to_owned()),
        Just("password".to_owned()),
        Just("identitytoken".to_owned()),
        Just("credHelpers".to_owned()),
        Just("dXNlcjpwYXNz".to_owned()),
        ".{0,8}",
    ];
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        word.clone().prop_map(|value| json!(value)),
    ];
    let tree = leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|values| json!(values)),
            prop::collection::hash_map(word.clone(), inner, 0..6).prop_map(|values| json!(values)),
        ]
    });
    (tree, any::<bool>(), 0..200_usize).prop_map(|(tree, whole, length)| {
        let text = tree.to_string();
        if whole {
            text
        } else {
            text.chars().take(length).collect()
        }
    })
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn no_input_makes_it_panic(stdin in prop::collection::vec(any::<u8>(), 0..2000)) {
        let node = Node::with_mirror();
        let outcome = node.provider_without_cluster().run(&stdin);
        outcome.fails_with(&["stdin"]);
    }

    #[test]
    fn no_image_makes_it_panic(image in "\\PC{0,60}|[a-z0-9./:@_-]{1,80}") {
        let node = Node::with_registries("");
        let outcome = node.provider_without_cluster().serve(&Request::new(&image));
        if outcome.code != Some(0) {
            outcome.fails_with(&["the request's image"]);
        }
    }

    #[test]
    fn no_claims_make_it_panic(claims in documents()) {
        let node = Node::with_registries("");
        let claims = serde_json::from_str(&claims).unwrap_or_default();
        let token = token_with_claims(&claims);
        let provider = node.provider_without_cluster().token(&token);
        provider.pull(NGINX).fails_with(&["serviceAccountToken"]);
    }

    #[test]
    fn no_secret_and_no_global_file_hides_the_good_one(text in documents(), global in documents()) {
        let node = Node::with_mirror().and_global_auth(&global);
        let cluster = Cluster::with([
            Secret::docker_config_json("a", &text),
            Secret::dockercfg("b", &text),
            login("z", "mirror.example/library/nginx", "user:hunter2"),
        ]);
        let outcome = node.provider(&cluster).pull(NGINX);
        outcome.answers(&owned(NGINX));
        let file = node.auth_file(NGINX).unwrap();
        let entry = &file["auths"]["mirror.example/library/nginx"];
        prop_assert_eq!(entry, &json!({"auth": base64("user:hunter2")}), "{}", outcome);
    }
}

#[test]
fn a_large_login_is_kept_once_and_a_file_too_large_for_its_copies_is_an_error() {
    let mirrors: Vec<_> = (0..1_000)
        .map(|number| format!("m{number}.example"))
        .collect();
    let mirrors: Vec<_> = mirrors.iter().map(String::as_str).collect();
    let node = Node::with_mirrors(&mirrors);
    let large = "x".repeat(400_000);
    let cluster = Cluster::with([
        login("large-login", "*.example", &format!("user:{large}")),
        login(
            "large-key",
            &format!("*.example{}", "/".repeat(400_000)),
            "user:p",
        ),
    ]);
    let provider = node.provider(&cluster);

    // The limit is 200 MB. A copy for each mirror would take 400 MB, and so would one of
    // each key.
    let outcome = provider.pull_in_script("ulimit -v 200000; \"$PROVIDER\"; exit $?", &[], NGINX);

    outcome.fails_with(&["larger than", "secret \"large-login\"", "1000 pull sources"]);
    assert!(outcome.stderr.len() < 4_000, "{outcome}");
    assert_eq!(node.auth_file(NGINX), None);
}
