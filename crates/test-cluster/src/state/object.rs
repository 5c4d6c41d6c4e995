//! A stored Secret, and the forms in which it is returned. Fields are in the order in
//! which a real API server writes them.

use std::{collections::BTreeMap, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    clock, random,
    secret::{Content, Secret},
};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A Secret as stored.
#[derive(Debug)]
pub(crate) enum Object {
    /// An object with the server's own metadata.
    Typed {
        metadata: Box<Metadata>,
        data: BTreeMap<String, String>,
        kind: String,
    },
    /// JSON that is returned unchanged.
    Raw(Value),
}

/// `metadata` of a stored object.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
    creation_timestamp: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    managed_fields: [ManagedFields; 1],
}

/// A stored object as it is written into a response.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Item<'a> {
    /// The whole object; `kind` and `apiVersion` are absent inside a list.
    #[serde(rename_all = "camelCase")]
    Whole {
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        api_version: Option<&'static str>,
        metadata: &'a Metadata,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        data: &'a BTreeMap<String, String>,
        r#type: &'a str,
    },
    /// JSON as it is.
    Raw(&'a Value),
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ManagedFields {
    manager: &'static str,
    operation: &'static str,
    api_version: &'static str,
    time: String,
    fields_type: &'static str,
    fields_v1: Value,
}

impl Object {
    /// Makes the object of `secret` at `revision`.
    pub(crate) fn new(namespace: &str, secret: Secret, revision: u64) -> Self {
        let name = secret.name().to_owned();
        let (kind, data, annotations) = match secret.into_content() {
            Content::Raw(json) => return Self::Raw(json),
            Content::Typed {
                kind,
                data,
                annotations,
            } => (kind, data, annotations),
        };
        let now = clock::rfc3339(SystemTime::now());
        let managed_fields = [ManagedFields {
            manager: if annotations.contains_key(LAST_APPLIED) {
                "kubectl-client-side-apply"
            } else {
                "kubectl-create"
            },
            operation: "Update",
            api_version: "v1",
            time: now.clone(),
            fields_type: "FieldsV1",
            fields_v1: owned_fields(&data, &annotations),
        }];
        Self::Typed {
            metadata: Box::new(Metadata {
                name,
                namespace: namespace.to_owned(),
                uid: random::uuid(),
                resource_version: revision.to_string(),
                creation_timestamp: now,
                annotations,
                managed_fields,
            }),
            data: data
                .into_iter()
                .map(|(key, value)| (key, STANDARD.encode(value)))
                .collect(),
            kind,
        }
    }

    /// The Secret's name, if it has one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Typed { metadata, .. } => Some(&metadata.name),
            Self::Raw(json) => json.pointer("/metadata/name").and_then(Value::as_str),
        }
    }

    /// The Secret's type, if it has one.
    pub(crate) fn kind(&self) -> Option<&str> {
        match self {
            Self::Typed { kind, .. } => Some(kind),
            Self::Raw(json) => json.get("type").and_then(Value::as_str),
        }
    }

    /// The object as an item of a list, or (`alone`) as a whole response.
    pub(crate) fn item(&self, alone: bool) -> Item<'_> {
        match self {
            Self::Typed {
                metadata,
                data,
                kind,
            } => Item::Whole {
                kind: alone.then_some("Secret"),
                api_version: alone.then_some("v1"),
                metadata,
                data,
                r#type: kind,
            },
            Self::Raw(json) => Item::Raw(json),
        }
    }
}

/// The `fieldsV1` set of a `kubectl` that wrote the whole object.
fn owned_fields(data: &BTreeMap<String, Vec<u8>>, annotations: &BTreeMap<String, String>) -> Value {
    let mut fields = Map::new();
    if !data.is_empty() {
        fields.insert("f:data".to_owned(), owned_keys(data));
    }
    if !annotations.is_empty() {
        let metadata = json!({"f:annotations": owned_keys(annotations)});
        fields.insert("f:metadata".to_owned(), metadata);
    }
    fields.insert("f:type".to_owned(), json!({}));
    Value::Object(fields)
}

fn owned_keys<V>(fields: &BTreeMap<String, V>) -> Value {
    let owned = fields.keys().map(|key| (format!("f:{key}"), json!({})));
    let whole = (".".to_owned(), json!({}));
    Value::Object([whole].into_iter().chain(owned).collect())
}
