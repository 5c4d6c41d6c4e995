//! An API server that fails: which requests are retried, what the message is, and that
//! the auth file of an earlier run is not changed.

use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use test_cluster::{AnswerFault, ConnectionFault, Fault, RetryAfter, TokenOptions};

use crate::support::{
    ACCOUNT, Cluster, EMPTY, NAMESPACE, NGINX, Node, Outcome, Provider, all_at_once, login, owned,
};

/// Long enough for several attempts.
const TIMEOUT: &str = "1500ms";
/// Much later: only a run that ignores its deadline takes so long.
const MUCH_LATER: Duration = Duration::from_secs(20);

/// A node and a cluster with a login for its mirror.
fn ready() -> (Node, Cluster, Provider) {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    (node, cluster, provider)
}

/// A pull with a short deadline and that fault. Asserts that an earlier auth file is not
/// changed, and no other file is left.
fn pull_despite(name: &str, fault: Fault) -> (Outcome, Cluster) {
    let (node, cluster, provider) = ready();
    node.leave_auth_file(NGINX);
    let earlier = node.auth_file(NGINX);
    cluster.server.fault(fault);

    let outcome = provider.flag("--timeout", TIMEOUT).pull(NGINX);

    assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
    outcome.fails_with(&[]);
    assert!(outcome.elapsed < MUCH_LATER, "{name}: {outcome}");
    assert_eq!(node.auth_file(NGINX), earlier, "{name}");
    assert_eq!(node.auth_dir_names().len(), 1, "{name}");
    (outcome, cluster)
}

#[test]
fn temporary_failures_are_retried() {
    let cut = |fault: AnswerFault| Fault::from(fault).times(2);
    let cases = [
        ("refused", Fault::from(ConnectionFault::Refuse).times(2)),
        ("500", Fault::status(500).times(2)),
        ("502", Fault::status(502).times(2)),
        ("503", Fault::status(503).times(2)),
        ("504", Fault::status(504).times(2)),
        ("429", Fault::status(429).times(2)),
        ("cut before the headers", cut(AnswerFault::CutBeforeHeaders)),
        ("cut in the headers", cut(AnswerFault::CutInHeaders)),
        ("cut in the body", cut(AnswerFault::CutInBody)),
        ("cut in a chunk", cut(AnswerFault::CutInChunkedBody)),
        ("too short", cut(AnswerFault::LengthTooLarge)),
    ];
    all_at_once(&cases, |(name, fault)| {
        let (node, cluster, provider) = ready();
        cluster.server.fault(fault.clone());

        let outcome = provider.pull(NGINX);

        assert_eq!(outcome.code, Some(0), "{name}: {outcome}");
        outcome.answers(&owned(NGINX));
        assert!(node.auth_file(NGINX).is_some(), "{name}");
    });
}

#[test]
fn a_later_page_is_retried_too() {
    let cluster = two_pages();
    let fault = Fault::status(503).times(2).on_path_containing("continue=");
    cluster.server.fault(fault);

    let outcome = Node::with_mirror().provider(&cluster).pull(NGINX);

    outcome.answers(&owned(NGINX));
    assert_eq!(cluster.server.requests().len(), 4);
}

/// A namespace whose login is in the second page.
fn two_pages() -> Cluster {
    let cluster = Cluster::of(test_cluster::ApiServer::builder().max_page(1));
    cluster.put(login("a", "elsewhere.example", "u:p"));
    cluster.put(login("b", "mirror.example", "user:hunter2"));
    cluster
}

#[test]
fn a_lookup_that_cannot_start_a_thread_is_retried() {
    let (node, _cluster, provider) = ready();
    let provider = provider.flag("--api-server", "https://api.example.test:6443");
    // The limit counts threads too; root is exempt. For dash the option is -p.
    let script = r#"if (ulimit -u 1) 2>/dev/null; then ulimit -u 1; else ulimit -p 1; fi
        exec "$PROVIDER""#;

    let provider = provider.flag("--timeout", "1s");
    let outcome = provider.pull_by_nobody(&node, script, NGINX);

    outcome.fails_with(&["api.example.test", "attempt", "temporarily unavailable"]);
    assert!(!outcome.stderr.contains("in 1 attempt"), "{outcome}");
}

#[test]
fn a_connection_that_the_server_closed_is_opened_again() {
    let cluster = two_pages();
    cluster.server.fault(AnswerFault::CloseAfterAnswer);

    let outcome = Node::with_mirror().provider(&cluster).pull(NGINX);

    outcome.answers(&owned(NGINX));

    assert_eq!(cluster.server.connections(), 2);
}

#[test]
fn a_slow_answer_is_waited_for() {
    let cases = [
        ("late", AnswerFault::Delay(Duration::from_secs(1))),
        ("byte by byte", AnswerFault::Drip(Duration::from_millis(1))),
    ];
    all_at_once(&cases, |(name, fault)| {
        let (_node, cluster, provider) = ready();
        cluster.server.fault(fault.clone());
        let outcome = provider.pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{name}: {outcome}");
        assert_eq!(cluster.server.requests().len(), 1, "{name}");
    });
}

#[test]
fn an_attempt_that_falls_silent_is_given_up_and_made_anew() {
    let answer = Duration::from_secs(15);
    let connect = Duration::from_secs(5);
    let cases = [
        (
            "in the handshake",
            Fault::from(ConnectionFault::HangInHandshake),
            connect,
        ),
        (
            "before the headers",
            AnswerFault::HangBeforeHeaders.into(),
            answer,
        ),
        ("in the body", AnswerFault::HangInBody.into(), answer),
    ];
    all_at_once(&cases, |(name, fault, limit)| {
        let (_node, cluster, provider) = ready();
        cluster.server.fault(fault.clone());
        let outcome = provider.flag("--timeout", "45s").pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{name}: {outcome}");
        outcome.answers(&owned(NGINX));
        let range = *limit..*limit + Duration::from_secs(10);
        assert!(range.contains(&outcome.elapsed), "{name}: {outcome}");
    });
}

#[test]
fn a_retry_after_header_is_obeyed() {
    let seconds = RetryAfter::Seconds(1);
    // An HTTP date has no fractions: this is between one and two seconds ahead.
    let date = RetryAfter::Date(SystemTime::now() + Duration::from_secs(2));
    let unavailable = |retry_after| {
        Fault::from(AnswerFault::Status {
            code: 503,
            retry_after: Some(retry_after),
        })
    };
    let cases = [
        ("seconds", Fault::too_many_requests(seconds)),
        ("date", Fault::too_many_requests(date)),
        ("503", unavailable(seconds)),
    ];
    all_at_once(&cases, |(name, fault)| {
        let (_node, cluster, provider) = ready();
        cluster.server.fault(fault.clone());
        let outcome = provider.pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{name}: {outcome}");
        assert_eq!(cluster.server.requests().len(), 2, "{name}");
        // Some of that time passes before the provider is started.
        let least = if *name == "date" { 500 } else { 1000 };
        assert!(
            outcome.elapsed >= Duration::from_millis(least),
            "{name}: {outcome}"
        );
    });
}

#[test]
fn a_date_that_has_passed_changes_no_pause() {
    let (_node, cluster, provider) = ready();
    let long_ago = RetryAfter::Date(SystemTime::now() - Duration::from_secs(3600));
    let fault = Fault::too_many_requests(long_ago).times(2);
    cluster.server.fault(fault);
    provider.pull(NGINX).answers(&owned(NGINX));
}

#[test]
fn a_server_that_is_busy_beyond_the_deadline_is_not_waited_for() {
    let (_node, cluster, provider) = ready();
    let fault = Fault::too_many_requests(RetryAfter::Seconds(3600)).forever();
    cluster.server.fault(fault);

    let outcome = provider.pull(NGINX);

    outcome.fails_with(&["429"]);
    assert_eq!(cluster.server.requests().len(), 1);
    assert!(outcome.elapsed < MUCH_LATER, "{outcome}");
}

#[test]
fn connections_without_an_answer_end_with_the_deadline() {
    let cases = [
        ("refused", ConnectionFault::Refuse),
        ("silent", ConnectionFault::HangAtAccept),
        ("silent in the handshake", ConnectionFault::HangInHandshake),
        ("not TLS", ConnectionFault::GarbageHandshake),
    ];
    all_at_once(&cases, |(name, fault)| {
        let (_, cluster) = pull_despite(name, Fault::from(fault.clone()).forever());
        assert!(cluster.server.requests().is_empty(), "{name}");
    });
}

#[test]
fn a_missing_server_ends_the_run_with_the_deadline() {
    let (_node, cluster, provider) = ready();
    let address = cluster.server.address().to_string();
    drop(cluster);
    let outcome = provider.flag("--timeout", TIMEOUT).pull(NGINX);
    outcome.fails_with(&[NAMESPACE, &address]);
    assert!(outcome.elapsed < MUCH_LATER, "{outcome}");
}

#[test]
fn a_name_that_does_not_resolve_ends_the_run_with_the_deadline() {
    let (_node, _cluster, provider) = ready();
    let outcome = provider
        .flag("--api-server", "https://api.invalid:6443")
        .flag("--timeout", TIMEOUT)
        .pull(NGINX);
    outcome.fails_with(&["api.invalid"]);
    assert!(outcome.elapsed < MUCH_LATER, "{outcome}");
}

#[test]
fn answers_that_hang_or_never_end_end_with_the_deadline() {
    let cases = [
        ("silence", AnswerFault::HangBeforeHeaders),
        ("silence in the headers", AnswerFault::HangInHeaders),
        ("silence in the body", AnswerFault::HangInBody),
        ("endless headers", AnswerFault::EndlessHeaders),
        (
            "byte by byte",
            AnswerFault::Drip(Duration::from_millis(500)),
        ),
        ("cut before the headers", AnswerFault::CutBeforeHeaders),
        ("cut in the headers", AnswerFault::CutInHeaders),
        ("cut in the body", AnswerFault::CutInBody),
        ("cut in a chunk", AnswerFault::CutInChunkedBody),
        ("too short", AnswerFault::LengthTooLarge),
        ("not HTTP", AnswerFault::Garbage),
    ];
    all_at_once(&cases, |(name, fault)| {
        pull_despite(name, Fault::from(fault.clone()).forever());
    });
}

#[test]
fn an_endless_answer_is_refused() {
    let (node, cluster, provider) = ready();
    let fault = Fault::from(AnswerFault::EndlessBody).forever();
    cluster.server.fault(fault);

    let outcome = provider.flag("--timeout", "10m").pull(NGINX);

    outcome.fails_with(&[NAMESPACE, "bytes"]);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn a_server_error_is_reported_with_its_status() {
    let cases = [
        ("500", 500),
        ("502", 502),
        ("503", 503),
        ("504", 504),
        ("429", 429),
    ];
    all_at_once(&cases, |&(name, code)| {
        let (outcome, cluster) = pull_despite(name, Fault::status(code).forever());
        outcome.fails_with(&[name, &cluster.server.address().to_string()]);
        assert!(cluster.server.requests().len() > 1, "{name}");
    });
}

#[test]
fn an_answer_that_is_not_a_list_is_not_retried() {
    let custom = |content_type: &str, body: &str| AnswerFault::Custom {
        code: 200,
        content_type: content_type.to_owned(),
        body: body.as_bytes().to_vec(),
    };
    let cases = [
        ("login page", AnswerFault::LoginPage),
        ("wrong kind", AnswerFault::WrongKind),
        ("not JSON", AnswerFault::GarbageJson),
        ("half of it", AnswerFault::TruncatedJson),
        ("too much", AnswerFault::LengthTooSmall),
        ("nothing", custom("application/json", "")),
        ("null", custom("application/json", "null")),
        ("an array", custom("application/json", "[]")),
        ("an object", custom("application/json", "{}")),
        ("a text", custom("text/plain", "ok")),
        (
            "items of a wrong type",
            custom(
                "application/json",
                r#"{"kind":"SecretList","items":{"a":1}}"#,
            ),
        ),
        (
            "another object",
            custom(
                "application/json",
                r#"{"kind":"Status","status":"Success"}"#,
            ),
        ),
    ];
    all_at_once(&cases, |(name, fault)| {
        let (outcome, cluster) = pull_despite(name, Fault::from(fault.clone()).forever());
        outcome.fails_with(&[NAMESPACE, "SecretList"]);
        assert_eq!(cluster.server.requests().len(), 1, "{name}: {outcome}");
    });
}

#[test]
fn a_deeply_nested_item_is_skipped_like_others_that_are_not_secrets() {
    let (node, cluster, provider) = ready();
    cluster.server.fault(AnswerFault::DeepJson);
    cluster.put(login("pull", "mirror.example", "user:hunter2"));

    let outcome = provider.pull(NGINX);

    outcome.answers(EMPTY);
    outcome.warns_with(&["secret"]);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn a_refusal_is_not_retried_and_reported_with_its_status() {
    let cases = [
        ("400", 400),
        ("404", 404),
        ("406", 406),
        ("410", 410),
        ("422", 422),
    ];
    all_at_once(&cases, |&(name, code)| {
        let (outcome, cluster) = pull_despite(name, Fault::status(code).forever());
        outcome.fails_with(&[NAMESPACE, name]);
        assert_eq!(cluster.server.requests().len(), 1, "{name}");
    });
}

#[test]
fn an_object_of_another_kind_is_not_a_list() {
    let cases = [("201", 201), ("202", 202), ("204", 204)];
    all_at_once(&cases, |&(name, code)| {
        let fault = AnswerFault::Custom {
            code,
            content_type: "application/json".to_owned(),
            body: Vec::new(),
        };
        pull_despite(name, Fault::from(fault).forever());
    });
}

#[test]
fn a_token_that_is_not_accepted_is_reported_with_its_audience() {
    let other_audience = TokenOptions {
        audiences: vec!["https://vault.example".to_owned(), "sts.example".to_owned()],
        ..TokenOptions::new(NAMESPACE, ACCOUNT)
    };
    let expired = TokenOptions {
        expired: true,
        ..TokenOptions::new(NAMESPACE, ACCOUNT)
    };
    let pod_is_gone = TokenOptions {
        pod_deleted: true,
        ..TokenOptions::new(NAMESPACE, ACCOUNT)
    };
    for (options, words) in [
        (other_audience, ["https://vault.example", "sts.example"]),
        (expired, ["https://kubernetes.default.svc", "expired"]),
        (pod_is_gone, ["https://kubernetes.default.svc", "pod"]),
    ] {
        let (node, cluster, provider) = ready();
        node.leave_auth_file(NGINX);
        let token = cluster.server.token_with(options);

        let outcome = provider.token(&token).pull(NGINX);

        outcome.fails_with(&words);
        outcome.fails_with(&["audience", "serviceAccountTokenAudience"]);
        assert_eq!(cluster.server.requests().len(), 1);
        assert_eq!(node.auth_file(NGINX), None);
    }
}

#[test]
fn a_missing_permission_is_reported_with_its_remedy() {
    let (node, cluster, provider) = ready();
    node.leave_auth_file(NGINX);
    cluster.server.revoke(NAMESPACE, ACCOUNT);

    let outcome = provider.pull(NGINX);

    outcome.fails_with(&["list", "secrets", "rolebinding", NAMESPACE, ACCOUNT]);
    assert_eq!(cluster.server.requests().len(), 1);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn a_permission_that_is_lost_between_the_pages_leaves_no_file() {
    let (node, cluster) = (Node::with_mirror(), two_pages());
    let fault = Fault::status(403).on_path_containing("continue=");
    cluster.server.fault(fault);

    let outcome = node.provider(&cluster).pull(NGINX);

    outcome.fails_with(&["list", "secrets"]);

    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn the_nodes_own_logins_do_not_stand_in_for_a_namespace_that_cannot_be_read() {
    let (node, cluster, provider) = ready();
    let node = node.and_global_auth(r#"{"auths":{"mirror.example":{"auth":"dTpw"}}}"#);
    cluster.server.revoke(NAMESPACE, ACCOUNT);

    provider.pull(NGINX).fails_with(&["list", "secrets"]);

    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn a_run_that_is_ended_by_a_signal_changes_nothing() {
    let (node, cluster, provider) = ready();
    node.leave_auth_file(NGINX);
    let earlier = node.auth_file(NGINX);
    cluster.server.fault(AnswerFault::HangBeforeHeaders);

    // Not SIGINT or SIGHUP: the shell that runs the tests may have ignored them.
    let asked = || !cluster.server.requests().is_empty();
    let outcome = provider.pull_until(NGINX, asked, Signal::TERM);

    assert_eq!(outcome.code, None, "ended by the signal: {outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert!(outcome.elapsed < MUCH_LATER, "{outcome}");
    assert_eq!(node.auth_file(NGINX), earlier);
    assert_eq!(node.auth_dir_names().len(), 1);
}
