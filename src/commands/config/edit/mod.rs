//! Edits a text at the positions in its tree; every other byte stays unchanged.
//!
//! Additions have the style of the text around them: lines in block YAML; in flow YAML
//! and JSON, items in the brackets, on their own lines if the existing ones are.

mod lines;
mod brackets;

use std::ops::Range;

use kubelet_credential_provider::provider_config::Document;
use kubernetes_yaml::{Entry, LINE_BREAKS, Node, Style, Value, line_before};

use super::tree::Tree;

/// The reason why a part of the file cannot be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unsupported(pub(super) &'static str);

const ODD: Unsupported = Unsupported("its layout is not supported");
const SHARED: Unsupported = Unsupported("the part to change has a YAML anchor, alias or merge key");
/// The indentation of an added value below its key.
const STEP: usize = 2;

/// The changes to one document.
pub(super) struct Editor<'d> {
    text: &'d str,
    is_json: bool,
    line_end: &'static str,
    changes: Vec<(Range<usize>, String)>,
}

impl<'d> Editor<'d> {
    pub(super) fn new(document: &'d Document) -> Self {
        let text = document.text.as_str();
        Self {
            text,
            is_json: document.is_json,
            line_end: if text.contains("\r\n") { "\r\n" } else { "\n" },
            changes: Vec::new(),
        }
    }

    /// The text with all changes.
    pub(super) fn finish(mut self) -> String {
        self.changes
            .sort_by_key(|(range, _)| (range.start, range.end));
        let mut result = String::with_capacity(self.text.len());
        let mut done = 0;
        for (range, new) in &self.changes {
            result.push_str(self.text.get(done..range.start).unwrap_or_default());
            // Lines after a last line without a line break need one before them.
            let is_ended = range.start == self.text.len() && result.ends_with(LINE_BREAKS);
            let without = new.strip_prefix(self.line_end).filter(|_| is_ended);
            result.push_str(without.unwrap_or(new));
            done = range.end.max(done);
        }
        result.push_str(self.text.get(done..).unwrap_or_default());
        result
    }

    /// Sets a key of a mapping to a value that is not a collection, or adds the key.
    pub(super) fn set(
        &mut self,
        mapping: &Node,
        key: &'static str,
        value: &Tree,
    ) -> Result<(), Unsupported> {
        match mapping.entries().iter().find(|entry| entry.key == key) {
            Some(entry) => self.replace(mapping, entry, value),
            None => self.add_field(mapping, key, value),
        }
    }

    /// Replaces the value of an entry of a mapping.
    pub(super) fn replace(
        &mut self,
        mapping: &Node,
        entry: &Entry,
        value: &Tree,
    ) -> Result<(), Unsupported> {
        let node = &entry.value;
        if node.has_shared() || mapping.shared {
            return Err(SHARED);
        }
        let is_scalar = matches!(value, Tree::Word(_) | Tree::Text(_) | Tree::Bool(_));
        let is_empty = match &node.value {
            Value::Null => true,
            Value::Sequence(items) => items.is_empty(),
            Value::Mapping(entries) => entries.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        if is_empty && !is_scalar && mapping.style == Style::Block {
            let indent = self.column(entry.key_span.start)? + STEP;
            self.fill(entry, indent, &value.yaml());
            return Ok(());
        }
        let is_leaf = node.items().is_empty() && node.entries().is_empty();
        if node.style == Style::Block && !is_leaf {
            return Err(ODD);
        }
        if node.span.is_empty() {
            let after = self.text.get(entry.key_span.end..).unwrap_or_default();
            let colon = after.find(':').ok_or(ODD)? + entry.key_span.end + 1;
            let written = self.written(value, 0);
            self.change(colon..colon, format!(" {written}"));
        } else {
            let written = self.written(value, self.line_indent(node.span.start));
            self.change(node.span.clone(), written);
        }
        Ok(())
    }

    /// Adds a key to a mapping, after its last one.
    pub(super) fn add_field(
        &mut self,
        mapping: &Node,
        key: &'static str,
        value: &Tree,
    ) -> Result<(), Unsupported> {
        if mapping.shared {
            return Err(SHARED);
        }
        let entries = mapping.entries();
        match (mapping.style, entries) {
            (Style::Block, [first, ..]) => {
                let indent = self.column(first.key_span.start)?;
                let keys = entries.iter().map(|entry| entry.key_span.end);
                let end = keys.max().unwrap_or_default().max(mapping.span.end);
                let at = self.below(end, indent);
                self.add_lines(at, indent, &value.yaml_field(key));
                Ok(())
            }
            (Style::Block, []) => Err(ODD),
            (Style::Flow, _) => {
                let children = entries.iter().map(|entry| {
                    let end = entry.key_span.end.max(entry.value.span.end);
                    entry.key_span.start..end
                });
                let children: Vec<_> = children.collect();
                self.append(mapping, &children, &[(Some(key), value)]);
                Ok(())
            }
        }
    }

    /// Drops items of a list, and adds others at its end. The list is the value
    /// of `entry`.
    pub(super) fn change_items(
        &mut self,
        entry: &Entry,
        keep: impl Fn(usize) -> bool,
        added: &[Tree],
    ) -> Result<(), Unsupported> {
        let sequence = &entry.value;
        let items = sequence.items();
        if added.is_empty() && (0..items.len()).all(&keep) {
            return Ok(());
        }
        if sequence.has_shared() {
            return Err(SHARED);
        }
        if sequence.style == Style::Block {
            return self.change_lines(entry, items, keep, added);
        }
        self.change_brackets(sequence, keep, added);
        Ok(())
    }

    fn written(&self, value: &Tree, indent: usize) -> String {
        match value {
            Tree::Word(word) if !self.is_json => (*word).to_owned(),
            Tree::List(_) | Tree::Object(_) if self.is_json && self.text.contains('\n') => {
                value.pretty(indent, self.line_end)
            }
            Tree::Word(_) | Tree::Text(_) | Tree::Bool(_) | Tree::List(_) | Tree::Object(_) => {
                value.flow()
            }
        }
    }

    fn change(&mut self, range: Range<usize>, text: String) {
        self.changes.push((range, text));
    }

    /// The indentation of the line of a byte.
    fn line_indent(&self, offset: usize) -> usize {
        let line = line_before(self.text, offset);
        line.len() - line.trim_start_matches([' ', '\t']).len()
    }
}
