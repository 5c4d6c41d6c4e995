//! TOML as a tree with line numbers, read as BurntSushi/toml decodes into a Go structure.
//!
//! - A key is looked up as it is spelled, else folded as by `strings.EqualFold`. If one
//!   table has both spellings, Go uses either at random; here the exact one is used.
//! - A known key of the wrong type is an error; an unknown key may have any type.
//! - A number that does not fit 64 bits is an error everywhere, and so is a leap
//!   second.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::error::{Invalid, Refusal};

/// A second that is valid in RFC 3339 and TOML, but not in Go's `time`.
const LEAP_SECOND: u8 = 60;

/// The lines of a file: turns an offset into a line number, from 1.
#[derive(Debug)]
pub(crate) struct Lines {
    breaks: Vec<usize>,
}

/// A table, with the line in which it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'t> {
    pub(crate) line: usize,
    entries: &'t DeTable<'t>,
    lines: &'t Lines,
}

/// A value, with its key and its position in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'t> {
    offset: usize,
    key: &'t str,
    value: &'t DeValue<'t>,
    lines: &'t Lines,
}

/// A string with its line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) line: usize,
}

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self {
            breaks: text.match_indices('\n').map(|(at, _)| at).collect(),
        }
    }

    pub(crate) fn at(&self, offset: usize) -> usize {
        self.breaks.partition_point(|at| *at < offset) + 1
    }
}

impl<'t> Table<'t> {
    /// The table of the whole file, after a check of its numbers and times.
    pub(crate) fn root(entries: &'t DeTable<'t>, lines: &'t Lines) -> Result<Self, Refusal> {
        let root = Self {
            line: 1,
            entries,
            lines,
        };
        root.nodes().try_for_each(check_scalars)?;
        Ok(root)
    }

    /// The value of a known key, if it exists.
    pub(crate) fn get<T>(
        &self,
        key: &str,
        decode: impl Fn(Node<'t>) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        let mut found = None;
        for node in self.nodes().filter(|n| is_folded(n.key, key)) {
            let decoded = decode(node)?;
            if found.is_none() || node.key == key {
                found = Some(decoded);
            }
        }
        Ok(found)
    }

    /// A string; empty if the key is missing.
    pub(crate) fn text(&self, key: &str) -> Result<Text, Refusal> {
        let text = self.get(key, Node::text)?;
        Ok(text.unwrap_or_else(|| Text {
            value: String::new(),
            line: self.line,
        }))
    }

    /// A boolean; false if the key is missing.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, Refusal> {
        Ok(self.get(key, Node::flag)?.unwrap_or_default())
    }

    /// The entries with other keys.
    pub(crate) fn others(&self, known: &[&str]) -> impl Iterator<Item = Text> {
        let others = self
            .nodes()
            .filter(|node| !known.iter().any(|known| is_folded(node.key, known)));
        others.map(Node::key)
    }

    /// All entries, in byte order of their keys.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node<'t>> {
        let lines = self.lines;
        self.entries
            .iter()
            .map(move |(key, value)| Node::new(key.get_ref(), value, lines))
    }
}

impl<'t> Node<'t> {
    fn new(key: &'t str, value: &'t Spanned<DeValue<'t>>, lines: &'t Lines) -> Self {
        Self {
            offset: value.span().start,
            key,
            value: value.get_ref(),
            lines,
        }
    }

    pub(crate) fn key(self) -> Text {
        Text {
            value: self.key.to_owned(),
            line: self.line(),
        }
    }

    pub(crate) fn text(self) -> Result<Text, Refusal> {
        let value = self.value.as_str().ok_or_else(|| self.not("a string"))?;
        Ok(Text {
            value: value.to_owned(),
            line: self.line(),
        })
    }

    pub(crate) fn flag(self) -> Result<bool, Refusal> {
        self.value.as_bool().ok_or_else(|| self.not("a boolean"))
    }

    pub(crate) fn table(self) -> Result<Table<'t>, Refusal> {
        self.as_table().ok_or_else(|| self.not("a table"))
    }

    /// The table, if the value is one.
    pub(crate) fn as_table(self) -> Option<Table<'t>> {
        let entries = self.value.as_table()?;
        Some(Table {
            line: self.line(),
            entries,
            lines: self.lines,
        })
    }

    pub(crate) fn texts(self) -> Result<Vec<Text>, Refusal> {
        self.array("an array of strings", Node::text)
    }

    pub(crate) fn tables(self) -> Result<Vec<Table<'t>>, Refusal> {
        self.array("an array of tables", Node::table)
    }

    fn array<T>(
        self,
        expected: &'static str,
        decode: impl Fn(Node<'t>) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        let array = self.value.as_array().ok_or_else(|| self.not(expected))?;
        array
            .iter()
            .map(|value| decode(Node::new(self.key, value, self.lines)))
            .collect()
    }

    fn line(self) -> usize {
        self.lines.at(self.offset)
    }

    fn not(self, expected: &'static str) -> Refusal {
        Refusal::new(
            self.line(),
            Invalid::WrongType {
                key: self.key.to_owned(),
                expected,
                found: self.value.type_str(),
            },
        )
    }
}

/// Whether a key is equal to `known`, which is lower-case ASCII, under simple Unicode
/// case folding: two letters outside of ASCII fold to ASCII letters.
fn is_folded(key: &str, known: &str) -> bool {
    let folded = key.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => letter.to_ascii_lowercase(),
    });
    folded.eq(known.chars())
}

fn check_scalars(node: Node<'_>) -> Result<(), Refusal> {
    let (in_range, number) = match node.value {
        DeValue::Integer(number) => (
            i64::from_str_radix(number.as_str(), number.radix()).is_ok(),
            number.as_str(),
        ),
        DeValue::Float(number) => {
            let digits = number.as_str();
            let parsed = digits.parse::<f64>();
            let overflow = parsed.is_ok_and(f64::is_infinite) && !digits.contains("inf");
            (!overflow, digits)
        }
        DeValue::Array(array) => {
            return array
                .iter()
                .try_for_each(|value| check_scalars(Node::new(node.key, value, node.lines)));
        }
        DeValue::Table(_) => {
            let Some(table) = node.as_table() else {
                return Ok(());
            };
            return table.nodes().try_for_each(check_scalars);
        }
        DeValue::Datetime(datetime) => {
            let second = datetime.time.and_then(|time| time.second);
            let time = datetime.to_string();
            return if second == Some(LEAP_SECOND) {
                Err(Refusal::new(node.line(), Invalid::LeapSecond { time }))
            } else {
                Ok(())
            };
        }
        DeValue::String(_) | DeValue::Boolean(_) => return Ok(()),
    };
    if in_range {
        return Ok(());
    }
    let number = number.chars().take(32).collect();
    Err(Refusal::new(
        node.line(),
        Invalid::NumberOutOfRange { number },
    ))
}
