//! What stands in an auth file (SPEC section 6), in the format of
//! containers-auth.json(5). Pure.

use std::collections::BTreeSet;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::global::GlobalAuthFile;
use crate::credentials::{Credential, Observer, Selection, Skipped};

/// Why something of a global auth file is not carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NotCarried {
    /// CRI-O would refuse the whole file for it.
    #[error("CRI-O could not decode the entry")]
    Entry,
    /// The same.
    #[error("the credential helper is no name")]
    Helper,
}

/// Encodes the auth file: the chosen credentials under the exact names of their
/// sources, then whatever the global auth files hold, first file first, except
/// where a key stands already, and except a credential helper that
/// containers/image would ask before one of the chosen credentials. `observer` is
/// told what CRI-O could not decode, which is left out.
///
/// `None` where no source has a credential: then there is no file.
pub fn encode(
    selection: &Selection,
    globals: &[GlobalAuthFile<'_>],
    observer: &mut impl Observer,
) -> Option<Zeroizing<Vec<u8>>> {
    selection.chosen().next()?;
    let file = AuthFile::merge(selection, globals, observer);
    // Twice the size at once, so that no outgrown buffer is left behind unwiped.
    let mut measure = Measure(0);
    serde_json::to_writer(&mut measure, &file).ok()?;
    let mut text = Zeroizing::new(Vec::with_capacity(measure.0));
    serde_json::to_writer(&mut *text, &file).ok()?;
    Some(text)
}

/// Whether a value of `credHelpers` is the name of a helper.
pub(super) fn is_helper(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// The fields of the file in the order they are written.
struct AuthFile<'a> {
    auths: Vec<(&'a str, Entry<'a>)>,
    cred_helpers: Vec<(&'a str, &'a RawValue)>,
    other: Vec<(&'a str, &'a RawValue)>,
}

enum Entry<'a> {
    Chosen(&'a Credential),
    Carried(&'a RawValue),
}

impl<'a> AuthFile<'a> {
    fn merge(
        selection: &'a Selection,
        globals: &'a [GlobalAuthFile<'a>],
        observer: &mut impl Observer,
    ) -> Self {
        let mut auths = Vec::new();
        let mut keys = BTreeSet::new();
        let mut hosts = BTreeSet::new();
        for (source, candidate) in selection.chosen() {
            keys.insert(source.as_str());
            hosts.insert(source.host());
            auths.push((source.as_str(), Entry::Chosen(&candidate.credential)));
        }
        let mut cred_helpers = Vec::new();
        let mut other = Vec::new();
        // A host whose helper is dropped, or stands already, gets no second one.
        let mut helper_hosts = hosts;
        let mut other_names = BTreeSet::new();
        for file in globals {
            for (key, entry) in &file.file.auths {
                if !entry.is_decodable() {
                    let skipped = Skipped::new(file.origin, Some(key), NotCarried::Entry);
                    observer.skipped(&skipped);
                } else if keys.insert(key.as_ref()) {
                    auths.push((key.as_ref(), Entry::Carried(entry.expose())));
                }
            }
            for (host, helper) in file.file.cred_helpers.iter().flatten() {
                if !is_helper(helper) {
                    let skipped = Skipped::new(file.origin, Some(host), NotCarried::Helper);
                    observer.skipped(&skipped);
                } else if helper_hosts.insert(host.as_ref()) {
                    cred_helpers.push((host.as_ref(), *helper));
                }
            }
            for (name, value) in &file.file.other {
                if other_names.insert(name.as_ref()) {
                    other.push((name.as_ref(), *value));
                }
            }
        }
        Self {
            auths,
            cred_helpers,
            other,
        }
    }
}

impl Serialize for AuthFile<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("auths", &Fields(&self.auths))?;
        if !self.cred_helpers.is_empty() {
            map.serialize_entry("credHelpers", &Fields(&self.cred_helpers))?;
        }
        for (name, value) in &self.other {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Carried(value) => value.serialize(serializer),
            Self::Chosen(credential) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("auth", credential.auth().as_str())?;
                // A token that is no UTF-8 came from no JSON string.
                if let Some(token) = &credential.identity_token
                    && let Ok(token) = str::from_utf8(token.expose())
                {
                    map.serialize_entry("identitytoken", token)?;
                }
                map.end()
            }
        }
    }
}

struct Fields<'a, T>(&'a [(&'a str, T)]);

impl<T: Serialize> Serialize for Fields<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Counts what is written.
struct Measure(usize);

impl std::io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
