//! Errors of YAML without the text that they are about.

use kubernetes_yaml::SyntaxError;
use secret::DecodeError;

/// Kind, line and column only, as in [`DecodeError`] of JSON.
pub fn decode_error(error: &SyntaxError) -> DecodeError {
    DecodeError::new("malformed or oversized YAML", error.line, error.column)
}
