//! The time by which a run must end.
//!
//! kubelet kills a provider after a minute without a message, so a run ends before that.
//! Waiting ends with an error: reading stdin ([`Timed`]), and requests to the API server,
//! whose client gives each attempt the remaining time. Loops that a tenant can lengthen
//! check the deadline ([`Deadline::check`]). If the one thread hangs elsewhere, as in a
//! read from a disk, the kernel ends the process ([`Deadline::enforce`]).

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigEvent, SigSet, SigevNotify, Signal};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use nix::unistd::alarm;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The time between SIGALRM and SIGKILL. SIGALRM may have been inherited as ignored,
/// which only `unsafe` code could change, so a signal that cannot be ignored follows it.
const KILLED_AFTER: Duration = Duration::from_secs(4);

/// The time by which one run must end.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Instant,
    timeout: Duration,
}

/// The time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not done after {timeout:?} (--timeout)")]
pub struct Elapsed {
    timeout: Duration,
}

impl Deadline {
    /// A deadline after `timeout`.
    pub fn new(timeout: Duration) -> Self {
        let now = Instant::now();
        Self {
            at: now.checked_add(timeout).unwrap_or(now),
            timeout,
        }
    }

    /// The whole time of the run.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The remaining time; zero after the deadline.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// # Errors
    /// [`Elapsed`] when it has passed.
    pub fn check(&self) -> Result<(), Elapsed> {
        if self.remaining().is_zero() {
            Err(self.elapsed())
        } else {
            Ok(())
        }
    }

    /// Lets the kernel end the process with SIGALRM, a moment after the deadline, and
    /// with SIGKILL where that signal is ignored. Holds until the result is dropped.
    #[must_use]
    pub fn enforce(&self) -> Option<Timer> {
        // A blocked signal, as a parent may leave it, would never arrive. Unblocking fails
        // only for an invalid argument.
        let alarm = SigSet::from(Signal::SIGALRM);
        let _ignored = alarm.thread_unblock();
        let moment_after = self.timeout.as_secs().saturating_add(2);
        alarm::set(u32::try_from(moment_after).unwrap_or(u32::MAX));

        let kill = SigEvent::new(SigevNotify::SigevSignal {
            signal: Signal::SIGKILL,
            si_value: 0,
        });
        let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, kill).ok()?;
        let after = self.timeout.saturating_add(KILLED_AFTER);
        let once = Expiration::OneShot(after.into());
        timer.set(once, TimerSetTimeFlags::empty()).ok()?;
        Some(timer)
    }

    /// The error after the deadline.
    pub fn elapsed(&self) -> Elapsed {
        Elapsed {
            timeout: self.timeout,
        }
    }
}

/// A pipe or a socket whose writer may never finish: reads fail with [`Elapsed`] after
/// the deadline.
#[derive(Debug)]
pub struct Timed<R> {
    reader: R,
    deadline: Deadline,
}

impl<R: Read + AsFd> Timed<R> {
    /// Reads from `reader` until `deadline`.
    pub fn new(reader: R, deadline: Deadline) -> Self {
        Self { reader, deadline }
    }

    fn wait(&self) -> io::Result<()> {
        loop {
            let timeout = Timespec::try_from(self.deadline.remaining()).ok();
            let mut watched = [PollFd::new(&self.reader, PollFlags::IN)];
            match poll(&mut watched, timeout.as_ref()) {
                Ok(0) => {
                    let elapsed = self.deadline.elapsed();
                    return Err(io::Error::new(io::ErrorKind::TimedOut, elapsed));
                }
                // There is data, the end, or an error, which the read returns.
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl<R: Read + AsFd> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait()?;
        self.reader.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::*;

    #[test]
    fn a_writer_that_never_finishes_does_not_outlast_the_deadline() {
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"all there is").unwrap();
        let deadline = Deadline::new(Duration::from_millis(50));
        let mut read = Vec::new();
        let error = Timed::new(reader, deadline)
            .read_to_end(&mut read)
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "not done after 50ms (--timeout)");
        assert_eq!(read, b"all there is");
    }

    #[test]
    fn a_writer_that_finishes_is_read_to_the_end() {
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"all there is").unwrap();
        drop(writer);
        let deadline = Deadline::new(Duration::from_secs(45));
        let mut read = String::new();
        Timed::new(reader, deadline)
            .read_to_string(&mut read)
            .unwrap();
        assert_eq!(read, "all there is");
    }

    #[test]
    fn no_time_remains_after_the_deadline() {
        assert_eq!(Deadline::new(Duration::ZERO).remaining(), Duration::ZERO);
    }
}
