//! The two ways in which an API server writes a point in time: RFC 3339 in objects, and
//! the HTTP date in headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Seconds since 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// The time as in `metadata.creationTimestamp`: `2026-11-23T12:32:24Z`.
#[expect(
    clippy::expect_used,
    reason = "years from 1970 to 9999 have an RFC 3339 form"
)]
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time).truncate_to_second();
    time.format(&Rfc3339).expect("a time of this age")
}

/// The time as in the headers `Date` and `Retry-After`:
/// `Mon, 23 Nov 2026 12:32:24 GMT`.
pub(crate) fn http_date(time: SystemTime) -> String {
    httpdate::fmt_http_date(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_an_object_has_no_fraction_of_a_second() {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_437_144_567);
        assert_eq!(rfc3339(time), "2026-11-23T12:32:24Z");
        assert_eq!(http_date(time), "Mon, 23 Nov 2026 12:32:24 GMT");
    }
}
