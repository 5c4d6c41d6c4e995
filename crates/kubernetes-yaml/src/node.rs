//! A document as a tree. Each node has its position in the text, so that messages can
//! name its line, and it can be replaced without touching the rest.

use std::fmt;
use std::ops::Range;

use secret::Wiped;
use serde_json::{Map, Value as Json};

use crate::line::{line_before, line_of};
use crate::number::number;

/// The deepest nesting of a document.
pub const MAX_DEPTH: usize = 64;

/// A value and its position in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its bytes in the text. A block collection extends from its first key or item to
    /// the end of its last one. Empty if nothing is written for the value.
    pub span: Range<usize>,
    /// How a collection is written.
    pub style: Style,
    /// Whether it has a YAML anchor or comes from one, so that an edit here would affect
    /// another place of the text.
    pub shared: bool,
}

/// How a collection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// By indentation; also used for values that are not collections.
    Block,
    /// With brackets or braces, as everything in JSON.
    Flow,
}

/// A value as Kubernetes reads it. `Debug` shows only the kind, since a value may be a
/// secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`, in YAML also `yes`, `no`, `on`, `off`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A text.
    String(Wiped<String>),
    /// A list.
    Sequence(Vec<Node>),
    /// An object, with its keys in file order, repeated ones included.
    Mapping(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its bytes in the text, quotes included.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Node,
}

/// The error of a text that is not a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct SyntaxError {
    /// What is wrong; contains nothing of the text.
    pub what: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

impl SyntaxError {
    /// An error at a byte of a text; `what` must contain nothing of the text.
    pub fn at(what: impl Into<String>, text: &str, offset: usize) -> Self {
        Self {
            what: what.into(),
            line: line_of(text, offset),
            column: 1 + line_before(text, offset).chars().count(),
        }
    }
}

impl Node {
    /// The value under a key of a mapping, the first one of that name.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// The value under a key of a mapping, the last one of that name, which is the one
    /// that go-yaml uses.
    pub fn last(&self, key: &str) -> Option<&Self> {
        let mut entries = self.entries().iter().rev();
        let entry = entries.find(|entry| entry.key == key)?;
        Some(&entry.value)
    }

    /// The value of a field such as `providers[0].name`; if it does not exist, the
    /// innermost existing value on the way to it.
    pub fn at(&self, field: &str) -> &Self {
        let mut node = self;
        // The name of a list, then the numbers in its brackets.
        for step in field.split(['.', '[']) {
            let next = match step.strip_suffix(']') {
                Some(index) => index
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| node.items().get(index)),
                None => node.get(step),
            };
            let Some(next) = next else { break };
            node = next;
        }
        node
    }

    /// The entries of a mapping; empty for other values.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Sequence(_) => &[],
        }
    }

    /// The items of a list; empty for other values.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Mapping(_) => &[],
        }
    }

    /// The text, if the value is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => None,
        }
    }

    /// The boolean, if the value is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => None,
        }
    }

    /// The node of this text as JSON. Numbers that JSON cannot represent are null.
    ///
    /// # Errors
    /// An object has a repeated key.
    pub fn to_json(&self, text: &str) -> Result<Json, SyntaxError> {
        Ok(match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(written) => number(written),
            Value::String(value) => Json::from(value.as_str()),
            Value::Sequence(items) => {
                let items = items.iter().map(|item| item.to_json(text));
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Mapping(entries) => {
                let mut object = Map::new();
                for entry in entries {
                    let value = entry.value.to_json(text)?;
                    if object.insert(entry.key.clone(), value).is_some() {
                        let start = entry.key_span.start;
                        return Err(SyntaxError::at("a repeated key", text, start));
                    }
                }
                Json::Object(object)
            }
        })
    }

    /// Whether this node or any node in it is [`shared`](Self::shared).
    pub fn has_shared(&self) -> bool {
        self.shared
            || self.items().iter().any(Self::has_shared)
            || self.entries().iter().any(|entry| entry.value.has_shared())
    }

    /// The number of nodes, keys not counted.
    pub(crate) fn count(&self) -> usize {
        let items = self.items().iter();
        let values = self.entries().iter().map(|entry| &entry.value);
        1 + items.chain(values).map(Self::count).sum::<usize>()
    }

    /// Marks this node and all nodes in it as shared.
    pub(crate) fn share(&mut self) {
        self.shared = true;
        match &mut self.value {
            Value::Sequence(items) => items.iter_mut().for_each(Self::share),
            Value::Mapping(entries) => entries.iter_mut().for_each(|entry| entry.value.share()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

impl Value {
    /// The kind of value, for messages: `a string`, `an object`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "an object",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}
