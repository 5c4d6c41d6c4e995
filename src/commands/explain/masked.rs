//! The content of an auth file without its secrets.

use std::borrow::Cow;

use containers_auth::{AuthFile, RawEntry, Text};
use provider::excerpt::ShownKey;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The replacement for everything that is or may be a secret.
const MASK: &str = "***";

/// The file as text of several lines, in the order of the file. Keys, names of fields,
/// user names, mail addresses and names of credential helpers are shown; all other values
/// are masked, since a global auth file may have unknown fields.
pub(super) fn masked(content: &[u8]) -> String {
    AuthFile::parse(&Text::of_json(content))
        .ok()
        .and_then(|file| serde_json::to_string_pretty(&Masked(&file)).ok())
        .unwrap_or_else(|| MASK.to_owned())
}

struct Masked<'a>(&'a AuthFile<'a>);

impl Serialize for Masked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let file = self.0;
        let auths = file
            .auths
            .iter()
            .map(|(key, entry)| (ShownKey(key).text(), masked_entry(*entry)));
        let helpers = file.cred_helpers.as_deref().unwrap_or_default();
        let name =
            |helper: &RawValue| serde_json::from_str(helper.get()).map_or(mask(), Value::String);
        let helpers: Vec<_> = helpers
            .iter()
            .map(|(host, helper)| (Cow::Borrowed(&**host), name(helper)))
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("auths", &Fields(auths.collect()))?;
        if !helpers.is_empty() {
            map.serialize_entry("credHelpers", &Fields(helpers))?;
        }
        for (name, _) in &file.other {
            map.serialize_entry(name, MASK)?;
        }
        map.end()
    }
}

/// An object with its fields in the order of the file.
struct Fields<'a>(Vec<(Cow<'a, str>, Value)>);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn masked_entry(entry: RawEntry<'_>) -> Value {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(entry.expose().get()) else {
        return mask();
    };
    for (name, value) in &mut fields {
        let mut shown = ["username", "email"].into_iter();
        if !(value.is_string() && shown.any(|field| name.eq_ignore_ascii_case(field))) {
            *value = mask();
        }
    }
    Value::Object(fields)
}

fn mask() -> Value {
    Value::from(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fields_that_are_never_secret_are_shown() {
        let content = r#"{"auths":{"z.x/a":{"auth":"S"},"a.x":{"Password":"S","USERNAME":"user",
            "identitytoken":"S","email":"e@x","x":{"username":"S"},"username":["S"]},"b.x":{}},
            "credHelpers":{"c.x":"ecr-login"},"HttpHeaders":{"A":"S"},"credsStore":"S"}"#;
        let expected = r#"{"auths":{"z.x/a":{"auth":"***"},"a.x":{"Password":"***","USERNAME":"user","email":"e@x","identitytoken":"***","username":"***","x":"***"},"b.x":{}},"credHelpers":{"c.x":"ecr-login"},"HttpHeaders":"***","credsStore":"***"}"#;
        let compact: String = masked(content.as_bytes()).split_whitespace().collect();
        assert_eq!(compact, expected);
        assert_eq!(masked(b"S"), MASK);
    }
}
