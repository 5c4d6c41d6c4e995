//! Secrets from files, as `kubectl get secret -o json` prints them.

use std::collections::BTreeMap;

use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use thiserror::Error;

use crate::secret::Secret;

/// Why a file cannot be read as Secrets.
#[derive(Debug, Error)]
pub enum Error {
    /// It is not JSON, or not the JSON of an object.
    #[error("parse the object")]
    Json(#[source] serde_json::Error),
    /// It is another kind of object.
    #[error("read an object of kind {0:?}, which is neither Secret nor List")]
    Kind(String),
    /// A value under `data` is not base64.
    #[error("decode {key:?} of secret {name:?}")]
    Data {
        /// Name of the Secret.
        name: String,
        /// The key under `data`.
        key: String,
        /// What is wrong with the value.
        source: DecodeError,
    },
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default = "opaque")]
    r#type: String,
    #[serde(default)]
    items: Vec<Object>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
    namespace: Option<String>,
}

/// The Secrets of a JSON document with their namespaces: a Secret, or a list
/// of them.
///
/// # Errors
/// The document is another object, or the data of a Secret is not base64.
pub fn read(json: &str) -> Result<Vec<(String, Secret)>, Error> {
    let object: Object = serde_json::from_str(json).map_err(Error::Json)?;
    match object.kind.as_str() {
        "List" | "SecretList" => object.items.into_iter().map(secret).collect(),
        _ => secret(object).map(|secret| vec![secret]),
    }
}

/// The items of a `SecretList` have no kind.
fn secret(object: Object) -> Result<(String, Secret), Error> {
    if !matches!(object.kind.as_str(), "Secret" | "") {
        return Err(Error::Kind(object.kind));
    }
    let Metadata { name, namespace } = object.metadata;
    let data = object
        .data
        .into_iter()
        .map(|(key, value)| match STANDARD.decode(value) {
            Ok(bytes) => Ok((key, bytes)),
            Err(source) => Err(Error::Data {
                name: name.clone(),
                key,
                source,
            }),
        })
        .collect::<Result<_, _>>()?;
    let secret = Secret::raw_data(&name, &object.r#type, data);
    let namespace = namespace.unwrap_or_else(|| "default".to_owned());
    Ok((namespace, secret))
}

fn opaque() -> String {
    "Opaque".to_owned()
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::secret::Secret;

    #[test]
    fn a_secret_and_a_list_are_read() {
        let one = r#"{"kind":"Secret","metadata":{"name":"a"},"data":{"k":"dg=="}}"#;
        let expected = ("default".to_owned(), Secret::opaque("a", "k", "v"));
        assert_eq!(read(one).unwrap(), vec![expected.clone()]);

        let list = format!(r#"{{"kind":"List","items":[{one}]}}"#);
        assert_eq!(read(&list).unwrap(), vec![expected]);
    }

    #[test]
    fn text_without_secrets_is_an_error_with_the_reason() {
        let cases = [
            (
                r#"{"kind":"Pod"}"#,
                "read an object of kind \"Pod\", which is neither Secret nor List",
            ),
            (
                r#"{"kind":"Secret","metadata":{"name":"a"},"data":{"k":"?"}}"#,
                "decode \"k\" of secret \"a\"",
            ),
            ("[", "parse the object"),
        ];
        for (json, message) in cases {
            assert_eq!(read(json).unwrap_err().to_string(), message, "{json}");
        }
    }
}
