//! Builds documents from the events of the parser.

use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;

use libyaml_safer::{
    Encoding, Error, Event, EventData, MappingStyle, Parser, ScalarStyle, SequenceStyle,
};

use crate::line::strip_line_break;
use crate::node::{Entry, MAX_DEPTH, Node, Style, SyntaxError, Value};
use crate::scalar;

/// The limits of [`parse`].
const ONE_DOCUMENT: Limits = Limits {
    documents: 1,
    nodes: 100_000,
    expanded: 100_000,
};
const MERGE: &str = "<<";
const MERGE_TAG: &str = "tag:yaml.org,2002:merge";
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Limits on what is read from a text.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The number of documents.
    pub documents: usize,
    /// The number of nodes of all documents, those from aliases included.
    pub nodes: usize,
    /// The number of nodes from aliases.
    pub expanded: usize,
}

/// Parses the first document, of at most 100,000 nodes; `None` if there is none.
///
/// # Errors
/// The document is not valid YAML, or too large.
pub fn parse(text: &str) -> Result<Option<Node>, SyntaxError> {
    Ok(read(text, ONE_DOCUMENT, 1)?.pop())
}

/// Parses all documents, and leaves out empty ones.
///
/// # Errors
/// The text is not valid YAML, or exceeds `limits`.
pub fn documents(text: &str, limits: Limits) -> Result<Vec<Node>, SyntaxError> {
    let mut documents = read(text, limits, usize::MAX)?;
    documents.retain(|document| document.value != Value::Null);
    Ok(documents)
}

/// Reads at most `count` documents.
fn read(text: &str, limits: Limits, count: usize) -> Result<Vec<Node>, SyntaxError> {
    let failed = |failure: Failure| SyntaxError::at(failure.what, text, failure.offset);
    let read = |text: &str| Reader::new(text, limits).documents(count);
    refuse_tags_before_commas(text, |probe| read(probe).err()).map_err(failed)?;
    read(text).map_err(failed)
}

/// What is wrong, and its offset.
struct Failure {
    what: String,
    offset: usize,
}

/// A text, and a line break if its last line has none: without one the parser panics in a
/// block scalar.
type Input<'t> = io::Chain<&'t [u8], &'t [u8]>;

/// Refuses `[!tag, value]`, on which the parser panics. To find it, the `!` of each
/// candidate is replaced by a character that begins no token: the parser then stops
/// there, unless the candidate is inside a string or a comment.
fn refuse_tags_before_commas(
    text: &str,
    read: impl Fn(&str) -> Option<Failure>,
) -> Result<(), Failure> {
    let is_candidate = |word: &str| {
        word.split_once('!')
            .is_some_and(|(_, rest)| rest.contains(','))
    };
    let words = text.split_inclusive(char::is_whitespace);
    let probe: String = words
        .map(|word| {
            if is_candidate(word) {
                word.replace('!', "`")
            } else {
                word.to_owned()
            }
        })
        .collect();
    if probe == text {
        return Ok(());
    }
    match read(&probe) {
        Some(Failure { offset, .. })
            if text.get(offset..).is_some_and(|rest| rest.starts_with('!')) =>
        {
            let what = "a comma right after a tag".to_owned();
            Err(Failure { what, offset })
        }
        Some(_) | None => Ok(()),
    }
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<Input<'t>>,
    /// The number of bytes that the parser does not see: a byte order mark.
    skipped: usize,
    anchors: HashMap<String, Node>,
    /// The remaining limits.
    left: Limits,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, limits: Limits) -> Self {
        let seen = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let is_ended = strip_line_break(seen).is_some();
        let line_break: &[u8] = if is_ended { b"" } else { b"\n" };
        let mut parser = Parser::new();
        parser.set_encoding(Encoding::Utf8);
        parser.set_input(seen.as_bytes().chain(line_break));
        Self {
            text,
            parser,
            skipped: text.len() - seen.len(),
            anchors: HashMap::new(),
            left: limits,
        }
    }

    /// Reads at most `count` documents.
    fn documents(&mut self, count: usize) -> Result<Vec<Node>, Failure> {
        let mut documents = Vec::new();
        while documents.len() < count
            && let Some(document) = self.document()?
        {
            let start = document.span.start;
            spend(&mut self.left.documents, 1, "documents", start)?;
            documents.push(document);
        }
        Ok(documents)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "these four come before a document's node, or instead of it"
    )]
    fn document(&mut self) -> Result<Option<Node>, Failure> {
        self.anchors.clear();
        loop {
            let event = self.next()?;
            match event.data {
                EventData::DocumentEnd { .. } | EventData::StreamEnd => return Ok(None),
                EventData::DocumentStart {
                    version_directive: Some(version),
                    ..
                } if (version.major, version.minor) != (1, 1) => {
                    let offset = self.offset(event.start_mark.index);
                    return Err(fail("a version of YAML other than 1.1", offset));
                }
                EventData::StreamStart { .. } | EventData::DocumentStart { .. } => {}
                _ => {
                    let node = self.node(event, 0)?;
                    // The next event must end the document.
                    self.next()?;
                    return Ok(Some(node));
                }
            }
        }
    }

    fn next(&mut self) -> Result<Event, Failure> {
        self.parser.parse().map_err(|error| self.failure(&error))
    }

    /// Reads the node that begins with an event; `depth` is the number of nodes that it
    /// is in.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only these events begin a node"
    )]
    fn node(&mut self, event: Event, depth: usize) -> Result<Node, Failure> {
        let span = self.span(&event);
        let start = span.start;
        self.spend(1, start)?;
        if depth > MAX_DEPTH {
            return Err(fail("nested too deep", start));
        }
        let (mut node, anchor) = match event.data {
            EventData::Alias { anchor } => return self.alias(&anchor, span),
            EventData::Scalar {
                anchor,
                tag,
                mut value,
                plain_implicit,
                style,
                ..
            } => {
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if is_block && self.is_beyond(event.end_mark.index) && value.ends_with('\n') {
                    value.pop();
                }
                let value = scalar::resolve(tag.as_deref(), value, plain_implicit)
                    .map_err(|what| fail(what, start))?;
                let span = if is_block {
                    self.without_line_break(span)
                } else {
                    span
                };
                (node(value, span, Style::Block), anchor)
            }
            EventData::SequenceStart { anchor, style, .. } => {
                let is_flow = style == SequenceStyle::Flow;
                (self.sequence(is_flow, span.end, depth)?, anchor)
            }
            EventData::MappingStart { anchor, style, .. } => {
                let is_flow = style == MappingStyle::Flow;
                (self.mapping(is_flow, span.end, depth)?, anchor)
            }
            _ => return Err(fail("a part of YAML that is not supported", start)),
        };
        if let Some(anchor) = anchor {
            node.shared = true;
            // The anchor keeps a copy, which counts like nodes from an alias.
            self.expand(node.count(), start)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: &str, span: Range<usize>) -> Result<Node, Failure> {
        let Some(node) = self.anchors.get(anchor) else {
            // This also refuses an alias inside of its own anchor.
            return Err(fail("an alias without an anchor before it", span.start));
        };
        let mut node = node.clone();
        self.expand(node.count(), span.start)?;
        node.share();
        node.span = span;
        Ok(node)
    }

    /// `open` is the offset after its start event: after the bracket, if there is one.
    fn sequence(&mut self, is_flow: bool, open: usize, depth: usize) -> Result<Node, Failure> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let event = self.next()?;
            if event.data == EventData::SequenceEnd {
                let last = items.last().map(|item| item.span.end);
                let (span, style) = extent(is_flow, open, self.span(&event).end, last);
                return Ok(node(Value::Sequence(items), span, style));
            }
            items.push(self.node(event, depth + 1)?);
        }
    }

    /// As [`sequence`](Self::sequence).
    fn mapping(&mut self, is_flow: bool, open: usize, depth: usize) -> Result<Node, Failure> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut last = None;
        loop {
            let event = self.next()?;
            if event.data == EventData::MappingEnd {
                let (span, style) = extent(is_flow, open, self.span(&event).end, last);
                return Ok(node(Value::Mapping(entries), span, style));
            }
            let key_span = self.span(&event);
            let is_merge = is_merge(&event.data);
            let key = self.key(event, depth)?;
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            last = Some(value.span.end);
            if is_merge {
                merge(&mut entries, value)?;
            } else {
                entries.push(Entry {
                    key,
                    key_span,
                    value,
                });
            }
        }
    }

    /// The text of a key. A boolean or number is kept as written, since no field has such
    /// a name.
    fn key(&mut self, event: Event, depth: usize) -> Result<String, Failure> {
        let node = self.node(event, depth + 1)?;
        match node.value {
            Value::String(text) => Ok(text.as_str().to_owned()),
            Value::Bool(_) | Value::Number(_) => {
                let written = self.text.get(node.span).unwrap_or_default();
                Ok(written.to_owned())
            }
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => {
                Err(fail("a key that is not a string", node.span.start))
            }
        }
    }

    fn spend(&mut self, nodes: usize, offset: usize) -> Result<(), Failure> {
        spend(&mut self.left.nodes, nodes, "values", offset)
    }

    fn expand(&mut self, nodes: usize, offset: usize) -> Result<(), Failure> {
        spend(
            &mut self.left.expanded,
            nodes,
            "values from aliases",
            offset,
        )?;
        self.spend(nodes, offset)
    }

    fn span(&self, event: &Event) -> Range<usize> {
        self.offset(event.start_mark.index)..self.offset(event.end_mark.index)
    }

    fn offset(&self, index: u64) -> usize {
        self.offset_seen(index).min(self.text.len())
    }

    /// Whether an index is after the added line break.
    fn is_beyond(&self, index: u64) -> bool {
        self.offset_seen(index) > self.text.len()
    }

    fn offset_seen(&self, index: u64) -> usize {
        let seen = usize::try_from(index).unwrap_or(usize::MAX);
        self.skipped.saturating_add(seen)
    }

    /// The span of a block scalar without its last line break.
    fn without_line_break(&self, span: Range<usize>) -> Range<usize> {
        let written = self.text.get(span.clone()).unwrap_or_default();
        let written = strip_line_break(written).unwrap_or(written);
        span.start..span.start + written.len()
    }

    fn failure(&self, error: &Error) -> Failure {
        let offset = match error.problem_mark() {
            Some(mark) => self.offset(mark.index),
            // The parser does not report the position.
            None => self.text.find(is_forbidden).unwrap_or_default(),
        };
        fail(error.problem(), offset)
    }
}

fn spend(left: &mut usize, count: usize, what: &str, offset: usize) -> Result<(), Failure> {
    let rest = left.checked_sub(count);
    *left = rest.ok_or_else(|| fail(format!("too many {what}"), offset))?;
    Ok(())
}

fn fail(what: impl Into<String>, offset: usize) -> Failure {
    let what = what.into();
    Failure { what, offset }
}

/// Control characters except tabs and line breaks, and non-characters.
fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
        || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only a scalar is a merge key"
)]
fn is_merge(key: &EventData) -> bool {
    match key {
        EventData::Scalar {
            value,
            tag,
            plain_implicit,
            ..
        } => value == MERGE && (*plain_implicit || tag.as_deref() == Some(MERGE_TAG)),
        _ => false,
    }
}

/// Adds the entries of a mapping, or of each mapping of a list. An entry whose key exists
/// already is a repeated key, which go-yaml refuses in strict mode.
fn merge(entries: &mut Vec<Entry>, merged: Node) -> Result<(), Failure> {
    let offset = merged.span.start;
    let mappings = match merged.value {
        Value::Sequence(items) => items,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Mapping(_) => {
            vec![merged]
        }
    };
    for mut mapping in mappings {
        mapping.share();
        let Value::Mapping(mut others) = mapping.value else {
            return Err(fail("a merge key without an object", offset));
        };
        entries.append(&mut others);
    }
    Ok(())
}

fn node(value: Value, span: Range<usize>, style: Style) -> Node {
    Node {
        value,
        span,
        style,
        shared: false,
    }
}

/// The span of a collection. The parser reports the end of a block collection only with
/// the next token, after comments and blank lines.
fn extent(is_flow: bool, open: usize, end: usize, last: Option<usize>) -> (Range<usize>, Style) {
    if is_flow {
        (open.saturating_sub(1)..end, Style::Flow)
    } else {
        (open..last.unwrap_or(open).max(open), Style::Block)
    }
}

#[cfg(test)]
mod tests;
