//! JSON objects, where an array is an error.
//!
//! serde's derived decoders also accept an array, with the fields in order. kubelet and
//! the API server never write one, but a forged token may contain one.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// A `T` that is decoded from a JSON object, not from an array.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Named<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }

    #[test]
    fn an_object_is_accepted_and_an_array_is_refused() {
        let Object(named): Object<Named<'_>> = serde_json::from_str(r#"{"name":"a"}"#).unwrap();
        assert!(matches!(named.name, Cow::Borrowed("a")));
        for other in [r#"["a"]"#, "null", r#""a""#, "5"] {
            assert!(
                serde_json::from_str::<Object<Named<'_>>>(other).is_err(),
                "{other}"
            );
        }
    }
}
