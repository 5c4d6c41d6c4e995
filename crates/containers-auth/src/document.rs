//! Documents with registry logins. The docker configs of Secrets (`.dockerconfigjson`:
//! `{"auths": {..}}`; `.dockercfg`: only the map) are read as kubelet reads them, auth
//! files as containers/image reads them.
//!
//! Every entry is decoded separately, so an entry that cannot be used does not affect the
//! others.
//!
//! containers-auth.json(5); kubelet: `pkg/credentialprovider/config.go`.

use std::borrow::Cow;
use std::fmt;

use image_name::ImageName;
use secret::{DecodeError, Fields};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::entry::{Credential, RawEntry, Reader};
use crate::go_json::{Name, Text, is_field, keep_last};
use crate::lookup;

/// The layout of a Secret's docker config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `{"auths": {KEY: ENTRY, ..}}`: Secrets of type
    /// `kubernetes.io/dockerconfigjson`.
    DockerConfigJson,
    /// `{KEY: ENTRY, ..}`: Secrets of type `kubernetes.io/dockercfg`.
    DockerCfg,
}

/// Keys and entries in the order of the text, each key once: of several equal keys the
/// last one is used, as in Go.
pub type Entries<'a> = Vec<(Cow<'a, str>, RawEntry<'a>)>;

/// Names and values in the order of the text, each name once.
pub type RawFields<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// The entries of a Secret. Borrows from the text; redacted in `Debug`.
pub struct DockerConfig<'a> {
    /// The entries; `None` if there is no `auths`.
    pub auths: Option<Entries<'a>>,
}

/// An auth file, containers-auth.json(5). Borrows from the text; redacted in `Debug`.
pub struct AuthFile<'a> {
    /// Its entries.
    pub auths: Entries<'a>,
    /// `credHelpers`: the helper's name by registry host, or why they cannot be decoded.
    pub cred_helpers: Result<RawFields<'a>, DecodeError>,
    /// All other fields.
    pub other: RawFields<'a>,
}

impl<'a> DockerConfig<'a> {
    /// Reads the entries of a Secret's text, see [`Text::of_json`].
    ///
    /// # Errors
    /// [`DecodeError`] where nothing of the text can be used.
    pub fn parse(text: &'a Text<'_>, format: Format) -> Result<Self, DecodeError> {
        let auths = match format {
            Format::DockerCfg => {
                let document: Object<'a> = serde_json::from_str(text)?;
                Some(document.map_or_else(Vec::new, |map| map.0))
            }
            Format::DockerConfigJson => {
                let document: Option<Auths<'a>> = serde_json::from_str(text)?;
                document.and_then(|Auths(auths)| auths.0)
            }
        };
        let auths = auths.map(|auths| entries(auths, Reader::Kubelet));
        Ok(Self { auths })
    }

    /// The login for an image, with its key: of the entries whose key matches and that
    /// can be used, that of the most specific key, see [`Specificity`](crate::Specificity)
    /// and [`Spelling`](crate::Spelling).
    pub fn find(&self, image: &ImageName) -> Option<(&str, Credential)> {
        lookup::find(self.auths.as_deref().unwrap_or_default(), image)
    }
}

impl<'a> AuthFile<'a> {
    /// Reads an auth file's text, see [`Text::of_json`].
    ///
    /// # Errors
    /// [`DecodeError`] where nothing of the text can be used.
    pub fn parse(text: &'a Text<'_>) -> Result<Self, DecodeError> {
        let document: Object<'a> = serde_json::from_str(text)?;
        let mut auths = Map::default();
        let mut cred_helpers = Ok(Map::default());
        let mut other = Vec::new();
        for (name, value) in document.into_iter().flat_map(|fields| fields.0) {
            if is_field(&name, "auths") {
                auths.merge(serde_json::from_str(value.get())?);
            } else if is_field(&name, "credhelpers") {
                cred_helpers = cred_helpers.and_then(|mut helpers: Map<'a>| {
                    helpers.merge(serde_json::from_str(value.get())?);
                    Ok(helpers)
                });
            } else {
                other.push((name, value));
            }
        }
        Ok(Self {
            auths: entries(auths.0.unwrap_or_default(), Reader::ContainersImage),
            cred_helpers: cred_helpers.map(|helpers| unique(helpers.0.unwrap_or_default())),
            other: unique(other),
        })
    }

    /// The hosts with a credential helper, which containers/image uses before the
    /// entries.
    pub fn helper_hosts(&self) -> impl Iterator<Item = &str> {
        let helpers = self.cred_helpers.iter().flatten();
        let named = helpers.filter(|(_, helper)| is_helper(helper));
        named.map(|(host, _)| host.as_ref())
    }

    /// The login for an image, with its key: of the entries whose key matches and that
    /// can be used, that of the most specific key, see [`Specificity`](crate::Specificity)
    /// and [`Spelling`](crate::Spelling).
    pub fn find(&self, image: &ImageName) -> Option<(&str, Credential)> {
        lookup::find(&self.auths, image)
    }
}

impl fmt::Debug for DockerConfig<'_> {
    /// Other fields may hold secrets too, such as `HttpHeaders`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerConfig").finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFile").finish_non_exhaustive()
    }
}

/// A JSON object; `None` for `null`, which leaves a Go struct or map empty.
type Object<'a> = Option<Fields<'a>>;

/// The value of a field for a Go map; `None` is Go's nil.
#[derive(Default)]
struct Map<'a>(Option<RawFields<'a>>);

impl<'a> Map<'a> {
    /// Takes one more value: an object adds to what is there, `null` drops it.
    fn merge(&mut self, value: Object<'a>) {
        match (&mut self.0, value) {
            (Some(fields), Some(Fields(more))) => fields.extend(more),
            (fields, value) => *fields = value.map(|fields| fields.0),
        }
    }
}

/// The `auths` of a document whose other fields are passed over.
struct Auths<'a>(Map<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Auths<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AuthsVisitor;

        impl<'de> Visitor<'de> for AuthsVisitor {
            type Value = Auths<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut auths = Map::default();
                while let Some(Name(name)) = map.next_key()? {
                    if is_field(&name, "auths") {
                        auths.merge(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Auths(auths))
            }
        }

        deserializer.deserialize_map(AuthsVisitor)
    }
}

/// Whether a value of `credHelpers` is the name of a helper.
pub(crate) fn is_helper(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

fn unique(mut fields: RawFields<'_>) -> RawFields<'_> {
    keep_last(&mut fields);
    fields
}

fn entries(fields: RawFields<'_>, reader: Reader) -> Entries<'_> {
    let fields = unique(fields).into_iter();
    fields
        .map(|(key, value)| (key, RawEntry::new(value, reader)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(entries: &Entries<'_>) -> Vec<(String, String)> {
        let entries = entries.iter();
        entries
            .map(|(key, entry)| (key.to_string(), entry.expose().get().to_owned()))
            .collect()
    }

    #[test]
    fn entries_are_collected_as_in_a_go_map() {
        for (name, text, expected) in [
            (
                "the last of equal keys",
                r#"{"auths":{"a":1,"b":2,"a":3}}"#,
                "b2 a3",
            ),
            (
                "of one that is escaped",
                r#"{"auths":{"a":1,"\u0061":3}}"#,
                "a3",
            ),
            (
                "several objects",
                r#"{"auths":{"a":1,"b":2},"auths":{"a":3}}"#,
                "b2 a3",
            ),
            (
                "in any case",
                "{\"AUTHS\":{\"a\":1},\"auth\u{17f}\":{\"b\":2}}",
                "a1 b2",
            ),
            (
                "nothing after null",
                r#"{"auths":{"a":1},"auths":null}"#,
                "",
            ),
            (
                "null, then an object",
                r#"{"auths":null,"auths":{"a":1}}"#,
                "a1",
            ),
            ("none after all", r#"{"auths":{"a":1},"auths":{}}"#, "a1"),
        ] {
            let text = Text::of_json(text.as_bytes());
            let of_secret = DockerConfig::parse(&text, Format::DockerConfigJson).unwrap();
            let of_file = AuthFile::parse(&text).unwrap();
            for auths in [of_secret.auths.unwrap_or_default(), of_file.auths] {
                let shown: Vec<_> = shown(&auths).into_iter().map(|(k, v)| k + &v).collect();
                assert_eq!(shown.join(" "), expected, "{name}");
            }
        }
    }

    #[test]
    fn fields_that_are_not_used_may_hold_anything() {
        let text = br#"{"auths":{"a":{}},"credHelpers":[],"HttpHeaders":5,"x":[1e999,{"":-0}]}"#;
        let text = Text::of_json(text);
        let of_secret = DockerConfig::parse(&text, Format::DockerConfigJson).unwrap();
        let of_file = AuthFile::parse(&text).unwrap();
        let entries = [("a".to_owned(), "{}".to_owned())];
        assert_eq!(shown(&of_secret.auths.unwrap()), entries);
        assert_eq!(shown(&of_file.auths), entries);
        assert!(of_file.cred_helpers.is_err());
        let other: Vec<_> = of_file.other.iter().map(|(name, _)| &**name).collect();
        assert_eq!(other, ["HttpHeaders", "x"]);
    }

    #[test]
    fn text_that_is_not_a_docker_config_is_refused() {
        let deep = format!("{{\"auths\":{}", "[".repeat(100_000));
        for text in ["", " ", "[]", "{", "{} {}", "{\"x\":\"a\tb\"}", &deep] {
            let text = Text::of_json(text.as_bytes());
            assert!(AuthFile::parse(&text).is_err(), "{text:?}");
            for format in [Format::DockerConfigJson, Format::DockerCfg] {
                assert!(DockerConfig::parse(&text, format).is_err(), "{text:?}");
            }
        }
        let text = Text::of_json(br#"{"auths":[]}"#);
        assert!(DockerConfig::parse(&text, Format::DockerConfigJson).is_err());
        assert!(AuthFile::parse(&text).is_err());
    }

    #[test]
    fn a_secret_without_auths_differs_from_one_with_empty_auths() {
        for (text, there) in [
            ("null", false),
            ("{}", false),
            (r#"{"auths":null}"#, false),
            (r#"{"quay.io":{}}"#, false),
            (r#"{"auths":{}}"#, true),
        ] {
            let text = Text::of_json(text.as_bytes());
            let config = DockerConfig::parse(&text, Format::DockerConfigJson).unwrap();
            assert_eq!(config.auths.is_some(), there, "{:?}", &*text);
        }
    }

    #[test]
    fn debug_shows_no_field_of_the_text() {
        let text =
            br#"{"auths":{"a":{"auth":"hunter2"}},"HttpHeaders":{"Authorization":"hunter2"}}"#;
        let text = Text::of_json(text);
        let config = DockerConfig::parse(&text, Format::DockerConfigJson).unwrap();
        let file = AuthFile::parse(&text).unwrap();
        let all = format!("{text:?} {config:?} {:?} {file:?}", config.auths);
        assert!(!all.contains("hunter2"), "{all}");
    }
}
