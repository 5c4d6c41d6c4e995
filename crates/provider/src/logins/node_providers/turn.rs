//! Turns: of the runs that need the same response of a provider at the same time, one
//! asks the provider, and the others find the cached response.

use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use kubelet_credential_provider::Response;
use rustix::fd::OwnedFd;
use tracing::debug;

use super::cache::Cache;
use super::key::{Fingerprint, Habit};
use crate::deadline::Deadline;

/// How long to wait for the response of another run before the provider is asked once
/// more.
const LIMIT: Duration = Duration::from_secs(10);
/// The interval at which a run tries to take a lock that another run holds.
const PAUSE: Duration = Duration::from_millis(10);

/// The next step for a source.
pub(super) enum Turn {
    /// Use the cached response.
    Kept(Response),
    /// Ask the provider. If other runs may wait for the response: the byte of the lock,
    /// and the lock if it could be taken.
    Ask(Option<(i64, Option<Rc<OwnedFd>>)>),
    /// Share the response of that query of this run.
    With(usize),
}

/// A lock that this run holds, or could not take, and the query that it is for.
struct Held {
    byte: i64,
    lock: Option<Rc<OwnedFd>>,
    query: usize,
}

/// The turns that this run has taken.
pub(super) struct Turns {
    /// When to stop waiting for other runs.
    until: Instant,
    held: Vec<Held>,
}

impl Turns {
    /// No turns yet. Waiting for other runs takes at most a quarter of the remaining
    /// time.
    pub(super) fn new(deadline: Deadline) -> Self {
        let now = Instant::now();
        let limit = LIMIT.min(deadline.remaining() / 4);
        Self {
            until: now.checked_add(limit).unwrap_or(now),
            held: Vec::new(),
        }
    }

    /// Records the lock under which this run asks, and the query.
    pub(super) fn hold(&mut self, byte: i64, lock: Option<Rc<OwnedFd>>, query: usize) {
        self.held.push(Held { byte, lock, query });
    }

    /// Decides whether to ask the provider for a source, after waiting for other runs
    /// that ask for the same response.
    pub(super) fn take(&self, cache: Option<&Cache>, provider: &Fingerprint, source: &str) -> Turn {
        let Some(cache) = cache else {
            return Turn::Ask(None);
        };
        let mut own: Option<(i64, OwnedFd)> = None;
        loop {
            if let Some(answer) = cache.find(provider, source) {
                return Turn::Kept(answer);
            }
            let habit = cache.habit(provider);
            let Some(byte) = Habit::lock(habit, provider, source) else {
                return Turn::Ask(None);
            };
            if let Some(held) = self.held.iter().find(|held| held.byte == byte) {
                return match habit {
                    Some(_) => Turn::With(held.query),
                    None => Turn::Ask(Some((byte, held.lock.clone()))),
                };
            }
            // With the lock held it is certain that no other run has stored a response in
            // between.
            own = match own {
                Some((held, lock)) if held == byte => {
                    return Turn::Ask(Some((byte, Some(Rc::new(lock)))));
                }
                _ => None,
            };
            match cache.hold(byte) {
                Ok(Some(lock)) => own = Some((byte, lock)),
                Ok(None) if Instant::now() < self.until => sleep(PAUSE),
                Ok(None) => {
                    debug!(source, "another run still waits for the same response");
                    return Turn::Ask(Some((byte, None)));
                }
                Err(error) => {
                    debug!(source, "ask without a lock: {error}");
                    return Turn::Ask(Some((byte, None)));
                }
            }
        }
    }
}
