//! The beginning of a long text or list, for messages.

use std::fmt::{self, Display};

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

/// The first `most` items with commas between them, and how many more there are.
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
    fn a_long_list_is_cut_and_the_rest_is_counted() {
        for (most, expected) in [(2, "a, b and 1 more"), (3, "a, b, c"), (9, "a, b, c")] {
            assert_eq!(listed(most, ["a", "b", "c"]), expected);
        }
        assert_eq!(listed(2, [""; 0]), "");
    }
}
