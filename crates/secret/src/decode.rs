//! Decoding errors without the input: serde quotes the value that it could not decode.

use serde_json::error::Category;

/// A decoding error without the offending text: only kind, line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct DecodeError {
    what: &'static str,
    line: usize,
    column: usize,
}

impl DecodeError {
    /// The error of another decoder; `what` must contain nothing of the text.
    pub fn new(what: &'static str, line: usize, column: usize) -> Self {
        Self { what, line, column }
    }
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self {
            what: match error.classify() {
                Category::Io => "unreadable JSON",
                Category::Syntax => "malformed JSON",
                Category::Data => "JSON of an unexpected type or with a missing field",
                Category::Eof => "JSON that ends too early",
            },
            line: error.line(),
            column: error.column(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decode_error_never_quotes_the_value() {
        let error = serde_json::from_str::<u32>("\"aHVudGVyMg==\"").unwrap_err();
        assert!(
            error.to_string().contains("aHVudGVyMg=="),
            "serde still quotes"
        );
        let redacted = DecodeError::from(error);
        assert_eq!(
            redacted.to_string(),
            "JSON of an unexpected type or with a missing field at line 1 column 14"
        );
    }
}
