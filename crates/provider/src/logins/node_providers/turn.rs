//! Whose turn it is: of the runs that would ask a provider the same at the same time, one
//! asks, and the others find its answer.

use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use kubelet_credential_provider::Response;
use rustix::fd::OwnedFd;
use tracing::debug;

use super::cache::Cache;
use super::key::{Fingerprint, Habit};
use crate::deadline::Deadline;

/// How long to wait for the answer of another run, after which the provider is asked once
/// more.
const LIMIT: Duration = Duration::from_secs(10);
/// How long to wait before a lock that another run holds is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// What is to be done for a source.
pub(super) enum Turn {
    /// The answer was kept.
    Kept(Response),
    /// The provider is to be asked. Where other runs may wait for the answer, that is the
    /// byte that is locked for it, and the lock, if it could be had.
    Ask(Option<(i64, Option<Rc<OwnedFd>>)>),
    /// It is asked already, by that errand of this run.
    With(usize),
}

/// A lock that this run holds, or has given up, and the errand that it is for.
struct Held {
    byte: i64,
    lock: Option<Rc<OwnedFd>>,
    errand: usize,
}

/// The turns that this run has taken.
pub(super) struct Turns {
    /// When to wait for other runs no longer.
    until: Instant,
    held: Vec<Held>,
}

impl Turns {
    /// None yet; the waiting for other runs takes a quarter of what is left at most.
    pub(super) fn new(deadline: Deadline) -> Self {
        let now = Instant::now();
        let limit = LIMIT.min(deadline.remaining() / 4);
        Self {
            until: now.checked_add(limit).unwrap_or(now),
            held: Vec::new(),
        }
    }

    /// Notes that this run asks under a lock, and with which errand.
    pub(super) fn hold(&mut self, byte: i64, lock: Option<Rc<OwnedFd>>, errand: usize) {
        self.held.push(Held { byte, lock, errand });
    }

    /// Decides whether the provider is to be asked for a source, once other runs that ask
    /// the same have their answer.
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
                    Some(_) => Turn::With(held.errand),
                    None => Turn::Ask(Some((byte, held.lock.clone()))),
                };
            }
            // Only now is it certain that no other run has answered in between.
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
                    debug!(source, "another run still waits for the same answer");
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
