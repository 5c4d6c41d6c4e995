//! The limit on the time that one attempt waits for a response.
//!
//! Only waiting counts. The time in which this process handles a part of the response,
//! such as decoding Secrets, does not: `ureq`'s own limits would count it, end a good
//! attempt, and blame the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ureq::Timeout;
use ureq::unversioned::transport::NextTimeout;

/// The limit of one answer, headers and body.
pub(super) const ANSWER: Duration = Duration::from_secs(15);

/// The time that the attempt under way has waited, shared by a client and its connections.
#[derive(Debug, Clone, Default)]
pub(super) struct WaitingTime {
    nanoseconds: Arc<AtomicU64>,
}

impl WaitingTime {
    /// Begins an attempt, which may wait for [`ANSWER`].
    pub(super) fn begin(&self) {
        self.nanoseconds.store(0, Ordering::Relaxed);
    }

    /// The time that was waited since the attempt began.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    /// Calls `wait` with `timeout`, or with the rest of [`ANSWER`] if that is shorter.
    pub(super) fn spend<T>(
        &self,
        mut timeout: NextTimeout,
        wait: impl FnOnce(NextTimeout) -> T,
    ) -> T {
        let left = ANSWER.saturating_sub(self.waited());
        if left < *timeout.after {
            timeout.after = left.into();
            timeout.reason = Timeout::RecvBody;
        }
        let started = Instant::now();
        let done = wait(timeout);
        let waited = self.waited().saturating_add(started.elapsed());
        let nanoseconds = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.store(nanoseconds, Ordering::Relaxed);
        done
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn only_waiting_counts() {
        const WAIT: Duration = Duration::from_millis(30);
        let timeout = |seconds| NextTimeout {
            after: Duration::from_secs(seconds).into(),
            reason: Timeout::PerCall,
            ..NextTimeout::default()
        };
        let time = WaitingTime::default();
        time.begin();
        let first = time.spend(timeout(60), |given| {
            sleep(WAIT);
            given
        });
        assert_eq!((*first.after, first.reason), (ANSWER, Timeout::RecvBody));
        let waited = time.waited();
        assert!(waited >= WAIT, "{waited:?}");
        sleep(WAIT);
        assert_eq!(time.waited(), waited);

        let second = time.spend(timeout(60), |given| given);
        assert_eq!(*second.after + waited, ANSWER);
        let shorter = time.spend(timeout(1), |given| given);
        assert_eq!(shorter, timeout(1));

        time.begin();
        assert_eq!(*time.spend(timeout(60), |given| given).after, ANSWER);
    }
}
