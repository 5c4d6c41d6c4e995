//! YAML as kubelet reads it: the first document of a file, with the rules of YAML
//! 1.1 for what a plain word means (`yes` is a boolean, `1e3` a number).
//!
//! kubelet's reader is `sigs.k8s.io/yaml`, a go-yaml v2. Aliases are expanded, as
//! there, within a budget; so are merge keys.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{
    Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag, options,
};

use super::node::{Entry, MAX_DEPTH, Node, Style, SyntaxError, Value};

/// The most nodes of a document, those from aliases included.
const MAX_NODES: usize = 100_000;
const MERGE: &str = "<<";

/// Parses the first document; nothing where there is none.
pub(super) fn parse(text: &str) -> Result<Option<Node>, SyntaxError> {
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut reader = Reader {
        text,
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        nodes: 0,
    };
    loop {
        match reader.next()? {
            (Event::DocumentEnd | Event::StreamEnd, _) => return Ok(None),
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (event, span) => return reader.node(event, span).map(Some),
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), SyntaxError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(scan_error(&error)),
            // The stream ends with an event of its own.
            None => Err(error_at("the document does not end", Marker::default())),
        }
    }

    /// The node that begins with an event.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser may learn new events, and only these begin a node"
    )]
    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, SyntaxError> {
        self.spend(1, span)?;
        let (mut node, anchor) = match event {
            Event::Alias(id) => {
                let mut node = self.alias(id, span)?;
                node.share();
                node.span = bytes(span);
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(text, style, tag.as_deref());
                (
                    node(value, self.scalar_bytes(span, style), Style::Block),
                    anchor,
                )
            }
            Event::SequenceStart(style, anchor, _) => (self.sequence(span, style)?, anchor),
            Event::MappingStart(style, anchor, _) => (self.mapping(span, style)?, anchor),
            _ => {
                return Err(error_at(
                    "a part of YAML that is not known here",
                    span.start,
                ));
            }
        };
        if anchor != 0 {
            node.shared = true;
            // A copy is kept, and counts as one.
            self.spend(node.count(), span)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node, SyntaxError> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(error_at("an alias inside of its own anchor", span.start));
        };
        let count = node.count();
        let node = node.clone();
        self.spend(count, span)?;
        Ok(node)
    }

    fn sequence(&mut self, start: Span, style: StructureStyle) -> Result<Node, SyntaxError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let last = items.last().map(|item: &Node| item.span.end);
                    let (span, style) = extent(start, end, style, last);
                    return Ok(node(Value::Sequence(items), span, style));
                }
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn mapping(&mut self, start: Span, style: StructureStyle) -> Result<Node, SyntaxError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        let mut last = None;
        loop {
            let (key, key_span) = match self.next()? {
                (Event::MappingEnd, end) => {
                    merge(&mut entries, merged);
                    let (span, style) = extent(start, end, style, last);
                    return Ok(node(Value::Mapping(entries), span, style));
                }
                (Event::Scalar(key, key_style, _, _), span) => {
                    let is_merge = key_style == ScalarStyle::Plain && key == MERGE;
                    ((key.into_owned(), is_merge), span)
                }
                (_, span) => return Err(error_at("a key that is no plain text", span.start)),
            };
            self.spend(1, key_span)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            last = Some(value.span.end);
            let ((key, is_merge), key_span) = (key, bytes(key_span));
            if is_merge {
                merged.push(value);
            } else {
                entries.push(Entry {
                    key,
                    key_span,
                    value,
                });
            }
        }
    }

    /// The span of a block scalar goes on to the next token; the last line break
    /// and what follows it are not its own.
    fn scalar_bytes(&self, span: Span, style: ScalarStyle) -> Range<usize> {
        let Range { start, end } = bytes(span);
        if !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return start..end;
        }
        let written = self.text.get(start..end).unwrap_or_default();
        let lines = written.trim_end_matches([' ', '\t']);
        let lines = lines.strip_suffix('\n').unwrap_or(lines);
        let lines = lines.strip_suffix('\r').unwrap_or(lines);
        start..start + lines.len()
    }

    fn spend(&mut self, nodes: usize, span: Span) -> Result<(), SyntaxError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            let what = format!("more than {MAX_NODES} values, those from aliases included,");
            return Err(error_at(&what, span.start));
        }
        Ok(())
    }
}

/// A merge key gives what the mapping does not say itself.
fn merge(entries: &mut Vec<Entry>, merged: Vec<Node>) {
    let mappings = merged.into_iter().flat_map(|node| match node.value {
        Value::Sequence(items) => items,
        Value::Null | Value::Bool(_) | Value::Number | Value::String(_) | Value::Mapping(_) => {
            vec![node]
        }
    });
    for mut mapping in mappings {
        mapping.share();
        let Value::Mapping(others) = mapping.value else {
            continue;
        };
        for other in others {
            if !entries.iter().any(|entry| entry.key == other.key) {
                entries.push(other);
            }
        }
    }
}

fn node(value: Value, span: Range<usize>, style: Style) -> Node {
    Node {
        value,
        span,
        style,
        shared: false,
    }
}

/// Where a collection stands: the end event of a block collection comes only with
/// the next token, after comments and blank lines.
fn extent(
    start: Span,
    end: Span,
    style: StructureStyle,
    last: Option<usize>,
) -> (Range<usize>, Style) {
    let from = bytes(start).start;
    match style {
        StructureStyle::Flow => (from..bytes(end).end, Style::Flow),
        StructureStyle::Block => (from..last.unwrap_or(from), Style::Block),
    }
}

fn bytes(span: Span) -> Range<usize> {
    // Parsers of a string know every offset.
    span.byte_range().unwrap_or_default()
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text = match tag {
        Some(tag) => !matches!(tag.core_suffix(), Some("bool" | "int" | "float" | "null")),
        None => style != ScalarStyle::Plain,
    };
    if is_text {
        return Value::String(text.into_owned());
    }
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        plain if is_number(plain) => Value::Number,
        _ => Value::String(text.into_owned()),
    }
}

/// Whether go-yaml takes a plain word for a number.
fn is_number(word: &str) -> bool {
    let digits = word.replace('_', "");
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
    if !word.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return false;
    }
    let of_radix = |prefix: &str, radix: u32| {
        unsigned
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) || of_radix("0x", 16)
        || of_radix("0X", 16)
        || of_radix("0o", 8)
        || of_radix("0b", 2)
        || is_decimal(unsigned)
}

/// Digits, perhaps with a point and an exponent.
fn is_decimal(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent_fits
}

fn scan_error(error: &ScanError) -> SyntaxError {
    error_at(&error.info(), *error.marker())
}

fn error_at(what: &str, marker: Marker) -> SyntaxError {
    SyntaxError {
        what: what.to_owned(),
        line: marker.line(),
        column: marker.col() + 1,
    }
}
