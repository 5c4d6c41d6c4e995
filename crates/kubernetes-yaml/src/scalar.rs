//! The value of a YAML scalar by its tag and text, as in `resolve` of go-yaml v2.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use secret::Wiped;

use crate::node::Value;
use crate::number::integer;

const CORE: &str = "tag:yaml.org,2002:";
/// Go's `base64.StdEncoding`.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// The value of a scalar; `is_plain` if it has no quotes.
///
/// # Errors
/// The text is not of the type that its tag names.
pub(crate) fn resolve(
    tag: Option<&str>,
    text: String,
    is_plain: bool,
) -> Result<Value, &'static str> {
    let Some(tag) = tag else {
        return Ok(if is_plain {
            Plain::of(&text).value(text)
        } else {
            string(text)
        });
    };
    match (tag.strip_prefix(CORE), Plain::of(&text)) {
        (Some("null"), plain @ Plain::Null)
        | (Some("bool"), plain @ Plain::Bool(_))
        | (Some("int"), plain @ Plain::Integer)
        | (Some("float"), plain @ (Plain::Integer | Plain::Float)) => Ok(plain.value(text)),
        (Some("null" | "bool" | "int" | "float"), _) => {
            Err("a value that is not of the type its tag names")
        }
        (Some("binary"), _) => binary(text).ok_or("a value that is not base64, as its tag names"),
        (Some("timestamp"), _) => Err("a value with a tag that is not supported"),
        // This includes tags of other schemas.
        _ => Ok(string(text)),
    }
}

fn string(text: String) -> Value {
    Value::String(Wiped::new(text))
}

/// The text that base64 encodes; line breaks are skipped, as in Go.
fn binary(mut text: String) -> Option<Value> {
    text.retain(|c| !matches!(c, '\r' | '\n'));
    let decoded = Wiped::new(BASE64.decode(&*Wiped::new(text)).ok()?);
    Some(string(String::from_utf8_lossy(&decoded).into_owned()))
}

/// The type of a plain scalar without a tag.
enum Plain {
    Null,
    Bool(bool),
    Integer,
    Float,
    Text,
}

impl Plain {
    fn of(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
                Self::Bool(true)
            }
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off"
            | "OFF" => Self::Bool(false),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
            | "-.INF" | ".nan" | ".NaN" | ".NAN" => Self::Float,
            _ if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => Self::Text,
            _ => {
                let digits = text.replace('_', "");
                if text.starts_with('.') && !are_between_digits(text) {
                    Self::Text
                } else if integer(&digits).is_some() {
                    Self::Integer
                } else if is_float(&digits) {
                    Self::Float
                } else {
                    Self::Text
                }
            }
        }
    }

    fn value(self, text: String) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Integer | Self::Float => Value::Number(text),
            Self::Text => string(text),
        }
    }
}

/// Whether every underscore is between two digits, as Go requires in a number that begins
/// with a decimal point; elsewhere YAML ignores underscores.
fn are_between_digits(text: &str) -> bool {
    let mut parts = text.split('_').peekable();
    let mut is_first = true;
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let is_digit = |c: char| c.is_ascii_digit();
        if !(is_first || part.starts_with(is_digit)) || !(is_last || part.ends_with(is_digit)) {
            return false;
        }
        is_first = false;
    }
    true
}

/// Whether a text is digits, optionally with a decimal point and an exponent, that fit 64
/// bits.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_decimal = unsigned
        .chars()
        .all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    is_decimal && !unsigned.starts_with(['+', '-']) && unsigned.parse().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_go_yaml() {
        for (kind, words) in [
            (
                "number",
                "1 -1 +5 1__0 -_1 08 00 0x1f 0X1 -0x1 0b1 0B1 +0b1 0_b1 0o7 0O7 -0o7 1.e5 1e5 +1e+5 .5 +.5 \
                 .5_0 .5e1 1.5_0 .inf +.inf -.INF .nan 18446744073709551615 99999999999999999999",
            ),
            (
                "string",
                "_1 1:30 2001-01-01 + . ..5 .e5 -. 1e 0.1.2 0b12 0b 0o8 0x -00x1 0x1p4 1e400 .1e400 -.nan \
                 0xffffffffffffffffff ._5 .5_ -+1 +-1 --.5 inf nan nULL yEs - 1-1 e5",
            ),
            ("bool", "y Y yes true on On n N no FALSE off"),
            ("null", "~ null Null NULL"),
        ] {
            for word in words.split_whitespace() {
                let found = match resolve(None, word.to_owned(), true) {
                    Ok(Value::Number(_)) => "number",
                    Ok(Value::String(_)) => "string",
                    Ok(Value::Bool(_)) => "bool",
                    Ok(Value::Null) => "null",
                    _ => "other",
                };
                assert_eq!(found, kind, "{word}");
            }
        }
    }
}
