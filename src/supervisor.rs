//! Waits for the one thread that works: until it is done, its time is up, or the
//! process is told to end.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::deadline::Deadline;

/// How long a run that is writing may go on after it was told to end.
const GRACE: Duration = Duration::from_secs(5);

/// Watches the worker and the signals.
#[derive(Debug)]
pub struct Supervisor {
    /// Closed at the other end when the worker is done, however it ends.
    done: UnixStream,
    other_end: Option<UnixStream>,
    /// A byte for every signal.
    signals: UnixStream,
}

impl Supervisor {
    /// Takes over SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// Where the system has no more file descriptors or refuses the signals.
    pub fn new() -> io::Result<Self> {
        let (done, other_end) = UnixStream::pair()?;
        let (signals, sender) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self {
            done,
            other_end: Some(other_end),
            signals,
        })
    }

    /// What the worker holds, and drops when it is done.
    pub fn take_done(&mut self) -> Option<UnixStream> {
        self.other_end.take()
    }

    /// Returns when the worker is done.
    ///
    /// # Errors
    /// The time is up, or a signal came and the run could be ended; then the
    /// worker is still there, and the process should exit.
    pub fn wait(&self, deadline: &Deadline) -> anyhow::Result<()> {
        let mut time_left = deadline.remaining();
        let mut signalled = false;
        loop {
            match self.next(time_left, signalled).context("wait")? {
                Event::Done => return Ok(()),
                Event::TimeUp if signalled => bail!("terminated by a signal"),
                Event::TimeUp => return Err(deadline.elapsed().into()),
                Event::Signal if deadline.end() => bail!("terminated by a signal"),
                // The auth file is being written: let it be done, or fail.
                Event::Signal => {
                    signalled = true;
                    time_left = GRACE.min(deadline.remaining());
                }
            }
        }
    }

    fn next(&self, time_left: Duration, signalled: bool) -> io::Result<Event> {
        let wanted = if signalled {
            PollFlags::empty()
        } else {
            PollFlags::IN
        };
        let mut watched = [
            PollFd::new(&self.done, PollFlags::IN),
            PollFd::new(&self.signals, wanted),
        ];
        let timeout = Timespec::try_from(time_left).ok();
        match poll(&mut watched, timeout.as_ref()) {
            Err(Errno::INTR) => return self.next(time_left, signalled),
            Err(errno) => return Err(errno.into()),
            Ok(_) => {}
        }
        let [done, signal] = watched.map(|fd| !fd.revents().is_empty());
        Ok(match (done, signal) {
            (true, _) => Event::Done,
            (false, true) => Event::Signal,
            (false, false) => Event::TimeUp,
        })
    }
}

enum Event {
    Done,
    Signal,
    TimeUp,
}
