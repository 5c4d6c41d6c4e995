//! Durations in flags.

use std::time::Duration;

use crate::kubelet::GoDuration;

/// Parses a duration of Go, or a number without a unit, which is seconds.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let with_unit = if is_bare { &format!("{text}s") } else { text };
    let duration: Result<GoDuration, _> = with_unit.parse();
    duration.and_then(Duration::try_from).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_of_a_flag_is_gos_or_a_number_of_seconds() {
        for (text, expected) in [
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            (".5s", Some(500)),
            ("+5s", Some(5_000)),
            ("1000us", Some(1)),
            ("1000µs", Some(1)),
            ("1000μs", Some(1)),
            ("0", Some(0)),
            ("7", Some(7_000)),
            ("007", Some(7_000)),
            ("", None),
            ("s", None),
            ("1d", None),
            ("1s2", None),
            ("-1s", None),
            ("-7", None),
            ("99999999999999999999", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }
}
