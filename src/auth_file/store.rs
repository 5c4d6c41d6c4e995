//! The directory of auth files, and the only writes of this program.
//!
//! Every operation goes through one handle of the directory, whose owner and
//! mode were checked on that handle. A reader sees the old file, or the whole
//! new one; a symbolic link at the target is replaced, never followed.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RawMode};
use rustix::io::Errno;
use rustix::process::{geteuid, getpid};
use tracing::{debug, warn};

use super::name::FileName;

const TEMPORARY_SUFFIX: &str = ".tmp";
/// Group and others may write.
const WRITABLE_BY_OTHERS: RawMode = 0o022;
const STICKY: RawMode = 0o1000;

/// The auth directory, opened and checked.
#[derive(Debug)]
pub struct AuthDir {
    path: PathBuf,
    handle: OwnedFd,
}

/// Why the auth directory or a file in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An operation on the directory itself.
    #[error("{operation} auth directory {path:?}")]
    Directory {
        /// What was tried.
        operation: &'static str,
        /// The directory.
        path: PathBuf,
        /// Why it did not work.
        #[source]
        source: io::Error,
    },
    /// Somebody else could put files there or take ours away.
    #[error(
        "auth directory {path:?} belongs to user {owner}, who could read and replace logins: make it root's, mode 0700"
    )]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Its owner's user ID.
        owner: u32,
    },
    /// A shared directory like `/tmp`.
    #[error(
        "auth directory {path:?} is shared (mode {mode:04o}): use a directory of its own, mode 0700"
    )]
    Shared {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// An operation on an auth file.
    #[error("{operation} auth file {path:?}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it did not work.
        #[source]
        source: io::Error,
    },
}

impl AuthDir {
    /// Opens the directory; `None` where it does not exist.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be opened, or others could tamper with it.
    pub fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::open(path, flags, Mode::empty()) {
            Ok(handle) => Self::checked(path, handle).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(directory_error("open", path, errno)),
        }
    }

    /// Opens the directory, and creates it with mode 0700 where it is missing.
    ///
    /// # Errors
    /// As [`open`](Self::open), and where it cannot be created.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| StoreError::Directory {
                operation: "create the parent of",
                path: path.to_owned(),
                source,
            })?;
        }
        match fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(directory_error("create", path, errno)),
        }
        Self::open(path)?.ok_or_else(|| directory_error("open", path, Errno::NOENT))
    }

    fn checked(path: &Path, handle: OwnedFd) -> Result<Self, StoreError> {
        let stat = fs::fstat(&handle).map_err(|errno| directory_error("inspect", path, errno))?;
        let path = path.to_owned();
        if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
            let owner = stat.st_uid;
            return Err(StoreError::Owner { path, owner });
        }
        let mode = stat.st_mode & 0o7777;
        if mode & WRITABLE_BY_OTHERS != 0 {
            if mode & STICKY != 0 {
                return Err(StoreError::Shared { path, mode });
            }
            fs::fchmod(&handle, Mode::from_raw_mode(mode & !WRITABLE_BY_OTHERS)).map_err(
                |errno| directory_error("take away the write access of others to", &path, errno),
            )?;
            warn!(
                ?path,
                "others could write to the auth directory (mode {mode:04o}): took that away"
            );
        }
        Ok(Self { path, handle })
    }

    /// Writes the file whole, mode 0600: a temporary file in the same directory,
    /// synced, then renamed over whatever stands at the name.
    ///
    /// # Errors
    /// [`StoreError::File`]; no temporary file is left then.
    pub fn write(&self, name: &FileName, content: &[u8]) -> Result<(), StoreError> {
        let temporary = Temporary::create(&self.handle, name)
            .map_err(|errno| self.file_error("create temporary", name, errno.into()))?;
        let mut file = &temporary.file;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(|source| self.file_error("write temporary", name, source))?;
        temporary
            .rename(name)
            .map_err(|errno| self.file_error("rename into place", name, errno.into()))
    }

    /// Removes the file; that there is none is no error.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn remove(&self, name: &FileName) -> Result<(), StoreError> {
        match fs::unlinkat(&self.handle, name.as_str(), AtFlags::empty()) {
            Ok(()) => {
                debug!(
                    file = name.as_str(),
                    "removed the auth file of an earlier run"
                );
                Ok(())
            }
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.file_error("remove", name, errno.into())),
        }
    }

    /// Removes auth files and left-over temporary files that were last written
    /// before `now - age`. Nothing else is touched, whatever its name; what cannot
    /// be removed is a warning.
    pub fn sweep(&self, age: Duration, now: SystemTime) {
        let oldest = now
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_sub(age);
        let entries = match Dir::read_from(&self.handle) {
            Ok(entries) => entries,
            Err(errno) => {
                warn!(path = ?self.path, "list auth directory: {errno}");
                return;
            }
        };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if is_ours(name) && self.is_older_than(name, oldest) {
                match fs::unlinkat(&self.handle, name, AtFlags::empty()) {
                    Ok(()) => debug!(file = name, "swept"),
                    Err(Errno::NOENT) => {}
                    Err(errno) => warn!(file = name, "sweep: {errno}"),
                }
            }
        }
    }

    fn is_older_than(&self, name: &str, oldest: Duration) -> bool {
        fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                && u64::try_from(stat.st_mtime).unwrap_or_default() < oldest.as_secs()
        })
    }

    fn file_error(
        &self,
        operation: &'static str,
        name: &FileName,
        source: io::Error,
    ) -> StoreError {
        StoreError::File {
            operation,
            path: self.path.join(name.as_str()),
            source,
        }
    }
}

/// A file that is removed again unless it is renamed into place.
struct Temporary<'a> {
    directory: &'a OwnedFd,
    name: Option<String>,
    file: File,
}

impl<'a> Temporary<'a> {
    fn create(directory: &'a OwnedFd, target: &FileName) -> Result<Self, Errno> {
        // Exclusive creation decides; process and time only make a clash unlikely.
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut attempt = 0_u32;
        loop {
            let pid = getpid().as_raw_nonzero();
            let name = format!(".{}.{pid}-{attempt}{TEMPORARY_SUFFIX}", target.as_str());
            match fs::openat(directory, name.as_str(), flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => {
                    return Ok(Self {
                        directory,
                        name: Some(name),
                        file: File::from(file),
                    });
                }
                // Left over by a killed process that had our number.
                Err(Errno::EXIST) if attempt < 100 => attempt += 1,
                Err(errno) => return Err(errno),
            }
        }
    }

    fn rename(mut self, target: &FileName) -> Result<(), Errno> {
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

/// Whether a name is one of our auth files or of their temporary files.
pub(crate) fn is_ours(name: &str) -> bool {
    let target_of_temporary = || {
        let stem = name.strip_prefix('.')?.strip_suffix(TEMPORARY_SUFFIX)?;
        Some(stem.rsplit_once('.')?.0)
    };
    FileName::is_one(target_of_temporary().unwrap_or(name))
}

fn directory_error(operation: &'static str, path: &Path, errno: Errno) -> StoreError {
    StoreError::Directory {
        operation,
        path: path.to_owned(),
        source: errno.into(),
    }
}
