//! YAML as JSON, so that Secrets from a file are decoded by the same code as those
//! from the API server.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_saphyr::{alias_limits, budget, options};
use zeroize::Zeroizing;

use crate::secret::DecodeError;

/// Scalars, lists and maps of one file: far more than the largest namespace has.
const MAX_NODES: usize = 4_000_000;
/// Documents of one file.
const MAX_DOCUMENTS: usize = 10_000;
/// What all aliases of a file stand for; kubectl never writes one.
const MAX_REPLAYED: usize = 100_000;

/// The documents of a YAML text, one JSON text after the other.
///
/// # Errors
/// [`DecodeError`], which never holds a part of the text.
pub(super) fn to_json(text: &str) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    let options = options! {
        with_snippet: false,
        budget: budget! {
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_documents: MAX_DOCUMENTS,
        },
        alias_limits: alias_limits! { max_total_replayed_events: MAX_REPLAYED },
    };
    let documents: Vec<Json> = serde_saphyr::from_multiple_with_options(text, options)?;
    let length = documents.iter().map(|json| json.0.len() + 1).sum();
    let mut all = Zeroizing::new(Vec::with_capacity(length));
    for json in documents {
        all.extend_from_slice(&json.0);
        all.push(b'\n');
    }
    Ok(all)
}

/// A JSON text.
struct Json(Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = Zeroizing::new(Vec::new());
        Writer(&mut text).deserialize(deserializer)?;
        Ok(Self(text))
    }
}

/// Writes whatever value comes as JSON.
struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn scalar<E: Error>(self, value: impl Serialize) -> Result<(), E> {
        // A vector takes everything.
        serde_json::to_writer(self.0, &value).map_err(|_impossible| E::custom("no JSON"))
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what JSON has too")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        let start = self.0.len();
        loop {
            let end = self.0.len();
            if end > start {
                self.0.push(b',');
            }
            if list.next_element_seed(Writer(self.0))?.is_none() {
                self.0.truncate(end);
                break;
            }
        }
        self.0.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.push(b'{');
        let mut first = true;
        while let Some(key) = map.next_key::<String>()? {
            if !first {
                self.0.push(b',');
            }
            first = false;
            Writer(self.0).scalar(key)?;
            self.0.push(b':');
            map.next_value_seed(Writer(self.0))?;
        }
        self.0.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn yaml_becomes_the_json_that_kubernetes_would_take_it_for() {
        for (yaml, expected) in [
            ("", ""),
            ("# nothing\n---\n", ""),
            (
                "a: 1\nb: [x, 2.5, null, true, '3']\n",
                "{\"a\":1,\"b\":[\"x\",2.5,null,true,\"3\"]}\n",
            ),
            ("a: {}\n---\nb: []\n", "{\"a\":{}}\n{\"b\":[]}\n"),
            (
                "a: |\n  two\n  \"lines\"\n",
                "{\"a\":\"two\\n\\\"lines\\\"\\n\"}\n",
            ),
            (
                "a: &x {y: z}\nb: *x\n",
                "{\"a\":{\"y\":\"z\"},\"b\":{\"y\":\"z\"}}\n",
            ),
            ("[[], [[]], a]", "[[],[[]],\"a\"]\n"),
            (
                "{\"a\": [1], \"b\": \"\\u00e9\"}",
                "{\"a\":[1],\"b\":\"é\"}\n",
            ),
        ] {
            let json = to_json(yaml).unwrap();
            assert_eq!(String::from_utf8_lossy(&json), expected, "{yaml}");
        }
    }

    #[test]
    fn what_is_broken_or_too_much_is_refused_and_not_quoted() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (before, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            let ten = vec![format!("*{before}"); 10].join(", ");
            writeln!(bomb, "{name}: &{name} [{ten}]").unwrap();
        }
        for yaml in [
            "data: {x: hunter2",
            "data: hunter2\n  x: y",
            "x: *hunter2",
            "hunter2: 1\nhunter2: 2",
            "? {hunter2: a}\n: b",
            "x: !!int hunter2",
            "x: \"hunter2\\q\"",
            &"[".repeat(100_000),
            &"- ".repeat(10_000),
            &bomb,
            &"---\na\n".repeat(10_001),
        ] {
            let error = to_json(yaml).unwrap_err();
            let line = format!("{error} {error:?}");
            assert!(line.contains("YAML at line"), "{line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
    }
}
