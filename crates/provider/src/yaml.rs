//! Errors of YAML without the text that they are about.

use secret::DecodeError;
use serde_saphyr::{Error, Location};

/// Kind, line and column only, as in [`DecodeError`] of JSON.
pub fn decode_error(error: &Error) -> DecodeError {
    let location = error.location();
    let position = |of: fn(&Location) -> u64| {
        let number = location.as_ref().map_or(0, of);
        usize::try_from(number).unwrap_or_default()
    };
    DecodeError::new(
        "malformed or oversized YAML",
        position(Location::line),
        position(Location::column),
    )
}
