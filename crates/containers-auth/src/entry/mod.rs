//! One entry of a docker config, and its decoding into a login.

mod mistake;

use std::borrow::Cow;
use std::fmt;

use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, decoded_len_estimate};
use secret::{DecodeError, Fields, Secret, Wiped};
use serde_json::value::RawValue;

use crate::go_json::{Text, is_field};

pub use mistake::Mistake;

/// Go's `base64.StdEncoding`, which ignores the bits after the last byte.
const BASE64: GeneralPurpose = engine(DecodePaddingMode::RequireCanonical);
/// Go's `base64.RawStdEncoding`.
const UNPADDED: GeneralPurpose = engine(DecodePaddingMode::RequireNone);

const fn engine(padding: DecodePaddingMode) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(padding);
    GeneralPurpose::new(&alphabet::STANDARD, config)
}

/// One entry, not decoded yet; redacted in `Debug`.
#[derive(Clone, Copy)]
pub struct RawEntry<'a> {
    value: &'a RawValue,
    reader: Reader,
}

/// The program whose rules an entry is read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// kubelet's, for Secrets (`pkg/credentialprovider/config.go`,
    /// `dockerConfigEntryWithAuth`).
    Kubelet,
    /// containers/image's, for auth files (`pkg/docker/config`, `dockerAuthConfig`,
    /// `decodeDockerAuth`).
    ContainersImage,
}

/// A login, as it is sent to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Never empty, has no colon; usually UTF-8.
    pub username: Vec<u8>,
    /// May be empty.
    pub password: Secret,
    /// An OAuth 2 refresh token, carried along with the login.
    pub identity_token: Option<Text<'static>>,
}

/// Why one entry cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not an object.
    #[error("decode entry")]
    Decode(#[source] DecodeError),
    /// A field that is used has another type.
    #[error("{0:?} is not a string")]
    NotAString(&'static str),
    /// `auth` is not base64.
    #[error("\"auth\" is not base64")]
    Base64,
    /// `auth` has no colon.
    #[error("\"auth\" is not the base64 of user:password")]
    NoColon,
    /// The user name is missing or empty.
    #[error("no user name")]
    NoUsername,
    /// The user name has a colon, and so cannot be sent.
    #[error("the user name has a colon")]
    ColonInUsername,
    /// Neither `auth` nor `username` and `password`.
    #[error("neither \"auth\" nor \"username\" and \"password\"")]
    NoLogin,
    /// An auth file's entry without `auth`.
    #[error("no \"auth\", the only login field that is read in an auth file")]
    NoAuth,
}

impl<'a> RawEntry<'a> {
    pub(crate) fn new(value: &'a RawValue, reader: Reader) -> Self {
        Self { value, reader }
    }

    /// The entry's JSON, which contains secrets.
    pub fn expose(self) -> &'a RawValue {
        self.value
    }

    /// Whether containers/image can decode the entry. One that it cannot makes it
    /// refuse the whole file, so such an entry must not be carried into an auth file.
    pub fn is_decodable(self) -> bool {
        let is_text = |field: &Field<'_>| !matches!(field, Field::Wrong);
        let wire = Wire::read(self.value);
        wire.is_ok_and(|wire| is_text(&wire.auth) && is_text(&wire.identity_token))
    }

    /// Decodes the login: `auth`, else, in a Secret, `username` and `password`.
    ///
    /// # Errors
    /// [`EntryError`], which never contains a part of the login.
    pub fn credential(self) -> Result<Credential, EntryError> {
        let wire = Wire::read(self.value).map_err(EntryError::Decode)?;
        let auth = wire.auth.text("auth")?;
        let (username, password) = match auth.filter(|auth| !auth.is_empty()) {
            Some(auth) => self.reader.split_auth(auth)?,
            None if self.reader == Reader::Kubelet => wire.username_and_password()?,
            None => return Err(EntryError::NoAuth),
        };
        if username.is_empty() {
            return Err(EntryError::NoUsername);
        }
        let token = match wire.identity_token.text("identitytoken") {
            // kubelet does not read the field, so it may have any value.
            Err(_) if self.reader == Reader::Kubelet => None,
            token => token?,
        };
        Ok(Credential {
            username,
            password,
            identity_token: token.filter(|token| !token.is_empty()).map(Text::from),
        })
    }
}

impl fmt::Debug for RawEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawEntry(..)")
    }
}

impl Reader {
    /// Splits `base64(user:password)` at the first colon, and removes the NULs with which
    /// some tools pad it.
    fn split_auth(self, auth: &str) -> Result<(Vec<u8>, Secret), EntryError> {
        let is_padded = self == Self::ContainersImage || auth.trim().ends_with('=');
        let engine = if is_padded { &BASE64 } else { &UNPADDED };
        let login = decode(engine, auth).ok_or(EntryError::Base64)?;
        let colon = login.iter().position(|&byte| byte == b':');
        let (username, password) = colon
            .and_then(|colon| Some((login.get(..colon)?, login.get(colon + 1..)?)))
            .ok_or(EntryError::NoColon)?;
        let is_login = |&byte: &u8| byte != 0;
        let start = match self {
            Self::ContainersImage => password.iter().position(is_login).unwrap_or_default(),
            Self::Kubelet => 0,
        };
        let end = password
            .iter()
            .rposition(is_login)
            .map_or(0, |last| last + 1);
        let password = password.get(start..end).unwrap_or_default();
        Ok((username.to_vec(), Secret::from(password.to_vec())))
    }
}

impl Credential {
    /// The user name for messages; bytes that are not UTF-8 are replaced.
    pub fn username_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.username)
    }

    /// `base64(user:password)`, the value of `auth`.
    pub fn auth(&self) -> Wiped<String> {
        let login = [self.username.as_slice(), b":", self.password.expose()].concat();
        Wiped::new(BASE64.encode(&*Wiped::new(login)))
    }
}

/// Decodes base64 as Go's `base64.StdEncoding` does, which skips line breaks and ignores
/// the bits after the last byte.
pub fn decode_base64(text: &str) -> Option<Wiped<Vec<u8>>> {
    decode(&BASE64, text)
}

fn decode(engine: &GeneralPurpose, text: &str) -> Option<Wiped<Vec<u8>>> {
    let mut decoded = Wiped::new(vec![0; decoded_len_estimate(text.len())]);
    let mut decode = |text: &[u8]| engine.decode_slice(text, &mut decoded).ok();
    let length = decode(text.as_bytes()).or_else(|| {
        let is_line_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let mut in_one_line = Wiped::new(Vec::with_capacity(text.len()));
        in_one_line.extend(text.bytes().filter(|byte| !is_line_break(byte)));
        decode(&in_one_line)
    })?;
    decoded.truncate(length);
    Some(decoded)
}

/// The fields of an entry that are used.
#[derive(Default)]
struct Wire<'a> {
    auth: Field<'a>,
    username: Field<'a>,
    password: Field<'a>,
    identity_token: Field<'a>,
}

/// The value of a field for a Go string.
#[derive(Default)]
enum Field<'a> {
    #[default]
    Absent,
    Text(Text<'a>),
    /// The wrong type, in any occurrence of the field.
    Wrong,
}

impl<'a> Wire<'a> {
    fn read(entry: &'a RawValue) -> Result<Self, DecodeError> {
        let fields: Option<Fields<'a>> = serde_json::from_str(entry.get())?;
        let mut wire = Self::default();
        for (name, value) in fields.into_iter().flat_map(|fields| fields.0) {
            if is_field(&name, "auth") {
                wire.auth.set(value);
            } else if is_field(&name, "username") {
                wire.username.set(value);
            } else if is_field(&name, "password") {
                wire.password.set(value);
            } else if is_field(&name, "identitytoken") {
                wire.identity_token.set(value);
            }
        }
        Ok(wire)
    }

    fn username_and_password(&self) -> Result<(Vec<u8>, Secret), EntryError> {
        let username = self.username.text("username")?;
        let password = self.password.text("password")?;
        if username.is_none() && password.is_none() {
            return Err(EntryError::NoLogin);
        }
        let username = username.unwrap_or_default();
        if username.contains(':') {
            return Err(EntryError::ColonInUsername);
        }
        let password = Secret::from(password.unwrap_or_default());
        Ok((username.as_bytes().to_vec(), password))
    }
}

impl<'a> Field<'a> {
    /// Adds one more value of the field. The last one is used; `null` changes nothing.
    fn set(&mut self, value: &'a RawValue) {
        if matches!(self, Self::Wrong) {
            return;
        }
        match serde_json::from_str(value.get()) {
            Ok(Some(text)) => *self = Self::Text(text),
            Ok(None) => {}
            Err(_not_a_string) => *self = Self::Wrong,
        }
    }

    fn text(&self, name: &'static str) -> Result<Option<&str>, EntryError> {
        match self {
            Self::Absent => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            Self::Wrong => Err(EntryError::NotAString(name)),
        }
    }
}

#[cfg(test)]
mod tests;
