//! Reads the files of short names that distributions ship, without building a TOML tree.
//!
//! Nearly every node has a drop-in with some hundred aliases, and an image needs at most
//! two of them. Such a file is scanned: each entry is checked, and only those that are
//! looked up are decoded. The scanner accepts the syntax that these files use. Any other
//! file, valid or not, is left to the TOML parser, which also reports the errors.

use std::{path::Path, sync::Arc};

use image_name::ImageName;

use super::Alias;
use crate::registry::Origin;

const HEADER: &[u8] = b"[aliases]";

/// The longest name or target that is accepted. Names of 255 bytes are valid, but
/// `library/` may have to be added to them.
const MAX_NAME: usize = 200;

/// A file with `[aliases]` and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainAliases {
    file: Arc<Path>,
    content: Vec<u8>,
    /// The hash of each name and the offset of its entry, sorted; no hash occurs twice.
    entries: Vec<(u64, usize)>,
}

/// The offset basis of FNV-1a.
const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

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
                    let (hash, behind) = scan_entry(name)?;
                    entries.push((hash, offset));
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
        // This is most likely a repeated name, which the parser refuses.
        let mut pairs = entries.windows(2);
        let is_repeated = pairs.any(|pair| matches!(pair, [(one, _), (next, _)] if one == next));
        (has_header && !is_repeated).then(|| Self {
            file: Arc::clone(file),
            content: content.to_owned(),
            entries,
        })
    }

    /// The alias of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Alias> {
        // The closing quotation mark is hashed too, as in the scan.
        let hash = name.bytes().chain([b'"']).fold(HASH_START, hash_step);
        let found = self.entries.binary_search_by_key(&hash, |(hash, _)| *hash);
        let (_, offset) = self.entries.get(found.ok()?)?;
        let (found, alias) = self.decode(*offset)?;
        (found == name).then_some(alias)
    }

    /// All aliases, with their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (String, Alias)> + '_ {
        let entries = self.entries.iter();
        entries.filter_map(|(_, offset)| {
            let (name, alias) = self.decode(*offset)?;
            Some((name.to_owned(), alias))
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry at an offset of a checked entry.
    fn decode(&self, offset: usize) -> Option<(&str, Alias)> {
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

/// Scans an entry after its first quotation mark. Returns the hash of its name, and the
/// text after the entry.
fn scan_entry(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut hash = HASH_START;
    let (name, rest) = scan_name(text, |byte| hash = hash_step(hash, byte))?;
    let rest = skip(rest, is_blank).strip_prefix(b"=")?;
    let rest = skip(rest, is_blank).strip_prefix(b"\"")?;
    let (target, rest) = scan_name(rest, |_| ())?;
    let valid = name == Kind::Short && target == Kind::WithRegistry;
    valid.then_some((hash, rest))
}

/// The kind of a name, by its first component.
#[derive(PartialEq, Eq)]
enum Kind {
    Short,
    WithRegistry,
}

/// Scans a name up to its closing quotation mark: atoms with one separator between them,
/// which is always a valid name.
fn scan_name(text: &[u8], mut visit: impl FnMut(u8)) -> Option<(Kind, &[u8])> {
    let mut rest = text;
    let (mut in_first, mut has_dot, mut has_underscore) = (true, false, false);
    loop {
        let before = rest.len();
        let end;
        loop {
            let [byte, behind @ ..] = rest else {
                return None;
            };
            rest = behind;
            visit(*byte);
            if !is_atom(*byte) {
                end = *byte;
                break;
            }
        }
        if before - rest.len() == 1 {
            return None;
        }
        match end {
            b'"' => break,
            b'.' => has_dot |= in_first,
            b'_' => has_underscore |= in_first,
            b'/' if in_first && !has_dot && text.starts_with(b"localhost/") => return None,
            b'/' => in_first = false,
            b'-' => {}
            _ => return None,
        }
    }
    let has_registry = !in_first && has_dot;
    let valid = text.len() - rest.len() <= MAX_NAME && !(has_registry && has_underscore);
    let kind = if has_registry {
        Kind::WithRegistry
    } else {
        Kind::Short
    };
    valid.then_some((kind, rest))
}

/// Whether a byte belongs to an atom: a lower-case letter or a digit.
fn is_atom(byte: u8) -> bool {
    /// A table, since most bytes of a file are looked up.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "evaluated by the compiler"
    )]
    static ATOMS: [bool; 256] = {
        let mut atoms = [false; 256];
        let mut byte = 0;
        while byte < atoms.len() {
            atoms[byte] = matches!(byte as u8, b'a'..=b'z' | b'0'..=b'9');
            byte += 1;
        }
        atoms
    };
    ATOMS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Scans the end of a line, with or without a comment.
fn end_of_line(text: &[u8]) -> Option<&[u8]> {
    let rest = skip(text, is_blank);
    let rest = match rest {
        [b'#', ..] => skip(rest, |byte| matches!(byte, b' '..=b'~' | b'\t')),
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

/// One step of 64-bit FNV-1a, which is short and good enough to find entries.
fn hash_step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

#[cfg(test)]
mod tests;
