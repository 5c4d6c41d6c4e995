//! Edits block YAML: additions get their own lines.

use std::ops::Range;

use kubernetes_yaml::{Entry, LINE_BREAKS, Node, line_before, next_line};

use super::{Editor, ODD, Unsupported};
use crate::commands::config::tree::Tree;

impl Editor<'_> {
    /// Removes items of a list, and adds others at its end.
    pub(super) fn change_lines(
        &mut self,
        entry: &Entry,
        items: &[Node],
        keep: impl Fn(usize) -> bool,
        added: &[Tree],
    ) -> Result<(), Unsupported> {
        let mut before = entry.key_span.end;
        let mut indent = 0;
        for (index, item) in items.iter().enumerate() {
            let dash = self.dash(before, item.span.start).ok_or(ODD)?;
            indent = self.column(dash)?;
            before = item.span.end.max(dash + 1);
            if !keep(index) {
                let lines = dash - indent..next_line(self.text, before);
                self.change(lines, String::new());
            }
        }
        let lines: Vec<_> = added.iter().flat_map(Tree::yaml_item).collect();
        if !lines.is_empty() {
            let at = self.below(before, indent);
            self.add_lines(at, indent, &lines);
        }
        Ok(())
    }

    /// Replaces an empty value by lines below its key.
    pub(super) fn fill(&mut self, entry: &Entry, indent: usize, lines: &[String]) {
        let Range { mut start, end } = entry.value.span.clone();
        let line = self
            .text
            .get(..next_line(self.text, end.max(entry.key_span.end)));
        let line_end = line.unwrap_or_default().trim_end_matches(LINE_BREAKS).len();
        let mut text = self.text.get(end..line_end).unwrap_or_default().to_owned();
        if text.trim().is_empty() {
            text.clear();
            let before = self.text.get(..start).unwrap_or_default();
            start = before.trim_end_matches(' ').len();
        }
        for line in lines {
            text.push_str(self.line_end);
            text.push_str(&" ".repeat(indent));
            text.push_str(line);
        }
        self.change(start..line_end, text);
    }

    pub(super) fn add_lines(&mut self, at: usize, indent: usize, lines: &[String]) {
        let before = self.text.get(..at).unwrap_or_default();
        let mut text = String::new();
        if !before.is_empty() && !before.ends_with(LINE_BREAKS) {
            text.push_str(self.line_end);
        }
        for line in lines {
            text.push_str(&" ".repeat(indent));
            text.push_str(line);
            text.push_str(self.line_end);
        }
        self.change(at..at, text);
    }

    /// The offset for a new line after the one that ends at `end`: after comments with a
    /// deeper indentation, which belong to that line.
    pub(super) fn below(&self, end: usize, indent: usize) -> usize {
        let mut at = next_line(self.text, end);
        loop {
            let next = next_line(self.text, at);
            let line = self.text.get(at..next).unwrap_or_default();
            let content = line.trim_start_matches(' ');
            if !content.starts_with('#') || line.len() - content.len() <= indent {
                return at;
            }
            at = next;
        }
    }

    /// The dash of an item: the first one that begins a line between the preceding text
    /// and the item.
    fn dash(&self, before: usize, item: usize) -> Option<usize> {
        let mut at = next_line(self.text, before);
        while at < item {
            let line = self.text.get(at..item)?;
            let content = line.trim_start_matches(' ');
            if content.starts_with('-') {
                return Some(at + line.len() - content.len());
            }
            at = next_line(self.text, at);
        }
        None
    }

    /// The column of a byte, from 0.
    pub(super) fn column(&self, offset: usize) -> Result<usize, Unsupported> {
        let line = line_before(self.text, offset);
        let line = line.trim_start_matches('\u{feff}');
        // Only blanks and dashes may precede a key on its line.
        let plain = line.bytes().all(|byte| byte == b' ' || byte == b'-');
        plain.then_some(line.len()).ok_or(ODD)
    }
}
