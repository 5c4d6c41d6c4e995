//! Directories that can be opened but not listed, as on a disk that fails.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use crate::node_providers::{cacheable, provider};
use crate::support::{Cluster, EMPTY, NGINX, Node, login, owned};

/// A directory of the kernel's that cannot be listed: the network of a process that has
/// ended and was not waited for (`proc_tgid_net_readdir` returns `EINVAL`).
struct Unlistable(Child);

impl Unlistable {
    fn new() -> Self {
        let process = Command::new("true").spawn().unwrap();
        let unlistable = Self(process);
        while unlistable
            .path()
            .read_dir()
            .is_ok_and(|mut all| all.all(|entry| entry.is_ok()))
        {
            thread::sleep(Duration::from_millis(1));
        }
        unlistable.path().metadata().unwrap();
        unlistable
    }

    fn path(&self) -> PathBuf {
        format!("/proc/{}/net", self.0.id()).into()
    }
}

impl Drop for Unlistable {
    fn drop(&mut self) {
        self.0.wait().unwrap();
    }
}

const REASON: &str = "Invalid argument";

#[test]
fn drop_ins_that_cannot_be_listed_are_an_error() {
    let unlistable = Unlistable::new();
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    let provider = provider.flag("--registries-conf-dir", unlistable.path());

    let outcome = provider.pull(NGINX);

    outcome.fails_with(&[unlistable.path().to_str().unwrap(), REASON]);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn pull_intents_that_cannot_be_listed_are_a_warning() {
    let unlistable = Unlistable::new();
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node
        .provider(&cluster)
        .flag("--pull-intents-dir", unlistable.path());
    // A file of another run, for which a pull may be announced.
    node.leave_auth_file(NGINX);

    let outcome = provider.pull(NGINX);

    outcome.answers(&owned(NGINX));
    outcome.warns_with(&["--pull-intents-dir", REASON]);
    outcome.prints_once(REASON);
}

#[test]
fn an_auth_directory_that_cannot_be_listed_is_a_warning_after_the_response() {
    let unlistable = Unlistable::new();
    let node = Node::with_mirror();
    let cluster = Cluster::with([login("other", "elsewhere.example", "u:p")]);
    let provider = node
        .provider(&cluster)
        .flag("--auth-dir", unlistable.path());

    let outcome = provider.pull(NGINX);

    outcome.answers(EMPTY);
    outcome.warns_with(&["list auth directory", REASON]);
}

#[test]
fn a_cache_that_cannot_be_listed_is_a_warning() {
    let unlistable = Unlistable::new();
    let node = Node::with_mirror();
    node.configure_providers(&[cacheable()]);
    let cluster = Cluster::new();
    let provider = provider(&node, &cluster).flag("--provider-cache-dir", unlistable.path());

    let outcome = provider.pull(NGINX);

    outcome.answers(EMPTY);
    outcome.warns_with(&["not cached", "list directory", REASON]);
    assert!(node.auth_file(NGINX).is_some(), "{outcome}");
}
