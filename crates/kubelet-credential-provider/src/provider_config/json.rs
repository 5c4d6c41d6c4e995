//! JSON as kubelet reads it: a file whose first character is `{`.

use std::borrow::Cow;
use std::ops::Range;

use kubernetes_yaml::{Entry, MAX_DEPTH, Node, Style, SyntaxError, Value};
use secret::{Fields, Wiped};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Whether kubelet reads a text as JSON, and not as YAML.
pub(super) fn is_json(text: &[u8]) -> bool {
    let mut chunks = text.utf8_chunks();
    chunks
        .next()
        .is_some_and(|chunk| chunk.valid().trim_start().starts_with('{'))
}

/// Parses a text that is one JSON value.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| syntax_error(&error))?;
    let reader = Reader { text };
    reader.node(raw.get(), 0)
}

struct Reader<'t> {
    text: &'t str,
}

impl<'t> Reader<'t> {
    /// `raw` is a part of the text that was checked to be JSON.
    fn node(&self, raw: &'t str, depth: usize) -> Result<Node, SyntaxError> {
        let span = self.span(raw);
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deep", span.start));
        }
        let value = match raw.as_bytes().first() {
            Some(b'{') => Value::Mapping(self.entries(raw, depth, span.start)?),
            Some(b'[') => {
                let items: Vec<&RawValue> = self.decode(raw, span.start)?;
                let items = items
                    .into_iter()
                    .map(|item| self.node(item.get(), depth + 1));
                Value::Sequence(items.collect::<Result<_, _>>()?)
            }
            Some(b'"') => {
                let text: Cow<'_, str> = self.decode(raw, span.start)?;
                Value::String(Wiped::new(text.into_owned()))
            }
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(raw.to_owned()),
        };
        Ok(Node {
            value,
            span,
            style: Style::Flow,
            shared: false,
        })
    }

    fn entries(&self, raw: &'t str, depth: usize, at: usize) -> Result<Vec<Entry>, SyntaxError> {
        let Fields(fields) = self.decode(raw, at)?;
        let mut entries = Vec::with_capacity(fields.len());
        // A key is the first string after the brace or the value before it.
        let mut after = at;
        for (key, value) in fields {
            let value = self.node(value.get(), depth + 1)?;
            let between = self.text.get(after..value.span.start).unwrap_or_default();
            let start = after + between.find('"').unwrap_or_default();
            let length = between.rfind('"').map_or(0, |end| after + end + 1 - start);
            after = value.span.end;
            entries.push(Entry {
                key: key.into_owned(),
                key_span: start..start + length,
                value,
            });
        }
        Ok(entries)
    }

    fn decode<T: Deserialize<'t>>(&self, raw: &'t str, at: usize) -> Result<T, SyntaxError> {
        serde_json::from_str(raw).map_err(|_error| self.error("malformed JSON", at))
    }

    fn span(&self, raw: &str) -> Range<usize> {
        let start = raw.as_ptr().addr() - self.text.as_ptr().addr();
        start..start + raw.len()
    }

    fn error(&self, what: &str, offset: usize) -> SyntaxError {
        SyntaxError::at(what, self.text, offset)
    }
}

fn syntax_error(error: &serde_json::Error) -> SyntaxError {
    SyntaxError {
        what: "malformed JSON".to_owned(),
        line: error.line(),
        column: error.column(),
    }
}
