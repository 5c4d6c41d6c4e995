//! Decodes the API server's responses: lists of Secrets, and single ones.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use containers_auth::{Format, Text, decode_base64};
use secret::{Object, ReadError, Wiped};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use super::json_stream::{Buffer, JsonStream, Limits, StreamError};
use super::{
    Listed, PageEnd, SECRET_TYPES, SecretDoc, SecretProblem, SecretType, SecretsError,
    UnusableSecret,
};
use crate::deadline::Elapsed;

/// The largest Secret, and the largest of a list's other values: 4 MiB, twice the largest
/// Secret in base64 with its metadata.
pub(super) const MAX_SECRET_BYTES: usize = 4 * 1024 * 1024;
/// The largest page that is read: 32 MiB.
pub(super) const MAX_PAGE_BYTES: usize = 32 * 1024 * 1024;
const LIMITS: Limits = Limits {
    value: MAX_SECRET_BYTES,
    all: MAX_PAGE_BYTES,
};
/// The type of a Secret without one.
const OPAQUE: &str = "Opaque";
/// The most characters of another type that a message quotes.
const MAX_TOLD: usize = 253;

#[derive(Deserialize, Default)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    continue_token: Option<String>,
}

#[derive(Deserialize)]
struct Item<'a> {
    metadata: Object<ItemMeta>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
    #[serde(default, borrow, rename = "type")]
    kind: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ItemMeta {
    name: String,
}

/// A Secret of a list; `None` if its type has no registry logins.
struct ListItem(Option<Listed>);

impl<'de> Deserialize<'de> for ListItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(item): Object<Item<'de>> = Object::deserialize(deserializer)?;
        let kind = secret_type(item.kind.as_deref()).ok();
        Ok(Self(kind.map(|kind| item.secret(kind.format))))
    }
}

/// The part of a Secret that decides whether it is used.
#[derive(Deserialize)]
struct Typed {
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// A single Secret.
#[derive(Deserialize)]
struct Single<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow, rename = "type")]
    kind_of_secret: Option<Cow<'a, str>>,
}

/// Decodes one page of a list of Secrets as it arrives, and passes on those of
/// [`SECRET_TYPES`], usable or not. The others are dropped without decoding.
/// Where `visit` fails, the rest of the page is not read.
///
/// `buffer` can be used for several pages.
///
/// # Errors
/// [`ReadError`] if the page cannot be read to its end, and inside it
/// [`SecretsError::NoList`] and [`SecretsError::Elapsed`].
pub fn read_page(
    page: impl Read,
    buffer: &mut Wiped<Vec<u8>>,
    visit: &mut impl FnMut(Listed) -> Result<(), Elapsed>,
) -> Result<Result<PageEnd, SecretsError>, ReadError> {
    match list(page, buffer, visit) {
        Ok(end) => Ok(Ok(end)),
        Err(StreamError::Decode(error)) => Ok(Err(SecretsError::NoList(error))),
        Err(StreamError::Elapsed(elapsed)) => Ok(Err(SecretsError::Elapsed(elapsed))),
        Err(StreamError::Read(error)) => Err(error),
    }
}

fn list(
    page: impl Read,
    buffer: &mut Buffer,
    visit: &mut impl FnMut(Listed) -> Result<(), Elapsed>,
) -> Result<PageEnd, StreamError> {
    let mut json = JsonStream::new(page, buffer, LIMITS);
    let (mut is_list, mut is_first) = (false, true);
    let mut end = PageEnd::default();
    json.expect(b'{')?;
    while json.has_next(b'}', is_first)? {
        is_first = false;
        let field: String = json.decode()?;
        json.expect(b':')?;
        match field.as_str() {
            "kind" => is_list = json.decode::<String>()? == "SecretList",
            "metadata" => {
                let Object(ListMeta { continue_token }) = json.decode()?;
                end.continue_token = continue_token.filter(|token| !token.is_empty());
            }
            "items" if json.peek()? == Some(b'[') => {
                json.expect(b'[')?;
                while json.has_next(b']', end.secrets == 0)? {
                    end.secrets += 1;
                    if let Some(secret) = listed(&mut json)? {
                        visit(secret)?;
                    }
                }
            }
            "items" => json.decode::<()>()?,
            _ => {
                json.decode::<IgnoredAny>()?;
            }
        }
    }
    json.end()?;
    if is_list {
        Ok(end)
    } else {
        Err(StreamError::Decode(None))
    }
}

/// Reads a Secret of a list, if its type has registry logins.
fn listed(json: &mut JsonStream<'_, impl Read>) -> Result<Option<Listed>, StreamError> {
    let undecodable = match json.decode() {
        Ok(ListItem(secret)) => return Ok(secret),
        Err(StreamError::Decode(Some(error))) => error,
        Err(error) => return Err(error),
    };
    let undecodable = match json.decode() {
        Ok(Object(Typed { kind })) if secret_type(kind.as_deref()).is_err() => return Ok(None),
        Ok(_) => undecodable,
        Err(StreamError::Decode(Some(error))) => {
            json.decode::<IgnoredAny>()?;
            error
        }
        Err(error) => return Err(error),
    };
    Ok(Some(Err(UnusableSecret {
        name: String::new(),
        problem: SecretProblem::Name(undecodable),
    })))
}

/// Decodes the Secret that was requested by that name, of any type.
///
/// # Errors
/// [`SecretsError::NoSecret`].
pub fn read_named(body: &[u8], name: &str) -> Result<Listed, SecretsError> {
    let no_secret = |error: serde_json::Error| SecretsError::NoSecret(Some(error.into()));
    let body = str::from_utf8(body).map_err(|_position| SecretsError::NoSecret(None))?;
    let Object(single): Object<Single<'_>> = serde_json::from_str(body).map_err(no_secret)?;
    if single.kind != "Secret" {
        return Err(SecretsError::NoSecret(None));
    }
    let read = secret_type(single.kind_of_secret.as_deref())
        .map_err(|problem| UnusableSecret {
            name: String::new(),
            problem,
        })
        .and_then(|kind| read_secret(body, kind.format));
    // It is the requested Secret, whatever its own name is.
    Ok(match read {
        Ok(secret) => Ok(SecretDoc {
            name: name.to_owned(),
            ..secret
        }),
        Err(unusable) => Err(UnusableSecret {
            name: name.to_owned(),
            ..unusable
        }),
    })
}

/// The type of that name, if it has registry logins.
///
/// # Errors
/// [`SecretProblem::Type`] for every other.
pub fn secret_type(name: Option<&str>) -> Result<&'static SecretType, SecretProblem> {
    let name = name.unwrap_or(OPAQUE);
    let mut types = SECRET_TYPES.iter();
    types
        .find(|known| known.name == name)
        .ok_or_else(|| SecretProblem::Type(name.chars().take(MAX_TOLD).collect()))
}

/// Decodes one Secret of a type with that layout, as the API server returns it.
///
/// # Errors
/// [`UnusableSecret`]; the others of a list are used.
pub fn read_secret(item: &str, format: Format) -> Listed {
    let item: Result<Object<Item<'_>>, _> = serde_json::from_str(item);
    let Object(item) = item.map_err(|error| UnusableSecret {
        name: String::new(),
        problem: SecretProblem::Name(error.into()),
    })?;
    item.secret(format)
}

impl Item<'_> {
    fn secret(self, format: Format) -> Listed {
        let name = self.metadata.0.name;
        match docker_config(self.data, data_key(format)) {
            Ok(docker_config) => Ok(SecretDoc {
                name,
                docker_config,
                format,
            }),
            Err(problem) => Err(UnusableSecret { name, problem }),
        }
    }
}

fn docker_config(
    data: Option<&RawValue>,
    key: &'static str,
) -> Result<Wiped<Vec<u8>>, SecretProblem> {
    let undecodable = |error: serde_json::Error| SecretProblem::Data(error.into());
    let data = data.ok_or(SecretProblem::Missing(key))?;
    let fields: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(data.get()).map_err(undecodable)?;
    let value = fields.get(key).ok_or(SecretProblem::Missing(key))?;
    let text: Text<'_> = serde_json::from_str(value.get()).map_err(undecodable)?;
    decode_base64(&text).ok_or(SecretProblem::Base64(key))
}

/// The key of a Secret's data that has a docker config of that layout.
pub fn data_key(format: Format) -> &'static str {
    match format {
        Format::DockerConfigJson => ".dockerconfigjson",
        Format::DockerCfg => ".dockercfg",
    }
}

#[cfg(test)]
mod tests;
