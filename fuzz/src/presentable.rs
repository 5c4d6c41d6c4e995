//! Rules for text in logs: one line, of readable length, without the marker.

use std::error::Error;

/// A password. Seeds and dictionaries have it in the place of a secret, and [`planted`]
/// puts it into inputs without one.
pub(crate) const MARKER: &str = "hunter2";

/// The longest line that is still readable.
const READABLE: usize = 8 * 1024;

/// An error with its causes, as the program prints it.
pub(crate) fn line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}

/// An error in every form in which it could be printed.
pub(crate) fn every_form(error: &(impl Error + 'static)) -> String {
    format!("{} {error:?}", line(error))
}

pub(crate) fn assert_one_line(line: &str) {
    assert!(!line.contains(char::is_control), "not one line: {line:?}");
}

pub(crate) fn assert_readable(line: &str) {
    assert_one_line(line);
    assert!(line.len() <= READABLE, "{} bytes: {line:?}", line.len());
}

pub(crate) fn has_marker(text: &str) -> bool {
    text.contains(MARKER)
}

pub(crate) fn assert_no_marker(text: &str) {
    assert!(!has_marker(text), "contains the marker: {text:?}");
}

/// The input with the marker inside one of its strings, that is, after one of its bytes
/// `quote`; the choice depends only on the input.
pub(crate) fn planted(data: &[u8], quote: u8) -> Option<Vec<u8>> {
    let quotes: Vec<_> = data
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == quote)
        .map(|(at, _)| at)
        .collect();
    let chosen = data.iter().fold(data.len(), |sum, byte| {
        sum * 31 % 65_521 + usize::from(*byte)
    });
    let at = quotes.get(chosen.checked_rem(quotes.len())?)?;
    let (before, behind) = data.split_at(at + 1);
    Some([before, MARKER.as_bytes(), behind].concat())
}
