//! What stands in an auth file, in the format of containers-auth.json(5). Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use containers_auth::Credential;
use secret::{DecodeError, Wiped};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::excerpt::Excerpt;
use crate::logins::GlobalAuthFile;
use crate::logins::{Observer, Selection, Skipped};

/// The largest auth file that is written: 16 MiB, a few KiB for each of some thousand
/// mirrors. A login goes to every pull source that it matches.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Why something of a global auth file is not carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NotCarried {
    /// CRI-O would refuse the whole file for it.
    #[error("CRI-O could not decode the entry")]
    Entry,
    /// The same.
    #[error("the credential helper is not a name")]
    Helper,
}

/// Why there is no auth file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It would be larger than any sensible one.
    #[error(
        "the auth file would be larger than {MAX_BYTES} bytes: shorten {largest}, which serves {sources} pull sources"
    )]
    TooLarge {
        /// The login that takes the most of it.
        largest: String,
        /// How many pull sources it is for.
        sources: usize,
    },
    /// It cannot be written as JSON.
    #[error("encode the auth file")]
    Json(#[source] DecodeError),
}

/// Encodes the auth file: the chosen credentials under the exact names of their
/// sources, then whatever the global auth files hold, first file first, except
/// where a key stands already, and except a credential helper that
/// containers/image would ask before one of the chosen credentials. `observer` is
/// told what CRI-O could not decode, which is left out.
///
/// `None` where no source has a credential: then there is no file.
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
    let file = AuthFile::merge(selection, globals, observer);
    // Twice the size at once, so that no outgrown buffer is left behind unwiped.
    let mut measure = Measure(0);
    let measured = serde_json::to_writer(&mut measure, &file);
    if measure.0 > MAX_BYTES {
        return Err(too_large(selection));
    }
    let mut text = Wiped::new(Vec::with_capacity(measure.0));
    let written = measured.and_then(|()| serde_json::to_writer(&mut *text, &file));
    written.map_err(|error| EncodeError::Json(error.into()))?;
    Ok(Some(text))
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
        let key = Excerpt(key);
        (format!("the login under {key:?} of {origin}"), sources)
    });
    let (largest, sources) = named.unwrap_or_default();
    EncodeError::TooLarge { largest, sources }
}

/// Whether a value of `credHelpers` is the name of a helper.
pub(crate) fn is_helper(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// The fields of the file.
#[derive(Serialize)]
struct AuthFile<'a> {
    auths: BTreeMap<&'a str, Entry<'a>>,
    #[serde(rename = "credHelpers", skip_serializing_if = "BTreeMap::is_empty")]
    cred_helpers: BTreeMap<&'a str, &'a RawValue>,
    #[serde(flatten)]
    other: BTreeMap<&'a str, &'a RawValue>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Chosen(Login<'a>),
    Carried(&'a RawValue),
}

#[derive(Serialize)]
struct Login<'a> {
    /// Encoded where it is written: a login may be there for many sources.
    #[serde(serialize_with = "as_base64")]
    auth: &'a Credential,
    #[serde(skip_serializing_if = "Option::is_none")]
    identitytoken: Option<&'a str>,
}

fn as_base64<S: Serializer>(login: &Credential, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&login.auth())
}

impl<'a> AuthFile<'a> {
    fn merge(
        selection: &'a Selection,
        globals: &'a [GlobalAuthFile<'a>],
        observer: &mut dyn Observer,
    ) -> Self {
        let mut auths = BTreeMap::new();
        // A host whose helper is dropped, or stands already, gets no second one.
        let mut helper_hosts = BTreeSet::new();
        for (source, candidate) in selection.chosen() {
            helper_hosts.insert(source.host());
            let login = Login {
                auth: &candidate.credential,
                identitytoken: candidate.credential.identity_token.as_deref(),
            };
            auths.insert(source.as_str(), Entry::Chosen(login));
        }
        let mut cred_helpers = BTreeMap::new();
        let mut other = BTreeMap::new();
        for GlobalAuthFile { origin, file } in globals {
            for (key, entry) in &file.auths {
                if entry.is_decodable() {
                    let carried = || Entry::Carried(entry.expose());
                    auths.entry(key.as_ref()).or_insert_with(carried);
                } else {
                    observer.skipped(&Skipped::new(origin, Some(key), NotCarried::Entry));
                }
            }
            for (host, helper) in file.cred_helpers.iter().flatten() {
                if !is_helper(helper) {
                    observer.skipped(&Skipped::new(origin, Some(host), NotCarried::Helper));
                } else if helper_hosts.insert(host.as_ref()) {
                    cred_helpers.insert(host.as_ref(), *helper);
                }
            }
            for (name, value) in &file.other {
                other.entry(name.as_ref()).or_insert(*value);
            }
        }
        Self {
            auths,
            cred_helpers,
            other,
        }
    }
}

/// Counts what is written, up to a little more than the limit.
struct Measure(usize);

impl io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        if self.0 > MAX_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
