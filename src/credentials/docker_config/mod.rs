//! Docker config JSON, the format of registry logins: `.dockerconfigjson`
//! (`{"auths": {..}}`), `.dockercfg` (the bare map), and auth files.
//!
//! Every entry is decoded for itself, so that one that cannot be used leaves the
//! others as they are. Field names are matched like Go's `encoding/json` does,
//! without regard to case: kubelet accepts such Secrets.
//!
//! containers-auth.json(5); kubelet: `pkg/credentialprovider/config.go`.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::secret::{DecodeError, Secret};

/// Standard base64, padded or not, with sloppy trailing bits as other tools
/// write them.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which of the two layouts a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `{"auths": {KEY: ENTRY, ..}}`: Secrets of type
    /// `kubernetes.io/dockerconfigjson`, and auth files.
    DockerConfigJson,
    /// `{KEY: ENTRY, ..}`: Secrets of type `kubernetes.io/dockercfg`.
    DockerCfg,
}

/// The entries of one docker config, in the order of the text, each key once
/// (the last one counts, as in Go). Borrows from the text; redacted in `Debug`.
pub struct DockerConfig<'a> {
    /// Key and entry as they stand in the text; `None` where there is no
    /// `auths` at all.
    pub auths: Option<Vec<(Cow<'a, str>, RawEntry<'a>)>>,
    /// `credHelpers`: registry host to the helper's name.
    pub cred_helpers: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// All other top-level fields.
    pub other: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// One entry, not decoded yet; redacted in `Debug`.
#[derive(Clone, Copy)]
pub struct RawEntry<'a>(&'a RawValue);

/// A login: what is sent to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Never empty, has no colon.
    pub username: String,
    /// May be empty.
    pub password: Secret,
    /// An OAuth 2 refresh token, carried along with the login.
    pub identity_token: Option<Secret>,
}

/// Why one entry cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not an object with text fields.
    #[error("decode entry")]
    Decode(#[source] DecodeError),
    /// `auth` is no base64.
    #[error("\"auth\" is not base64")]
    Base64,
    /// `auth` has no colon.
    #[error("\"auth\" is not the base64 of user:password")]
    NoColon,
    /// The user name is missing, empty or not UTF-8.
    #[error("no user name")]
    NoUsername,
    /// The user name has a colon, and so cannot be sent.
    #[error("the user name has a colon")]
    ColonInUsername,
    /// Neither `auth` nor `username` and `password`.
    #[error("neither \"auth\" nor \"username\" and \"password\"")]
    NoLogin,
}

impl<'a> DockerConfig<'a> {
    /// Reads the entries of `text`.
    ///
    /// # Errors
    /// [`DecodeError`] where nothing of the text can be used.
    pub fn parse(text: &'a [u8], format: Format) -> Result<Self, DecodeError> {
        let fields: Fields<'a> = serde_json::from_slice(text)?;
        match format {
            Format::DockerCfg => Ok(Self {
                auths: Some(entries(fields)),
                cred_helpers: Vec::new(),
                other: Vec::new(),
            }),
            Format::DockerConfigJson => Self::from_fields(fields),
        }
    }

    fn from_fields(fields: Fields<'a>) -> Result<Self, DecodeError> {
        let mut auths = None;
        let mut cred_helpers = Vec::new();
        let mut other = Vec::new();
        for (name, value) in fields.0 {
            if name.eq_ignore_ascii_case("auths") {
                let map: Option<Fields<'a>> = serde_json::from_str(value.get())?;
                auths = map.map(entries);
            } else if name.eq_ignore_ascii_case("credHelpers") {
                let map: Option<Fields<'a>> = serde_json::from_str(value.get())?;
                cred_helpers = map.map(|map| map.0).unwrap_or_default();
            } else {
                other.push((name, value));
            }
        }
        Ok(Self {
            auths,
            cred_helpers,
            other,
        })
    }
}

impl<'a> RawEntry<'a> {
    /// The entry's JSON, which holds secrets.
    pub fn expose(self) -> &'a RawValue {
        self.0
    }

    /// Whether CRI-O can decode the entry. One that it cannot makes it refuse the
    /// whole file, so such an entry must not be carried into an auth file.
    pub fn is_decodable(self) -> bool {
        serde_json::from_str::<Wire<'_>>(self.0.get()).is_ok()
    }

    /// Decodes the login: `auth`, else `username` and `password`.
    ///
    /// # Errors
    /// [`EntryError`], which never holds a part of the login.
    pub fn credential(self) -> Result<Credential, EntryError> {
        let wire: Wire<'_> =
            serde_json::from_str(self.0.get()).map_err(|e| EntryError::Decode(e.into()))?;
        let (username, password) = match wire.auth.as_deref().filter(|auth| !auth.is_empty()) {
            Some(auth) => split_auth(auth)?,
            None => match (wire.username, wire.password) {
                (None, None) => return Err(EntryError::NoLogin),
                (username, password) => (
                    username.unwrap_or_default().into_owned(),
                    Secret::from(password.unwrap_or_default()),
                ),
            },
        };
        if username.is_empty() {
            return Err(EntryError::NoUsername);
        }
        if username.contains(':') {
            return Err(EntryError::ColonInUsername);
        }
        Ok(Credential {
            username,
            password,
            identity_token: wire
                .identity_token
                .filter(|token| !token.is_empty())
                .map(Secret::from),
        })
    }
}

impl fmt::Debug for DockerConfig<'_> {
    /// Other fields may hold secrets too, such as `HttpHeaders`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerConfig").finish_non_exhaustive()
    }
}

impl fmt::Debug for RawEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawEntry(..)")
    }
}

impl Credential {
    /// `base64(user:password)`, as `auth` holds it.
    pub fn auth(&self) -> Zeroizing<String> {
        let mut login = Zeroizing::new(Vec::with_capacity(
            self.username.len() + self.password.expose().len() + 1,
        ));
        login.extend_from_slice(self.username.as_bytes());
        login.push(b':');
        login.extend_from_slice(self.password.expose());
        Zeroizing::new(BASE64.encode(&*login))
    }
}

/// Splits `base64(user:password)` at the first colon, like containers/image's
/// `decodeDockerAuth`.
fn split_auth(auth: &str) -> Result<(String, Secret), EntryError> {
    // Go's decoder passes over line breaks: some tools wrap their base64.
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(
        auth.bytes()
            .filter(|byte| !matches!(byte, b'\r' | b'\n'))
            .collect(),
    );
    let decoded = BASE64
        .decode(&*compact)
        .map_err(|_position| EntryError::Base64)?;
    let decoded = Zeroizing::new(decoded);
    let mut parts = decoded.splitn(2, |&byte| byte == b':');
    let (Some(username), Some(password)) = (parts.next(), parts.next()) else {
        return Err(EntryError::NoColon);
    };
    let username = str::from_utf8(username).map_err(|_position| EntryError::NoUsername)?;
    let end = password
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    let password = password.get(..end).unwrap_or_default();
    Ok((username.to_owned(), Secret::from(password.to_vec())))
}

/// The fields of an object in order, each name once, values not decoded.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

fn entries(fields: Fields<'_>) -> Vec<(Cow<'_, str>, RawEntry<'_>)> {
    fields
        .0
        .into_iter()
        .map(|(key, value)| (key, RawEntry(value)))
        .collect()
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    fields.push((name, map.next_value()?));
                }
                keep_last(&mut fields);
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// Drops all but the last field of each name, in O(n log n).
fn keep_last(fields: &mut Vec<(Cow<'_, str>, &RawValue)>) {
    let mut order: Vec<usize> = (0..fields.len()).collect();
    let name = |index: usize| fields.get(index).map(|(name, _)| name);
    order.sort_by(|&a, &b| name(a).cmp(&name(b)).then(a.cmp(&b)));
    let mut last = vec![true; fields.len()];
    for pair in order.windows(2) {
        if let &[a, b] = pair
            && name(a) == name(b)
            && let Some(kept) = last.get_mut(a)
        {
            *kept = false;
        }
    }
    let mut keep = last.into_iter();
    fields.retain(|_| keep.next().unwrap_or(true));
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of an entry that are used. Not derived: Go matches field names
/// without regard to case, and takes the last of several.
#[derive(Default)]
struct Wire<'a> {
    auth: Option<Cow<'a, str>>,
    username: Option<Cow<'a, str>>,
    password: Option<Cow<'a, str>>,
    identity_token: Option<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Wire<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WireVisitor;

        impl<'de> Visitor<'de> for WireVisitor {
            type Value = Wire<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut wire = Wire::default();
                while let Some(Name(name)) = map.next_key()? {
                    let field = match name.to_ascii_lowercase().as_str() {
                        "auth" => &mut wire.auth,
                        "username" => &mut wire.username,
                        "password" => &mut wire.password,
                        "identitytoken" => &mut wire.identity_token,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *field = map.next_value::<Option<Name<'de>>>()?.map(|text| text.0);
                }
                Ok(wire)
            }
        }

        deserializer.deserialize_map(WireVisitor)
    }
}

#[cfg(test)]
mod tests;
