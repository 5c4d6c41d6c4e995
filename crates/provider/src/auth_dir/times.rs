//! The age of files, by the file system's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;

/// A file time that is further in the future than this is wrong.
const AHEAD: Duration = Duration::from_secs(1);

/// When the content was written, or the file touched.
pub(super) fn modified(stat: &Stat) -> SystemTime {
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    since_epoch(stat.st_mtime, nanoseconds)
}

/// When anything about the file last changed, its name included.
pub(super) fn changed(stat: &Stat) -> SystemTime {
    let nanoseconds = u32::try_from(stat.st_ctime_nsec).unwrap_or_default();
    since_epoch(stat.st_ctime, nanoseconds)
}

/// The time since then. A time in the future counts as very old: the clock has been set
/// back.
pub(super) fn age(time: SystemTime) -> Duration {
    match SystemTime::now().duration_since(time) {
        Ok(age) => age,
        Err(ahead) if ahead.duration() <= AHEAD => Duration::ZERO,
        Err(_) => Duration::MAX,
    }
}

fn since_epoch(seconds: i64, nanoseconds: u32) -> SystemTime {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    UNIX_EPOCH
        .checked_add(Duration::new(seconds, nanoseconds))
        .unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_the_future_is_old() {
        let now = SystemTime::now();
        let minute = Duration::from_secs(60);
        assert!(age(now) < minute);
        assert!(age(now - 2 * minute) >= 2 * minute);
        assert_eq!(age(now + AHEAD / 2), Duration::ZERO);
        assert_eq!(age(now + minute), Duration::MAX);
    }
}
