//! Pauses between attempts: growing and jittered until the deadline, or as in the
//! server's `Retry-After`.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The pauses between the attempts of one request.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    jitter: RandomState,
    attempt: u32,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self {
            next: FIRST,
            jitter: RandomState::new(),
            attempt: 0,
        }
    }

    /// The next pause: between half of the growing step and all of it, or the server's
    /// `Retry-After` and a little more, so that not all clients come back at once.
    pub(crate) fn pause(&mut self, retry_after: Option<Duration>) -> Duration {
        self.attempt = self.attempt.saturating_add(1);
        let step = self.next;
        self.next = step.saturating_mul(2).min(LONGEST);
        let half = step / 2;
        // A random number without a dependency: the keys of a hash map are random.
        let random = u32::try_from(self.jitter.hash_one(self.attempt) >> 32).unwrap_or_default();
        let jitter = half.mul_f64(f64::from(random) / f64::from(u32::MAX));
        retry_after.unwrap_or(half).saturating_add(jitter)
    }
}

/// The header `Retry-After`: seconds, or an HTTP date (RFC 9110, 10.2.3).
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_jitter_up_to_a_limit() {
        let mut backoff = Backoff::new();
        let mut step = FIRST;
        for _ in 0..12 {
            let pause = backoff.pause(None);
            assert!(pause >= step / 2 && pause <= step, "{pause:?} of {step:?}");
            step = (step * 2).min(LONGEST);
        }
    }

    #[test]
    fn the_server_may_ask_for_a_longer_pause() {
        let pause = Backoff::new().pause(Some(Duration::from_secs(2)));
        assert!(pause >= Duration::from_secs(2) && pause <= Duration::from_millis(2050));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 12:32:24 GMT").unwrap();
        for (value, expected) in [
            ("3", Some(3)),
            (" 0 ", Some(0)),
            ("Mon, 23 Nov 2026 12:32:31 GMT", Some(7)),
            ("Mon, 23 Nov 2026 12:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(
                retry_after(value, now),
                expected.map(Duration::from_secs),
                "{value:?}"
            );
        }
    }
}
