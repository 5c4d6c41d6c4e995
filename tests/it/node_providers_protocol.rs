//! Runs of the node's own credential providers as seen by one of them,
//! `examples/node_provider.rs`, which uses the types of the protocol.

#![expect(clippy::disallowed_methods, reason = "looks at a process")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node_providers::{HOST, LOGIN, SOURCE, auth, provider, pulled};
use crate::support::{BIN_DIR, Cluster, EMPTY, NGINX, Node, StandIn};

const GOOD: &str = "--login=mirror.example=node:hunter2";

#[test]
fn a_provider_gets_exactly_what_kubelet_gives_it() {
    let node = Node::with_mirror();
    let entry = "  env: [{name: REGION, value: eu}, {name: HOME, value: /provider}]\n";
    node.configure_providers(&[
        StandIn::program("ecr", &[HOST], &[GOOD, "--cache=Image"]).entry(entry)
    ]);
    let cluster = Cluster::with_login();

    let outcome = provider(&node, &cluster)
        .env("HOME", "/kubelet")
        .env("HTTPS_PROXY", "")
        .pull(NGINX);

    outcome.is_quiet();
    let program = node.path(BIN_DIR).join("ecr");
    let expected = json!({
        "arguments": [program, "--record=runs", GOOD, "--cache=Image"],
        "environment": {
            "HOME": "/provider",
            "HTTPS_PROXY": "",
            "REGION": "eu",
            "CRIO_CREDENTIAL_PROVIDER_NESTED": "1",
        },
        "directory": fs::canonicalize(node.path("")).unwrap(),
        "image": SOURCE,
        "left": null,
    });
    let mut runs = node.runs();
    // The tests may have inherited further pipes, and leave them to all that they run.
    let files = runs[0].as_object_mut().unwrap().remove("files").unwrap();
    let files: Vec<&str> = files
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let pipes = files.iter().filter(|file| file.starts_with("pipe:"));
    assert!(pipes.count() >= 3, "{files:?}");
    let of_node = node.path("").display().to_string();
    let is_ours = |file: &&str| file.starts_with(&of_node) || file.starts_with("socket:");
    assert!(!files.iter().any(is_ours), "{files:?}");
    // Remove the variable of a coverage tool.
    let environment = runs[0]["environment"].as_object_mut().unwrap();
    environment.remove("LLVM_PROFILE_FILE");
    assert_eq!(runs, [expected]);
}

#[test]
fn a_provider_gets_kubelets_values_of_the_variables_that_our_entry_replaces() {
    let node = Node::with_mirror();
    let ours = StandIn::new("us", &["docker.io"], "").entry(
        "  env: [{name: BOTH, value: ours}, {name: OURS, value: ours}, {name: ALL, value: ours}]\n",
    );
    let entry = "  env: [{name: ALL, value: providers}]\n";
    let ecr = StandIn::program("ecr", &[HOST], &[GOOD]).entry(entry);
    node.configure_providers(&[ecr, ours]);
    let us = node.path(BIN_DIR).join("us");
    fs::remove_file(&us).unwrap();
    symlink(env!("CARGO_BIN_EXE_crio-credential-provider"), us).unwrap();

    let outcome = provider(&node, &Cluster::new())
        .env("BOTH", "kubelets")
        .env("ALL", "kubelets")
        .pull_in_script(
            "BOTH=ours OURS=ours ALL=ours \"$PROVIDER\"; exit",
            &[],
            NGINX,
        );

    outcome.answers(EMPTY);
    let environment = &node.runs()[0]["environment"];
    assert_eq!(environment["BOTH"], "kubelets");
    assert_eq!(environment["ALL"], "providers");
    assert_eq!(environment.get("OURS"), None);
}

#[test]
fn durations_are_those_of_go() {
    for (duration, default, runs) in [
        (Some("1h30m0.5s"), "0s", 1),
        (Some("60m"), "0s", 1),
        (None, "1h", 1),
        (None, "0s", 2),
        (Some("0s"), "1h", 2),
        (Some("-1h"), "1h", 2),
        (Some("1ns"), "1h", 2),
    ] {
        let node = Node::with_mirror();
        let argument = duration.map(|duration| format!("--duration={duration}"));
        let mut arguments = vec![GOOD];
        arguments.extend(argument.as_deref());
        let stand_in = StandIn::program("ecr", &[HOST], &arguments);
        node.configure_providers(&[stand_in.default_cache_duration(default)]);
        let cluster = Cluster::new();
        for _ in 0..2 {
            provider(&node, &cluster).pull(NGINX).answers(EMPTY);
            let file = node.auth_file(NGINX).unwrap();
            assert_eq!(file["auths"], json!({SOURCE: auth(LOGIN)}), "{duration:?}");
        }
        assert_eq!(node.runs().len(), runs, "{duration:?} {default}");
    }
}

#[test]
fn a_response_of_one_mebibyte_is_used_and_a_longer_one_is_not() {
    const LARGEST: usize = 1024 * 1024;
    for (length, is_used) in [(LARGEST, true), (LARGEST + 1, false)] {
        // The response is larger than a pipe, which is read while the provider writes.
        let length = format!("--length={length}");
        let arguments = [GOOD, &length, "--part=65000"];
        let (_, outcome, file) = pulled(HOST, &[StandIn::program("ecr", &[HOST], &arguments)]);
        outcome.answers(EMPTY);
        let expected = is_used.then(|| json!({SOURCE: auth(LOGIN)}));
        assert_eq!(file, expected, "{length}: {outcome}");
        if !is_used {
            outcome.warns_with(&["ecr", "larger than 1048576 bytes"]);
        }
    }
}

#[test]
fn providers_run_at_the_same_time() {
    let delay = Duration::from_secs(4);
    let argument = format!("--delay={}", delay.as_millis());
    let hosts = ["mirror.example", "other.example"];
    let providers = hosts.map(|host| {
        let login = format!("--login={host}={LOGIN}");
        StandIn::program(
            host.split_once('.').unwrap().0,
            &[host],
            &[&login, &argument, "--part=20"],
        )
    });
    let node = Node::with_mirrors(&hosts);
    node.configure_providers(&providers);

    let outcome = provider(&node, &Cluster::new()).pull(NGINX);

    outcome.answers(EMPTY);
    assert!(outcome.elapsed < 2 * delay, "{outcome}");
    let auths = hosts.map(|host| (format!("{host}/library/nginx"), auth(LOGIN)));
    let auths: serde_json::Map<_, _> = auths.into_iter().collect();
    assert_eq!(node.auth_file(NGINX).unwrap()["auths"], json!(auths));
}

#[test]
fn a_child_that_has_stdout_open_neither_holds_up_a_run_nor_outlives_it() {
    let (node, outcome, file) = pulled(
        HOST,
        &[StandIn::program("ecr", &[HOST], &[GOOD, "--leave"])],
    );

    outcome.answers(EMPTY);
    assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
    assert_eq!(file, Some(json!({SOURCE: auth(LOGIN)})));
    let stat = Path::new("/proc")
        .join(node.runs()[0]["left"].to_string())
        .join("stat");
    let is_running = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    let started = Instant::now();
    while is_running() {
        assert!(started.elapsed() < Duration::from_secs(10), "still there");
        thread::sleep(Duration::from_millis(5));
    }
}
