//! The locks by which runs for one auth file take turns.
//!
//! All auth files share one lock file, outside of the auth directory. Each auth file has
//! a byte of its own in it, which is locked and never written (`F_OFD_SETLK`,
//! `fcntl_locking(2)`): no lock file is left for each image, and the kernel releases the
//! locks of a process that dies.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fd::OwnedFd;
use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use tracing::warn;

/// The interval at which a run tries to take a lock that another run holds.
const PAUSE: Duration = Duration::from_millis(10);

/// The lock file, or why it cannot be used.
#[derive(Debug)]
pub struct Locks {
    path: PathBuf,
    file: io::Result<OwnedFd>,
}

/// A byte of the lock file that is locked until this is dropped.
#[derive(Debug)]
pub(super) struct Lock<'a> {
    file: &'a OwnedFd,
    byte: i64,
    was_awaited: bool,
}

impl Lock<'_> {
    /// Whether this run had to wait for the lock, which another run has just released.
    pub(super) fn was_awaited(&self) -> bool {
        self.was_awaited
    }
}

impl Locks {
    /// Opens the lock file, and creates it (0600) and its directory (0700) where they are
    /// missing. Must be called before the sandbox closes.
    ///
    /// An error is kept until a lock is needed: most runs need none.
    pub fn open(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: open(path),
        }
    }

    /// Waits for the lock until `until`. Returns `None`, with a warning, if it cannot be
    /// taken: the run goes on without it, and at worst the pull of another pod finds no
    /// file.
    pub(super) fn acquire(&self, byte: i64, until: Instant) -> Option<Lock<'_>> {
        let mut was_awaited = false;
        let problem = loop {
            match self.try_acquire(byte) {
                Ok(Some(mut lock)) => {
                    lock.was_awaited = was_awaited;
                    return Some(lock);
                }
                Ok(None) if Instant::now() < until => {
                    was_awaited = true;
                    sleep(PAUSE);
                }
                Ok(None) => break "another run still holds it".to_owned(),
                Err(error) => break error.to_string(),
            }
        };
        warn!(
            path = ?self.path,
            "go on without the lock (--lock-file), so that pods that start together may share one auth file: {problem}"
        );
        None
    }

    /// Takes the lock; `None` where another run holds it.
    pub(super) fn try_acquire(&self, byte: i64) -> io::Result<Option<Lock<'_>>> {
        let file = match &self.file {
            Ok(file) => file,
            Err(error) => return Err(io::Error::new(error.kind(), error.to_string())),
        };
        match set_lock(file, libc::F_WRLCK, byte) {
            Ok(()) => Ok(Some(Lock {
                file,
                byte,
                was_awaited: false,
            })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // If this is refused, the lock is released at the end of the process.
        let _ignored = set_lock(self.file, libc::F_UNLCK, self.byte);
    }
}

/// Takes the lock on a byte of a lock file, as [`Locks`] does, until the result is
/// dropped; `None` where another run holds it.
///
/// # Errors
/// The file cannot be opened or locked.
pub(crate) fn hold_lock(path: &Path, byte: i64) -> io::Result<Option<OwnedFd>> {
    let file = open(path)?;
    match set_lock(&file, libc::F_WRLCK, byte) {
        Ok(()) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let create = || fs::open(path, flags, Mode::RUSR | Mode::WUSR);
    let file = match create() {
        Err(Errno::NOENT) => {
            // Another run may create the directory at the same time.
            match fs::mkdir(path.parent().unwrap_or(path), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => create()?,
                Err(errno) => return Err(errno.into()),
            }
        }
        other => other?,
    };
    let stat = fs::fstat(&file)?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if is_file && stat.st_uid == geteuid().as_raw() {
        Ok(file)
    } else {
        Err(io::Error::other("not a file of this user"))
    }
}

fn set_lock(file: &OwnedFd, kind: i32, byte: i64) -> io::Result<()> {
    let range = libc::flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: 0, // SEEK_SET
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&range))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "lays out files")]

    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::thread;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(30)
    }

    #[test]
    fn a_byte_is_locked_for_one_at_a_time_and_others_are_free() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/lock");
        let (first, second) = (Locks::open(&path), Locks::open(&path));

        let held = first.acquire(7, soon()).unwrap();
        assert!(second.try_acquire(7).unwrap().is_none());
        assert!(second.acquire(7, soon()).is_none());
        assert!(second.try_acquire(8).unwrap().is_some());
        drop(held);
        assert!(second.try_acquire(7).unwrap().is_some());
        assert!(first.try_acquire(i64::MAX - 1).unwrap().is_some());
    }

    #[test]
    fn a_waiting_run_gets_the_lock_when_it_is_released() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let (first, second) = (Locks::open(&path), Locks::open(&path));
        let held = first.acquire(1, soon());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let until = Instant::now() + Duration::from_secs(20);
                second.acquire(1, until).map(|lock| lock.was_awaited())
            });
            sleep(Duration::from_millis(50));
            assert!(!waiting.is_finished());
            drop(held);
            assert_eq!(waiting.join().unwrap(), Some(true));
        });
    }

    #[test]
    fn the_file_and_its_directory_are_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/lock");
        Locks::open(&path);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_run_goes_on_without_a_lock_that_it_cannot_take() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("victim"), "kept").unwrap();
        fs::set_permissions(at("victim"), Permissions::from_mode(0o644)).unwrap();
        symlink(at("victim"), at("link")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        for path in ["link", "directory", "missing/missing/lock", "victim/lock"] {
            let locks = Locks::open(&at(path));
            assert!(locks.try_acquire(1).is_err(), "{path}");
            assert!(locks.acquire(1, soon()).is_none(), "{path}");
        }
        assert_eq!(fs::read_to_string(at("victim")).unwrap(), "kept");
    }
}
