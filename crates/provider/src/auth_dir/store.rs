//! The directory of auth files, and the operations on it.
//!
//! Every operation uses one handle of the directory, whose owner and mode were checked on
//! that handle. A reader sees the old file or the whole new one; a symbolic link at the
//! target is replaced, never followed.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    self, AtFlags, FileType, Mode, OFlags, RawMode, Stat, Timespec, Timestamps, UTIME_OMIT,
};
use rustix::io::Errno;
use rustix::process::geteuid;
use secret::read_bounded;
use sha2::{Digest, Sha256};
use tracing::{debug, warn};

use super::name::FileName;
use super::temporary::{PRIVATE, Temporary};
use super::times::{age, changed, modified};

/// Group and others may write.
const WRITABLE_BY_OTHERS: RawMode = 0o022;
const STICKY: RawMode = 0o1000;

/// The auth directory, opened and checked.
#[derive(Debug)]
pub struct AuthDir {
    path: PathBuf,
    handle: OwnedFd,
    /// Device and inode, which identify the directory.
    identity: [u64; 2],
}

impl AsFd for AuthDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Why the auth directory or a file in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An operation on the directory itself.
    #[error("{operation} auth directory {path:?}")]
    Directory {
        /// What was attempted.
        operation: &'static str,
        /// The directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The directory belongs to another user, who could add and replace files.
    #[error(
        "auth directory {path:?} belongs to user {owner}, who could read and replace logins: make it root's, mode 0700"
    )]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Its owner's user ID.
        owner: u32,
    },
    /// The directory is shared, as `/tmp` is.
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
        /// What was attempted.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// Whether the directory as a whole cannot be used.
    pub fn is_of_directory(&self) -> bool {
        match self {
            Self::Directory { .. } | Self::Owner { .. } | Self::Shared { .. } => true,
            Self::File { .. } => false,
        }
    }
}

/// What a directory has under the name of an auth file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// Something that no run has written, such as a symbolic link.
    Foreign,
    /// A file with the content of this run, and the time since it was placed.
    Same(Duration),
    /// A file with other content or mode, and the time since it was placed.
    Other(Duration),
}

impl Found {
    /// The same, but placed that much later.
    pub(super) fn younger_by(self, period: Duration) -> Self {
        match self {
            Self::Nothing | Self::Foreign => self,
            Self::Same(age) => Self::Same(age.saturating_sub(period)),
            Self::Other(age) => Self::Other(age.saturating_sub(period)),
        }
    }
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

    /// Opens the directory. If it is missing, creates it with mode 0700, and its parents with
    /// 0755, whatever the umask.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if it cannot be created.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if let Some(directory) = Self::open(path)? {
            return Ok(directory);
        }
        let parents: Vec<_> = path.ancestors().skip(1).collect();
        for parent in parents.into_iter().rev().filter(|parent| !parent.exists()) {
            create_directory(parent, Mode::from_raw_mode(0o755))
                .map_err(|errno| directory_error("create the parent of", path, errno))?;
        }
        create_directory(path, Mode::RWXU)
            .map_err(|errno| directory_error("create", path, errno))?;
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
                |errno| directory_error("remove the write access of others to", &path, errno),
            )?;
            warn!(
                ?path,
                "others could write to the auth directory (mode {mode:04o}): removed their write access"
            );
        }
        let identity = [stat.st_dev, stat.st_ino];
        Ok(Self {
            path,
            handle,
            identity,
        })
    }

    /// The byte of the lock file for that file of this directory. The same name in
    /// another directory has another byte.
    pub(super) fn lock_byte(&self, name: &FileName) -> i64 {
        let mut digest = Sha256::new();
        for number in self.identity {
            digest.update(number.to_ne_bytes());
        }
        digest.update(name.as_str());
        let first = digest
            .finalize()
            .iter()
            .take(size_of::<i64>())
            .fold(0_u64, |number, &byte| (number << 8) | u64::from(byte));
        // The last byte of a file has the number `i64::MAX - 1`.
        i64::try_from(first >> 2).unwrap_or_default()
    }

    /// Inspects the file: whether it has `content` and the mode that a run gives it. A file
    /// that is not a regular one was not left by a run.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub(super) fn look(
        &self,
        name: &FileName,
        content: Option<&[u8]>,
    ) -> Result<Found, StoreError> {
        let stat = match fs::statat(&self.handle, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_regular(&stat) => stat,
            Ok(_) => return Ok(Found::Foreign),
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(errno) => return Err(self.file_error("inspect", name.as_str(), errno.into())),
        };
        let ours = stat.st_uid == geteuid().as_raw() && stat.st_mode & 0o7777 == PRIVATE;
        if ours && content.is_some_and(|content| self.holds(name, content)) {
            Ok(Found::Same(age(modified(&stat))))
        } else {
            Ok(Found::Other(age(modified(&stat))))
        }
    }

    /// The time since the file was placed or touched, whatever time it has; zero where it
    /// is missing, or the clock has been set back since.
    pub(super) fn since_change(&self, name: &FileName) -> Duration {
        let stat = fs::statat(&self.handle, name.as_str(), AtFlags::SYMLINK_NOFOLLOW);
        let since = |stat| SystemTime::now().duration_since(changed(&stat)).ok();
        stat.ok().and_then(since).unwrap_or_default()
    }

    fn holds(&self, name: &FileName, content: &[u8]) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(&self.handle, name.as_str(), flags, Mode::empty());
        let held = file.map(|file| read_bounded(File::from(file), content.len()));
        matches!(held, Ok(Ok(held)) if *held == content)
    }

    /// Sets the file's time to `ago` before now. Returns `false` if the file has gone.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub(super) fn touch(&self, name: &FileName, ago: Duration) -> Result<bool, StoreError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let placed = now.unwrap_or_default().saturating_sub(ago);
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec::try_from(placed).unwrap_or_default(),
        };
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        match fs::utimensat(&self.handle, name.as_str(), &times, flags) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.file_error("touch", name.as_str(), errno.into())),
        }
    }

    /// Writes the whole file with mode 0600: a temporary file in the same directory, renamed
    /// to `name`. The file is not synced, since it is for a pull of this boot.
    ///
    /// # Errors
    /// [`StoreError::File`]; no temporary file is left then.
    pub(super) fn write(&self, name: &FileName, content: &[u8]) -> Result<(), StoreError> {
        let temporary = Temporary::create(&self.handle, name)
            .map_err(|errno| self.file_error("create temporary", name.as_str(), errno.into()))?;
        let mut file = temporary.file();
        file.write_all(content)
            .map_err(|source| self.file_error("write temporary", name.as_str(), source))?;
        temporary
            .rename(name)
            .map_err(|errno| self.file_error("rename into place", name.as_str(), errno.into()))
    }

    /// Removes the file. A missing file is not an error.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub(super) fn remove(&self, name: &FileName) -> Result<(), StoreError> {
        match fs::unlinkat(&self.handle, name.as_str(), AtFlags::empty()) {
            Ok(()) => {
                debug!(
                    file = name.as_str(),
                    "removed the auth file of an earlier run"
                );
                Ok(())
            }
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.file_error("remove", name.as_str(), errno.into())),
        }
    }

    pub(super) fn directory_error(&self, operation: &'static str, errno: Errno) -> StoreError {
        directory_error(operation, &self.path, errno)
    }

    pub(super) fn file_error(
        &self,
        operation: &'static str,
        name: &str,
        source: io::Error,
    ) -> StoreError {
        StoreError::File {
            operation,
            path: self.path.join(name),
            source,
        }
    }
}

/// Creates a directory with exactly that mode, unless another process has just created
/// it.
fn create_directory(path: &Path, mode: Mode) -> Result<(), Errno> {
    match fs::mkdir(path, mode) {
        // The umask has cleared bits.
        Ok(()) => fs::chmod(path, mode),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

pub(super) fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn directory_error(operation: &'static str, path: &Path, errno: Errno) -> StoreError {
    StoreError::Directory {
        operation,
        path: path.to_owned(),
        source: errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use registries_conf::ImageName;

    use super::*;
    use crate::service_account::Namespace;

    #[test]
    fn every_file_of_every_directory_has_a_lock_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let directory = |name: &str| AuthDir::create(&root.path().join(name)).unwrap();
        let name = |namespace: &str, image: &str| {
            let namespace = Namespace::parse(namespace).unwrap();
            FileName::new(&namespace, &ImageName::parse(image).unwrap())
        };
        let byte = directory("a").lock_byte(&name("team-a", "nginx"));
        assert!(byte >= 0);
        assert_eq!(byte, directory("a").lock_byte(&name("team-a", "nginx")));
        for (other, namespace, image) in [
            ("b", "team-a", "nginx"),
            ("a", "team-b", "nginx"),
            ("a", "team-a", "redis"),
        ] {
            let other = directory(other).lock_byte(&name(namespace, image));
            assert_ne!(byte, other, "{namespace}, {image}");
        }
    }
}
