//! Reads the files of short names that distributions ship, without building a TOML tree.
//!
//! Nearly every node has a drop-in with some hundred aliases, and an image needs at most
//! two of them. Such a file is scanned: each entry is checked, and only those that are
//! looked up are decoded. The scanner accepts the syntax that these files use. Any other
//! file, valid or not, is left to the TOML parser, which also reports the errors.

use std::{borrow::Cow, path::Path, sync::Arc};

use image_name::ImageName;

use super::Alias;
use crate::registry::Origin;

const HEADER: &[u8] = b"[aliases]";

/// The longest name or target that is accepted. Names of 255 bytes are valid, but
/// `library/` may have to be added to them.
const MAX_NAME: usize = 200;

/// The offset basis of FNV-1a.
const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

/// A file with `[aliases]` and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainAliases {
    file: Arc<Path>,
    content: Vec<u8>,
    entries: Entries,
}

impl PlainAliases {
    /// Checks a file. Returns its content for one that the parser must read.
    ///
    /// The file may have comments, one `[aliases]` before all entries, and entries
    /// `"name" = "target"` in lower-case ASCII, without escapes, repeated separators,
    /// ports and empty targets, each name once.
    pub(crate) fn scan<'c>(
        content: Cow<'c, [u8]>,
        file: &Arc<Path>,
    ) -> Result<Self, Cow<'c, [u8]>> {
        match scan(&content) {
            Some(entries) => Ok(Self {
                file: Arc::clone(file),
                content: content.into_owned(),
                entries,
            }),
            None => Err(content),
        }
    }

    /// The alias of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Alias> {
        // The closing quotation mark is hashed too, as in the scan.
        let hash = name.bytes().chain(*b"\"").fold(HASH_START, hash_step);
        let is_wanted = |offset| is_name(&self.content, offset, name.as_bytes());
        let offset = self.entries.find(hash, is_wanted).ok()?;
        let (_, alias) = self.decode(offset)?;
        Some(alias)
    }

    /// All aliases, with their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (String, Alias)> + '_ {
        self.entries.offsets().filter_map(|offset| {
            let (name, alias) = self.decode(offset)?;
            Some((name.to_owned(), alias))
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.offsets().next().is_none()
    }

    /// The entry whose name is at an offset.
    fn decode(&self, offset: usize) -> Option<(&str, Alias)> {
        let (before, entry) = self.content.split_at_checked(offset)?;
        let mut parts = entry.split(|byte| *byte == b'"').step_by(2);
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

/// A hash table of the names of a file, with open addressing. It is as exact as a sorted
/// list, and filled with fewer instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entries {
    /// The offset of a name is at the index of its hash, or at the next free index. 0 is
    /// free: the header is before all names.
    slots: Vec<u32>,
}

impl Entries {
    /// Room for all entries of a file of that length: the shortest has 12 bytes, so at
    /// least a third of the slots stays free.
    fn for_length(length: usize) -> Self {
        Self {
            slots: vec![0; (length / 8).next_power_of_two()],
        }
    }

    /// The offset with that hash that `is_wanted`, or else the free index for it.
    fn find(&self, hash: u64, is_wanted: impl Fn(usize) -> bool) -> Result<usize, usize> {
        let last = self.slots.len().saturating_sub(1);
        let mut index = usize::try_from(hash).unwrap_or_default() & last;
        loop {
            match self.slots.get(index) {
                Some(&offset) if offset > 0 => {
                    let offset = usize::try_from(offset).unwrap_or_default();
                    if is_wanted(offset) {
                        return Ok(offset);
                    }
                }
                _ => return Err(index),
            }
            index = (index + 1) & last;
        }
    }

    fn offsets(&self) -> impl Iterator<Item = usize> + '_ {
        let taken = self.slots.iter().filter(|offset| **offset > 0);
        taken.filter_map(|offset| usize::try_from(*offset).ok())
    }
}

/// Whether the name at an offset, up to its closing quotation mark, is this one.
fn is_name(content: &[u8], offset: usize, name: &[u8]) -> bool {
    let text = content.get(offset..).unwrap_or_default();
    text.strip_prefix(name)
        .is_some_and(|behind| behind.starts_with(b"\""))
}

fn scan(content: &[u8]) -> Option<Entries> {
    let mut entries = Entries::for_length(content.len());
    let mut has_header = false;
    let mut rest = content;
    loop {
        rest = skip(rest, |byte| is_blank(byte) || byte == b'\n');
        rest = match rest {
            [] => break,
            [b'#', ..] => rest,
            [b'"', name @ ..] if has_header => {
                let (hash, length, behind) = scan_entry(name)?;
                let offset = content.len() - name.len();
                let name = name.get(..length)?;
                // The parser refuses a name that is there twice.
                let free = entries
                    .find(hash, |other| is_name(content, other, name))
                    .err()?;
                *entries.slots.get_mut(free)? = u32::try_from(offset).ok()?;
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
    has_header.then_some(entries)
}

/// Scans an entry after its first quotation mark. Returns the hash and the length of its
/// name, and the text after the entry.
fn scan_entry(text: &[u8]) -> Option<(u64, usize, &[u8])> {
    let mut hash = HASH_START;
    let (name, behind_name) = scan_name(text, |byte| hash = hash_step(hash, byte))?;
    let rest = skip(behind_name, is_blank).strip_prefix(b"=")?;
    let rest = skip(rest, is_blank).strip_prefix(b"\"")?;
    let (target, rest) = scan_name(rest, |_| ())?;
    let valid = name == Kind::Short && target == Kind::WithRegistry;
    let length = text.len() - behind_name.len() - 1;
    valid.then_some((hash, length, rest))
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
