//! kubelet's records of announced pulls.
//!
//! kubelet writes one before it queues a pull, and removes it after the pull
//! (`pkg/kubelet/images/pullmanager`, feature `KubeletEnsureSecretPulledImages`).

use std::cell::Cell;
use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use registries_conf::ImageName;
use rustix::fd::OwnedFd;
use rustix::fs::{self, Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::getppid;
use rustix::time::{ClockId, clock_gettime};
use secret::read_bounded;
use serde::Deserialize;
use tracing::{debug, warn};

use super::times::modified;

/// The largest record that is read; kubelet's have some hundred bytes.
const MAX_RECORD: usize = 64 * 1024;
/// The most records that are read, many more than a node has pods.
const MAX_RECORDS: usize = 4096;
/// Time units of `/proc/PID/stat` in a second: `USER_HZ`, the same on all architectures
/// that kubelet is built for.
const USER_HZ: u64 = 100;
/// The clocks of files and of processes may differ by this.
const IMPRECISION: Duration = Duration::from_secs(1);

/// kubelet's records, and the time from which they are valid. Opened before the sandbox
/// closes.
#[derive(Debug)]
pub struct Intents {
    directory: Option<PathBuf>,
    kubelet: Option<File>,
    /// The records could not be read, and that was reported.
    has_failed: Cell<bool>,
}

impl Intents {
    /// The records in `directory` that are not older than the kubelet that started this
    /// process: those of an earlier kubelet announce no pull.
    pub fn open(directory: Option<&Path>) -> Self {
        let parent = getppid().map(|pid| format!("/proc/{}/stat", pid.as_raw_nonzero()));
        Self {
            directory: directory.map(Path::to_owned),
            kubelet: parent.and_then(|path| File::open(path).ok()),
            has_failed: Cell::new(false),
        }
    }

    /// Whether there is a record of that image; `None` where kubelet keeps no records.
    pub(super) fn announce(&self, image: &ImageName) -> Option<bool> {
        let directory = self.directory.as_deref()?;
        match self.find(directory, image) {
            Ok(found) => Some(found),
            Err(Errno::NOENT) => {
                debug!(?directory, "kubelet keeps no pull intents");
                None
            }
            // The login does not depend on the records, only the time to wait: CRI-O's
            // `in-use` shows that too.
            Err(errno) => {
                if !self.has_failed.replace(true) {
                    warn!(
                        ?directory,
                        "read kubelet's pull intents (--pull-intents-dir): {errno}: pods that start together may share one auth file"
                    );
                }
                None
            }
        }
    }

    fn find(&self, directory: &Path, image: &ImageName) -> Result<bool, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = fs::open(directory, flags, Mode::empty())?;
        let started = self.kubelet.as_ref().and_then(process_started);
        for entry in Dir::read_from(&directory)?.take(MAX_RECORDS) {
            let entry = entry?;
            let name = entry.file_name().to_str().ok();
            let intent = name
                .filter(|name| name.starts_with("sha256-") && !name.contains(".tmp"))
                .and_then(|name| Intent::read(&directory, name, started));
            if intent.is_some_and(|intent| intent.is_for(image)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// kubelet's `ImagePullIntent`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intent {
    kind: String,
    api_version: String,
    /// As in the pod's specification, with a tag or a digest.
    image: String,
}

impl Intent {
    /// Returns a record that is not older than the running kubelet. Ignores a file that
    /// is not a record, or that is being removed.
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

/// The start time of the process of a `/proc/PID/stat`, rounded down. `None` if the
/// process has ended.
pub fn process_started(mut stat: &File) -> Option<SystemTime> {
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

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "lays out files")]

    use std::fs;

    use super::*;

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
        let kubelet = process_started(&File::open("/proc/self/stat").unwrap()).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(kubelet - Duration::from_secs(7 * 24 * 60 * 60))
            .unwrap();
        assert_eq!(announces(directory.path()), Some(false));
    }

    #[test]
    fn without_records_no_announcement_is_known() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(announces(&directory.path().join("missing")), None);
        assert_eq!(announces(directory.path()), Some(false));
        assert_eq!(Intents::open(None).announce(&nginx()), None);
    }

    #[test]
    fn a_process_was_started_before_now() {
        let now = SystemTime::now();
        let started = process_started(&File::open("/proc/self/stat").unwrap()).unwrap();
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
}
