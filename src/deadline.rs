//! The moment by which everything must be done, and what is being done now.
//!
//! kubelet kills a provider after a minute, without a word to the pod's owner;
//! we end before that, with a line that says what took so long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a run is busy with, in the order of the story.
const STAGES: [&str; 5] = [
    "read the request from stdin",
    "read registries.conf",
    "list the namespace's Secrets",
    "read the global auth files",
    "write the auth file",
];

/// A stage of the run, for the message that the time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// kubelet's request.
    Request,
    /// registries.conf and its drop-ins.
    Registries,
    /// The API server.
    Secrets,
    /// The node's own logins.
    GlobalAuthFiles,
    /// The auth directory.
    AuthFile,
}

/// The end of the time for one run; clones share what is being done.
#[derive(Debug, Clone)]
pub struct Deadline {
    at: Instant,
    timeout: Duration,
    stage: Arc<AtomicUsize>,
}

/// The time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{stage}: not done after {timeout:?} (--timeout)")]
pub struct Elapsed {
    stage: &'static str,
    timeout: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn new(timeout: Duration) -> Self {
        let now = Instant::now();
        Self {
            at: now.checked_add(timeout).unwrap_or(now),
            timeout,
            stage: Arc::default(),
        }
    }

    /// What is left; zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Notes what comes next.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as usize, Ordering::Relaxed);
    }

    /// The error that the time is up, which names the stage.
    pub fn elapsed(&self) -> Elapsed {
        let stage = self.stage.load(Ordering::Relaxed);
        Elapsed {
            stage: STAGES.get(stage).copied().unwrap_or_default(),
            timeout: self.timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_stage() {
        let deadline = Deadline::new(Duration::from_secs(45));
        let worker = deadline.clone();
        for (stage, said) in [
            (Stage::Request, "read the request from stdin"),
            (Stage::Registries, "read registries.conf"),
            (Stage::Secrets, "list the namespace's Secrets"),
            (Stage::GlobalAuthFiles, "read the global auth files"),
            (Stage::AuthFile, "write the auth file"),
        ] {
            worker.enter(stage);
            let expected = format!("{said}: not done after 45s (--timeout)");
            assert_eq!(deadline.elapsed().to_string(), expected);
        }
    }

    #[test]
    fn nothing_is_left_after_the_end() {
        assert_eq!(Deadline::new(Duration::ZERO).remaining(), Duration::ZERO);
    }
}
