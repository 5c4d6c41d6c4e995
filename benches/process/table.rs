//! Tables in Markdown, which is readable on a terminal too, and the format of their
//! numbers.

use std::fmt;
use std::iter;
use std::time::Duration;

/// A table; the first column is text, the others are numbers.
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|&cell| cell.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || iter::once(&self.head).chain(&self.rows);
        let width = |column| {
            let cells = lines().filter_map(|row: &Vec<String>| row.get(column));
            cells
                .map(|cell: &String| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        for (number, row) in lines().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column == 0 {
                    write!(f, "| {cell:<width$} |")?;
                } else {
                    write!(f, " {cell:>width$} |")?;
                }
            }
            writeln!(f)?;
            if number == 0 {
                write!(f, "|---|{}", "---:|".repeat(widths.len().saturating_sub(1)))?;
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Milliseconds with two digits.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.2}", float(bytes) / 1024.0 / 1024.0)
}

pub(crate) fn ratio(of: Duration, to: Duration) -> String {
    format!("{:.2}", of.as_secs_f64() / to.as_secs_f64().max(1e-9))
}

/// A number with commas between groups of digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a figure to read, not to compute with"
)]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}
