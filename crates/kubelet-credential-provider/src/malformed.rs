//! What is wrong with JSON, without any of its values.

use serde_json::error::Category;

/// The text is not JSON of the expected shape. Has the position, and nothing of the text,
/// which may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct Malformed {
    what: &'static str,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1; 0 at the end of a line.
    pub column: usize,
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        let what = match error.classify() {
            Category::Syntax | Category::Io => "malformed JSON",
            Category::Eof => "JSON that ends too early",
            Category::Data => "an unexpected field or type",
        };
        Self {
            what,
            line: error.line(),
            column: error.column(),
        }
    }
}
