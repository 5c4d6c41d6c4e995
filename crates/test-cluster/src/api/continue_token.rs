//! The `continue` of a list: where it stopped, and at which revision. Encoded
//! as `k8s.io/apiserver/pkg/storage` does.

use base64::{
    DecodeError, Engine,
    alphabet::URL_SAFE,
    engine::general_purpose::{GeneralPurpose, NO_PAD},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

// Go takes a last character whose unused bits are not zero.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

const VERSION: &str = "meta.k8s.io/v1";

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContinueToken {
    /// The revision of the first page; negative for the newest.
    pub(crate) revision: i64,
    /// The first name that may come next.
    pub(crate) start: String,
}

/// Why a `continue` cannot be used, in the API server's words.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// It is not base64.
    #[error("continue key is not valid: illegal base64 data at input byte {at}")]
    Base64 {
        /// The first byte that has no place in base64.
        at: usize,
        /// The same in the words of our decoder.
        source: DecodeError,
    },
    /// It does not begin as JSON does.
    #[error("continue key is not valid: invalid character {0} looking for beginning of value")]
    Character(String),
    /// It is not the JSON that a token has.
    #[error("continue key is not valid: unexpected end of JSON input")]
    Json(#[source] serde_json::Error),
    /// It is from another kind of server.
    #[error("continue key is not valid: server does not recognize this encoded version {0:?}")]
    Version(String),
    /// It has no revision.
    #[error(
        "continue key is not valid: incorrect encoded start resourceVersion (version {VERSION})"
    )]
    Revision,
    /// It has no start key.
    #[error("continue key is not valid: encoded start key empty (version {VERSION})")]
    NoStart,
}

#[derive(Serialize, Deserialize)]
struct Encoded {
    v: String,
    rv: i64,
    start: String,
}

impl ContinueToken {
    /// The place after the object `last`, in a list at `revision`.
    pub(crate) fn after(last: &str, revision: u64) -> Self {
        Self {
            revision: i64::try_from(revision).unwrap_or(i64::MAX),
            start: format!("/{last}\0"),
        }
    }

    /// The same place in the newest list, as a 410 offers it.
    pub(crate) fn fresh(&self) -> Self {
        Self {
            revision: -1,
            start: self.start_name().to_owned(),
        }
    }

    /// The first name that may come next.
    pub(crate) fn start_name(&self) -> &str {
        self.start.trim_start_matches('/')
    }

    /// The token as clients see it.
    pub(crate) fn encode(&self) -> String {
        let encoded = Encoded {
            v: VERSION.to_owned(),
            rv: self.revision,
            start: self.start.clone(),
        };
        BASE64.encode(serde_json::to_vec(&encoded).unwrap_or_default())
    }
}

/// Reads what a client sent as `continue`.
pub(crate) fn decode(token: &str) -> Result<ContinueToken, Error> {
    let json = BASE64.decode(token).map_err(|source| {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let at = token.bytes().position(|byte| !valid(byte));
        Error::Base64 {
            at: at.unwrap_or(token.len()),
            source,
        }
    })?;
    if let Some(&first) = json.first().filter(|&&first| first != b'{') {
        return Err(Error::Character(quoted(first)));
    }
    let Encoded { v, rv, start } = serde_json::from_slice(&json).map_err(Error::Json)?;
    match (v.as_str(), rv, start.as_str()) {
        (VERSION, 0, _) => Err(Error::Revision),
        (VERSION, _, "") => Err(Error::NoStart),
        (VERSION, _, _) => Ok(ContinueToken {
            revision: rv,
            start,
        }),
        _ => Err(Error::Version(v)),
    }
}

/// A byte as Go's JSON decoder shows it.
fn quoted(byte: u8) -> String {
    match char::from(byte) {
        '\'' => r"'\''".to_owned(),
        '"' => r#"'"'"#.to_owned(),
        character @ ('\u{7f}'..='\u{a0}' | '\u{ad}') => {
            format!(r"'\u{:04x}'", u32::from(character))
        }
        character @ '\0'..='\u{1f}' => format!(r"'\x{:02x}'", u32::from(character)),
        character => format!("'{character}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::{ContinueToken, decode};

    #[test]
    fn a_token_is_written_as_the_real_server_writes_it() {
        let token = ContinueToken::after("b-secret", 1407);
        let encoded =
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTQwNywic3RhcnQiOiIvYi1zZWNyZXRcdTAwMDAifQ";
        assert_eq!(token.encode(), encoded);
        assert_eq!(decode(encoded).unwrap(), token);
    }

    #[test]
    fn a_malformed_token_is_refused_in_the_real_servers_words() {
        let cases = [
            ("a!", "illegal base64 data at input byte 1"),
            (
                "garbage",
                r"invalid character '\u0081' looking for beginning of value",
            ),
            ("e30", "unexpected end of JSON input"),
        ];
        for (token, message) in cases {
            let message = format!("continue key is not valid: {message}");
            assert_eq!(decode(token).unwrap_err().to_string(), message, "{token}");
        }
    }
}
