//! Durations as Go writes and reads them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration as Go's `time.ParseDuration` reads it, in nanoseconds: a sign, then
/// numbers with a unit each, such as `1h30m`, `-1.5s`, `.5ms` or `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(i64);

/// The text is not a duration, or is longer than about 292 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a duration such as 500ms, 45s, 1m30s or 24h")]
pub struct InvalidDuration;

/// The units, in nanoseconds. Microseconds may be written with either of Unicode's
/// two letters for them.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// The largest duration plus one, which is the negation of the smallest.
const LIMIT: u64 = 1 << 63;

impl GoDuration {
    /// The empty duration, `0s`.
    pub const ZERO: Self = Self(0);

    /// The duration in nanoseconds.
    pub fn as_nanos(self) -> i64 {
        self.0
    }
}

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        parse(text).map(Self).ok_or(InvalidDuration)
    }
}

impl fmt::Display for GoDuration {
    /// Prints as Go does: `1h0m0.5s`, `1.5ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let (unit, scale, digits) = match nanoseconds {
            0 => return f.write_str("0s"),
            1..1_000 => ("ns", 1, 0),
            1_000..1_000_000 => ("µs", 1_000, 3),
            1_000_000..1_000_000_000 => ("ms", 1_000_000, 6),
            _ => ("s", 1_000_000_000, 9),
        };
        let (mut whole, fraction) = (nanoseconds / scale, nanoseconds % scale);
        if unit == "s" && whole >= 60 {
            let minutes = whole / 60;
            if minutes >= 60 {
                write!(f, "{}h", minutes / 60)?;
            }
            write!(f, "{}m", minutes % 60)?;
            whole %= 60;
        }
        write!(f, "{whole}")?;
        if fraction > 0 {
            let fraction = format!("{fraction:0digits$}");
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        f.write_str(unit)
    }
}

impl TryFrom<GoDuration> for Duration {
    type Error = InvalidDuration;

    /// Fails for a negative duration, which Rust's type does not have.
    fn try_from(duration: GoDuration) -> Result<Self, InvalidDuration> {
        let nanoseconds = u64::try_from(duration.0);
        nanoseconds
            .map(Self::from_nanos)
            .map_err(|_negative| InvalidDuration)
    }
}

fn parse(text: &str) -> Option<i64> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned == "0" {
        return Some(0);
    }
    let mut total = 0;
    let mut rest = unsigned;
    loop {
        let (part, after) = leading_part(rest)?;
        total = within_limit(part.checked_add(total)?)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    if is_negative {
        0_i64.checked_sub_unsigned(total)
    } else {
        i64::try_from(total).ok()
    }
}

/// The number and unit at the beginning of a text, and the rest of the text.
fn leading_part(text: &str) -> Option<(u64, &str)> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest.find(|c: char| c.is_ascii_digit() || c == '.');
    let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let (_, unit) = UNITS.into_iter().find(|(known, _)| *known == name)?;
    let whole = match whole {
        "" => 0,
        digits => digits.parse::<u64>().ok()?,
    };
    let whole = within_limit(whole.checked_mul(unit)?)?;
    let part = within_limit(whole.checked_add(part_of_unit(fraction, unit))?)?;
    Some((part, rest))
}

/// The nanoseconds of a fraction of a unit. Digits beyond the nanosecond are rounded as
/// by Go's floating-point arithmetic.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the result is less than a unit, and Go loses the same bits"
)]
fn part_of_unit(digits: &str, unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1.0;
    for digit in digits.bytes() {
        let longer = value.checked_mul(10).and_then(|value| {
            let longer = value.checked_add(u64::from(digit.wrapping_sub(b'0')))?;
            within_limit(longer)
        });
        // Digits that do not fit are left out.
        let Some(longer) = longer else { break };
        value = longer;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

fn within_limit(nanoseconds: u64) -> Option<u64> {
    (nanoseconds <= LIMIT).then_some(nanoseconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        text: String,
        nanoseconds: Option<i64>,
    }

    #[test]
    fn durations_are_read_as_in_go() {
        let cases = include_str!("../tests/data/durations.json");
        let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
        assert!(cases.iter().any(|case| case.nanoseconds.is_some()));
        for Case { text, nanoseconds } in cases {
            let read = text.parse().map(GoDuration::as_nanos);
            assert_eq!(read.ok(), nanoseconds, "{text:?}");
        }
    }

    #[test]
    fn only_durations_that_are_not_negative_can_be_converted() {
        for (text, expected) in [
            ("1.5h", Ok(Duration::from_secs(5400))),
            ("0", Ok(Duration::ZERO)),
            ("-1ns", Err(InvalidDuration)),
        ] {
            let duration: GoDuration = text.parse().unwrap();
            assert_eq!(Duration::try_from(duration), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_printed_as_in_go() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (3_600_000_000_000, "1h0m0s"),
            (-1_000_000_000, "-1s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(GoDuration(nanoseconds).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn a_printed_duration_is_read_back(nanoseconds: i64) {
            let duration = GoDuration(nanoseconds);
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }
}
