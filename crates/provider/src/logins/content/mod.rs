//! The content of the auth file: the chosen logins, and the node's own. Does no I/O.

use std::collections::BTreeMap;

use containers_auth::{AuthFileBuilder, Credential, EncodeError as Error};
use secret::{DecodeError, Wiped};

use crate::excerpt::ShownKey;
use crate::logins::{GlobalAuthFile, Observer, Selection, Skipped};

/// The largest auth file that is written: 16 MiB, a few KiB for each of some thousand
/// mirrors. A login goes to every pull source that it matches.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Why there is no auth file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It would be larger than [`MAX_BYTES`].
    #[error(
        "the auth file would be larger than {MAX_BYTES} bytes: shorten {largest}, which serves {sources} pull sources"
    )]
    TooLarge {
        /// The login that takes the most space.
        largest: String,
        /// The number of pull sources that it is for.
        sources: usize,
    },
    /// It cannot be written as JSON.
    #[error("encode the auth file")]
    Json(#[source] DecodeError),
}

/// Encodes the auth file: the chosen credentials under the exact names of their sources,
/// then the content of the global auth files, first file first. A key that exists already
/// is not replaced. Left out are credential helpers that containers/image would ask
/// before it uses one of the chosen credentials, and what CRI-O could not decode; the
/// latter is reported to `observer`.
///
/// `None` if no source has a credential: then there is no file.
///
/// # Errors
/// [`EncodeError`].
pub fn encode(
    selection: &Selection,
    globals: &[GlobalAuthFile<'_>],
    observer: &mut dyn Observer,
) -> Result<Option<Wiped<Vec<u8>>>, EncodeError> {
    if selection.chosen().next().is_none() {
        return Ok(None);
    }
    let mut file = AuthFileBuilder::default();
    for (source, candidate) in selection.chosen() {
        file.login(source, &candidate.credential);
    }
    for global in globals {
        for left_out in file.carry_over(&global.file) {
            let key = Some(left_out.key);
            observer.skipped(&Skipped::new(global.origin, key, left_out.reason));
        }
    }
    match file.encode(MAX_BYTES) {
        Ok(text) => Ok(Some(text)),
        Err(Error::TooLarge { .. }) => Err(too_large(selection)),
        Err(Error::Json(error)) => Err(EncodeError::Json(error)),
    }
}

fn too_large(selection: &Selection) -> EncodeError {
    let mut logins: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for (_, candidate) in selection.chosen() {
        let Credential {
            username, password, ..
        } = &candidate.credential;
        let place = (&candidate.origin, &candidate.key);
        let (bytes, sources) = logins.entry(place).or_default();
        *bytes += username.len() + password.expose().len();
        *sources += 1;
    }
    let largest = logins.into_iter().max_by_key(|(_, (bytes, _))| *bytes);
    let named = largest.map(|((origin, key), (_, sources))| {
        let key = ShownKey(key);
        (format!("the login under {key:?} of {origin}"), sources)
    });
    let (largest, sources) = named.unwrap_or_default();
    EncodeError::TooLarge { largest, sources }
}

#[cfg(test)]
mod tests;
