//! An auth file that is not complete yet, under a name that no pull looks for.

use std::fs::File;

use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, Mode, OFlags, RawMode};
use rustix::io::Errno;
use rustix::process::getpid;
use tracing::warn;

use super::name::FileName;

/// The mode of an auth file.
pub(super) const PRIVATE: RawMode = 0o600;
/// The suffix of the names.
pub(super) const TEMPORARY_SUFFIX: &str = ".tmp";

/// A temporary file, removed when dropped unless it was renamed into place.
pub(super) struct Temporary<'a> {
    directory: &'a OwnedFd,
    name: Option<String>,
    file: File,
}

impl<'a> Temporary<'a> {
    /// Creates an empty file in the directory, with the mode of an auth file.
    pub(super) fn create(directory: &'a OwnedFd, target: &FileName) -> Result<Self, Errno> {
        // Exclusive creation guarantees a new file; process and time make a clash
        // unlikely.
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut attempt = 0_u32;
        loop {
            let pid = getpid().as_raw_nonzero();
            let name = format!(".{}.{pid}-{attempt}{TEMPORARY_SUFFIX}", target.as_str());
            match fs::openat(
                directory,
                name.as_str(),
                flags,
                Mode::from_raw_mode(PRIVATE),
            ) {
                Ok(file) => {
                    let temporary = Self {
                        directory,
                        name: Some(name),
                        file: File::from(file),
                    };
                    // A umask may clear even the owner's permissions.
                    fs::fchmod(&temporary.file, Mode::from_raw_mode(PRIVATE))?;
                    return Ok(temporary);
                }
                // A killed process with the same ID has left this file.
                Err(Errno::EXIST) if attempt < 100 => attempt += 1,
                Err(errno) => return Err(errno),
            }
        }
    }

    /// The file, to be written.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it the name of the auth file.
    pub(super) fn rename(mut self, target: &FileName) -> Result<(), Errno> {
        let name = self.name.as_deref().unwrap_or_default();
        fs::renameat(self.directory, name, self.directory, target.as_str())?;
        self.name = None;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name
            && let Err(errno) = fs::unlinkat(self.directory, name.as_str(), AtFlags::empty())
        {
            warn!(file = name, "remove temporary auth file: {errno}");
        }
    }
}
