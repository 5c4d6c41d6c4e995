//! The lines in journald: each has its fields, and none has a secret.

use std::io::ErrorKind;
use std::iter;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use test_cluster::Secret;

use crate::support::{
    ACCOUNT, Cluster, NAMESPACE, NGINX, Node, Outcome, Provider, base64, cannot_run, login, owned,
};

const PASSWORD: &str = "hunter2-password";
/// Runs with its own `/run`, so that neither the machine's journal nor another test has
/// an effect.
const SCRIPT: &str = r#"exec unshare --mount sh -c '
    mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal &&
        mount --bind "$PWD/journal" /run/systemd/journal || exit 77
    exec "$PROVIDER"'"#;

/// A journal for one node.
struct Journal(UnixDatagram);

impl Journal {
    fn of(node: &Node) -> Self {
        node.write("journal/keep", "");
        let socket = UnixDatagram::bind(node.path("journal/socket")).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        Self(socket)
    }

    /// Every line that arrives during `work`, in journald's wire format.
    fn lines_while(&self, work: impl FnOnce()) -> Vec<String> {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| self.lines_until(&done));
            work();
            done.store(true, Ordering::Relaxed);
            reader.join().unwrap()
        })
    }

    fn lines_until(&self, done: &AtomicBool) -> Vec<String> {
        let mut lines = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let last = done.load(Ordering::Relaxed);
            match self.0.recv(&mut buffer) {
                Ok(length) => {
                    lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && last => return lines,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }
}

/// Pulls with that journal; `None` if this machine does not allow it.
fn pull(provider: &Provider) -> Option<Outcome> {
    let outcome = provider.pull_in_script(SCRIPT, &[], NGINX);
    if outcome.stderr.contains("unshare") || outcome.code == Some(77) {
        cannot_run(&format!("cannot mount a private /run: {outcome}"));
        return None;
    }
    Some(outcome)
}

#[test]
fn the_journal_gets_the_outcome_with_its_fields_and_no_secret() {
    let cluster = Cluster::with([
        login("pull", "mirror.example", &format!("user:{PASSWORD}")),
        // The password is at a place where the decoder expects another type.
        Secret::docker_config_json(
            "broken",
            &format!(r#"{{"auths":{{"mirror.example/library":{{"auth":["{PASSWORD}"]}}}}}}"#),
        ),
    ]);
    let node = Node::with_mirror();
    let journal = Journal::of(&node);
    let provider = node.provider(&cluster).flag("--log-level", "trace");

    let mut runs = true;
    let lines = journal.lines_while(|| {
        runs = pull(&provider).is_some();
        cluster.server.revoke(NAMESPACE, ACCOUNT);
        provider.pull_in_script(SCRIPT, &[], NGINX);
    });
    if !runs {
        return;
    }

    let outcome = lines
        .iter()
        .find(|line| line.contains("OUTCOME") && line.contains("\"pull\""));
    let outcome = outcome.unwrap_or_else(|| panic!("no outcome in {lines:?}"));
    assert!(
        lines.iter().any(|line| line.contains("create role")),
        "{lines:?}"
    );
    for field in [
        "IMAGE\n",
        "NAMESPACE\n",
        "REGISTRY\n",
        "SYSLOG_IDENTIFIER\n",
    ] {
        assert!(outcome.contains(field), "no {field:?} in {outcome:?}");
    }
    let encoded = base64(&format!("user:{PASSWORD}"));
    for line in &lines {
        for secret in [PASSWORD, &encoded, &cluster.token] {
            assert!(!line.contains(secret), "{line:?}");
        }
    }
}

#[test]
fn a_run_has_a_budget_in_the_journal_too() {
    let broken = r#"{"auths":{"mirror.example":1,"mirror.example/":{}}}"#;
    let name = |number| format!("broken-{number:03}-{}", "x".repeat(200));
    let secrets = (0..200).map(|number| Secret::docker_config_json(&name(number), broken));
    let cluster = Cluster::with(secrets.chain([login("good", "mirror.example", "u:p")]));
    let node = Node::with_mirror();
    let journal = Journal::of(&node);

    let mut outcome = None;
    let lines = journal.lines_while(|| outcome = pull(&node.provider(&cluster)));
    let Some(outcome) = outcome else {
        return;
    };

    outcome.answers(&owned(NGINX));
    let length: usize = lines.iter().map(String::len).sum();
    assert!((8_000..=32 * 1024).contains(&length), "{length} bytes");
    for words in ["login written", "left out"] {
        assert!(lines.iter().any(|line| line.contains(words)), "{words}");
    }
}

/// Fills the journal, and returns the number of lines that it has room for.
fn fill(node: &Node) -> usize {
    let flood = UnixDatagram::unbound().unwrap();
    flood.set_nonblocking(true).unwrap();
    let socket = node.path("journal/socket");
    let sent = || flood.send_to(b"MESSAGE=x\n", &socket).is_ok();
    iter::repeat_with(sent).take_while(|&sent| sent).count()
}

#[test]
fn a_journal_that_is_full_holds_nothing_up() {
    let node = Node::with_mirror();
    let journal = Journal::of(&node);
    fill(&node);
    let cluster = Cluster::with([login("pull", "mirror.example", "u:p")]);
    if let Some(outcome) = pull(&node.provider(&cluster)) {
        outcome.answers(&owned(NGINX));
        outcome.is_quiet();
    }
    drop(journal);
}

#[test]
fn a_journal_that_fills_up_during_a_run_holds_nothing_up() {
    let node = Node::with_mirror();
    let journal = Journal::of(&node);
    let room = fill(&node);
    for _ in 0..room {
        journal.0.recv(&mut [0; 64]).unwrap();
    }
    let broken = (0..100).map(|n| Secret::docker_config_json(&format!("broken-{n}"), "{"));
    let cluster = Cluster::with(broken.chain([login("pull", "mirror.example", "u:p")]));
    if let Some(outcome) = pull(&node.provider(&cluster)) {
        outcome.answers(&owned(NGINX));
        let lines = outcome.stderr.lines().count();
        assert!(lines > room, "{room} lines fit: {outcome}");
    }
    drop(journal);
}
