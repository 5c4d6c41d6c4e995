//! The Secrets that a test puts into the cluster.
//!
//! Nothing is validated: a test of hostile content must be able to store what
//! a real API server would refuse.

use std::collections::BTreeMap;

use serde_json::Value;

/// A Secret as its author writes it. The cluster adds `uid`, `resourceVersion`,
/// `creationTimestamp` and `managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub struct Secret {
    name: String,
    content: Content,
}

/// The content of a [`Secret`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// An ordinary object.
    Typed {
        kind: String,
        data: BTreeMap<String, Vec<u8>>,
        annotations: BTreeMap<String, String>,
    },
    /// Any JSON, returned unchanged.
    Raw(Value),
}

impl Secret {
    /// A Secret of type `kubernetes.io/dockerconfigjson` with that text under
    /// `.dockerconfigjson`.
    pub fn docker_config_json(name: &str, json: &str) -> Self {
        Self::one(
            name,
            "kubernetes.io/dockerconfigjson",
            ".dockerconfigjson",
            json,
        )
    }

    /// A Secret of type `kubernetes.io/dockercfg` with that text under
    /// `.dockercfg`.
    pub fn dockercfg(name: &str, json: &str) -> Self {
        Self::one(name, "kubernetes.io/dockercfg", ".dockercfg", json)
    }

    /// A Secret of type `Opaque` with one key.
    pub fn opaque(name: &str, key: &str, value: &str) -> Self {
        Self::one(name, "Opaque", key, value)
    }

    /// A Secret of any type with any keys and bytes.
    pub fn raw_data(name: &str, kind: &str, data: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            content: Content::Typed {
                kind: kind.to_owned(),
                data,
                annotations: BTreeMap::new(),
            },
        }
    }

    /// Any JSON, returned verbatim in lists and single responses. `name` is its name for
    /// sorting and for requests, whatever the JSON contains. A field selector compares
    /// its `type`, and selects it if that is missing or not a string.
    pub fn raw_json(name: &str, json: Value) -> Self {
        Self {
            name: name.to_owned(),
            content: Content::Raw(json),
        }
    }

    /// Adds an annotation. Has no effect on [`Secret::raw_json`].
    #[must_use]
    pub fn with_annotation(mut self, key: &str, value: &str) -> Self {
        if let Content::Typed { annotations, .. } = &mut self.content {
            annotations.insert(key.to_owned(), value.to_owned());
        }
        self
    }

    /// The name the Secret is stored under.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn into_content(self) -> Content {
        self.content
    }

    fn one(name: &str, kind: &str, key: &str, value: &str) -> Self {
        let data = BTreeMap::from([(key.to_owned(), value.as_bytes().to_vec())]);
        Self::raw_data(name, kind, data)
    }
}
