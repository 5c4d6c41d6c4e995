//! Pods of one namespace that start together with one image: each needs its own auth
//! file, since CRI-O takes it with the pull. Every pull finds its file.

use std::fs;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT, Cluster, Kubelet, NAMESPACE, NGINX, Node, PULL_INTENTS, Provider, Request, Run,
    base64, full_pipe, login, owned,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const ANNOTATION: &str = "credential-provider.crio.io/secrets";

fn cluster() -> Cluster {
    Cluster::with([
        login("mirror", "mirror.example", "user:hunter2"),
        login("another", "mirror.example", "user:hunter3"),
    ])
}

/// The provider as kubelet runs it, with the default limit.
fn provider(node: &Node, cluster: &Cluster) -> Provider {
    node.provider(cluster).flag("--timeout", "45s")
}

/// The request of a pod whose service account names that Secret.
fn request(cluster: &Cluster, secret: &str) -> Request {
    Request::new(NGINX)
        .token(&cluster.token)
        .field("serviceAccountAnnotations", json!({ANNOTATION: secret}))
}

fn file(password: &str) -> Value {
    let auth = base64(&format!("user:{password}"));
    json!({"auths": {"mirror.example/library/nginx": {"auth": auth}}})
}

/// Starts this many pods at once, and asserts that each pulls with its login.
fn start(kubelet: &Kubelet<'_>, cluster: &Cluster, pods: usize) {
    thread::scope(|scope| {
        for _ in 0..pods {
            scope.spawn(|| pull(kubelet, cluster));
        }
    });
}

fn pull(kubelet: &Kubelet<'_>, cluster: &Cluster) {
    let (outcome, taken) = kubelet.pull(&request(cluster, "mirror"));
    outcome.answers(&owned(NGINX));
    outcome.is_quiet();
    assert_eq!(taken, Some(file("hunter2")), "{outcome}");
}

/// Places a file as a run would have done `age` ago.
fn leave(node: &Node, content: &Value, age: Duration) {
    let path = node.auth_path(NGINX);
    node.write(&path, content.to_string());
    node.set_mode(path.parent().unwrap(), 0o700);
    node.set_mode(&path, 0o600);
    node.age(path, age);
}

fn placed(node: &Node) -> SystemTime {
    let metadata = fs::metadata(node.auth_path(NGINX)).unwrap();
    metadata.modified().unwrap()
}

#[test]
fn ten_pods_at_once_are_pulled_for_one_after_the_other() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let kubelet = Kubelet::new(&node, provider(&node, &cluster));
    start(&kubelet, &cluster, 10);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn pulls_that_are_announced_a_while_after_the_response_find_their_files() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let kubelet = Kubelet::new(&node, provider(&node, &cluster));
    let kubelet = kubelet.announces_within(SECOND / 20);
    start(&kubelet, &cluster, 12);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn fifty_pods_at_once_are_pulled_for_in_parallel() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let kubelet = Kubelet::new(&node, provider(&node, &cluster)).parallel();
    start(&kubelet, &cluster, 50);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn pods_wait_for_a_pull_that_takes_long() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let kubelet = Kubelet::new(&node, provider(&node, &cluster));
    let started = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| kubelet.pull_image(15 * SECOND));
        thread::sleep(SECOND / 10);
        start(&kubelet, &cluster, 4);
    });
    assert!(started.elapsed() > 15 * SECOND);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn long_pulls_in_parallel_hold_up_no_pod() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let kubelet = Kubelet::new(&node, provider(&node, &cluster)).parallel();
    let kubelet = kubelet.pulls_for(5 * SECOND);
    start(&kubelet, &cluster, 8);
}

#[test]
fn without_records_the_files_in_use_show_pulls_that_wait() {
    for parallel in [true, false] {
        let (node, cluster) = (Node::with_mirror(), cluster());
        let kubelet = Kubelet::new(&node, provider(&node, &cluster)).without_records();
        let kubelet = if parallel {
            kubelet.parallel()
        } else {
            kubelet
        };
        start(&kubelet.pulls_for(SECOND), &cluster, 8);
        assert_eq!(node.auth_file(NGINX), None);
    }
}

#[test]
fn a_left_over_file_serves_one_pull() {
    for content in [file("hunter2"), file("revoked")] {
        let (node, cluster) = (Node::with_mirror(), cluster());
        leave(&node, &content, 60 * SECOND);
        let kubelet = Kubelet::new(&node, provider(&node, &cluster));
        start(&kubelet, &cluster, 8);
        assert_eq!(node.auth_file(NGINX), None);
    }
}

#[test]
fn pods_with_other_logins_pull_with_their_own() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let kubelet = Kubelet::new(&node, provider(&node, &cluster)).parallel();
    thread::scope(|scope| {
        for (secret, password) in [("mirror", "hunter2"), ("another", "hunter3")] {
            for _ in 0..4 {
                let (kubelet, cluster) = (&kubelet, &cluster);
                scope.spawn(move || {
                    let (outcome, taken) = kubelet.pull(&request(cluster, secret));
                    outcome.answers(&owned(NGINX));
                    assert_eq!(taken, Some(file(password)), "{outcome}");
                });
            }
        }
    });
}

#[test]
fn starts_that_pull_nothing_do_not_wait() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    fs::create_dir_all(node.path(PULL_INTENTS)).unwrap();
    let provider = provider(&node, &cluster);
    let ten = |image: &(dyn Fn(usize) -> String + Sync)| {
        let started = Instant::now();
        thread::scope(|scope| {
            for pod in 0..10 {
                let provider = &provider;
                scope.spawn(move || {
                    let image = image(pod);
                    provider.pull(&image).answers(&owned(&image));
                });
            }
        });
        started.elapsed()
    };
    let alone = ten(&|pod| format!("docker.io/library/image-{pod}"));
    let together = ten(&|_| NGINX.to_owned());
    let left_over = ten(&|_| NGINX.to_owned());
    for elapsed in [together, left_over] {
        assert!(elapsed < 2 * alone + SECOND, "{elapsed:?}, {alone:?} alone");
    }
}

#[test]
fn a_left_over_file_is_marked_for_the_current_pull() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    leave(&node, &file("hunter2"), 60 * SECOND);
    let before = placed(&node);
    let request = request(&cluster, "mirror");
    let outcome = provider(&node, &cluster).serve(&request);
    outcome.answers(&owned(NGINX));
    assert!(placed(&node) > before + 30 * SECOND);
    assert_eq!(node.auth_file(NGINX), Some(file("hunter2")));
}

#[test]
fn records_of_an_earlier_kubelet_announce_nothing() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let record = json!({
        "kind": "ImagePullIntent",
        "apiVersion": "kubelet.config.k8s.io/v1alpha1",
        "image": "docker.io/library/nginx:1",
    });
    let path = format!("{PULL_INTENTS}/sha256-0");
    node.write(&path, record.to_string());
    leave(&node, &file("hunter2"), 60 * SECOND);
    let provider = provider(&node, &cluster).flag("--timeout", "9s");
    let request = request(&cluster, "mirror");
    let waits = provider.serve(&request);
    waits.answers(&owned(NGINX));
    assert!(waits.elapsed > 7 * SECOND, "{waits}");

    node.age(path, 24 * HOUR);

    let does_not = provider.serve(&request);
    does_not.answers(&owned(NGINX));
    assert!(does_not.elapsed < 4 * SECOND, "{does_not}");
}

#[test]
fn runs_that_are_killed_hold_up_no_other_run() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let provider = provider(&node, &cluster);
    let kubelet = Kubelet::new(&node, provider.clone());
    // One run is killed while it waits with the lock for an announced pull.
    thread::scope(|scope| {
        scope.spawn(|| kubelet.pull_image(2 * SECOND));
        thread::sleep(SECOND / 10);
        leave(&node, &file("hunter2"), Duration::ZERO);
        let waiting = provider.begin(NGINX);
        thread::sleep(SECOND / 2);
        scope.spawn(|| start(&kubelet, &cluster, 4));
        thread::sleep(SECOND / 5);
        waiting.kill(Signal::KILL);
    });
    // One run is killed right after it has placed its file.
    let mut placed = provider.begin(NGINX);
    while node.auth_file(NGINX).is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    placed.signal(Signal::KILL);
    placed.wait();
    thread::sleep(SECOND);
    start(&kubelet, &cluster, 4);
    assert_eq!(node.auth_file(NGINX), None);
}

/// Two pods have started, and the first one's pull is announced only now: each finds its
/// file.
fn announce_late(kubelet: &Kubelet<'_>, second: Run) {
    assert_eq!(kubelet.pull_image(Duration::ZERO), Some(file("hunter2")));
    second.outcome().answers(&owned(NGINX));
    assert_eq!(kubelet.pull_image(Duration::ZERO), Some(file("hunter2")));
}

#[test]
fn the_wait_for_a_pull_starts_with_the_response() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let provider = provider(&node, &cluster);
    let kubelet = Kubelet::new(&node, provider.clone());
    let (mut reader, writer) = full_pipe();
    let first = provider.begin_into(NGINX, writer);
    while node.auth_file(NGINX).is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    let second = provider.begin(NGINX);
    // This is longer than a run waits for a pull.
    thread::sleep(SECOND);
    let mut response = Vec::new();
    reader.read_to_end(&mut response).unwrap();
    first.outcome();
    thread::sleep(SECOND / 10);
    announce_late(&kubelet, second);
}

#[test]
fn a_machine_that_delays_a_run_delays_kubelet_too() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let provider = provider(&node, &cluster);
    let kubelet = Kubelet::new(&node, provider.clone());
    provider.pull(NGINX).answers(&owned(NGINX));
    let mut second = provider.begin(NGINX);
    while cluster.server.requests().len() < 2 {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(SECOND / 20);
    second.signal(Signal::STOP);
    thread::sleep(SECOND);
    second.signal(Signal::CONT);
    thread::sleep(SECOND / 10);
    announce_late(&kubelet, second);
}

#[test]
fn a_run_that_hangs_holds_up_other_runs_for_a_limited_time() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    fs::create_dir_all(node.path(PULL_INTENTS)).unwrap();
    let provider = provider(&node, &cluster);
    leave(&node, &file("revoked"), Duration::ZERO);
    let mut stuck = provider.begin(NGINX);
    thread::sleep(SECOND / 5);
    stuck.signal(Signal::STOP);
    let outcome = provider
        .flag("--timeout", "9s")
        .serve(&request(&cluster, "mirror"));
    outcome.answers(&owned(NGINX));
    outcome.warns_with(&["--lock-file"]);
    assert!(outcome.elapsed < 9 * SECOND, "{outcome}");
    assert_eq!(node.auth_file(NGINX), Some(file("hunter2")));
    stuck.kill(Signal::KILL);
}

#[test]
fn an_account_that_is_refused_costs_no_other_pull_and_leaves_no_login() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let provider = provider(&node, &cluster);
    let poor = provider
        .clone()
        .token(&cluster.server.token(NAMESPACE, "poor"));
    let kubelet = Kubelet::new(&node, provider.clone()).parallel();
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| pull(&kubelet, &cluster));
            scope.spawn(|| {
                let outcome = poor.pull(NGINX);
                outcome.fails_with(&["poor", "may not list secrets"]);
            });
        }
    });
    leave(&node, &file("hunter2"), SECOND);
    cluster.server.revoke(NAMESPACE, ACCOUNT);
    let refused = provider.pull(NGINX);
    refused.fails_with(&[ACCOUNT, "may not list secrets"]);
    assert_eq!(node.auth_file(NGINX), None);
}
