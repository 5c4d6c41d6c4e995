//! The moment by which everything must be done, what is being done now, and
//! whether the run may be ended there.
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

/// In the place of a stage: the run was ended, and no other stage begins.
const ENDED: usize = usize::MAX;

/// The run was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("terminated")]
pub struct Ended;

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
    ///
    /// # Errors
    /// [`Ended`] after [`end`](Self::end) has said so: nothing may be begun.
    pub fn enter(&self, stage: Stage) -> Result<(), Ended> {
        let unless_ended = |now| (now != ENDED).then_some(stage as usize);
        self.stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, unless_ended)
            .map_or(Err(Ended), |_before| Ok(()))
    }

    /// Ends the run before its next stage. Returns whether the process may exit
    /// at once: not while the auth file is written, which leaves no temporary
    /// file behind if it is let finish.
    pub fn end(&self) -> bool {
        let unless_writing = |now| (now != Stage::AuthFile as usize).then_some(ENDED);
        self.stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, unless_writing)
            .is_ok()
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
            worker.enter(stage).unwrap();
            let expected = format!("{said}: not done after 45s (--timeout)");
            assert_eq!(deadline.elapsed().to_string(), expected);
        }
    }

    #[test]
    fn an_ended_run_begins_nothing_more() {
        let deadline = Deadline::new(Duration::from_secs(45));
        deadline.enter(Stage::Secrets).unwrap();
        assert!(deadline.end());
        assert_eq!(deadline.enter(Stage::AuthFile), Err(Ended));
    }

    #[test]
    fn a_run_that_writes_is_not_ended() {
        let deadline = Deadline::new(Duration::from_secs(45));
        deadline.enter(Stage::AuthFile).unwrap();
        assert!(!deadline.end());
        assert_eq!(deadline.enter(Stage::AuthFile), Ok(()));
    }

    #[test]
    fn nothing_is_left_after_the_end() {
        assert_eq!(Deadline::new(Duration::ZERO).remaining(), Duration::ZERO);
    }
}
