//! JSON as Go's `encoding/json` reads it, with which kubelet and containers/image decode.
//! `serde_json` is stricter about strings that are not UTF-8, escapes of lone surrogates,
//! and the case of field names.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use secret::Wiped;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

/// A text that may contain secrets: wiped when dropped, unless it is borrowed, and
/// redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Text<'a> {
    /// Borrowed from the input.
    Borrowed(&'a str),
    /// A copy, which differs from the input or outlives it.
    Owned(Wiped<String>),
}

impl<'a> Text<'a> {
    /// Prepares a JSON text for `serde_json`, so that its strings are read as Go reads
    /// them: each byte that is not UTF-8, and each escape of a surrogate without its
    /// other half, is U+FFFD. Outside of strings both stay syntax errors.
    pub fn of_json(text: &'a [u8]) -> Self {
        match str::from_utf8(text) {
            Ok(text) if !text.contains(r"\u") => Self::Borrowed(text),
            _ => Self::Owned(without_lone_surrogates(&as_utf8(text))),
        }
    }

    /// The same text as an owned copy.
    pub fn into_owned(self) -> Text<'static> {
        match self {
            Self::Borrowed(text) => Text::from(text),
            Self::Owned(text) => Text::Owned(text),
        }
    }
}

impl From<&str> for Text<'static> {
    /// An owned copy, which is wiped when dropped.
    fn from(text: &str) -> Self {
        Self::Owned(Wiped::new(text.to_owned()))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(..)")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text::Owned(Wiped::new(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// One replacement character for each byte that is not UTF-8, as in Go. [`String::from_utf8_lossy`]
/// writes one for each truncated sequence.
fn as_utf8(text: &[u8]) -> Wiped<String> {
    let replaced = |invalid: &[u8]| invalid.len() * char::REPLACEMENT_CHARACTER.len_utf8();
    let chunks = text.utf8_chunks();
    let length = chunks.map(|chunk| chunk.valid().len() + replaced(chunk.invalid()));
    let mut utf8 = Wiped::new(String::with_capacity(length.sum()));
    for chunk in text.utf8_chunks() {
        utf8.push_str(chunk.valid());
        utf8.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    utf8
}

fn without_lone_surrogates(text: &str) -> Wiped<String> {
    const REPLACEMENT: &str = r"\ufffd";
    let mut out = Wiped::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some((plain, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(plain);
        let length = match escaped_unit(escape) {
            Some(0xd800..=0xdbff) if is_low_surrogate(escape.get(6..)) => 12,
            Some(0xd800..=0xdfff) => {
                out.push_str(REPLACEMENT);
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            Some(_) => 6,
            // The backslash and the character after it.
            None => escape.chars().take(2).map(char::len_utf8).sum(),
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        out.push_str(escape);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_low_surrogate(escape: Option<&str>) -> bool {
    matches!(escape.and_then(escaped_unit), Some(0xdc00..=0xdfff))
}

/// The UTF-16 code unit of a text that begins with `\uXXXX`.
fn escaped_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Whether Go decodes the key `name` into the struct field `field`, which is lower-case
/// ASCII. Go folds letters as `strings.EqualFold` does; two letters outside of ASCII fold
/// to ASCII letters.
pub(crate) fn is_field(name: &str, field: &str) -> bool {
    let fold = |c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(field.chars())
}

/// Drops all but the last field of each name, as in a Go map, in O(n log n).
pub(crate) fn keep_last(fields: &mut Vec<(Cow<'_, str>, &RawValue)>) {
    if fields.len() < 2 {
        return;
    }
    let mut order: Vec<usize> = (0..fields.len()).collect();
    let name = |index: usize| fields.get(index).map(|(name, _)| name);
    order.sort_by(|&a, &b| name(a).cmp(&name(b)).then(a.cmp(&b)));
    let mut last = vec![true; fields.len()];
    for pair in order.windows(2) {
        if let &[a, b] = pair
            && name(a) == name(b)
            && let Some(kept) = last.get_mut(a)
        {
            *kept = false;
        }
    }
    let mut keep = last.into_iter();
    fields.retain(|_| keep.next().unwrap_or(true));
}

/// The name of a field.
#[derive(Deserialize)]
pub(crate) struct Name<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

#[cfg(test)]
mod tests {
    use secret::Fields;

    use super::*;

    #[test]
    fn strings_are_read_as_go_reads_them() {
        for (name, text, expected) in [
            ("ASCII", &b"\"a\""[..], "a"),
            ("two bytes of three", b"\"\xe2\x82\"", "\u{fffd}\u{fffd}"),
            (
                "a surrogate in UTF-8",
                b"\"\xed\xa0\x80\"",
                "\u{fffd}\u{fffd}\u{fffd}",
            ),
            ("overlong", b"\"\xc0\xaf\"", "\u{fffd}\u{fffd}"),
            ("Latin-1", b"\"m\xfcller\"", "m\u{fffd}ller"),
            ("a pair", br#""\ud83d\ude00""#, "\u{1f600}"),
            ("a high surrogate", br#""\ud83dx""#, "\u{fffd}x"),
            ("at the end", br#""\ud83d""#, "\u{fffd}"),
            ("a low surrogate", br#""\uDE00""#, "\u{fffd}"),
            (
                "high, high, low",
                br#""\ud83d\ud83d\ude00""#,
                "\u{fffd}\u{1f600}",
            ),
            ("low, high", br#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (
                "high, then another escape",
                br#""\ud83d\u0041\n""#,
                "\u{fffd}A\n",
            ),
            ("an escaped backslash", br#""\\ud83d""#, r"\ud83d"),
            ("two, and a surrogate", br#""\\\ud83d""#, "\\\u{fffd}"),
            (
                "a byte after the escape",
                b"\"\\ud83d\xff\"",
                "\u{fffd}\u{fffd}",
            ),
        ] {
            let text = Text::of_json(text);
            let read: Text<'_> = serde_json::from_str(&text).unwrap();
            assert_eq!(&*read, expected, "{name}");
        }
    }

    #[test]
    fn text_that_is_not_json_remains_a_syntax_error() {
        for text in [
            &b"\"a\"\xff"[..],
            b"\xff",
            br#""\ud83""#,
            br#""\ud83g""#,
            br#""\u+123""#,
            b"\"\\\xff\"",
            b"\"a\tb\"",
            br#""\"#,
        ] {
            let text = Text::of_json(text);
            assert!(
                serde_json::from_str::<Text<'_>>(&text).is_err(),
                "{:?}",
                &*text
            );
        }
    }

    #[test]
    fn field_names_are_folded() {
        for name in ["auths", "AUTHS", "auth\u{17f}", "AuTh\u{17f}"] {
            assert!(is_field(name, "auths"), "{name}");
        }
        assert!(is_field("identityto\u{212a}en", "identitytoken"));
        for name in [
            "auth",
            "auths ",
            "auth\u{1e9e}",
            "auth\u{fffd}",
            "auth\u{ff33}",
        ] {
            assert!(!is_field(name, "auths"), "{name}");
        }
    }

    #[test]
    fn the_last_of_equal_names_is_used() {
        let fields: Fields<'_> = serde_json::from_str(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
        let Fields(mut fields) = fields;
        keep_last(&mut fields);
        let found: Vec<_> = fields
            .iter()
            .map(|(name, value)| (&**name, value.get()))
            .collect();
        assert_eq!(found, [("b", "2"), ("a", "3")]);
    }
}
