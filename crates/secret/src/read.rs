//! Reads files and readers to their end, within a limit.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::wiped::Wiped;

/// Why [`read_bounded`] returned nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input is larger than the caller's limit.
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
/// As [`read_bounded`]; also for a named pipe: opening one waits for a writer, which may
/// never come.
pub fn read_file(path: &Path, limit: usize) -> Result<Wiped<Vec<u8>>, ReadError> {
    if fs::metadata(path)?.file_type().is_fifo() {
        let what = "it is a named pipe, not a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what).into());
    }
    read_bounded(File::open(path)?, limit)
}

/// Reads to the end, at most `limit` bytes, into a buffer that is wiped when dropped; the
/// smaller buffers that it replaces are wiped too.
///
/// # Errors
/// [`ReadError::TooLarge`] beyond `limit`, [`ReadError::Io`] if the reader fails.
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
            // Return an error if memory cannot be allocated, instead of aborting.
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
    // The rest of the buffer was zeroed and never written to, so it contains no input.
    buffer.truncate(filled);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_file_is_read_and_a_named_pipe_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (file, pipe) = (directory.path().join("file"), directory.path().join("pipe"));
        File::create(&file).unwrap().write_all(b"text").unwrap();
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(*read_file(&file, 4).unwrap(), b"text");
        let error = read_file(&pipe, 4).unwrap_err();
        assert!(matches!(error, ReadError::Io(error) if error.to_string().contains("named pipe")));
    }

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
}
