//! Responses of the node's own credential providers that are cached for later pulls.

#![expect(clippy::disallowed_methods, reason = "lays out the node")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::node_providers::{HOST, LOGIN, auth, provider};
use crate::support::{
    BIN_DIR, CACHE, CONFIG, Cluster, EMPTY, NGINX, Node, Provider, StandIn, cacheable_response,
    print,
};

/// The number of times that the provider is run for two pulls of NGINX and one of another
/// image.
fn asked_with(kind: &str, duration: Option<&str>, default: &'static str) -> usize {
    let node = Node::with_mirror();
    let script = print(&cacheable_response(kind, duration, &[(HOST, LOGIN)]));
    let stand_in = StandIn::new("ecr", &[HOST], &script).default_cache_duration(default);
    node.configure_providers(&[stand_in]);
    let cluster = Cluster::new();
    let provider = provider(&node, &cluster);
    for image in [NGINX, NGINX, "docker.io/library/redis"] {
        let outcome = provider.pull(image);
        outcome.answers(EMPTY);
        outcome.is_quiet();
        let file = node.auth_file(image).unwrap();
        let source = image.replace("docker.io", HOST);
        assert_eq!(file["auths"][source], auth(LOGIN), "{kind}");
    }
    node.asked().len()
}

#[test]
fn responses_are_cached_as_kubelet_caches_them() {
    for (kind, duration, default, asked) in [
        ("Image", Some("1h"), "0s", 2),
        ("Registry", Some("1h"), "0s", 1),
        ("Global", Some("1h"), "0s", 1),
        ("Registry", None, "1h", 1),
        ("Registry", None, "0s", 3),
        ("Registry", Some("0s"), "1h", 3),
        ("Registry", Some("-1h"), "1h", 3),
        ("Registry", Some("1ns"), "1h", 3),
    ] {
        let found = asked_with(kind, duration, default);
        assert_eq!(found, asked, "{kind} {duration:?} {default}");
    }
}

/// A node on which a response has been cached.
fn with_cached_response(cluster: &Cluster) -> (Node, Provider) {
    let node = Node::with_mirror();
    let script = print(&cacheable_response(
        "Registry",
        Some("1h"),
        &[(HOST, LOGIN)],
    ));
    node.configure_providers(&[StandIn::new("ecr", &[HOST], &script)]);
    let provider = provider(&node, cluster);
    provider.pull(NGINX).answers(EMPTY);
    provider.pull(NGINX).answers(EMPTY);
    assert_eq!(node.asked().len(), 1);
    (node, provider)
}

/// The files with cached responses.
fn kept(node: &Node) -> Vec<PathBuf> {
    let files = fs::read_dir(node.path(CACHE)).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|path| fs::read_to_string(path).unwrap().contains("hunter2"))
        .collect()
}

#[test]
fn cached_responses_are_private() {
    let cluster = Cluster::new();
    let (node, _) = with_cached_response(&cluster);
    assert_eq!(node.mode(CACHE), 0o700);
    let files = kept(&node);
    assert_eq!(files.len(), 1);
    assert_eq!(node.mode(&files[0]), 0o600);
}

#[test]
fn a_cached_response_is_not_used_after_a_change_of_what_it_depends_on() {
    for (name, change) in [
        (
            "configuration",
            &(|node: &Node| node.write(CONFIG, node.read(CONFIG) + "# x\n")) as &dyn Fn(&Node),
        ),
        ("binary", &|node| {
            let path = format!("{BIN_DIR}/ecr");
            node.write(&path, node.read(&path) + "# x\n");
        }),
        ("boot", &|node| {
            let path = kept(node).remove(0);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replacen('-', "0", 1)).unwrap();
        }),
        ("torn", &|node| fs::write(kept(node).remove(0), "").unwrap()),
        ("not ours alone", &|node| {
            node.set_mode(kept(node).remove(0), 0o644);
        }),
        ("a link", &|node| {
            let path = kept(node).remove(0);
            fs::rename(&path, node.path("elsewhere")).unwrap();
            symlink(node.path("elsewhere"), path).unwrap();
        }),
        ("a pipe", &|node| {
            let path = kept(node).remove(0);
            fs::remove_file(&path).unwrap();
            mkfifo(&path, Mode::S_IRWXU).unwrap();
        }),
    ] {
        let cluster = Cluster::new();
        let (node, provider) = with_cached_response(&cluster);
        change(&node);
        provider.pull(NGINX).answers(EMPTY);
        assert_eq!(node.asked().len(), 2, "{name}");
        provider.pull(NGINX).answers(EMPTY);
        assert_eq!(node.asked().len(), 2, "{name}");
        assert_eq!(kept(&node).len(), 1, "{name}");
    }
}

#[test]
fn responses_are_not_cached_where_others_could_place_them() {
    let cluster = Cluster::new();
    let (node, provider) = with_cached_response(&cluster);
    node.set_mode(CACHE, 0o777);
    let outcome = provider.pull(NGINX);
    outcome.answers(EMPTY);
    outcome.warns_with(&["not cached", "writable by others"]);
    assert_eq!(node.asked().len(), 2);
}

/// The number of times that a provider is run by 50 runs that begin at once, half of them
/// for one image.
fn asked_by_fifty(kind: &str, duration: &str, is_one_image: bool) -> usize {
    let node = Node::with_mirror();
    let answer = print(&cacheable_response(kind, Some(duration), &[(HOST, LOGIN)]));
    node.configure_providers(&[StandIn::new(
        "ecr",
        &[HOST],
        &format!("sleep 0.3\n{answer}"),
    )]);
    let cluster = Cluster::new();
    let provider = provider(&node, &cluster);
    let runs: Vec<_> = (0..50)
        .map(|number| {
            let other = format!("docker.io/library/image-{number}");
            provider.begin(if is_one_image { NGINX } else { &other })
        })
        .collect();
    for run in runs {
        run.outcome().answers(EMPTY);
    }
    node.asked().len()
}

#[test]
fn fifty_runs_at_once_ask_once() {
    assert_eq!(asked_by_fifty("Registry", "1h", false), 1);
    assert_eq!(asked_by_fifty("Image", "1h", true), 1);
}

#[test]
fn runs_do_not_wait_for_each_other_where_no_response_is_cached() {
    let started = Instant::now();
    assert_eq!(asked_by_fifty("Image", "0s", false), 50);
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );
}
