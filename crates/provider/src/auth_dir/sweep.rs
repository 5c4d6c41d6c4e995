//! Sweeping: the removal of auth files that no pull has taken.

use std::time::{Duration, Instant};

use rustix::fs::{self, AtFlags, Dir};
use rustix::io::Errno;
use tracing::{debug, warn};

use super::lock::Locks;
use super::name::FileName;
use super::store::{AuthDir, StoreError, is_regular};
use super::temporary::TEMPORARY_SUFFIX;
use super::times::{age, modified};

/// The most time that a run spends on sweeping, since kubelet waits for the process to
/// end. The next run continues.
const BUDGET: Duration = Duration::from_millis(5);
/// The age from which a temporary file is left over from a killed run: it exists for
/// milliseconds otherwise, and no run takes longer than this.
pub const TEMPORARY_AGE: Duration = Duration::from_secs(2 * 60);

impl AuthDir {
    /// Removes auth files that were placed longer than `stale_after` ago, and temporary
    /// files that a killed run has left, for some milliseconds. Files with other names
    /// are left alone.
    ///
    /// A directory that cannot be listed and a file that cannot be removed are warnings:
    /// kubelet has the response already, and the next run sweeps again.
    pub fn sweep(&self, stale_after: Duration, locks: &Locks) {
        if let Err(error) = self.try_sweep(stale_after, locks) {
            let error = anyhow::Error::new(error);
            warn!("old files may be left in the auth directory: {error:#}");
        }
    }

    /// Returns the first error, after the files that it does not affect.
    fn try_sweep(&self, stale_after: Duration, locks: &Locks) -> Result<(), StoreError> {
        let started = Instant::now();
        let failed = |errno| self.directory_error("list", errno);
        let mut all = Ok(());
        for entry in Dir::read_from(self).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if started.elapsed() >= BUDGET {
                break;
            }
            let name = entry.file_name().to_str().unwrap_or_default();
            let swept = match Kind::of(name) {
                Some(Kind::AuthFile(file)) => self.remove_older_than(&file, stale_after, locks),
                Some(Kind::Temporary) => self.remove_if_older(name, TEMPORARY_AGE),
                None => Ok(()),
            };
            all = all.and(swept);
        }
        all
    }

    /// Removes the auth file if it was placed longer than `limit` ago, unless another run
    /// has its turn: that run replaces or removes the file.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub(super) fn remove_older_than(
        &self,
        name: &FileName,
        limit: Duration,
        locks: &Locks,
    ) -> Result<(), StoreError> {
        if !self.is_older(name.as_str(), limit) {
            return Ok(());
        }
        match locks.try_acquire(self.lock_byte(name)) {
            Ok(None) => Ok(()),
            // The file may have been replaced before the lock was taken.
            _lock => self.remove_if_older(name.as_str(), limit),
        }
    }

    fn remove_if_older(&self, name: &str, limit: Duration) -> Result<(), StoreError> {
        if !self.is_older(name, limit) {
            return Ok(());
        }
        match fs::unlinkat(self, name, AtFlags::empty()) {
            Ok(()) => {
                debug!(file = name, "swept");
                Ok(())
            }
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.file_error("sweep", name, errno.into())),
        }
    }

    fn is_older(&self, name: &str, limit: Duration) -> bool {
        fs::statat(self, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| is_regular(&stat) && age(modified(&stat)) > limit)
    }
}

/// Whether a name is one of our auth files or of their temporary files.
pub fn is_ours(name: &str) -> bool {
    Kind::of(name).is_some()
}

/// The kinds of files that runs leave in the directory.
enum Kind {
    AuthFile(FileName),
    Temporary,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        let stem = name.strip_prefix('.');
        match stem.and_then(|name| name.strip_suffix(TEMPORARY_SUFFIX)) {
            Some(stem) => {
                let (target, _run) = stem.rsplit_once('.')?;
                FileName::of_existing(target).map(|_target| Self::Temporary)
            }
            None => FileName::of_existing(name).map(Self::AuthFile),
        }
    }
}
