//! The output of the subcommands about the node's own credential providers.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    BIN_DIR, CONFIG, Cluster, Distribution, NGINX, Node, Outcome, ReadyNode, StandIn, answer,
    docker_config, print,
};

const HOST: &str = "mirror.example";
const SOURCE: &str = "mirror.example/library/nginx";

/// A node with a provider that is run, one that others could change, and one that takes
/// tokens.
fn node() -> Node {
    let tokens = "  tokenAttributes: {serviceAccountTokenAudience: sts, cacheType: Token, requireServiceAccount: false}\n";
    let stand_in = |name| StandIn::with_login(name, HOST, HOST, "u:hunter2");
    let node = Node::with_mirror();
    node.configure_providers(&[
        stand_in("good"),
        stand_in("open"),
        stand_in("tokens").entry(tokens),
        StandIn::new("other", &["docker.io"], &print(&answer(&[]))),
    ]);
    node.set_mode(format!("{BIN_DIR}/open"), 0o777);
    node
}

fn run(node: &Node, arguments: &[&str]) -> Outcome {
    let outcome = node
        .provider(&Cluster::new())
        .with_node_providers(node, "auto")
        .run_with(arguments);
    assert_eq!(node.asked(), [""; 0]);
    outcome
}

#[test]
fn resolve_and_explain_name_the_provider_of_a_source_or_why_it_is_not_run() {
    let node = node();
    node.write("secrets.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
    let explain = [
        "explain",
        NGINX,
        "-n",
        "team-a",
        "--secrets",
        "secrets.yaml",
    ];
    for arguments in [&["resolve", NGINX][..], &explain] {
        let outcome = run(&node, arguments);
        let lines: Vec<Vec<&str>> = outcome
            .stdout
            .lines()
            .map(|line| line.split_whitespace().collect())
            .filter(|words: &Vec<_>| words.first() == Some(&SOURCE))
            .collect();
        assert!(!lines.is_empty(), "{outcome}");
        assert_eq!(lines[0], [SOURCE, "\"good\"", "run"], "{outcome}");
        let of = |name: &str, why: &str| {
            let mut lines = outcome.stdout.lines();
            assert!(
                lines.any(|line| line.contains(name) && line.contains(why)),
                "{outcome}"
            );
        };
        of("\"open\"", "not run: ");
        of("\"open\"", "writable by others");
        of("\"tokens\"", "not run: it takes service account tokens");
        outcome.never_prints(&["\"other\"", "hunter2"]);

        let json = run(&node, &[arguments, &["-o", "json"]].concat());
        let value: Value = serde_json::from_str(&json.stdout).unwrap();
        let serving = value["images"][0]["nodeProviders"].as_array().unwrap();
        let good = json!({"source": SOURCE, "provider": "good", "notRun": null});
        assert_eq!((serving.len(), &serving[0]), (3, &good));
        assert!(
            serving[2]["notRun"]
                .as_str()
                .unwrap()
                .contains("tokenAttributes")
        );
    }
}

#[test]
fn a_global_auth_file_that_takes_precedence_is_named() {
    let node = node().and_global_auth(&docker_config(&[(HOST, "g:p")]));
    node.write("secrets.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
    let explain = ["explain", NGINX, "-n", "team-a"];
    let explain = [&explain[..], &["--secrets", "secrets.yaml"]].concat();
    for arguments in [&["resolve", NGINX][..], &explain] {
        let json = run(&node, &[arguments, &["-o", "json"]].concat());
        let value: Value = serde_json::from_str(&json.stdout).unwrap();
        let not_run = value["images"][0]["nodeProviders"][0]["notRun"].as_str();
        assert!(not_run.unwrap().starts_with("global auth file"), "{json}");
        let text = run(&node, arguments);
        assert!(text.stdout.contains("not run: global auth file"), "{text}");
    }
}

#[test]
fn nothing_is_printed_about_providers_unless_enabled() {
    let node = node();
    let outcome = node
        .provider(&Cluster::new())
        .with_node_providers(&node, "off")
        .run_with(&["resolve", NGINX, "-o", "json"]);
    outcome.is_quiet();
    outcome.never_prints(&["nodeProviders"]);
}

#[test]
fn paths_that_only_kubelets_command_line_has_are_named() {
    let node = node();
    let outcome = node
        .provider(&Cluster::new())
        .flag("--node-providers", "auto")
        .run_with(&["resolve", NGINX]);
    outcome.warns_with(&["set --kubelet-provider-config and --kubelet-bin-dir"]);
}

#[test]
fn a_configuration_that_cannot_be_used_is_a_warning() {
    let node = node();
    node.set_mode(CONFIG, 0o666);
    run(&node, &["resolve", NGINX]).warns_with(&["no node provider is run", "chmod go-w"]);
}

#[test]
fn config_warns_of_providers_that_match_the_image_itself() {
    for (pattern, warns) in [("docker.io", true), ("*.io", true), (HOST, false)] {
        let node = Node::with_mirror();
        node.configure_providers(&[StandIn::new("ecr", &[pattern], "")]);
        let file = node.path(CONFIG).display().to_string();

        let outcome = node
            .provider_without_cluster()
            .without("--auth-dir")
            .run_with(&["config", "--audience", "a", "--write", &file]);

        assert_eq!(outcome.code, Some(0), "{outcome}");
        let words = format!("{pattern:?} of provider \"ecr\" may match the same images");
        assert_eq!(outcome.stderr.contains(&words), warns, "{outcome}");
    }
}

/// The findings of `check` about the node's providers, on a ready node with a provider
/// for mirrors.
fn checked(change: impl FnOnce(&ReadyNode), which: &str) -> Vec<(String, String)> {
    const CONFIG: &str = "/etc/kubernetes/credential-providers.yaml";
    const ECR: &str = "/usr/libexec/kubelet-image-credential-provider-plugins/ecr";
    let ready = ReadyNode::new();
    let text = ready.node.read(CONFIG.trim_start_matches('/'));
    let mut config: Value = serde_json::from_str(&text).unwrap();
    let ecr = json!({
        "name": "ecr",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "matchImages": [HOST],
        "defaultCacheDuration": "12h",
    });
    config["providers"].as_array_mut().unwrap().push(ecr);
    ready.write(CONFIG, config.to_string());
    ready.write(ECR, "#!/bin/false\n");
    ready.node.set_mode(ECR.trim_start_matches('/'), 0o755);
    change(&ready);
    findings(&ready, which)
}

/// The findings of `check` about the node's providers.
fn findings(ready: &ReadyNode, which: &str) -> Vec<(String, String)> {
    let outcome = ready.check(&["--node-providers", which, "-o", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap().iter();
    let own = checks.filter(|check| check["name"] == "node-providers");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    own.map(|check| (text(&check["status"]), text(&check["message"])))
        .collect()
}

#[test]
fn check_fails_where_a_run_does_not_see_kubelets_paths() {
    for distribution in Distribution::all() {
        let ready = ReadyNode::of(&distribution);
        let is_unseen = || {
            let (status, message) = &findings(&ready, "auto")[0];
            let names_both = message.contains("--image-credential-provider-config and --image")
                && message.contains("set --kubelet-provider-config and --kubelet-bin-dir");
            assert_eq!(status == "FAIL", names_both, "{message}");
            names_both
        };
        let contains_kubelet = ["MicroShift", "k3s", "MicroK8s"];
        let expected = contains_kubelet.contains(&distribution.name);
        assert_eq!(is_unseen(), expected, "{}", distribution.name);

        let text = ready.node.read(distribution.config.trim_start_matches('/'));
        let mut entry = serde_json::from_str::<Value>(&text).unwrap()["providers"][0].take();
        entry["args"] = json!([
            format!("--kubelet-provider-config={}", distribution.config),
            format!("--kubelet-bin-dir={}", distribution.bin_dir),
        ]);
        ready.put_entry(distribution.config, &entry);
        assert!(!is_unseen(), "{}", distribution.name);
    }
}

#[test]
fn check_reports_why_a_provider_is_not_run() {
    let ecr = "usr/libexec/kubelet-image-credential-provider-plugins/ecr";
    for (name, change, which, status, message) in [
        (
            "off",
            &(|_: &ReadyNode| {}) as &dyn Fn(&ReadyNode),
            "off",
            "PASS",
            "by default",
        ),
        (
            "good",
            &|_| {},
            "auto",
            "PASS",
            "\"ecr\" serves mirror.example",
        ),
        (
            "named",
            &|_| {},
            "ecr",
            "PASS",
            "\"ecr\" serves mirror.example",
        ),
        ("unknown", &|_| {}, "ecr,gar", "FAIL", "no provider \"gar\""),
        (
            "open",
            &|ready| ready.node.set_mode(ecr, 0o777),
            "auto",
            "FAIL",
            "writable by others",
        ),
        (
            "missing",
            &|ready| fs::remove_file(ready.node.path(ecr)).unwrap(),
            "auto",
            "FAIL",
            "No such file",
        ),
        (
            "served already",
            &|ready| {
                ready.write(
                    "/var/lib/kubelet/config.json",
                    docker_config(&[(HOST, "g:p")]),
                );
            },
            "auto",
            "WARN",
            "\"ecr\" is not run for mirror.example: global auth file",
        ),
        (
            "open configuration",
            &|ready| ready.node.set_mode("etc/kubernetes", 0o777),
            "auto",
            "FAIL",
            "none is run",
        ),
    ] {
        let found = checked(change, which);
        let (found_status, found_message) = &found[0];
        assert_eq!(found_status, status, "{name}: {found:?}");
        assert!(found_message.contains(message), "{name}: {found:?}");
    }
}
