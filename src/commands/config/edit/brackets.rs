//! Edits flow YAML and JSON: additions go between the brackets or braces, on their own
//! lines if the existing items are.

use std::ops::Range;

use kubernetes_yaml::Node;

use super::{Editor, STEP};
use crate::commands::config::tree::{Tree, quoted};

impl Editor<'_> {
    /// Removes items of a list that is not empty, and adds others at its end.
    pub(super) fn change_brackets(
        &mut self,
        list: &Node,
        keep: impl Fn(usize) -> bool,
        added: &[Tree],
    ) {
        let spans: Vec<_> = list.items().iter().map(|item| item.span.clone()).collect();
        let end = spans.last().map_or(list.span.end, |last| last.end);
        let Some(kept) = (0..spans.len()).rfind(|&index| keep(index)) else {
            let start = spans.first().map_or(end, |first| first.start);
            let children: Vec<_> = added.iter().map(Tree::flow).collect();
            self.change(start..end, children.join(", "));
            return;
        };
        let mut dropped: Option<usize> = None;
        for (index, span) in spans.iter().enumerate().take(kept + 1) {
            match (keep(index), dropped) {
                (true, Some(from)) => {
                    self.change(from..span.start, String::new());
                    dropped = None;
                }
                (false, None) => dropped = Some(span.start),
                (true, None) | (false, Some(_)) => {}
            }
        }
        if let Some(last_kept) = spans.get(kept) {
            self.change(last_kept.end..end, String::new());
        }
        let added: Vec<_> = added.iter().map(|item| (None, item)).collect();
        self.append(list, &spans, &added);
    }

    /// Adds children to a collection in brackets or braces.
    pub(super) fn append(
        &mut self,
        collection: &Node,
        children: &[Range<usize>],
        added: &[(Option<&str>, &Tree)],
    ) {
        let open = collection.span.start + 1;
        let (at, lead) = match children {
            [] => (open, self.lead_of_first(collection)),
            [.., before, last] => (last.end, self.lead(before.end, last.start)),
            [only] => (only.end, self.lead(open, only.start)),
        };
        let indent = lead.rsplit_once('\n').map(|(_, indent)| indent.len());
        let mut text = String::new();
        for (index, (key, value)) in added.iter().enumerate() {
            if index > 0 || !children.is_empty() {
                text.push(',');
            }
            text.push_str(&lead);
            if let Some(key) = key {
                text.push_str(&quoted(key));
                text.push_str(": ");
            }
            text.push_str(&match indent {
                Some(indent) => value.pretty(indent, self.line_end),
                None => value.flow(),
            });
        }
        if let (Some(indent), true) = (indent, children.is_empty()) {
            text.push_str(self.line_end);
            text.push_str(&" ".repeat(indent.saturating_sub(STEP)));
        }
        if children.is_empty() {
            // This replaces the blanks between the brackets.
            self.change(open..collection.span.end - 1, text);
        } else {
            self.change(at..at, text);
        }
    }

    /// The text before a child: a line break and its indentation, or a blank.
    fn lead(&self, from: usize, to: usize) -> String {
        let between = self.text.get(from..to).unwrap_or_default();
        let lead = between.strip_prefix(',').unwrap_or(between);
        if lead.contains('\n') && lead.chars().all(char::is_whitespace) {
            lead.to_owned()
        } else {
            " ".to_owned()
        }
    }

    /// The same for the first child, so that JSON over several lines continues in that
    /// style.
    fn lead_of_first(&self, collection: &Node) -> String {
        if self.is_json && self.text.contains('\n') {
            let indent = self.line_indent(collection.span.start) + STEP;
            format!("{}{}", self.line_end, " ".repeat(indent))
        } else {
            String::new()
        }
    }
}
