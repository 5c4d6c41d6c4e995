//! A tenant cannot fill a log: a run logs a bounded number of bytes, whatever is in
//! Secrets and answers. kubelet keeps all of a provider's stderr in memory.

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::json;
use test_cluster::{AnswerFault, ApiServer, Fault, Secret};

use crate::hostile::{documents, few};
use crate::support::{Cluster, NGINX, Node, Outcome, login, owned};

/// The most bytes of a run's stderr.
const BUDGET: usize = 32 * 1024;
/// The size of the largest Secrets that the API server accepts.
const LARGE: usize = 1024 * 1024;

/// A Secret of that size, full of entries that are for the mirror and cannot be used.
fn broken(name: &str, size: usize) -> Secret {
    const HOST: &str = "mirror.example";
    // There is one glob for each set of places at which a "*" matches nothing.
    let glob = |places: usize| {
        let mut glob = String::new();
        for (place, c) in HOST.chars().enumerate() {
            if places >> place & 1 == 1 {
                glob.push('*');
            }
            glob.push(c);
        }
        glob
    };
    let mut entries = String::new();
    for host in (0..1 << HOST.len()).map(glob) {
        for path in ["", "/", "/library", "/library/", "/library/nginx"] {
            if entries.len() < size - 100 {
                write!(entries, "\"{host}{path}\":1,").unwrap();
            }
        }
    }
    let config = format!("{{\"auths\":{{{}}}}}", entries.trim_end_matches(','));
    Secret::docker_config_json(name, &config)
}

#[track_caller]
fn within_budget(outcome: &Outcome) {
    let length = outcome.stderr.len();
    assert!(length <= BUDGET, "{length} bytes: {:.2000}", outcome.stderr);
}

#[test]
fn the_broken_entries_of_one_secret_are_counted() {
    let node = Node::with_mirror();
    let cluster = Cluster::with([
        broken("broken", LARGE),
        login("good", "mirror.example", "u:p"),
    ]);
    let outcome = node.provider(&cluster).pull(NGINX);
    outcome.answers(&owned(NGINX));
    within_budget(&outcome);
    let of_broken = |line: &&str| line.contains("WARN") && line.contains("\"broken\"");
    let warnings = outcome.stderr.lines().filter(of_broken).count();
    assert!(warnings <= 3, "{outcome}");
    outcome.warns_with(&["broken", "more entries"]);
}

#[test]
fn a_hundred_broken_secrets_leave_room_for_the_outcome() {
    let node = Node::with_mirror();
    let cluster = Cluster::of(ApiServer::builder().max_page(20));
    for number in 0..100 {
        cluster.put(broken(
            &format!("broken-{number:03}-{}", "x".repeat(200)),
            LARGE / 20,
        ));
    }
    cluster.put(login("good", "mirror.example", "u:p"));
    let outcome = node.provider(&cluster).pull(NGINX);
    outcome.answers(&owned(NGINX));
    within_budget(&outcome);
    assert!(outcome.stderr.contains("login written"), "{outcome}");
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("more lines are left out"), "{outcome}");
}

#[test]
fn a_long_key_is_cut_and_many_mirrors_share_one_line() {
    let mirrors: Vec<_> = (0..100).map(|n| format!("m{n}.example")).collect();
    let mirrors: Vec<_> = mirrors.iter().map(String::as_str).collect();
    let node = Node::with_mirrors(&mirrors);
    // Trailing slashes are not a path, so the key matches every mirror.
    let key = format!("*.example{}", "/".repeat(900_000));
    let cluster = Cluster::with([login("long", &key, "u:p")]);
    for level in ["info", "debug"] {
        let provider = node.provider(&cluster).flag("--log-level", level);
        let outcome = provider.pull(NGINX);
        outcome.answers(&owned(NGINX));
        let outcomes = outcome.stderr.matches("login written").count();
        assert_eq!(outcomes, 1, "{outcome}");
        assert!(!outcome.stderr.contains(&"/".repeat(257)), "{level}");
        if level == "info" {
            within_budget(&outcome);
        }
    }
}

#[test]
fn of_many_logins_some_have_a_line() {
    let mirrors: Vec<_> = (0..100).map(|n| format!("m{n}.example")).collect();
    let cluster = Cluster::new();
    for mirror in &mirrors {
        cluster.put(login(mirror, mirror, "u:p"));
    }
    let mirrors: Vec<_> = mirrors.iter().map(String::as_str).collect();
    let node = Node::with_mirrors(&mirrors);
    let outcome = node.provider(&cluster).pull(NGINX);
    outcome.answers(&owned(NGINX));
    let lines = outcome.stderr.matches("login for pull sources").count();
    assert_eq!(lines, 16, "{outcome}");
    assert!(outcome.stderr.contains("84 more logins"), "{outcome}");
}

#[test]
fn a_long_message_of_the_server_is_cut() {
    let status = json!({"kind": "Status", "message": "because ".repeat(7_500)});
    let refusal = AnswerFault::Custom {
        code: 400,
        content_type: "application/json".to_owned(),
        body: status.to_string().into_bytes(),
    };
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    cluster.server.fault(Fault::from(refusal).forever());
    let outcome = node.provider(&cluster).pull(NGINX);
    outcome.fails_with(&["because because", "400"]);
    within_budget(&outcome);
    assert!(!outcome.stderr.contains(&"because ".repeat(40)));
}

#[test]
fn a_stderr_that_cannot_be_written_fails_no_pull() {
    let node = Node::with_mirror();
    let cluster = Cluster::with([
        broken("broken", LARGE),
        login("good", "mirror.example", "u:p"),
    ]);
    for script in [
        r#"exec "$PROVIDER" 2>/dev/full"#,
        r#"exec "$PROVIDER" 2>&-"#,
    ] {
        let outcome = node.provider(&cluster).pull_in_script(script, &[], NGINX);
        outcome.answers(&owned(NGINX));
    }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn no_input_exceeds_the_budget(
        documents in prop::collection::vec((documents(), 1..5_000_usize), 1..20),
        level in prop_oneof![Just("warn"), Just("info")],
        format in prop_oneof![Just("text"), Just("json")],
    ) {
        let cluster = Cluster::new();
        for (index, (text, times)) in documents.into_iter().enumerate() {
            let entry = format!("\"mirror.example/library\":{text},");
            let config = format!("{{\"auths\":{{{}\"x\":1}}}}", entry.repeat(times.min(LARGE / entry.len())));
            let name = format!("s{index}\u{1}{}", "\"".repeat(times));
            cluster.put(Secret::raw_json(&name, json!({
                "type": "kubernetes.io/dockercfg",
                "metadata": {"name": name},
                "data": {".dockercfg": crate::support::base64(&config)},
            })));
        }
        let node = Node::with_mirror();
        let provider = node.provider(&cluster).flag("--log-level", level).flag("--log-format", format);
        let outcome = provider.pull(NGINX);
        prop_assert_eq!(outcome.code, Some(0), "{}", outcome);
        prop_assert!(outcome.stderr.len() <= BUDGET, "{}", outcome.stderr.len());
    }
}
