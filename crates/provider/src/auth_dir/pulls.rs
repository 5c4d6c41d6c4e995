//! Whether a pull is announced that will take the auth file: by kubelet's records, or,
//! where kubelet keeps none, by CRI-O's `in-use`, which shows the pulls under way.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::mem::replace;
use std::time::{Duration, Instant};

use registries_conf::ImageName;
use rustix::fs::{self, AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;
use tracing::warn;

use super::intents::Intents;
use super::name::FileName;
use super::store::AuthDir;
use super::times::{age, changed, modified};

/// The time within which kubelet announces the pull that follows a response.
pub(super) const WINDOW: Duration = Duration::from_millis(300);
/// How long an announcement is valid before it is looked for again: reading all records
/// is more work than checking whether the file is still there.
const REMEMBERED: Duration = Duration::from_millis(100);
/// The directory to which CRI-O moves the files of pulls that are under way.
const IN_USE: &str = "in-use";
/// How long a file in `in-use` counts as a pull under way. A file that a crash of CRI-O
/// has left there must not hold up runs for ever.
const LONG_PULL: Duration = Duration::from_secs(40);

/// The announced pulls that use one auth file, for a run that waits.
#[derive(Debug)]
pub(super) struct Pulls<'a> {
    intents: &'a Intents,
    image: &'a ImageName,
    directory: &'a AuthDir,
    name: &'a FileName,
    announced: Option<Instant>,
    in_use: Option<InUse>,
    ended: Option<Instant>,
    /// `in-use` could not be read, and that was reported.
    has_failed: bool,
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
            has_failed: false,
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

    /// Whether CRI-O pulls with a file of that name, or has just done so: the next pull
    /// may be queued behind that one.
    fn under_way(&mut self) -> bool {
        let now = match InUse::read(self.directory, self.name) {
            Ok(now) => now,
            Err(Errno::NOENT) => return false,
            Err(errno) => {
                if !replace(&mut self.has_failed, true) {
                    warn!(
                        "read CRI-O's {IN_USE:?} in the auth directory: {errno}: pods that start together may share one auth file"
                    );
                }
                return false;
            }
        };
        let ended = match &self.in_use {
            Some(before) => !before.names.is_subset(&now.names),
            // The change may have been to another file: that can no longer be seen.
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

/// CRI-O's `in-use` for one auth file: `<its name>-<UUID>.json` for each pull that is
/// under way (CRI-O: `internal/auth`).
#[derive(Debug)]
struct InUse {
    names: BTreeSet<CString>,
    /// The time since the last of these files was added.
    newest: Option<Duration>,
    /// The time since any file was added or removed.
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
                // A rename changes the status time (ctime), not the time of the content.
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

    fn auth_dir() -> (TempDir, AuthDir, FileName) {
        let root = tempfile::tempdir().unwrap();
        let directory = AuthDir::create(&root.path().join("auth")).unwrap();
        let name = FileName::new(
            &Namespace::parse("team-a").unwrap(),
            &ImageName::parse("nginx").unwrap(),
        );
        (root, directory, name)
    }

    /// Waits until the last change is older than the window.
    fn let_the_moment_pass() {
        sleep(WINDOW + Duration::from_millis(50));
    }

    #[test]
    fn a_file_in_use_announces_the_next_pull() {
        let (root, directory, name) = auth_dir();
        let intents = Intents::open(None);
        let image = ImageName::parse("nginx").unwrap();
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
