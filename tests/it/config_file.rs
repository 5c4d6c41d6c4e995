//! The configuration file, for nodes whose operator writes the provider's entry without
//! `args` and `env`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::check::{entry, report, troubles};
use crate::support::{Cluster, EMPTY, NGINX, Node, Provider, ReadyNode, docker_config, owned};

const FILE: &str = "etc/crio/credential-provider.toml";

/// A node with a mirror and its login, whose provider gets all its settings from the
/// file.
fn configured(node: &Node, cluster: &Cluster, more: &str) -> Provider {
    let path = |relative: &str| node.path(relative).display().to_string();
    node.write("etc/kubernetes/pki/ca.crt", cluster.server.ca_pem());
    node.write("a.json", docker_config(&[("a.example", "u:p")]));
    node.write("b.json", docker_config(&[("b.example", "u:p")]));
    let text = format!(
        "registries-conf = {:?}\nregistries-conf-dir = \"/nowhere\"\nauth-dir = {:?}\n\
         global-auth-file = [{:?}, {:?}]\napi-server = {:?}\ncertificate-authority = {:?}\n{more}",
        path("etc/containers/registries.conf"),
        path("etc/crio/auth"),
        path("a.json"),
        path("b.json"),
        cluster.server.url(),
        path("etc/kubernetes/pki/ca.crt"),
    );
    node.write(FILE, text);
    Provider::new(node.path(""))
        .token(&cluster.token)
        .flag("--config-file", node.path(FILE))
}

#[test]
fn every_setting_can_be_in_the_file() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    for (more, expected) in [
        ("", owned(NGINX)),
        ("no-empty-login = true\n", EMPTY.to_owned()),
        ("no-empty-login = false\ntimeout = \"30s\"\n", owned(NGINX)),
    ] {
        configured(&node, &cluster, more)
            .pull(NGINX)
            .answers(&expected);

        let file = node.auth_file(NGINX).unwrap();
        assert_eq!(file["auths"].as_object().unwrap().len(), 3, "{file}");
        fs::remove_file(node.auth_path(NGINX)).unwrap();
    }
}

#[test]
fn flags_and_environment_override_the_file() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let provider = configured(&node, &cluster, "timeout = \"never\"\n");
    let by_flag = provider.clone().flag("--timeout", "30s");
    let by_variable = provider
        .clone()
        .env("CRIO_CREDENTIAL_PROVIDER_TIMEOUT", "30s");

    for provider in [by_flag, by_variable] {
        provider.pull(NGINX).answers(&owned(NGINX));
    }
    let outcome = provider.pull(NGINX);
    assert_eq!(outcome.code, Some(1), "{outcome}");
}

#[test]
fn a_bad_file_is_a_failure_that_names_the_line() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    for (name, more, line) in [
        ("not TOML", "timeout = \n", "line 7"),
        ("a number", "timeout = 30\n", "line 7"),
        ("no duration", "timeout = \"soon\"\n", "line 7"),
        ("a text for a list", "secret-name = \"a\"\n", "line 7"),
        (
            "a list with a number",
            "secret-name = [\"a\", 1]\n",
            "line 7",
        ),
        ("a text for a switch", "no-sandbox = \"true\"\n", "line 7"),
        ("an unknown level", "log-level = \"loud\"\n", "line 7"),
        ("twice", "timeout = \"1s\"\ntimeout = \"2s\"\n", "line 8"),
        (
            "nested",
            &format!("timeout = {}", "[".repeat(100_000)),
            "line 7",
        ),
    ] {
        let outcome = configured(&node, &cluster, more).pull(NGINX);

        assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
        assert_eq!(outcome.stdout, "", "{name}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{name}: {outcome}");
        assert!(outcome.stderr.contains(line), "{name}: {outcome}");
        assert!(outcome.stderr.contains(FILE), "{name}: {outcome}");
    }
    assert_eq!(cluster.server.requests().len(), 0);
}

#[test]
fn an_unknown_key_is_a_warning_and_the_others_are_used() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let provider = configured(&node, &cluster, "timeout_ = \"1s\"\n");

    let outcome = provider.pull(NGINX);

    outcome.answers(&owned(NGINX));
    assert!(outcome.stderr.contains("line 7"), "{outcome}");
    assert!(outcome.stderr.contains("timeout_"), "{outcome}");

    let node_root = node.path("").display().to_string();
    let outcome = Provider::new(node.path("")).run_with(&["check", "--root", &node_root]);
    assert!(outcome.stdout.contains("timeout_"), "{outcome}");
    assert_eq!(outcome.code, Some(1), "{outcome}");
}

#[test]
fn a_file_that_others_can_change_is_refused() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let provider = configured(&node, &cluster, "");
    for path in [FILE, "etc/crio", "etc"] {
        let mode = |mode| fs::set_permissions(node.path(path), Permissions::from_mode(mode));
        let before = fs::metadata(node.path(path)).unwrap().permissions();
        for open in [0o666, 0o660, 0o777] {
            mode(open | 0o100).unwrap();
            let outcome = provider.pull(NGINX);

            assert_eq!(outcome.code, Some(1), "{path} {open:o}: {outcome}");
            assert!(outcome.stderr.contains("chmod go-w"), "{path}: {outcome}");
        }
        fs::set_permissions(node.path(path), before).unwrap();
    }
    provider.pull(NGINX).answers(&owned(NGINX));
}

#[test]
fn a_file_that_is_named_must_exist() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let outcome = node
        .provider(&cluster)
        .flag("--config-file", node.path("missing.toml"))
        .pull(NGINX);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("missing.toml"), "{outcome}");
}

#[test]
fn check_reports_problems_of_the_file_and_continues() {
    let config_file = |content: Option<&str>, mode: u32| {
        let ready = ReadyNode::new();
        if let Some(content) = content {
            ready.write(&format!("/{FILE}"), content);
            ready.node.set_mode(FILE, mode);
        }
        let outcome = ready.check(&["-o", "json"]);
        let report = report(&outcome);
        let checks = report["checks"].as_array().unwrap();
        let find = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap();
        assert_eq!(find("binary")["status"], "PASS", "{outcome}");
        let check = find("config-file");
        let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
        (text("status"), text("message"))
    };
    for (content, mode, status, message) in [
        (None, 0, "PASS", "there is none"),
        (
            Some("timeout = \"30s\"\n"),
            0o644,
            "PASS",
            "/etc/crio/credential-provider.toml is used",
        ),
        (
            Some("\ntimeout = 30\n"),
            0o644,
            "FAIL",
            "line 2: timeout must be a string",
        ),
        (Some("\ntimeout = \"soon\"\n"), 0o644, "FAIL", "line 2"),
        (Some("timeout = [\n"), 0o644, "FAIL", "line"),
        (
            Some("\ntimeout_ = \"1s\"\n"),
            0o644,
            "FAIL",
            "line 2: \"timeout_\"",
        ),
        (Some(""), 0o666, "FAIL", "is writable by others"),
    ] {
        let (found, said) = config_file(content, mode);
        assert_eq!(found, status, "{content:?} {mode:o}: {said}");
        assert!(said.contains(message), "{content:?} {mode:o}: {said}");
    }
    // The entry may name another file.
    let ready = ReadyNode::new();
    entry(|entry| entry["args"] = json!(["--config-file=/etc/other.toml"]))(&ready);
    let report = report(&ready.check(&["-o", "json"]));
    let expected = [("FAIL".to_owned(), "config-file".to_owned())];
    assert_eq!(troubles(&report), expected, "{report}");
}
