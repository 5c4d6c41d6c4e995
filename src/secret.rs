//! Values that must not be seen: the token, passwords, and the buffers they
//! arrive in. They print as `Secret(..)`, have no `Display`, and are wiped when
//! dropped (SPEC section 9).
//!
//! Also the one place where a serde error about secret-bearing JSON or YAML is made
//! presentable: serde quotes the value it could not decode.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use serde_json::error::Category;
use serde_saphyr::Location;
use zeroize::Zeroize;

/// A buffer that is wiped when dropped, with all its capacity; redacted in `Debug`.
///
/// As `zeroize::Zeroizing`, but at once: that one clears a vector byte by byte.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Wiped<T: Wipe>(T);

/// What [`Wiped`] can hold.
pub trait Wipe: Zeroize {
    /// Empties the buffer, and keeps its capacity.
    fn empty(&mut self);
}

impl Wipe for Vec<u8> {
    fn empty(&mut self) {
        self.clear();
    }
}

impl Wipe for String {
    fn empty(&mut self) {
        self.clear();
    }
}

impl<T: Wipe> Wiped<T> {
    /// Takes a buffer over.
    pub fn new(buffer: T) -> Self {
        Self(buffer)
    }
}

impl<T: Wipe> Drop for Wiped<T> {
    fn drop(&mut self) {
        // What is beyond the length is filled in one go.
        self.0.empty();
        self.0.zeroize();
    }
}

impl<T: Wipe> Deref for Wiped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Wipe> DerefMut for Wiped<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Wipe> fmt::Debug for Wiped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wiped(..)")
    }
}

/// A byte string that is redacted in `Debug` and wiped when dropped.
///
/// ```
/// let password = crio_credential_provider::secret::Secret::from("hunter2");
/// assert_eq!(format!("{password:?}"), "Secret(..)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Wiped<Vec<u8>>);

impl Secret {
    /// The value itself; the caller must not log it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(Wiped::new(value.as_bytes().to_vec()))
    }
}

impl From<Cow<'_, str>> for Secret {
    /// Takes an owned text over, so that no copy of it stays behind.
    fn from(value: Cow<'_, str>) -> Self {
        match value {
            Cow::Borrowed(text) => Self::from(text),
            Cow::Owned(text) => Self::from(text.into_bytes()),
        }
    }
}

impl From<Vec<u8>> for Secret {
    fn from(value: Vec<u8>) -> Self {
        Self(Wiped::new(value))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why [`read_bounded`] returned nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is more than the caller is ready to hold.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The reader failed.
    #[error("read")]
    Io(#[from] io::Error),
}

/// Reads a whole file, at most `limit` bytes, as [`read_bounded`] does.
///
/// # Errors
/// As [`read_bounded`]; also for a named pipe, since opening one waits for a
/// writer who may never come.
pub fn read_file(path: &Path, limit: usize) -> Result<Wiped<Vec<u8>>, ReadError> {
    if fs::metadata(path)?.file_type().is_fifo() {
        let what = "it is a named pipe, not a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what).into());
    }
    read_bounded(File::open(path)?, limit)
}

/// Reads to the end, at most `limit` bytes, into a buffer that is wiped when
/// dropped; also the smaller buffers it outgrows on the way are wiped.
///
/// # Errors
/// [`ReadError::TooLarge`] beyond `limit`, [`ReadError::Io`] as the reader says.
pub fn read_bounded(mut reader: impl Read, limit: usize) -> Result<Wiped<Vec<u8>>, ReadError> {
    const FIRST: usize = 8 * 1024;
    let mut buffer = Wiped::new(vec![0; FIRST.min(limit.saturating_add(1))]);
    let mut filled = 0;
    loop {
        let free = buffer.get_mut(filled..).unwrap_or_default();
        if free.is_empty() {
            if filled > limit {
                return Err(ReadError::TooLarge { limit });
            }
            let size = filled.saturating_mul(2).min(limit.saturating_add(1));
            // Memory that cannot be had is an error here, elsewhere the end of the process.
            let mut larger = Wiped::new(Vec::new());
            let no_memory = |_| io::Error::from(io::ErrorKind::OutOfMemory);
            larger.try_reserve_exact(size).map_err(no_memory)?;
            larger.extend_from_slice(&buffer);
            larger.resize(size, 0);
            buffer = larger;
            continue;
        }
        match reader.read(free) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if filled > limit {
        return Err(ReadError::TooLarge { limit });
    }
    // The tail is zeros that were never written to: nothing is left behind.
    buffer.truncate(filled);
    Ok(buffer)
}

/// A JSON or YAML error without the offending text: kind, line and column alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct DecodeError {
    what: &'static str,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self {
            what: match error.classify() {
                Category::Io => "unreadable JSON",
                Category::Syntax => "malformed JSON",
                Category::Data => "JSON of an unexpected type or with a missing field",
                Category::Eof => "JSON that ends too early",
            },
            line: error.line(),
            column: error.column(),
        }
    }
}

impl From<serde_saphyr::Error> for DecodeError {
    fn from(error: serde_saphyr::Error) -> Self {
        let location = error.location();
        let position = |of: fn(&Location) -> u64| {
            let number = location.as_ref().map_or(0, of);
            usize::try_from(number).unwrap_or_default()
        };
        Self {
            what: "malformed or oversized YAML",
            line: position(Location::line),
            column: position(Location::column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_at_the_limit() {
        for (name, size, limit, fits) in [
            ("empty", 0, 10, true),
            ("below", 9, 10, true),
            ("exact", 10, 10, true),
            ("one more", 11, 10, false),
            ("grown several times", 100_000, 100_000, true),
            ("grown and one more", 100_001, 100_000, false),
        ] {
            let input = vec![b'x'; size];
            match read_bounded(input.as_slice(), limit) {
                Ok(read) => assert!(fits && read.as_slice() == input, "{name}"),
                Err(ReadError::TooLarge { limit: said }) => {
                    assert!(!fits && said == limit, "{name}");
                }
                Err(ReadError::Io(error)) => panic!("{name}: {error}"),
            }
        }
    }

    #[test]
    fn a_decode_error_never_quotes_the_value() {
        let error = serde_json::from_str::<u32>("\"aHVudGVyMg==\"").unwrap_err();
        assert!(
            error.to_string().contains("aHVudGVyMg=="),
            "serde still quotes"
        );
        let redacted = DecodeError::from(error);
        assert_eq!(
            redacted.to_string(),
            "JSON of an unexpected type or with a missing field at line 1 column 14"
        );
    }
}
