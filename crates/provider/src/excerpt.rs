//! The beginning of a long text or list, for messages.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::{Serialize, Serializer};

/// The most characters of such a text in a message.
const MAX_CHARS: usize = 256;

/// A text that a tenant or a server controls. In a message it is quoted, escaped and cut
/// to 256 characters, so that it cannot forge lines or fill a log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt<'a>(pub &'a str);

impl fmt::Debug for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        let end = text.char_indices().nth(MAX_CHARS);
        let (shown, rest) = text.split_at(end.map_or(text.len(), |(end, _)| end));
        write!(f, "{shown:?}")?;
        if rest.is_empty() {
            return Ok(());
        }
        write!(f, " and {} more bytes", rest.len())
    }
}

/// The key of a login. A user and a password, which a URL may have before its host, are
/// shown as `***`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShownKey<'a>(pub &'a str);

impl<'a> ShownKey<'a> {
    /// The whole key, not escaped.
    pub fn text(self) -> Cow<'a, str> {
        let Self(key) = self;
        let (scheme, rest) = key.split_at(key.find("://").map_or(0, |at| at + 3));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (_, port) = authority.split_once(':').unwrap_or_default();
        // A password may contain a slash. A digest also follows an "@".
        let has_user = authority.contains('@') || port.bytes().any(|byte| !byte.is_ascii_digit());
        match rest.rsplit_once('@') {
            Some((_, host)) if has_user => Cow::Owned(format!("{scheme}***@{host}")),
            _ => Cow::Borrowed(key),
        }
    }
}

impl Serialize for ShownKey<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl fmt::Debug for ShownKey<'_> {
    /// As an [`Excerpt`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Excerpt(&self.text()).fmt(f)
    }
}

/// The first `most` items, separated by commas, and the number of the others.
pub fn listed(most: usize, items: impl IntoIterator<Item = impl Display>) -> String {
    let mut items = items.into_iter();
    let shown: Vec<_> = items
        .by_ref()
        .take(most)
        .map(|item| item.to_string())
        .collect();
    let shown = shown.join(", ");
    match items.count() {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for (text, expected) in [
            (String::new(), "\"\"".to_owned()),
            ("a\nb".to_owned(), "\"a\\nb\"".to_owned()),
            ("é".repeat(256), format!("\"{}\"", "é".repeat(256))),
            (
                "é".repeat(300),
                format!("\"{}\" and 88 more bytes", "é".repeat(256)),
            ),
        ] {
            assert_eq!(format!("{:?}", Excerpt(&text)), expected);
        }
    }

    #[test]
    fn a_key_is_shown_without_user_and_password() {
        for (key, expected) in [
            ("quay.io/org", "quay.io/org"),
            ("https://quay.io:5000/v1/", "https://quay.io:5000/v1/"),
            ("u:hunter2@quay.io/org", "***@quay.io/org"),
            ("https://u:hunter2@quay.io", "https://***@quay.io"),
            ("https://hunter2@quay.io", "https://***@quay.io"),
            ("docker://u:hun@ter2@quay.io/a", "docker://***@quay.io/a"),
            ("u:hun/ter2@quay.io", "***@quay.io"),
            ("quay.io/a@sha256:0", "quay.io/a@sha256:0"),
            ("quay.io:5000/a@sha256:0", "quay.io:5000/a@sha256:0"),
            ("@", "***@"),
        ] {
            assert_eq!(ShownKey(key).text(), expected, "{key}");
            assert_eq!(format!("{:?}", ShownKey(key)), format!("{expected:?}"));
        }
    }

    #[test]
    fn a_long_list_is_cut_and_the_rest_is_counted() {
        for (most, expected) in [(2, "a, b and 1 more"), (3, "a, b, c"), (9, "a, b, c")] {
            assert_eq!(listed(most, ["a", "b", "c"]), expected);
        }
        assert_eq!(listed(2, [""; 0]), "");
    }
}
