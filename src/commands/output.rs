//! The text output of the subcommands: colours on a terminal, aligned columns, and no
//! control characters from a file or a cluster.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::cli;

/// The version of the JSON of `resolve` and `explain`. It changes when a field is removed
/// or changes its meaning.
pub(super) const JSON_VERSION: u32 = 1;

/// The gap between two columns.
const GAP: &str = "  ";

/// The kind of a piece of text; on a terminal each has its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Ordinary text.
    Plain,
    /// The title of a part.
    Heading,
    /// A good result.
    Good,
    /// A warning.
    Warning,
    /// A problem.
    Bad,
    /// Less important text.
    Faint,
}

/// A piece of text in one style, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    style: Style,
}

/// Lines for people.
#[derive(Debug)]
pub struct Printer<W> {
    out: W,
    coloured: bool,
}

impl Style {
    /// SGR parameters, ECMA-48 section 8.3.117.
    fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Heading => Some("1"),
            Self::Good => Some("32"),
            Self::Warning => Some("33"),
            Self::Bad => Some("31"),
            Self::Faint => Some("2"),
        }
    }

    /// A cell in this style.
    pub fn cell(self, text: impl AsRef<str>) -> Cell {
        Cell {
            text: escaped(text.as_ref()).into_owned(),
            style: self,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Style::Plain.cell(text)
    }
}

impl<W: Write + IsTerminal> Printer<W> {
    /// Prints to `out`, in colours if it is a terminal and `NO_COLOR` is not set.
    pub fn new(out: W) -> Self {
        let coloured = cli::colours() && out.is_terminal();
        Self { out, coloured }
    }
}

impl<W: Write> Printer<W> {
    /// Prints one line: the cells, separated by spaces.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn line(&mut self, indent: usize, cells: &[Cell]) -> io::Result<()> {
        write!(self.out, "{:indent$}", "")?;
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                write!(self.out, " ")?;
            }
            self.cell(cell)?;
        }
        writeln!(self.out)
    }

    /// Prints rows with aligned columns, without spaces at the end of a line.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn table(&mut self, indent: usize, rows: &[Vec<Cell>]) -> io::Result<()> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(Cell::width).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in rows {
            let used = row.iter().rposition(|cell| !cell.text.is_empty());
            let used = used.map_or(0, |last| last + 1);
            if used > 0 {
                write!(self.out, "{:indent$}", "")?;
            }
            for (index, (cell, width)) in row.iter().zip(&widths).take(used).enumerate() {
                self.cell(cell)?;
                if index + 1 < used {
                    let missing = width.saturating_sub(cell.width());
                    write!(self.out, "{:missing$}{GAP}", "")?;
                }
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn cell(&mut self, cell: &Cell) -> io::Result<()> {
        let visible = self.coloured && !cell.text.is_empty();
        match cell.style.parameters().filter(|_| visible) {
            Some(parameters) => write!(self.out, "\x1b[{parameters}m{}\x1b[0m", cell.text),
            None => write!(self.out, "{}", cell.text),
        }
    }
}

impl Cell {
    fn width(&self) -> usize {
        self.text.width()
    }
}

/// The result of printing. A closed pipe, as of `| head`, is not a failure.
///
/// # Errors
/// All other errors of writing.
pub fn finish(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("write to stdout"),
    }
}

/// Prints a value as JSON, with the same characters escaped as in text, which could
/// deceive the reader of a terminal.
///
/// # Errors
/// The errors of the output.
pub fn print_json(mut out: impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut text = Vec::new();
    for c in serde_json::to_string_pretty(value)?.chars() {
        if c == '\n' || !odd(c) {
            write!(text, "{c}")?;
            continue;
        }
        // JSON has such characters only in strings.
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(text, "\\u{unit:04x}")?;
        }
    }
    text.push(b'\n');
    out.write_all(&text)
}

/// Whether a character could move the cursor, or hide or reorder text.
fn odd(c: char) -> bool {
    !matches!(c, '"' | '\'' | '\\') && c.escape_debug().len() > 1
}

/// The text with all characters escaped that could move the cursor, or hide or reorder
/// text: control and format characters, line ends and combining marks.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(odd) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if odd(c) {
            escaped.extend(c.escape_debug());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(coloured: bool, print: impl Fn(&mut Printer<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        print(&mut Printer {
            out: &mut out,
            coloured,
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_line_up_by_the_width_of_characters() {
        let rows = [
            vec!["name".into(), "kind".into(), "note".into()],
            vec!["鏡像/a".into(), "mirror".into(), "".into()],
            vec!["é".into(), "".into(), "x".into()],
            vec![],
        ];
        let expected = "  name    kind    note\n  鏡像/a  mirror\n  é               x\n\n";
        assert_eq!(
            printed(false, |printer| printer.table(2, &rows).unwrap()),
            expected
        );
    }

    #[test]
    fn colours_do_not_move_columns() {
        let rows = [
            vec![Style::Good.cell("a"), "b".into()],
            vec!["ccc".into(), Style::Bad.cell("d")],
        ];
        assert_eq!(
            printed(true, |printer| printer.table(0, &rows).unwrap()),
            "\x1b[32ma\x1b[0m    b\nccc  \x1b[31md\x1b[0m\n"
        );
        assert_eq!(
            printed(false, |printer| printer.table(0, &rows).unwrap()),
            "a    b\nccc  d\n"
        );
    }

    #[test]
    fn json_has_no_odd_characters_and_means_the_same() {
        let text = "\u{1b}[2J\u{9b}\u{202e}\u{e0001}\u{7f}\n鏡é\"";
        let mut out = Vec::new();
        print_json(&mut out, &[text]).unwrap();
        let printed = String::from_utf8(out).unwrap();
        assert_eq!(
            printed,
            "[\n  \"\\u001b[2J\\u009b\\u202e\\udb40\\udc01\\u007f\\n鏡é\\\"\"\n]\n"
        );
        let read: [String; 1] = serde_json::from_str(&printed).unwrap();
        assert_eq!(read, [text]);
    }

    #[test]
    fn control_characters_are_written_out() {
        for (text, expected) in [
            ("plain \"quoted\" 'x' \\n", "plain \"quoted\" 'x' \\n"),
            ("a\x1b[2J\nb\0", "a\\u{1b}[2J\\nb\\0"),
            ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"),
            ("a\u{202e}b\u{2028}", "a\\u{202e}b\\u{2028}"),
            ("鏡é", "鏡é"),
        ] {
            let line = printed(false, |printer| printer.line(1, &[text.into()]).unwrap());
            assert_eq!(line, format!(" {expected}\n"));
        }
    }
}
