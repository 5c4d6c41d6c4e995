//! A duration as Go's `time.ParseDuration` reads it.

/// Nanoseconds of a duration such as `1h30m`, `-1.5s` or `0`; `None` where Go
/// refuses it, which includes more than 292 years.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned == "0" {
        return Some(0);
    }
    if unsigned.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    let mut rest = unsigned;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        rest = after;
        total = total.checked_add(part(number, unit)?)?;
    }
    let total = i64::try_from(total).ok()?;
    Some(if negative { -total } else { total })
}

fn part(number: &str, unit: &str) -> Option<u64> {
    let nanoseconds: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?
    };
    // Digits beyond the nanosecond of an hour do not count, in Go either.
    let digits = fraction.bytes().take(15);
    let (value, scale) = digits.fold((0_u128, 1_u128), |(value, scale), digit| {
        (value * 10 + u128::from(digit - b'0'), scale * 10)
    });
    let fraction = u64::try_from(value * u128::from(nanoseconds) / scale).ok()?;
    whole.checked_mul(nanoseconds)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_in_go() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("0s", Some(0)),
            ("5s", Some(5_000_000_000)),
            ("-5s", Some(-5_000_000_000)),
            ("+5s", Some(5_000_000_000)),
            ("1h15m30.918273645s", Some(4_530_918_273_645)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("12h", Some(43_200_000_000_000)),
            ("10us", Some(10_000)),
            ("10µs", Some(10_000)),
            ("1ns", Some(1)),
            ("9223372036854775807ns", Some(i64::MAX)),
            ("9223372036854775808ns", None),
            ("3000000h", None),
            ("", None),
            ("3", None),
            ("-", None),
            ("s", None),
            (".", None),
            (".s", None),
            ("1d", None),
            ("1..5s", None),
            ("5 s", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
