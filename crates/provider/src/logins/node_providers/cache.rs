//! Responses of providers that may be used again, as kubelet caches them
//! (`pluginProvider.provide`). They are in files, since every pull has a process of its
//! own.
//!
//! A response is cached by provider and, depending on its `cacheKeyType`, for the image,
//! the registry or all images. It is valid until it expires, in this boot only, and as
//! long as the provider's executable and kubelet's configuration are the same files. Only
//! the node's own logins are cached.
//!
//! The first line of a file is `BOOT PROVIDER EXPIRES`, which decides whether it is
//! valid; the response follows. A further file for each provider records how its last
//! response was cached, so that runs wait for each other only if that helps.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kubelet_credential_provider::{ApiVersion, CacheKeyType, GoDuration, Response};
use nix::time::{ClockId, clock_gettime};
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{geteuid, getpid};
use tracing::warn;

use super::key::{Fingerprint, Habit, file_name, habit_name, place};
use super::loophole_of;
use crate::auth_dir::hold_lock;
use crate::ownership::Loophole;
use secret::{Wiped, read_bounded, read_file};

/// The random ID that the kernel chooses at each boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const MAX_BOOT_ID: usize = 64;
/// The largest file that is written or read. A token has a few KiB.
const MAX_BYTES: usize = 64 * 1024;
/// The most files that are kept: responses may be cached by image, and pods choose the
/// images.
const MAX_FILES: usize = 1_000;
/// The prefix of all files in the directory except the lock file.
const PREFIX: &[u8] = b"provider-";
const TEMPORARY: &[u8] = b"provider-.";
/// The age, in seconds, from which a temporary file is left over from a killed run.
const TEMPORARY_AGE: i64 = 2 * 60;
const LOCKS: &str = "providers.lock";
/// The permissions of group and others: a file must have none of them.
const OTHERS: u32 = 0o077;

/// The directory of cached responses.
#[derive(Debug)]
pub(super) struct Cache {
    path: PathBuf,
    directory: OwnedFd,
    boot: String,
    is_full: bool,
}

/// Why no responses are cached.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    /// The directory cannot be used.
    #[error("{operation} directory {path:?} (--provider-cache-dir)")]
    Directory {
        /// What was attempted.
        operation: &'static str,
        /// The directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Another user could place logins in it.
    #[error("directory of cached responses (--provider-cache-dir): {0}: {remedy}", remedy = .0.remedy())]
    Loophole(Loophole),
    /// The ID of the boot cannot be read.
    #[error("read {BOOT_ID}")]
    Boot(#[source] io::Error),
    /// The response cannot be written.
    #[error("write the response below {path:?} (--provider-cache-dir)")]
    Write {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl CacheError {
    /// Logs that responses are not cached: a pull does not depend on that.
    pub(super) fn warn(self) {
        let error = anyhow::Error::new(self);
        warn!("responses of node providers are not cached: {error:#}");
    }
}

impl Cache {
    /// Opens the directory; creates it (0700) if it is missing. Must be called before the
    /// sandbox closes, as must [`find`](Self::find) and [`tidy`](Self::tidy).
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) fn open(path: &Path) -> Result<Self, CacheError> {
        let failed = |operation| {
            move |source: io::Error| CacheError::Directory {
                operation,
                path: path.to_owned(),
                source,
            }
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || fs::open(path, flags, Mode::empty());
        let directory = match open() {
            Err(Errno::NOENT) => {
                match fs::mkdir(path, Mode::RWXU) {
                    // Another run may create the directory at the same time.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(failed("create")(errno.into())),
                }
                open()
            }
            other => other,
        };
        let directory = directory.map_err(|errno| failed("open")(errno.into()))?;
        if let Some(loophole) = loophole_of(Path::new("/"), path).map_err(failed("inspect"))? {
            return Err(CacheError::Loophole(loophole));
        }
        let boot = read_file(Path::new(BOOT_ID), MAX_BOOT_ID);
        let boot = boot.map_err(|error| CacheError::Boot(io::Error::other(error)))?;
        Ok(Self {
            path: path.to_owned(),
            directory,
            boot: String::from_utf8_lossy(&boot).trim().to_owned(),
            is_full: false,
        })
    }

    /// The cached response that kubelet would use for `source`.
    pub(super) fn find(&self, provider: &Fingerprint, source: &str) -> Option<Response> {
        let kinds = [
            CacheKeyType::Image,
            CacheKeyType::Registry,
            CacheKeyType::Global,
        ];
        kinds.into_iter().find_map(|kind| {
            let name = file_name(&place(provider, kind, source));
            let answer = self.read(&name, Some(provider))?;
            Response::parse(answer.get()?, ApiVersion::V1).ok()
        })
    }

    /// How the last response of the provider was cached; `None` if there was none yet.
    pub(super) fn habit(&self, provider: &Fingerprint) -> Option<Habit> {
        let habit = self.read(&habit_name(provider), Some(provider))?;
        Habit::parse(habit.get()?)
    }

    /// Takes the lock under which the provider is asked for a source, and keeps it until
    /// the result is dropped; `None` where another run holds it.
    pub(super) fn hold(&self, byte: i64) -> io::Result<Option<OwnedFd>> {
        hold_lock(&self.path.join(LOCKS), byte)
    }

    /// Caches a response if kubelet would, and records how. `default_duration` is that of
    /// the provider's entry.
    ///
    /// # Errors
    /// [`CacheError::Write`].
    pub(super) fn store(
        &self,
        provider: &Fingerprint,
        source: &str,
        answer: Option<&Response>,
        default_duration: GoDuration,
    ) -> Result<(), CacheError> {
        let kept = answer.and_then(|answer| {
            let duration = answer.cache_duration.unwrap_or(default_duration);
            // A response with a negative or zero duration is not cached, as in kubelet.
            let duration = u64::try_from(duration.as_nanos()).ok().filter(|&n| n > 0)?;
            let json = answer.to_json();
            let fits = json.len() <= MAX_BYTES && !self.is_full;
            fits.then_some((answer.cache_key_type, duration, json))
        });
        let habit = match &kept {
            Some((kind, ..)) => Habit::Kept(*kind),
            None => Habit::NotKept,
        };
        if let Some((kind, duration, json)) = &kept {
            let name = file_name(&place(provider, *kind, source));
            let expires = now().saturating_add(*duration);
            self.write(&name, provider, expires, json)?;
        }
        self.write(
            &habit_name(provider),
            provider,
            u64::MAX,
            habit.as_str().as_bytes(),
        )
    }

    /// Removes files that have expired or are from an earlier boot.
    ///
    /// # Errors
    /// [`CacheError::Directory`]; nothing more is cached then, since the number of files
    /// is not known.
    pub(super) fn tidy(&mut self) -> Result<(), CacheError> {
        let path = self.path.clone();
        let failed = |errno: Errno| CacheError::Directory {
            operation: "list",
            path: path.clone(),
            source: errno.into(),
        };
        self.is_full = true;
        let mut files = 0_usize;
        for entry in Dir::read_from(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if !name.starts_with(PREFIX) {
                continue;
            }
            let name = OsStr::from_bytes(name);
            if name.as_bytes().starts_with(TEMPORARY) {
                self.remove_if_old(name);
            } else if self.read(name, None).is_some() {
                files = files.saturating_add(1);
            }
        }
        self.is_full = files >= MAX_FILES;
        Ok(())
    }

    /// Removes a temporary file, unless its run may still be about to rename it.
    fn remove_if_old(&self, name: &OsStr) {
        let stat = fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs().cast_signed());
        if stat.is_ok_and(|stat| now.saturating_sub(stat.st_mtime) > TEMPORARY_AGE) {
            self.remove(name);
        }
    }

    /// Reads a file that is valid now, for `provider` if one is given. Removes an invalid
    /// one.
    fn read(&self, name: &OsStr, provider: Option<&Fingerprint>) -> Option<Content> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(&self.directory, name, flags, Mode::empty()).ok()?;
        let content = self.content(file, provider);
        if content.is_none() {
            self.remove(name);
        }
        content
    }

    fn content(&self, file: OwnedFd, provider: Option<&Fingerprint>) -> Option<Content> {
        let stat = fs::fstat(&file).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if !is_file || stat.st_uid != geteuid().as_raw() || stat.st_mode & OTHERS != 0 {
            return None;
        }
        let text = read_bounded(File::from(file), MAX_BYTES.saturating_mul(2)).ok()?;
        let end = text.iter().position(|&byte| byte == b'\n')?;
        let mut words = str::from_utf8(text.get(..end)?).ok()?.split(' ');
        let (boot, all, expires) = (words.next()?, words.next()?, words.next()?);
        let counts = boot == self.boot
            && provider.is_none_or(|provider| provider.all == all)
            && expires.parse::<u64>().is_ok_and(|expires| now() < expires);
        counts.then(|| Content {
            start: end.saturating_add(1),
            text,
        })
    }

    fn write(
        &self,
        name: &OsStr,
        provider: &Fingerprint,
        expires: u64,
        content: &[u8],
    ) -> Result<(), CacheError> {
        let written = self.try_write(name, provider, expires, content);
        written.map_err(|source| CacheError::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// Writes under a temporary name and renames: a reader sees a whole file or none.
    fn try_write(
        &self,
        name: &OsStr,
        provider: &Fingerprint,
        expires: u64,
        content: &[u8],
    ) -> io::Result<()> {
        let temporary = format!("provider-.{}", getpid());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        // A killed run with the same process ID has left a file of that name.
        self.remove(OsStr::new(&temporary));
        let file = fs::openat(&self.directory, &*temporary, flags, mode)?;
        let mut file = File::from(file);
        let (boot, all) = (&self.boot, &provider.all);
        let mut line = format!("{boot} {all} {expires}\n").into_bytes();
        line.extend_from_slice(content);
        let line = Wiped::new(line);
        let written = file.write_all(&line);
        let renamed = written.and_then(|()| {
            let directory = &self.directory;
            Ok(fs::renameat(directory, &*temporary, directory, name)?)
        });
        if renamed.is_err() {
            self.remove(OsStr::new(&temporary));
        }
        renamed
    }

    fn remove(&self, name: &OsStr) {
        fs::unlinkat(&self.directory, name, AtFlags::empty()).unwrap_or_default();
    }
}

/// The content of a file after its first line.
struct Content {
    text: Wiped<Vec<u8>>,
    start: usize,
}

impl Content {
    fn get(&self) -> Option<&[u8]> {
        self.text.get(self.start..)
    }
}

/// The time since the boot, in nanoseconds, on a clock that cannot be set. If it cannot
/// be read, everything counts as expired.
fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME);
    let now = now
        .ok()
        .and_then(|now| Duration::from(now).as_nanos().try_into().ok());
    now.unwrap_or(u64::MAX)
}
