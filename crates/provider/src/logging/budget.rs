//! The limit on the log of one run: kubelet keeps all of a provider's stderr in memory,
//! and part of the text comes from tenants.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tracing::Level;

/// The most bytes of a run, at log level `info` and less.
pub(super) const BYTES: usize = 32 * 1024;
/// The most bytes of a run at log level `debug` or `trace`.
pub(super) const BYTES_FOR_DEBUGGING: usize = 1024 * 1024;
/// Reserved for the error of a failed run.
const KEPT_FOR_ERRORS: usize = 10 * 1024;
/// Reserved for the outcome, and for errors.
const KEPT_FOR_OUTCOME: usize = 16 * 1024;

/// The remaining bytes of one output of a run.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
    left_out: AtomicUsize,
    closing: AtomicBool,
}

impl Budget {
    /// A budget of `bytes` for the whole run.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            left: AtomicUsize::new(bytes),
            left_out: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        }
    }

    /// Whether a line of that level and length may be written; if so, it is counted.
    /// Warnings are refused first, so that there is room for the outcome or the failure.
    pub(super) fn spend(&self, level: Level, bytes: usize) -> bool {
        let kept = match level {
            _ if self.closing.load(Ordering::Relaxed) => 0,
            Level::ERROR => 0,
            Level::INFO => KEPT_FOR_ERRORS,
            _ => KEPT_FOR_OUTCOME,
        };
        let needed = bytes.saturating_add(kept);
        let mut left = self.left.load(Ordering::Relaxed);
        while needed <= left {
            let after = left.saturating_sub(bytes);
            match self
                .left
                .compare_exchange_weak(left, after, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => left = now,
            }
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Releases what was reserved for lines of all levels, and returns how many lines
    /// were refused.
    pub(super) fn close(&self) -> usize {
        self.closing.store(true, Ordering::Relaxed);
        self.left_out.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_leave_room_for_the_outcome_and_the_outcome_for_a_failure() {
        let budget = Budget::new(BYTES);
        let mut written = 0;
        for level in [Level::WARN, Level::INFO, Level::ERROR] {
            let before = written;
            while budget.spend(level, 1000) {
                written += 1000;
            }
            assert!(written > before, "{level}");
            assert!(written <= BYTES, "{level}");
        }
        assert!(!budget.spend(Level::WARN, 100));
        assert_eq!(budget.close(), 4);
        assert!(budget.spend(Level::WARN, 100), "a line about the four");
    }
}
