//! Turns of the runs for one auth file.
//!
//! CRI-O takes the file with the pull (renames it into `in-use`), so pods of a namespace
//! that pull one image at the same time, such as replicas that start together, need one
//! file each. The runs for one file wait for each other. A run that finds the file there
//! waits until it is taken, as long as a pull is expected to take it.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use registries_conf::ImageName;
use tracing::warn;

use super::intents::Intents;
use super::lock::{Lock, Locks};
use super::name::FileName;
use super::pulls::{Pulls, WINDOW};
use super::store::{AuthDir, Found, StoreError};
use crate::deadline::Deadline;
use crate::signals::{self, HeldBack};

/// The time within which kubelet usually announces the pull. Runs that have waited for a
/// whole window follow each other at this interval, so that the waiting times of pods
/// that start without a pull do not add up.
const MOMENT: Duration = Duration::from_millis(30);
/// The longest time that a run waits, counted from its start. The rest of kubelet's
/// timeout is left for the response.
const PATIENCE: Duration = Duration::from_secs(40);
/// The interval at which a waiting run checks its file.
const PAUSE: Duration = Duration::from_millis(10);

/// One auth file, and what a run needs to take its turn.
#[derive(Debug)]
pub struct AuthFile<'a> {
    /// The auth directory.
    pub directory: &'a Path,
    /// The file's name in it.
    pub name: &'a FileName,
    /// The image that it is for.
    pub image: &'a ImageName,
    /// Where runs lock the file.
    pub locks: &'a Locks,
    /// kubelet's records of announced pulls.
    pub intents: &'a Intents,
    /// When the run must have ended.
    pub deadline: Deadline,
}

/// An auth file that is in place; its turn lasts until the response is written.
#[derive(Debug)]
pub struct Placed<'a> {
    directory: AuthDir,
    name: &'a FileName,
    signals: HeldBack,
    _turn: Option<Lock<'a>>,
}

impl<'a> AuthFile<'a> {
    /// Puts the file with that content in its place, in turn with other runs.
    ///
    /// # Errors
    /// [`StoreError`]: no file of this run is left then.
    pub fn place(&self, content: &[u8]) -> Result<Placed<'a>, StoreError> {
        let directory = AuthDir::create(self.directory)?;
        let turn = self.turn(&directory);
        let signals = loop {
            let step = self.wait(&directory, turn.as_ref(), Some(content))?;
            let signals = signals::hold_back();
            match step {
                Step::Place => directory.write(self.name, content)?,
                // A pull has just taken the file: start again.
                Step::Touch(ago) if !directory.touch(self.name, ago)? => continue,
                Step::Touch(_) | Step::Leave => {}
            }
            break signals;
        };
        Ok(Placed {
            directory,
            name: self.name,
            signals,
            _turn: turn,
        })
    }

    /// Removes the file, in turn with other runs: a file that waits for another pod's pull is
    /// left for it. Returns the directory, if it exists.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove(&self) -> Result<Option<AuthDir>, StoreError> {
        let Some(directory) = AuthDir::open(self.directory)? else {
            return Ok(None);
        };
        if directory.look(self.name, None)? != Found::Nothing {
            let turn = self.turn(&directory);
            self.wait(&directory, turn.as_ref(), None)?;
            directory.remove(self.name)?;
            drop(turn);
        }
        Ok(Some(directory))
    }

    /// Removes the file if it is older than `age`, unless another run has its turn.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove_older_than(&self, age: Duration) -> Result<(), StoreError> {
        match AuthDir::open(self.directory)? {
            Some(directory) => directory.remove_older_than(self.name, age, self.locks),
            None => Ok(()),
        }
    }

    fn turn(&self, directory: &AuthDir) -> Option<Lock<'a>> {
        let patience = Instant::now() + self.patience();
        self.locks.acquire(directory.lock_byte(self.name), patience)
    }

    /// The remaining time for waiting: of [`PATIENCE`], or of eight ninths of a shorter
    /// `--timeout`.
    fn patience(&self) -> Duration {
        let limit = self.deadline.timeout();
        let whole = PATIENCE.min(limit / 9 * 8);
        let reserve = limit.saturating_sub(whole);
        self.deadline.remaining().saturating_sub(reserve)
    }

    /// Waits until there is something to do.
    fn wait(
        &self,
        directory: &AuthDir,
        turn: Option<&Lock<'_>>,
        content: Option<&[u8]>,
    ) -> Result<Step, StoreError> {
        let mut pulls = Pulls::new(self.intents, self.image, directory, self.name);
        // The part of the file's age in which kubelet could not announce the pull: the time
        // until the response of the run before, which was written just now if this run had
        // to wait for its turn; and the delays of a busy machine, which delays kubelet as it
        // delays this process.
        let mut not_counted = match turn {
            Some(lock) if lock.was_awaited() => directory.since_change(self.name),
            Some(_) | None => Duration::ZERO,
        };
        loop {
            let looked = Instant::now();
            let found = directory.look(self.name, content)?.younger_by(not_counted);
            let in_time = !self.patience().is_zero();
            match step(found, in_time, || pulls.announced()) {
                Some(step) => return Ok(step),
                None => sleep(PAUSE),
            }
            let delay = looked.elapsed().saturating_sub(PAUSE);
            not_counted = not_counted.saturating_add(delay);
        }
    }
}

impl Placed<'_> {
    /// Calls `answer` to write the response, and returns the directory. Removes the file
    /// again if that fails, or if a signal to end the process came before.
    ///
    /// A signal after the response has no effect: kubelet would treat a process that a
    /// signal ended as failed, and no pull would take the file.
    ///
    /// # Errors
    /// Those of `answer`.
    pub fn answered(self, answer: impl FnOnce() -> io::Result<()>) -> io::Result<AuthDir> {
        let interrupted = || io::Error::new(io::ErrorKind::Interrupted, "ended by a signal");
        let answered = if self.signals.pending() {
            Err(interrupted())
        } else {
            answer()
        };
        match answered {
            Ok(()) => {
                self.signals.forever();
                Ok(self.directory)
            }
            Err(error) => {
                if let Err(error) = self.directory.remove(self.name) {
                    warn!("the auth file is still there: {error}");
                }
                Err(error)
            }
        }
    }
}

/// What a run does after waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Write the content of this run, or remove the file if it has none.
    Place,
    /// Use the file, which a pod start without a pull has left over, for the pull of this
    /// run. Its time is set to that long ago, so that the next run waits for the
    /// announcement of that pull.
    Touch(Duration),
    /// Leave the file as it is: there is no time left.
    Leave,
}

/// The rule: the step for what was found, or `None` to wait and look again. `in_time`:
/// there is time left to wait. `announced`: kubelet has announced a pull of the image.
fn step(found: Found, in_time: bool, announced: impl FnOnce() -> bool) -> Option<Step> {
    let (same, age) = match found {
        Found::Nothing | Found::Foreign => return Some(Step::Place),
        Found::Same(age) => (true, age),
        Found::Other(age) => (false, age),
    };
    let expected = age <= WINDOW || announced();
    match (expected && in_time, same) {
        (true, _) => None,
        (false, false) => Some(Step::Place),
        (false, true) if expected => Some(Step::Leave),
        (false, true) if age > 2 * WINDOW => Some(Step::Touch(Duration::ZERO)),
        // Other runs may have waited for the announcement too: let the next one follow
        // soon.
        (false, true) => Some(Step::Touch(WINDOW.saturating_sub(MOMENT))),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{SigSet, Signal, raise};

    use super::*;
    use crate::service_account::Namespace;

    /// A signal that comes between the file and the response.
    #[test]
    fn after_a_signal_there_is_no_response_and_no_file() {
        let root = tempfile::tempdir().unwrap();
        let image = ImageName::parse("nginx").unwrap();
        let name = FileName::new(&Namespace::parse("team-a").unwrap(), &image);
        let file = AuthFile {
            directory: &root.path().join("auth"),
            name: &name,
            image: &image,
            locks: &Locks::open(&root.path().join("lock")),
            intents: &Intents::open(None),
            deadline: Deadline::new(Duration::from_secs(45)),
        };
        // Otherwise the signal would end the tests afterwards.
        let signal = SigSet::from(Signal::SIGHUP);
        signal.thread_block().unwrap();

        let placed = file.place(b"{}").unwrap();
        raise(Signal::SIGHUP).unwrap();
        let answered = placed.answered(|| panic!("a response"));

        assert_eq!(answered.unwrap_err().kind(), io::ErrorKind::Interrupted);
        let directory = AuthDir::open(file.directory).unwrap().unwrap();
        assert_eq!(directory.look(&name, None).unwrap(), Found::Nothing);
        assert_eq!(signal.wait().unwrap(), Signal::SIGHUP);
    }

    #[test]
    fn the_rule() {
        use Found::{Foreign, Nothing, Other, Same};
        const IN_TIME: bool = true;
        const ANNOUNCED: bool = true;
        let just_now = Duration::ZERO;
        let (anew, briefly) = (
            Step::Touch(Duration::ZERO),
            Step::Touch(WINDOW.saturating_sub(MOMENT)),
        );
        let (old, left_over) = (WINDOW + MOMENT, 2 * WINDOW + MOMENT);
        for (found, in_time, announced, expected) in [
            (Nothing, IN_TIME, ANNOUNCED, Some(Step::Place)),
            (Nothing, !IN_TIME, !ANNOUNCED, Some(Step::Place)),
            (Foreign, IN_TIME, ANNOUNCED, Some(Step::Place)),
            (Same(just_now), IN_TIME, !ANNOUNCED, None),
            (Same(WINDOW), IN_TIME, !ANNOUNCED, None),
            (Same(old), IN_TIME, !ANNOUNCED, Some(briefly)),
            (Same(2 * WINDOW), IN_TIME, !ANNOUNCED, Some(briefly)),
            (Same(left_over), IN_TIME, !ANNOUNCED, Some(anew)),
            (Same(Duration::MAX), IN_TIME, !ANNOUNCED, Some(anew)),
            (Same(old), IN_TIME, ANNOUNCED, None),
            (Same(left_over), IN_TIME, ANNOUNCED, None),
            (Same(just_now), !IN_TIME, !ANNOUNCED, Some(Step::Leave)),
            (Same(left_over), !IN_TIME, ANNOUNCED, Some(Step::Leave)),
            (Same(left_over), !IN_TIME, !ANNOUNCED, Some(anew)),
            (Other(just_now), IN_TIME, !ANNOUNCED, None),
            (Other(old), IN_TIME, !ANNOUNCED, Some(Step::Place)),
            (Other(left_over), IN_TIME, !ANNOUNCED, Some(Step::Place)),
            (Other(left_over), IN_TIME, ANNOUNCED, None),
            (Other(just_now), !IN_TIME, ANNOUNCED, Some(Step::Place)),
        ] {
            let chosen = step(found, in_time, || announced);
            assert_eq!(chosen, expected, "{found:?}, {in_time}, {announced}");
        }
    }

    #[test]
    fn announcements_are_looked_up_only_when_needed() {
        for found in [Found::Nothing, Found::Same(WINDOW), Found::Other(WINDOW)] {
            step(found, true, || panic!("{found:?}"));
        }
    }
}
