//! Numbers of go-yaml, as JSON.

use serde_json::{Number, Value as Json};

/// A number of YAML as JSON; null if JSON cannot represent it.
pub(crate) fn number(written: &str) -> Json {
    let digits = written.replace('_', "");
    let float = || Number::from_f64(digits.parse().ok()?);
    integer(&digits)
        .or_else(float)
        .map_or(Json::Null, Json::Number)
}

/// `strconv.ParseInt` or `ParseUint` with base 0 and 64 bits.
pub(crate) fn integer(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let limit = match text.as_bytes().first() {
        Some(b'-') => 1 << 63,
        Some(b'+') => (1 << 63) - 1,
        _ => u64::MAX,
    };
    let prefixed = |prefix: [&str; 2], radix| {
        let rest = prefix
            .iter()
            .find_map(|prefix| unsigned.strip_prefix(prefix));
        rest.map(|rest| (rest, radix))
    };
    let (digits, radix) = prefixed(["0x", "0X"], 16)
        .or_else(|| prefixed(["0b", "0B"], 2))
        .or_else(|| prefixed(["0o", "0O"], 8))
        .unwrap_or((unsigned, if unsigned.starts_with('0') { 8 } else { 10 }));
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok();
    let value = value.filter(|value| *value <= limit)?;
    if text.starts_with('-') {
        0_i64.checked_sub_unsigned(value).map(Number::from)
    } else {
        Some(Number::from(value))
    }
}
