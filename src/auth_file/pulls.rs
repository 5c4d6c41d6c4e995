//! Whether a pull that will take the auth file is announced.
//!
//! kubelet writes a record before it queues a pull, and removes it after the pull
//! (`pkg/kubelet/images/pullmanager`, feature `KubeletEnsureSecretPulledImages`).
//! Where it keeps none, CRI-O's `in-use` directory shows which pulls are under way.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use registries_conf::ImageName;
use rustix::fd::OwnedFd;
use rustix::fs::{self, AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::getppid;
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use tracing::debug;

use super::name::FileName;
use super::store::AuthDir;
use super::times::{age, changed, modified};
use super::turns::WINDOW;
use crate::secret::read_bounded;

/// The largest record that is read; kubelet's have some hundred bytes.
const MAX_RECORD: usize = 64 * 1024;
/// The most records that are looked at, far beyond the pods of a node.
const MAX_RECORDS: usize = 4096;
/// How long an announcement counts before it is looked for again: reading every record
/// is more work than to see whether the file is still there.
const REMEMBERED: Duration = Duration::from_millis(100);
/// CRI-O's directory for the files of pulls that are under way.
const IN_USE: &str = "in-use";
/// How long a file in `in-use` shows that a pull is under way. One that a crash of
/// CRI-O has left there does not count for ever.
const LONG_PULL: Duration = Duration::from_secs(40);
/// Time units of `/proc/PID/stat` in a second: `USER_HZ`, the same on all architectures
/// that kubelet is built for.
const USER_HZ: u64 = 100;
/// What the clocks of files and of processes may differ by.
const IMPRECISION: Duration = Duration::from_secs(1);

/// kubelet's records, and since when they count. To be opened before the sandbox
/// closes.
#[derive(Debug)]
pub struct Intents {
    directory: Option<PathBuf>,
    kubelet: Option<File>,
}

impl Intents {
    /// The records in `directory`, of the kubelet that started this process: what an
    /// earlier kubelet has left says nothing about a pull that is to come.
    pub fn open(directory: Option<&Path>) -> Self {
        let parent = getppid().map(|pid| format!("/proc/{}/stat", pid.as_raw_nonzero()));
        Self {
            directory: directory.map(Path::to_owned),
            kubelet: parent.and_then(|path| File::open(path).ok()),
        }
    }

    /// Whether a record of that image is there; `None` where there are no records.
    fn announce(&self, image: &ImageName) -> Option<bool> {
        let directory = self.directory.as_deref()?;
        match self.find(directory, image) {
            Ok(found) => Some(found),
            Err(errno) => {
                debug!(?directory, "no pull intents of kubelet: {errno}");
                None
            }
        }
    }

    fn find(&self, directory: &Path, image: &ImageName) -> Result<bool, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = fs::open(directory, flags, Mode::empty())?;
        let started = self.kubelet.as_ref().and_then(started);
        let mut entries = Dir::read_from(&directory)?.flatten().take(MAX_RECORDS);
        Ok(entries.any(|entry| {
            let name = entry.file_name().to_str().ok();
            name.filter(|name| name.starts_with("sha256-") && !name.contains(".tmp"))
                .and_then(|name| Intent::read(&directory, name, started))
                .is_some_and(|intent| intent.is_for(image))
        }))
    }
}

/// kubelet's `ImagePullIntent`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intent {
    kind: String,
    api_version: String,
    /// As the pod has it, with a tag or a digest.
    image: String,
}

impl Intent {
    /// A record that is not older than its kubelet; what is not a record is ignored, as
    /// is one that is being removed.
    fn read(directory: &OwnedFd, name: &str, started: Option<SystemTime>) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(directory, name, flags, Mode::empty()).ok()?;
        let written = modified(&fs::fstat(&file).ok()?);
        if started.is_some_and(|started| written < started) {
            return None;
        }
        let text = read_bounded(File::from(file), MAX_RECORD).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn is_for(&self, image: &ImageName) -> bool {
        self.kind == "ImagePullIntent"
            && self.api_version.starts_with("kubelet.config.k8s.io/")
            && ImageName::parse(&self.image).is_ok_and(|pulled| pulled == *image)
    }
}

/// When the process of a `/proc/PID/stat` was started; a little earlier, rather than
/// too late. `None` where it has ended.
fn started(mut stat: &File) -> Option<SystemTime> {
    stat.rewind().ok()?;
    let text = read_bounded(stat, MAX_RECORD).ok()?;
    let ticks = start_ticks(str::from_utf8(&text).ok()?)?;
    let after_boot = Duration::from_millis(ticks.checked_mul(1000 / USER_HZ)?);
    let since_boot = Duration::try_from(clock_gettime(ClockId::Boottime)).ok()?;
    let ago = since_boot.checked_sub(after_boot)?;
    SystemTime::now().checked_sub(ago + IMPRECISION)
}

/// `starttime` of `proc_pid_stat(5)`: the 20th field after the program's name, which is
/// in parentheses and may hold any character.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_name, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The pulls of one auth file, looked at again and again by a run that waits.
#[derive(Debug)]
pub(super) struct Pulls<'a> {
    intents: &'a Intents,
    image: &'a ImageName,
    directory: &'a AuthDir,
    name: &'a FileName,
    announced: Option<Instant>,
    in_use: Option<InUse>,
    ended: Option<Instant>,
}

impl<'a> Pulls<'a> {
    pub(super) fn new(
        intents: &'a Intents,
        image: &'a ImageName,
        directory: &'a AuthDir,
        name: &'a FileName,
    ) -> Self {
        Self {
            intents,
            image,
            directory,
            name,
            announced: None,
            in_use: None,
            ended: None,
        }
    }

    /// Whether a pull of the image is announced.
    pub(super) fn announced(&mut self) -> bool {
        if is_within(self.announced, REMEMBERED) {
            return true;
        }
        let intents = self.intents.announce(self.image);
        let announced = intents.unwrap_or_else(|| self.under_way());
        self.announced = announced.then(Instant::now);
        announced
    }

    /// Whether CRI-O pulls with a file of that name, or did a moment ago: the next pull
    /// may be queued behind it.
    fn under_way(&mut self) -> bool {
        let Ok(now) = InUse::read(self.directory, self.name) else {
            return false;
        };
        let ended = match &self.in_use {
            Some(before) => !before.names.is_subset(&now.names),
            // Which file was put there or removed cannot be seen any more.
            None => now.changed <= WINDOW,
        };
        if ended {
            self.ended = Some(Instant::now());
        }
        let under_way = now.newest.is_some_and(|newest| newest <= LONG_PULL);
        self.in_use = Some(now);
        under_way || is_within(self.ended, WINDOW)
    }
}

/// What CRI-O's `in-use` holds of one auth file: `<its name>-<UUID>.json` for each pull
/// that is under way (CRI-O: `internal/auth`).
#[derive(Debug)]
struct InUse {
    names: BTreeSet<CString>,
    /// How long ago the last of them was put there.
    newest: Option<Duration>,
    /// How long ago anything was put there or removed.
    changed: Duration,
}

impl InUse {
    fn read(directory: &AuthDir, name: &FileName) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let in_use = fs::openat(directory, IN_USE, flags, Mode::empty())?;
        let mut found = Self {
            names: BTreeSet::new(),
            newest: None,
            changed: age(modified(&fs::fstat(&in_use)?)),
        };
        for entry in Dir::read_from(&in_use)? {
            let entry = entry?;
            let of_file = entry.file_name().to_str().is_ok_and(|entry| {
                let rest = entry.strip_prefix(name.stem());
                rest.is_some_and(|rest| rest.starts_with('-'))
            });
            if of_file {
                // A rename leaves the time of the content, and sets this one.
                let stat = fs::statat(&in_use, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
                let taken = stat.ok().map(|stat| age(changed(&stat)));
                found.newest = found.newest.into_iter().chain(taken).min();
                found.names.insert(entry.file_name().to_owned());
            }
        }
        Ok(found)
    }
}

fn is_within(moment: Option<Instant>, period: Duration) -> bool {
    moment.is_some_and(|moment| moment.elapsed() <= period)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "lays out files")]

    use std::fs;
    use std::thread::sleep;

    use tempfile::TempDir;

    use super::*;
    use crate::service_account::Namespace;

    const INTENT: &str = r#"{"kind":"ImagePullIntent","apiVersion":"kubelet.config.k8s.io/v1beta1","image":"nginx:1"}"#;

    fn nginx() -> ImageName {
        ImageName::parse("nginx").unwrap()
    }

    fn announces(directory: &Path) -> Option<bool> {
        Intents::open(Some(directory)).announce(&nginx())
    }

    #[test]
    fn a_record_of_the_repository_announces_a_pull() {
        let same = |image: &str| INTENT.replace("nginx:1", image);
        for (name, text, expected) in [
            ("sha256-0", INTENT.to_owned(), true),
            ("sha256-0", INTENT.replace("v1beta1", "v1alpha1"), true),
            ("sha256-0", same("docker.io/library/nginx"), true),
            ("sha256-0", same("index.docker.io/library/nginx:2"), true),
            (
                "sha256-0",
                same(&format!("nginx@sha256:{}", "0".repeat(64))),
                true,
            ),
            ("sha256-0", same("nginx-exporter:1"), false),
            ("sha256-0", same("quay.io/library/nginx:1"), false),
            ("sha256-0", same("NGINX:"), false),
            (
                "sha256-0",
                INTENT.replace("PullIntent", "PulledRecord"),
                false,
            ),
            ("sha256-0", INTENT.replace("kubelet.", "other."), false),
            ("sha256-0", INTENT.replace("\"nginx:1\"", "7"), false),
            ("sha256-0", String::new(), false),
            ("sha256-0.tmp", INTENT.to_owned(), false),
            ("other", INTENT.to_owned(), false),
        ] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("sha256-1"), same("redis:7")).unwrap();
            fs::write(directory.path().join(name), &text).unwrap();
            assert_eq!(
                announces(directory.path()),
                Some(expected),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn a_record_that_is_older_than_kubelet_announces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sha256-0");
        fs::write(&path, INTENT).unwrap();
        assert_eq!(announces(directory.path()), Some(true));
        let kubelet = started(&File::open("/proc/self/stat").unwrap()).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(kubelet - Duration::from_secs(7 * 24 * 60 * 60))
            .unwrap();
        assert_eq!(announces(directory.path()), Some(false));
    }

    #[test]
    fn where_there_are_no_records_none_is_known() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(announces(&directory.path().join("missing")), None);
        assert_eq!(announces(directory.path()), Some(false));
        assert_eq!(Intents::open(None).announce(&nginx()), None);
    }

    #[test]
    fn a_process_was_started_before_now() {
        let now = SystemTime::now();
        let started = started(&File::open("/proc/self/stat").unwrap()).unwrap();
        let ago = now.duration_since(started).unwrap();
        assert!(
            ago >= IMPRECISION && ago < Duration::from_secs(60 * 60),
            "{ago:?}"
        );
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 0 0 0 1 2 3 4 20 0 1 0 12345 0 0";
        assert_eq!(start_ticks(stat), Some(12345));
        assert_eq!(start_ticks("7 (kubelet"), None);
        assert_eq!(start_ticks("7 (kubelet) S 1"), None);
    }

    fn auth_dir() -> (TempDir, AuthDir, FileName) {
        let root = tempfile::tempdir().unwrap();
        let directory = AuthDir::create(&root.path().join("auth")).unwrap();
        let name = FileName::new(&Namespace::parse("team-a").unwrap(), &nginx());
        (root, directory, name)
    }

    /// Waits until nothing has changed a moment ago.
    fn let_the_moment_pass() {
        sleep(WINDOW + Duration::from_millis(50));
    }

    #[test]
    fn a_file_in_use_announces_the_next_pull() {
        let (root, directory, name) = auth_dir();
        let intents = Intents::open(None);
        let image = nginx();
        let pulls = || Pulls::new(&intents, &image, &directory, &name);
        assert!(!pulls().announced(), "there is no in-use");
        let in_use = root.path().join("auth").join(IN_USE);
        fs::create_dir(&in_use).unwrap();
        let_the_moment_pass();
        assert!(!pulls().announced(), "nothing is in use");

        let taken = in_use.join(format!("{}-1.json", name.stem()));
        let other = in_use.join(format!("{}0-1.json", name.stem()));
        fs::write(&taken, "{}").unwrap();
        let_the_moment_pass();
        let mut waiting = pulls();
        assert!(waiting.announced(), "it is in use");
        fs::remove_file(&taken).unwrap();
        let_the_moment_pass();
        assert!(waiting.announced(), "it was in use when last looked at");
        let_the_moment_pass();
        assert!(!waiting.announced(), "that is long ago");

        fs::write(&other, "{}").unwrap();
        assert!(pulls().announced(), "something has changed just now");
        let_the_moment_pass();
        assert!(!pulls().announced(), "it is another file that is in use");
    }
}
