//! The line breaks of YAML 1.1.

/// The characters that end a line; a carriage return with a line feed after it ends one
/// line.
pub const LINE_BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// The text without the line break at its end; `None` if there is none.
pub(crate) fn strip_line_break(text: &str) -> Option<&str> {
    text.strip_suffix("\r\n")
        .or_else(|| text.strip_suffix(LINE_BREAKS))
}

/// The offset of the line after the one of a byte.
pub fn next_line(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or_default();
    let Some(at) = rest.find(LINE_BREAKS) else {
        return text.len();
    };
    let line_break = rest.get(at..).unwrap_or_default();
    let length = if line_break.starts_with("\r\n") {
        2
    } else {
        line_break.chars().next().map_or(0, char::len_utf8)
    };
    offset + at + length
}

/// The part of a byte's line that precedes the byte.
pub fn line_before(text: &str, offset: usize) -> &str {
    let before = text.get(..offset).unwrap_or_default();
    before.rsplit(LINE_BREAKS).next().unwrap_or_default()
}

/// The number of the line of a byte, from 1.
pub fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    1 + before.matches(LINE_BREAKS).count() - before.matches("\r\n").count()
}
