//! The two ways an API server writes a point in time: RFC 3339 in objects,
//! and the HTTP date in headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

// 1 January 1970 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const DAY: u64 = 24 * 60 * 60;

/// Seconds since 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// The time as in `metadata.creationTimestamp`: `2026-11-23T12:32:24Z`.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let Civil { year, month, day } = civil(unix_seconds(time) / DAY);
    format!("{year:04}-{month:02}-{day:02}T{}Z", time_of_day(time))
}

/// The time as in the headers `Date` and `Retry-After`:
/// `Mon, 23 Nov 2026 12:32:24 GMT`.
pub(crate) fn http_date(time: SystemTime) -> String {
    let days = unix_seconds(time) / DAY;
    let Civil { year, month, day } = civil(days);
    let weekday = nth(&WEEKDAYS, days % 7);
    let month = nth(&MONTHS, month - 1);
    format!(
        "{weekday}, {day:02} {month} {year:04} {} GMT",
        time_of_day(time)
    )
}

struct Civil {
    year: u64,
    month: u64,
    day: u64,
}

fn time_of_day(time: SystemTime) -> String {
    let seconds = unix_seconds(time) % DAY;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// The Gregorian date of a day since 1970, counted in eras of 400 years that
/// begin on 1 March, so that the leap day is the last of its year.
fn civil(days_since_1970: u64) -> Civil {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = (month_from_march + 2) % 12 + 1;
    Civil {
        year: era * 400 + year_of_era + u64::from(month <= 2),
        month,
        day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
    }
}

fn nth<'a>(names: &[&'a str], index: u64) -> &'a str {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index).copied())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{http_date, rfc3339};

    #[test]
    fn both_forms_agree_with_known_dates() {
        let cases = [
            (0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (
                951_782_400,
                "2000-02-29T00:00:00Z",
                "Tue, 29 Feb 2000 00:00:00 GMT",
            ),
            (
                1_795_437_144,
                "2026-11-23T12:32:24Z",
                "Mon, 23 Nov 2026 12:32:24 GMT",
            ),
            (
                4_107_542_399,
                "2100-02-28T23:59:59Z",
                "Sun, 28 Feb 2100 23:59:59 GMT",
            ),
        ];
        for (seconds, object, header) in cases {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), object, "{seconds}");
            assert_eq!(http_date(time), header, "{seconds}");
        }
    }
}
