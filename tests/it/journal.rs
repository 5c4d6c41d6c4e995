//! What goes to journald: every line with its fields, and never a secret.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::mpsc::{Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use test_cluster::Secret;

use crate::support::{ACCOUNT, Cluster, NAMESPACE, NGINX, Node, base64, login};

const SOCKET: &str = "/run/systemd/journal/socket";
const PASSWORD: &str = "hunter2-password";

/// A journal of our own, where the machine has none and lets us.
struct Journal(UnixDatagram);

impl Journal {
    fn take_the_place() -> Option<Self> {
        if Path::new(SOCKET).exists() {
            return None;
        }
        fs::create_dir_all(Path::new(SOCKET).parent()?).ok()?;
        let socket = UnixDatagram::bind(SOCKET).ok()?;
        let patience = Duration::from_millis(500);
        socket.set_read_timeout(Some(patience)).ok()?;
        Some(Self(socket))
    }

    /// Every line that comes in while `work` is done, in journald's wire format.
    /// Other tests run beside this one, and find the journal too.
    fn lines_while(&self, work: impl FnOnce()) -> Vec<String> {
        let (sender, done) = channel();
        thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut lines = Vec::new();
                let mut buffer = vec![0; 64 * 1024];
                loop {
                    match self.0.recv(&mut buffer) {
                        Ok(length) => {
                            lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
                        }
                        Err(_) if done.try_recv() == Err(TryRecvError::Disconnected) => break,
                        Err(_) => {}
                    }
                }
                lines
            });
            work();
            drop::<Sender<()>>(sender);
            reader.join().unwrap()
        })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        fs::remove_file(SOCKET).unwrap_or_default();
    }
}

#[test]
fn the_journal_gets_the_outcome_with_its_fields_and_no_secret() {
    let Some(journal) = Journal::take_the_place() else {
        eprintln!("skipped: this machine has a journal of its own, or we may not write to /run");
        return;
    };
    let cluster = Cluster::with([
        login("pull", "mirror.example", &format!("user:{PASSWORD}")),
        // Its password is where the decoder expects another type.
        Secret::docker_config_json(
            "broken",
            &format!(r#"{{"auths":{{"mirror.example/library":{{"auth":["{PASSWORD}"]}}}}}}"#),
        ),
    ]);
    let node = Node::with_mirror();
    let provider = node.provider(&cluster).flag("--log-level", "trace");

    let lines = journal.lines_while(|| {
        provider.pull(NGINX);
        cluster.server.revoke(NAMESPACE, ACCOUNT);
        provider.pull(NGINX);
    });

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
