//! The end of the node's own credential providers: none outlives the run that it was
//! started for.

#![expect(clippy::disallowed_methods, reason = "looks at processes")]

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use test_cluster::AnswerFault;

use crate::node_providers::{HOST, LOGIN, SOURCE, auth, provider, pulled};
use crate::support::{Cluster, EMPTY, NGINX, Node, StandIn, answer, login, owned, print};

const LONG: Duration = Duration::from_secs(10);

/// Waits until no process has an ID that was written to one of these files.
fn wait_for_end(node: &Node, files: &[&str]) {
    let started = Instant::now();
    let is_running = |file: &&str| {
        let id = node.read(file);
        let stat = fs::read_to_string(PathBuf::from("/proc").join(id.trim()).join("stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    while files.iter().any(is_running) {
        assert!(started.elapsed() < LONG, "one of {files:?} still runs");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_process_that_a_provider_leaves_behind_neither_holds_up_a_run_nor_outlives_it() {
    let good = print(&answer(&[(HOST, LOGIN)]));
    let script = format!("sleep 1000 & echo $! > left\n{good}");
    let (node, outcome, file) = pulled(HOST, &[StandIn::new("ecr", &[HOST], &script)]);
    outcome.answers(EMPTY);
    assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
    assert_eq!(file, Some(json!({SOURCE: auth(LOGIN)})));
    wait_for_end(&node, &["left"]);
}

#[test]
fn a_process_that_leaves_the_group_does_not_hold_up_a_run() {
    let good = print(&answer(&[(HOST, LOGIN)]));
    let script = format!("setsid sh -c 'echo $$ > left; exec sleep 1000' &\n{good}");
    let (node, outcome, file) = pulled(HOST, &[StandIn::new("ecr", &[HOST], &script)]);
    outcome.answers(EMPTY);
    assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
    assert_eq!(file, Some(json!({SOURCE: auth(LOGIN)})));
    let has_left = || fs::read_to_string(node.path("left")).is_ok_and(|id| id.ends_with('\n'));
    while !has_left() {
        thread::sleep(Duration::from_millis(5));
    }
    let id = node.read("left").trim().parse().unwrap();
    kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_provider_that_hangs_is_ended_before_the_deadline() {
    let node = Node::with_mirrors(&[HOST, "other.example"]);
    let script = "sleep 1000 & echo $! > left; wait";
    node.configure_providers(&[StandIn::new("ecr", &[HOST], script)]);
    let cluster = Cluster::with([login("pull", "other.example", "u:p")]);
    let outcome = provider(&node, &cluster)
        .flag("--timeout", "6s")
        .pull(NGINX);
    outcome.answers(&owned(NGINX));
    outcome.warns_with(&["ecr", "has not answered within"]);
    assert!(outcome.elapsed < Duration::from_secs(6), "{outcome}");
    wait_for_end(&node, &["left"]);
}

#[test]
fn a_provider_that_never_stops_writing_is_ended_before_the_deadline() {
    for to in ["1", "2"] {
        let node = Node::with_mirrors(&[HOST, "other.example"]);
        let script = format!("echo $$ > provider; exec yes hunter2 >&{to}");
        node.configure_providers(&[StandIn::new("ecr", &[HOST], &script)]);
        let cluster = Cluster::with([login("pull", "other.example", "u:p")]);
        let outcome = provider(&node, &cluster)
            .flag("--timeout", "6s")
            .pull(NGINX);
        outcome.answers(&owned(NGINX));
        outcome.warns_with(&["ecr"]);
        outcome.never_prints(&["hunter2"]);
        assert!(outcome.elapsed < Duration::from_secs(6), "{outcome}");
        wait_for_end(&node, &["provider"]);
    }
}

#[test]
fn a_run_that_is_ended_by_a_signal_leaves_no_provider_behind() {
    let script = "sleep 1000 & echo $! > child; echo $$ > provider; wait";
    let hanging = || {
        let cluster = Cluster::new();
        cluster.server.fault(AnswerFault::HangBeforeHeaders);
        cluster
    };
    for signal in [Signal::TERM, Signal::HUP, Signal::ALARM, Signal::KILL] {
        // The run waits for the provider in the first case, and for the API server in the
        // second.
        for cluster in [Cluster::new(), hanging()] {
            let node = Node::with_mirror();
            node.configure_providers(&[StandIn::new("ecr", &[HOST], script)]);
            let is_running = || {
                let id = fs::read_to_string(node.path("provider"));
                id.is_ok_and(|id| id.ends_with('\n')) && !cluster.server.requests().is_empty()
            };
            let outcome = provider(&node, &cluster).pull_until(NGINX, is_running, signal);
            assert_eq!(outcome.code, None, "{signal:?}: {outcome}");
            assert!(outcome.elapsed < LONG, "{signal:?}: {outcome}");
            wait_for_end(&node, &["provider", "child"]);
        }
    }
}
