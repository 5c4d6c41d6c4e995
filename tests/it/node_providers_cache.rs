//! Responses of the node's own credential providers that are cached for later pulls.

#![expect(clippy::disallowed_methods, reason = "lays out the node")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;

use crate::node_providers::{HOST, LOGIN, auth, cacheable, provider};
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
    node.configure_providers(&[cacheable()]);
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

#[test]
fn a_response_is_shared_by_the_sources_that_kubelet_would_use_it_for() {
    let mirrors = ["mirror.example/a", "mirror.example/b", "other.example"];
    for (kind, served) in [("Image", 1), ("Registry", 2), ("Global", 3)] {
        let node = Node::with_mirrors(&mirrors);
        let response = |kind: &str| {
            let logins = [(HOST, LOGIN), ("other.example", LOGIN)];
            print(&cacheable_response(kind, Some("1ns"), &logins))
        };
        let (first, second) = (response("Global"), response(kind));
        let script = format!("if [ $(wc -l < asked) -le 3 ]; then\n{first}\nelse\n{second}\nfi");
        node.configure_providers(&[StandIn::new("ecr", &["*.example"], &script)]);
        let cluster = Cluster::new();
        let provider = provider(&node, &cluster);
        // It is not known yet for which sources a response counts.
        provider.pull(NGINX).answers(EMPTY);
        assert_eq!(node.asked().len(), 3, "{kind}");

        let outcome = provider.pull(NGINX);

        outcome.answers(EMPTY);
        assert_eq!(node.asked().len(), 4, "{kind}: {outcome}");
        let sources = mirrors.iter().take(served);
        let auths: serde_json::Map<_, _> = sources
            .map(|mirror| (format!("{mirror}/library/nginx"), auth(LOGIN)))
            .collect();
        assert_eq!(
            node.auth_file(NGINX).unwrap()["auths"],
            json!(auths),
            "{kind}"
        );
    }
}

#[test]
fn a_large_response_is_used_but_not_cached() {
    for (length, runs) in [(65_536, 1), (65_537, 2)] {
        let node = Node::with_mirror();
        let (login, length) = (
            format!("--login={HOST}={LOGIN}"),
            format!("--length={length}"),
        );
        let arguments = [&*login, &*length, "--cache=Registry", "--duration=1h"];
        node.configure_providers(&[StandIn::program("ecr", &[HOST], &arguments)]);
        let cluster = Cluster::new();
        for _ in 0..2 {
            provider(&node, &cluster).pull(NGINX).answers(EMPTY);
            assert!(node.auth_file(NGINX).is_some());
        }
        assert_eq!(node.runs().len(), runs, "{length}");
    }
}

/// Places a file in the directory of cached responses, with an expiry in nanoseconds
/// since the boot.
fn place(node: &Node, name: &str, boot: &str, expires: u64) {
    let path = format!("{CACHE}/{name}");
    node.write(&path, format!("{boot} x {expires}\n{{}}"));
    node.set_mode(path, 0o600);
}

#[test]
fn what_is_not_valid_any_more_is_removed_and_a_full_cache_takes_no_more() {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for (valid, asked) in [(997, 1), (1000, 2)] {
        let node = Node::with_mirror();
        node.configure_providers(&[cacheable()]);
        for number in 0..valid {
            place(&node, &format!("provider-{number}"), boot.trim(), u64::MAX);
        }
        node.set_mode(CACHE, 0o700);
        place(&node, "provider-expired", boot.trim(), 1);
        place(&node, "provider-earlier-boot", "0", u64::MAX);
        for (name, age) in [("provider-.1", 300), ("provider-.2", 0), ("others", 300)] {
            place(&node, name, boot.trim(), 1);
            let time = SystemTime::now() - Duration::from_secs(age);
            let file = File::options()
                .write(true)
                .open(node.path(CACHE).join(name));
            file.unwrap().set_modified(time).unwrap();
        }
        let cluster = Cluster::new();
        for _ in 0..2 {
            provider(&node, &cluster).pull(NGINX).answers(EMPTY);
            assert!(node.auth_file(NGINX).is_some());
        }
        assert_eq!(node.asked().len(), asked, "{valid}");
        let is_there = |name: &&str| node.path(CACHE).join(name).exists();
        let left = [
            "provider-expired",
            "provider-earlier-boot",
            "provider-.1",
            "provider-.2",
            "others",
        ];
        let left: Vec<_> = left.into_iter().filter(is_there).collect();
        assert_eq!(left, ["provider-.2", "others"]);
    }
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
