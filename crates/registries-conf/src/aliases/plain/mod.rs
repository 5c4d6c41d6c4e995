//! The files of short names that distributions ship, without a TOML tree.
//!
//! Nearly every node has a drop-in with some hundred aliases, and an image needs at most
//! two of them. Such a file is scanned: each entry is checked, and only those that are
//! looked up are decoded. The scanner accepts the syntax that these files use. Any other
//! file, valid or not, goes to the TOML parser, which also has the errors.

use std::{path::Path, sync::Arc};

use image_name::ImageName;

use super::Alias;
use crate::registry::Origin;

const HEADER: &[u8] = b"[aliases]";

/// The longest name or target that is taken. Names of 255 bytes are valid, but
/// `library/` may have to be added to them.
const MAX_NAME: usize = 200;

/// A file with `[aliases]` and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainAliases {
    file: Arc<Path>,
    content: Vec<u8>,
    /// The hash of each name, with the offset of its entry in the lower half; sorted, and
    /// every hash once.
    entries: Vec<u64>,
}

impl PlainAliases {
    /// Checks a file. Returns `None` for a file that the parser must read.
    ///
    /// The file may have comments, one `[aliases]` before all entries, and entries
    /// `"name" = "target"` in lower-case ASCII, without escapes, repeated separators,
    /// ports and empty targets, each name once.
    pub(crate) fn scan(content: &[u8], file: &Arc<Path>) -> Option<Self> {
        let mut entries = Vec::new();
        let mut has_header = false;
        let mut rest = content;
        loop {
            rest = skip(rest, |byte| is_blank(byte) || byte == b'\n');
            let offset = content.len() - rest.len();
            rest = match rest {
                [] => break,
                [b'#', ..] => rest,
                [b'"', name @ ..] if has_header => {
                    let (name, behind) = scan_entry(name)?;
                    entries.push(hash(name) << 32 | u64::from(u32::try_from(offset).ok()?));
                    behind
                }
                _ if has_header => return None,
                _ => {
                    has_header = true;
                    rest.strip_prefix(HEADER)?
                }
            };
            rest = end_of_line(rest)?;
        }
        entries.sort_unstable();
        // Most likely the same name twice, which the parser refuses.
        let mut pairs = entries.windows(2);
        let is_repeated = pairs.any(|pair| matches!(pair, [one, next] if one >> 32 == next >> 32));
        (has_header && !is_repeated).then(|| Self {
            file: Arc::clone(file),
            content: content.to_owned(),
            entries,
        })
    }

    /// The alias of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Alias> {
        let hash = hash(name.as_bytes());
        let found = self
            .entries
            .binary_search_by_key(&hash, |entry| entry >> 32);
        let entry = self.entries.get(found.ok()?)?;
        let (found, alias) = self.decode(*entry)?;
        (found == name).then_some(alias)
    }

    /// All of them, with their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (String, Alias)> + '_ {
        let entries = self.entries.iter();
        entries.filter_map(|entry| {
            let (name, alias) = self.decode(*entry)?;
            Some((name.to_owned(), alias))
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The name and the alias of one of the entries.
    fn decode(&self, entry: u64) -> Option<(&str, Alias)> {
        let offset = usize::try_from(entry & u64::from(u32::MAX)).ok()?;
        let (before, entry) = self.content.split_at_checked(offset)?;
        let mut parts = entry.split(|byte| *byte == b'"').skip(1).step_by(2);
        let name = str::from_utf8(parts.next()?).ok()?;
        let target = str::from_utf8(parts.next()?).ok()?;
        let breaks = before.iter().filter(|byte| **byte == b'\n');
        let origin = Origin {
            file: Arc::clone(&self.file),
            line: breaks.count() + 1,
        };
        let target = Some(ImageName::parse(target).ok()?);
        Some((name, Alias { target, origin }))
    }
}

/// Scans an entry after its first quotation mark: its name, and what is behind it.
fn scan_entry(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (kind, name, rest) = scan_name(text)?;
    let rest = skip(rest, is_blank).strip_prefix(b"=")?;
    let rest = skip(rest, is_blank).strip_prefix(b"\"")?;
    let (target, _, rest) = scan_name(rest)?;
    let valid = kind == Kind::Short && target == Kind::WithRegistry;
    valid.then_some((name, rest))
}

/// The kind of a name, by its first component.
#[derive(PartialEq, Eq)]
enum Kind {
    Short,
    WithRegistry,
}

/// Scans a name up to its closing quotation mark: atoms with one separator between them,
/// which is always a valid name.
fn scan_name(text: &[u8]) -> Option<(Kind, &[u8], &[u8])> {
    let (mut in_first, mut has_dot, mut has_underscore) = (true, false, false);
    let mut end = 0;
    loop {
        let atom = leading(text.get(end..)?, is_not_atom);
        if atom == 0 {
            return None;
        }
        end += atom;
        match text.get(end)? {
            b'"' => break,
            b'.' => has_dot |= in_first,
            b'_' => has_underscore |= in_first,
            b'/' if in_first && !has_dot && text.starts_with(b"localhost/") => return None,
            b'/' => in_first = false,
            b'-' => {}
            _ => return None,
        }
        end += 1;
    }
    let has_registry = !in_first && has_dot;
    if end >= MAX_NAME || has_registry && has_underscore {
        return None;
    }
    let kind = if has_registry {
        Kind::WithRegistry
    } else {
        Kind::Short
    };
    let (name, rest) = text.split_at_checked(end)?;
    Some((kind, name, rest.get(1..)?))
}

/// Scans the end of a line, with or without a comment.
fn end_of_line(text: &[u8]) -> Option<&[u8]> {
    let rest = skip(text, is_blank);
    let rest = match rest {
        [b'#', ..] => rest.get(comment_length(rest)..)?,
        _ => rest,
    };
    matches!(rest, [] | [b'\n', ..]).then_some(rest)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn skip(mut text: &[u8], is_skipped: impl Fn(u8) -> bool) -> &[u8] {
    while let [byte, rest @ ..] = text
        && is_skipped(*byte)
    {
        text = rest;
    }
    text
}

/// The length of a comment: printable ASCII and tabs.
fn comment_length(text: &[u8]) -> usize {
    let mut length = 0;
    loop {
        length += leading(text.get(length..).unwrap_or_default(), is_not_printable);
        if text.get(length) != Some(&b'\t') {
            return length;
        }
        length += 1;
    }
}

/// How many bytes come before the first one that `marked` marks, which must mark zeros.
/// Eight bytes at a time: most instructions of a run without a mirror would be spent here.
fn leading(text: &[u8], marked: impl Fn(u64) -> u64) -> usize {
    let mut length = 0;
    loop {
        let rest = text.get(length..).unwrap_or_default();
        let word = if let Some(word) = rest.first_chunk() {
            *word
        } else {
            let mut word = [0; 8];
            word.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
            word
        };
        let marks = marked(u64::from_le_bytes(word));
        if marks != 0 {
            return length + marks.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
}

/// The highest bit of each byte of a word.
const MARKS: u64 = u64::MAX / 255 * 0x80;

/// Marks the bytes that are not of an atom: not a lower-case letter or a digit.
fn is_not_atom(word: u64) -> u64 {
    !(in_range(word, b'a', b'z') | in_range(word, b'0', b'9')) & MARKS
}

/// Marks the bytes that are not printable ASCII.
fn is_not_printable(word: u64) -> u64 {
    !in_range(word, b' ', b'~') & MARKS
}

/// Marks the bytes of a word that are in a range of ASCII.
fn in_range(word: u64, first: u8, last: u8) -> u64 {
    const EACH: u64 = u64::MAX / 255;
    let low = word & !MARKS;
    // The sum has the highest bit where the byte is at least that, and never a carry.
    let at_least = |byte: u8| low.wrapping_add(EACH.wrapping_mul(0x80 - u64::from(byte)));
    at_least(first) & !at_least(last + 1) & !word & MARKS
}

/// FNV-1a, 32 bits, which is short and good enough to find entries.
fn hash(name: &[u8]) -> u64 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    name.iter().fold(0x811c_9dc5, step).into()
}

#[cfg(test)]
mod tests;
