//! The versions of the modules that a Go program was built of, as `go version -m`
//! prints them: Go's linker leaves them in the ELF section `.go.buildinfo`.
//!
//! Agrees with Go's package `debug/buildinfo` for 64-bit ELF files, those of every
//! platform that CRI-O is built for. Only the few kilobytes that are needed are read from
//! an executable of many megabytes, and each read is bounded, since any program can call
//! itself `crio`. No crate for ELF does both.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const SECTION: &[u8] = b".go.buildinfo\0";
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The size of the section's header.
const HEADER: usize = 32;
/// The bit of the header's flags that marks numbers as big-endian.
const BIG_ENDIAN: u8 = 1;
/// The bit that marks strings as part of the section (Go 1.18 and later); without it
/// there are pointers to them.
const INLINE: u8 = 2;
/// The most sections and segments that are inspected; Go programs have some dozens.
const MAX_HEADERS: u16 = 1024;
/// The longest text about modules; that of CRI-O has some ten thousand bytes.
const MAX_TEXT: u64 = 1 << 20;
/// The size of the two marks between which Go's runtime finds the text.
const MARK: usize = 16;
/// The type of a segment that is mapped into memory.
const PT_LOAD: u64 = 1;

/// Why the modules of an executable cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildInfoError {
    /// The file cannot be read, or ends too early.
    #[error("read")]
    Read(#[from] io::Error),
    /// The file is not an ELF file of 64 bits.
    #[error("not a 64-bit ELF file")]
    NotElf,
    /// The file has no information, or none that this code reads.
    #[error("no Go build information")]
    None,
}

/// A module and its version; if it is replaced, those of the replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) path: String,
    pub(super) version: String,
}

/// The modules that a Go program depends on.
///
/// # Errors
/// [`BuildInfoError`].
pub(super) fn modules(executable: &File) -> Result<Vec<Module>, BuildInfoError> {
    let elf = Elf::open(executable)?;
    let start = elf.section(SECTION)?.ok_or(BuildInfoError::None)?;
    Ok(parse(&elf.module_text(start)?))
}

/// Parses the lines `dep PATH VERSION SUM`, whose fields are separated by tabs; `=> PATH
/// VERSION SUM` replaces the line before it.
fn parse(text: &str) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next();
        let (Some(path), Some(version)) = (fields.next(), fields.next()) else {
            continue;
        };
        match (kind, modules.last_mut()) {
            (Some("dep"), _) => modules.push(Module {
                path: path.to_owned(),
                version: version.to_owned(),
            }),
            (Some("=>"), Some(replaced)) => version.clone_into(&mut replaced.version),
            _ => {}
        }
    }
    modules
}

/// A 64-bit ELF file: <https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html>.
struct Elf<'f> {
    file: &'f File,
    header: [u8; 64],
    is_big_endian: bool,
}

impl<'f> Elf<'f> {
    fn open(file: &'f File) -> Result<Self, BuildInfoError> {
        let mut header = [0; 64];
        file.read_exact_at(&mut header, 0)?;
        let is_big_endian = match header {
            [0x7f, b'E', b'L', b'F', 2, 1, ..] => false,
            [0x7f, b'E', b'L', b'F', 2, 2, ..] => true,
            _ => return Err(BuildInfoError::NotElf),
        };
        Ok(Self {
            file,
            header,
            is_big_endian,
        })
    }

    /// The offset of a section in the file.
    fn section(&self, name: &[u8]) -> Result<Option<u64>, BuildInfoError> {
        let headers = self.number(&self.header, 40, 8);
        let size = self.number(&self.header, 58, 2);
        let count = self.number(&self.header, 60, 2).min(MAX_HEADERS.into());
        let header = |index: u64| -> Result<[u8; 64], BuildInfoError> {
            self.read(headers.saturating_add(index.saturating_mul(size)))
        };
        let names = header(self.number(&self.header, 62, 2))?;
        let names = self.number(&names, 24, 8);
        for index in 0..count {
            let section = header(index)?;
            let its_name = names.saturating_add(self.number(&section, 0, 4));
            let its_name: [u8; SECTION.len()] = self.read(its_name)?;
            if its_name == name {
                return Ok(Some(self.number(&section, 24, 8)));
            }
        }
        Ok(None)
    }

    /// The offset in the file of an address of the running program.
    fn offset(&self, address: u64) -> Result<u64, BuildInfoError> {
        let headers = self.number(&self.header, 32, 8);
        let size = self.number(&self.header, 54, 2);
        let count = self.number(&self.header, 56, 2).min(MAX_HEADERS.into());
        for index in 0..count {
            let segment: [u8; 56] =
                self.read(headers.saturating_add(index.saturating_mul(size)))?;
            let within = address.checked_sub(self.number(&segment, 16, 8));
            let within = within.filter(|within| *within < self.number(&segment, 32, 8));
            if let Some(within) = within.filter(|_| self.number(&segment, 0, 4) == PT_LOAD) {
                return Ok(self.number(&segment, 8, 8).saturating_add(within));
            }
        }
        Err(BuildInfoError::None)
    }

    /// The text about modules; `start` is the offset of the section.
    fn module_text(&self, start: u64) -> Result<String, BuildInfoError> {
        let header: [u8; HEADER] = self.read(start)?;
        let [.., pointer_size, flags] = header.first_chunk::<16>().copied().unwrap_or_default();
        if !header.starts_with(MAGIC) {
            return Err(BuildInfoError::None);
        }
        let text = if flags & INLINE != 0 {
            let (version, length) = self.length(start.saturating_add(HEADER as u64))?;
            let (text, length) = self.length(version.saturating_add(length))?;
            self.text(text, length)?
        } else if pointer_size == 8 && (flags & BIG_ENDIAN != 0) == self.is_big_endian {
            let string: [u8; 16] = self.read(self.offset(self.number(&header, 24, 8))?)?;
            let text = self.offset(self.number(&string, 0, 8))?;
            self.text(text, self.number(&string, 8, 8))?
        } else {
            return Err(BuildInfoError::None);
        };
        let end = text.len().saturating_sub(MARK);
        let between = text.get(MARK..end).ok_or(BuildInfoError::None)?;
        Ok(String::from_utf8_lossy(between).into_owned())
    }

    /// The length of a string as Go's `encoding/binary` writes it, seven bits per byte,
    /// and the offset of the string.
    fn length(&self, mut at: u64) -> Result<(u64, u64), BuildInfoError> {
        let mut length = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.read(at)?;
            at = at.saturating_add(1);
            length |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((at, length));
            }
        }
        Err(BuildInfoError::None)
    }

    fn text(&self, at: u64, length: u64) -> Result<Vec<u8>, BuildInfoError> {
        let length = Some(length).filter(|length| *length <= MAX_TEXT);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let mut text = vec![0; length.ok_or(BuildInfoError::None)?];
        self.file.read_exact_at(&mut text, at)?;
        Ok(text)
    }

    fn read<const N: usize>(&self, at: u64) -> Result<[u8; N], BuildInfoError> {
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// The number of up to eight bytes that begins at `at`.
    fn number(&self, bytes: &[u8], at: usize, size: usize) -> u64 {
        let bytes = bytes.get(at..at + size).unwrap_or_default();
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.is_big_endian {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        }
    }
}

#[cfg(test)]
mod tests;
