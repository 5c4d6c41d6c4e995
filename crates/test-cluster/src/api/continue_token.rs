//! The `continue` of a list: the name where it stopped, and the revision. Encoded as
//! `k8s.io/apiserver/pkg/storage` does.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::general_purpose::{GeneralPurpose, NO_PAD},
};
use serde::{Deserialize, Serialize};

// Go accepts a last character whose unused bits are not zero.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

#[derive(Serialize, Deserialize)]
struct Encoded {
    v: String,
    rv: i64,
    start: String,
}

/// The place after the object `last`, in a list at `revision`.
pub(crate) fn after(last: &str, revision: u64) -> String {
    encode(
        format!("/{last}\0"),
        i64::try_from(revision).unwrap_or(i64::MAX),
    )
}

/// The same place in the newest list, as a 410 offers it.
pub(crate) fn fresh(token: &str) -> Option<String> {
    Some(encode(format!("{}\0", decode(token)?), -1))
}

/// The name after which the list continues.
pub(crate) fn decode(token: &str) -> Option<String> {
    let json = BASE64.decode(token).ok()?;
    let Encoded { start, .. } = serde_json::from_slice(&json).ok()?;
    let last = start.trim_start_matches('/').strip_suffix('\0')?;
    Some(last.to_owned())
}

fn encode(start: String, revision: i64) -> String {
    let encoded = Encoded {
        v: "meta.k8s.io/v1".to_owned(),
        rv: revision,
        start,
    };
    BASE64.encode(serde_json::to_vec(&encoded).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{after, decode};

    #[test]
    fn a_token_is_encoded_as_by_the_real_server() {
        let encoded =
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTQwNywic3RhcnQiOiIvYi1zZWNyZXRcdTAwMDAifQ";
        assert_eq!(after("b-secret", 1407), encoded);
        assert_eq!(decode(encoded).as_deref(), Some("b-secret"));
    }

    #[test]
    fn other_tokens_are_refused() {
        for token in ["a!", "garbage", "e30"] {
            assert_eq!(decode(token), None, "{token}");
        }
    }
}
