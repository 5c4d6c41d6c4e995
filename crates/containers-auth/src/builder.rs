//! Builds the content of an auth file, containers-auth.json(5).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;

use image_name::ImageName;
use secret::{DecodeError, Wiped};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::document::{AuthFile, is_helper};
use crate::entry::Credential;

/// Builds an auth file from logins for images and from the content of other auth files.
/// Borrows everything; redacted in `Debug`.
///
/// ```
/// use containers_auth::{AuthFile, AuthFileBuilder, Text};
/// use image_name::ImageName;
///
/// let text = Text::of_json(br#"{"auths": {"*.x": {"auth": "dTpw"}}, "credsStore": "s"}"#);
/// let file = AuthFile::parse(&text)?;
/// let image = ImageName::parse("mirror.x/app")?;
/// let (_, login) = file.find(&image).ok_or("no login")?;
///
/// let mut builder = AuthFileBuilder::default();
/// builder.login(&image, &login);
/// assert_eq!(builder.carry_over(&file), []);
/// let expected = br#"{"auths":{"*.x":{"auth": "dTpw"},"mirror.x/app":{"auth":"dTpw"}},"credsStore":"s"}"#;
/// assert_eq!(*builder.encode(1024)?, expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct AuthFileBuilder<'a> {
    file: Written<'a>,
    /// Hosts with a login or a helper, for which helpers of later files are left out.
    helper_hosts: BTreeSet<&'a str>,
}

/// An entry or helper that is not copied, since containers/image would refuse the whole
/// file because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCarried<'a> {
    /// The key of the entry, or the host of the credential helper.
    pub key: &'a str,
    /// The reason.
    pub reason: Undecodable,
}

/// Why containers/image would refuse a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// An entry of `auths` is not an object, or has a field of another type.
    #[error("containers/image could not decode the entry")]
    Entry,
    /// A value of `credHelpers` is not a string.
    #[error("the credential helper is not a name")]
    Helper,
}

/// Why an auth file cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The file would be larger than the caller allows.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It cannot be written as JSON.
    #[error("encode the auth file")]
    Json(#[source] DecodeError),
}

impl<'a> AuthFileBuilder<'a> {
    /// Adds a login under the exact name of an image, where containers/image looks first.
    /// A credential helper for the image's host is left out: containers/image would use
    /// it before the login.
    pub fn login(&mut self, image: &'a ImageName, credential: &'a Credential) {
        self.helper_hosts.insert(image.host());
        let login = Login {
            auth: credential,
            identitytoken: credential.identity_token.as_deref(),
        };
        self.file.auths.insert(image.as_str(), Entry::Login(login));
    }

    /// Copies the content of another auth file unchanged, except for keys, helpers and
    /// fields that exist already. Leaves out, and returns, what containers/image could
    /// not decode.
    pub fn carry_over(&mut self, other: &'a AuthFile<'_>) -> Vec<NotCarried<'a>> {
        let mut left_out = Vec::new();
        for (key, entry) in &other.auths {
            if entry.is_decodable() {
                let carried = || Entry::Carried(entry.expose());
                let place = self.file.auths.entry(key.as_ref());
                place.or_insert_with(carried);
            } else {
                let reason = Undecodable::Entry;
                left_out.push(NotCarried { key, reason });
            }
        }
        for (host, helper) in other.cred_helpers.iter().flatten() {
            if !is_helper(helper) {
                let reason = Undecodable::Helper;
                left_out.push(NotCarried { key: host, reason });
            } else if self.helper_hosts.insert(host.as_ref()) {
                self.file.cred_helpers.insert(host.as_ref(), *helper);
            }
        }
        for (name, value) in &other.other {
            self.file.other.entry(name.as_ref()).or_insert(*value);
        }
        left_out
    }

    /// The file's bytes, at most `limit` of them.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn encode(&self, limit: usize) -> Result<Wiped<Vec<u8>>, EncodeError> {
        // Measure first, so that the buffer never grows and leaves an unwiped copy
        // behind.
        let mut measure = Measure { size: 0, limit };
        let measured = serde_json::to_writer(&mut measure, &self.file);
        if measure.size > limit {
            return Err(EncodeError::TooLarge { limit });
        }
        let mut text = Wiped::new(Vec::with_capacity(measure.size));
        let written = measured.and_then(|()| serde_json::to_writer(&mut *text, &self.file));
        written.map_err(|error| EncodeError::Json(error.into()))?;
        Ok(text)
    }
}

impl fmt::Debug for AuthFileBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFileBuilder").finish_non_exhaustive()
    }
}

/// The fields of the file.
#[derive(Default, Serialize)]
struct Written<'a> {
    auths: BTreeMap<&'a str, Entry<'a>>,
    #[serde(rename = "credHelpers", skip_serializing_if = "BTreeMap::is_empty")]
    cred_helpers: BTreeMap<&'a str, &'a RawValue>,
    #[serde(flatten)]
    other: BTreeMap<&'a str, &'a RawValue>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Login(Login<'a>),
    Carried(&'a RawValue),
}

#[derive(Serialize)]
struct Login<'a> {
    /// Encoded during writing: one login may be written for many images.
    #[serde(serialize_with = "as_base64")]
    auth: &'a Credential,
    #[serde(skip_serializing_if = "Option::is_none")]
    identitytoken: Option<&'a str>,
}

fn as_base64<S: Serializer>(login: &Credential, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&login.auth())
}

/// Counts the bytes that are written, until they exceed the limit.
struct Measure {
    size: usize,
    limit: usize,
}

impl io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.size = self.size.saturating_add(bytes.len());
        if self.size > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Text;

    /// The file with a login for that image and the content of these files, and what is
    /// left out.
    fn written(image: &str, files: &[Value]) -> (Value, Vec<(String, Undecodable)>) {
        let texts: Vec<_> = files.iter().map(Value::to_string).collect();
        let texts: Vec<_> = texts
            .iter()
            .map(|text| Text::of_json(text.as_bytes()))
            .collect();
        let files: Vec<_> = texts
            .iter()
            .map(|text| AuthFile::parse(text).unwrap())
            .collect();
        let image = ImageName::parse(image).unwrap();
        let login = credential(b"u", "p");
        let mut builder = AuthFileBuilder::default();
        builder.login(&image, &login);
        let left_out = files.iter().flat_map(|file| builder.carry_over(file));
        let left_out: Vec<_> = left_out
            .map(|left_out| (left_out.key.to_owned(), left_out.reason))
            .collect();
        let text = builder.encode(1 << 20).unwrap();
        (serde_json::from_slice(&text).unwrap(), left_out)
    }

    fn credential(username: &[u8], password: &str) -> Credential {
        Credential {
            username: username.to_vec(),
            password: password.into(),
            identity_token: None,
        }
    }

    #[test]
    fn other_files_are_copied_unchanged_and_the_first_file_wins() {
        let files = [
            json!({
                "auths": {"quay.io": {"auth": "eDp5", "email": "e", "n": 1.50}, "mirror.local": {"auth": "Zzpn"}},
                "credHelpers": {"ecr.example": "ecr-login", "mirror.local": "dropped"},
                "credsStore": "kept", "unknown": [1, {"a": null}],
            }),
            json!({
                "auths": {"quay.io": {"auth": "second"}, "gcr.io": {"auth": "eDp5"}, "mirror.local/a": {}},
                "credHelpers": {"ecr.example": "second", "gcr.example": "gcloud"},
                "unknown": "second",
            }),
        ];
        let expected = json!({
            "auths": {
                "mirror.local/a": {"auth": "dTpw"},
                "quay.io": {"auth": "eDp5", "email": "e", "n": 1.50},
                "mirror.local": {"auth": "Zzpn"},
                "gcr.io": {"auth": "eDp5"},
            },
            "credHelpers": {"ecr.example": "ecr-login", "gcr.example": "gcloud"},
            "credsStore": "kept", "unknown": [1, {"a": null}],
        });
        assert_eq!(written("mirror.local/a", &files), (expected, vec![]));
    }

    #[test]
    fn entries_that_containers_image_could_not_decode_are_left_out_and_returned() {
        let file = json!({
            "auths": {"bad.local": {"auth": 1}, "worse.local": "x", "good.local": {"auth": "eDp5"}},
            "credHelpers": {"bad.local": {"x": 1}, "good.local": "helper"},
        });
        let expected = json!({
            "auths": {"mirror.local/a": {"auth": "dTpw"}, "good.local": {"auth": "eDp5"}},
            "credHelpers": {"good.local": "helper"},
        });
        let left_out = vec![
            ("bad.local".to_owned(), Undecodable::Entry),
            ("worse.local".to_owned(), Undecodable::Entry),
            ("bad.local".to_owned(), Undecodable::Helper),
        ];
        assert_eq!(written("mirror.local/a", &[file]), (expected, left_out));
    }

    #[test]
    fn a_file_is_encoded_up_to_the_limit() {
        let image = ImageName::parse("a.x/b").unwrap();
        let login = credential(b"u\xff", "hunter2");
        let mut builder = AuthFileBuilder::default();
        builder.login(&image, &login);
        let text = builder.encode(usize::MAX).unwrap();
        assert_eq!(*text, br#"{"auths":{"a.x/b":{"auth":"df86aHVudGVyMg=="}}}"#);
        let size = text.len();
        assert_eq!(builder.encode(size), Ok(text));
        let limit = size - 1;
        assert_eq!(builder.encode(limit), Err(EncodeError::TooLarge { limit }));
        assert!(!format!("{builder:?}").contains("hunter2"));
    }
}
