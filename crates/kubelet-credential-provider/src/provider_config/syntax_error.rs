//! Broken YAML or JSON.

use super::line::{line_before, line_of};

/// The text is not YAML or JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct SyntaxError {
    /// What is wrong; holds nothing of the text.
    pub(super) what: String,
    /// The line, from 1.
    pub(super) line: usize,
    /// The column, from 1.
    pub(super) column: usize,
}

impl SyntaxError {
    pub(super) fn at(what: impl Into<String>, text: &str, offset: usize) -> Self {
        Self {
            what: what.into(),
            line: line_of(text, offset),
            column: 1 + line_before(text, offset).chars().count(),
        }
    }
}
