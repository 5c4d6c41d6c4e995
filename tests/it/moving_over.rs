//! A node that was set up for the Go provider needs no change: with the same name in
//! kubelet's configuration, and the same files, Secrets and rights, the same login is
//! written to a file of the same name.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the project's own text files"
)]

use std::fs;
use std::path::Path;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_cluster::Secret;

use crate::support::{Cluster, EMPTY, NGINX, Node, Provider, Request, base64, owned, yaml};

/// The file that CRI-O looks for, for that configuration's pod.
const AUTH_FILE: &str =
    "etc/crio/auth/default-7e59ad64326bc321517fb6fc6586de5ee149178394d9edfa2a877176cdf6fad5.json";

fn text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/go-provider");
    fs::read_to_string(folder.join(name)).unwrap()
}

fn documents(name: &str) -> Vec<Value> {
    yaml(&text(name))
}

/// The node and the cluster of that configuration, and the provider as kubelet runs it
/// there, without arguments. The environment has the paths of the test's node.
fn moved_over() -> (Node, Cluster, Provider) {
    let config = documents("credential-provider-config.yml").remove(0);
    let registered = &config["providers"][0];
    assert_eq!(registered["name"], env!("CARGO_PKG_NAME"));
    assert_eq!(registered.get("args"), None);

    let node = Node::with_registries(&text("registries.conf"));
    let cluster = Cluster::new();
    let secret = documents("secret.yml").remove(0);
    let data = secret["data"][".dockerconfigjson"].as_str().unwrap();
    let config = String::from_utf8(STANDARD.decode(data).unwrap()).unwrap();
    let secret = Secret::docker_config_json("my-secret", &config);
    cluster.server.put_secret("default", secret);
    cluster.server.grant("default", "default");
    let token = cluster.server.token("default", "default");
    let provider = node.provider(&cluster).token(&token).in_environment();
    (node, cluster, provider)
}

#[test]
fn the_go_providers_configuration_gives_the_login_under_the_same_file_name() {
    let (node, _cluster, provider) = moved_over();

    let outcome = provider.pull(NGINX);

    outcome.answers(&owned(NGINX));
    outcome.is_quiet();
    assert_eq!(node.mode(AUTH_FILE), 0o600);
    let entry = json!({"auth": base64("myuser:mypassword")});
    let file: Value = serde_json::from_str(&node.read(AUTH_FILE)).unwrap();
    // The Go provider's key is the whole registry, localhost:5000.
    let expected = json!({"auths": {"localhost:5000/library/nginx": entry}});
    assert_eq!(file, expected);
}

#[test]
fn the_nodes_own_logins_are_still_in_the_file() {
    let (node, _cluster, provider) = moved_over();
    let node = node.and_global_auth(r#"{"auths":{"quay.io":{"auth":"dTpw"}}}"#);

    provider.pull(NGINX).answers(&owned(NGINX));

    let file: Value = serde_json::from_str(&node.read(AUTH_FILE)).unwrap();
    let expected = json!({"auths": {
        "localhost:5000/library/nginx": {"auth": base64("myuser:mypassword")},
        "quay.io": {"auth": "dTpw"},
    }});
    assert_eq!(file, expected);
}

#[test]
fn static_pods_for_which_that_configuration_sends_no_token_are_answered() {
    let (node, _cluster, provider) = moved_over();

    provider.serve(&Request::new(NGINX)).answers(EMPTY);

    assert!(!node.path("etc/crio").exists());
}

#[test]
fn a_file_that_the_go_provider_left_is_replaced() {
    let (node, _cluster, provider) = moved_over();
    let left = "{\n\t\"auths\": {\n\t\t\"localhost:5000\": {\n\t\t\t\"auth\": \"b2xkOm9sZA==\"\n\t\t}\n\t}\n}";
    node.write(AUTH_FILE, left);
    node.set_mode("etc/crio/auth", 0o700);

    provider.pull(NGINX).answers(&owned(NGINX));

    assert!(!node.read(AUTH_FILE).contains("b2xkOm9sZA=="));
    assert_eq!(node.auth_dir_names().len(), 1);
}

#[test]
fn the_go_providers_version_flags_work() {
    let (_node, _cluster, provider) = moved_over();

    let version = provider.run_with(&["--version"]);
    assert_eq!(version.code, Some(0), "{version}");
    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")));
    let version = provider.run_with(&["--version-json"]);
    let json: Value = serde_json::from_str(&version.stdout).unwrap();
    for field in [
        "version",
        "gitCommit",
        "gitCommitDate",
        "buildDate",
        "platform",
    ] {
        assert!(json[field].is_string(), "{field}: {version}");
    }
    assert!(json["dependencies"].is_array(), "{version}");
}
