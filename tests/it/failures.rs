//! A run that fails leaves no login: kubelet pulls nevertheless, and CRI-O would take the
//! auth file of an earlier run.

use std::fs::File;
use std::io::pipe;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use test_cluster::{AnswerFault, Fault};

use crate::support::{Cluster, NAMESPACE, NGINX, Node, Provider, full_pipe};

const SECOND: Duration = Duration::from_secs(1);

/// Runs a check on a node without an auth file, and on one where an earlier run has
/// left one.
fn with_and_without_an_earlier_file(check: impl Fn(&Node, &Provider)) {
    for earlier in [false, true] {
        let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
        if earlier {
            node.leave_auth_file(NGINX);
        }
        check(&node, &node.provider(&cluster));
        assert_eq!(node.auth_file(NGINX), None);
        assert_eq!(node.auth_dir_names().len(), 0);
    }
}

#[test]
fn a_stdout_that_is_closed_from_the_start_leaves_no_login() {
    with_and_without_an_earlier_file(|_node, provider| {
        for script in ["\"$PROVIDER\" >&-", "\"$PROVIDER\" >&- 2>&-"] {
            let outcome = provider.pull_in_script(&format!("{script}; exit $?"), &[], NGINX);
            assert_eq!(outcome.code, Some(1), "{outcome}");
            assert_eq!(outcome.stdout, "", "{outcome}");
        }
        let outcome = provider.pull_in_script("\"$PROVIDER\" >&-; exit $?", &[], NGINX);
        outcome.fails_with(&["stdout", "closed"]);
    });
}

#[test]
fn a_closed_stdout_leaves_no_login() {
    with_and_without_an_earlier_file(|_node, provider| {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let outcome = provider.pull_into(NGINX, writer);
        outcome.fails_with(&["write the response to stdout", "pipe"]);
    });
}

#[test]
fn a_stdout_that_is_full_leaves_no_login() {
    with_and_without_an_earlier_file(|_node, provider| {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let outcome = provider.pull_into(NGINX, full);
        outcome.fails_with(&["write the response to stdout", "space"]);
    });
}

#[test]
fn a_stdout_that_is_not_read_until_the_deadline_leaves_no_login() {
    with_and_without_an_earlier_file(|_node, provider| {
        let (reader, writer) = full_pipe();
        let provider = provider.clone().flag("--timeout", "2s");
        let outcome = provider.pull_into(NGINX, writer);
        outcome.fails_with(&["write the response to stdout", "--timeout"]);
        assert!(outcome.elapsed < 4 * SECOND, "{outcome}");
        drop(reader);
    });
}

#[test]
fn a_signal_before_the_response_leaves_no_login() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let provider = node.provider(&cluster).flag("--timeout", "3s");
    let (_reader, writer) = full_pipe();
    let mut run = provider.begin_into(NGINX, writer);
    let started = Instant::now();
    while node.auth_file(NGINX).is_none() {
        assert!(started.elapsed() < 20 * SECOND, "never placed");
    }
    run.signal(Signal::TERM);
    let outcome = run.outcome();
    assert_ne!(outcome.code, Some(0), "{outcome}");
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn a_refusal_removes_the_file_of_another_run() {
    for status in [401, 403] {
        let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
        node.leave_auth_file(NGINX);
        cluster.server.fault(Fault::status(status).forever());
        let outcome = node.provider(&cluster).pull(NGINX);
        outcome.fails_with(&[NAMESPACE]);
        assert_eq!(node.auth_file(NGINX), None, "{status}");
    }
}

#[test]
fn any_other_failure_removes_a_file_that_waits_for_no_pull() {
    let broken: [fn(&Node, &Cluster); 2] = [
        |_, cluster| cluster.server.fault(AnswerFault::LoginPage),
        |node, _| node.write("etc/containers/registries.conf", "[[registry"),
    ];
    for broken in broken {
        for (age, stays) in [(119 * SECOND, true), (121 * SECOND, false)] {
            let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
            node.leave_auth_file(NGINX);
            node.age(node.auth_path(NGINX), age);
            broken(&node, &cluster);
            let outcome = node.provider(&cluster).pull(NGINX);
            assert_eq!(outcome.code, Some(1), "{outcome}");
            assert_eq!(node.auth_file(NGINX).is_some(), stays, "{age:?}");
        }
    }
}
