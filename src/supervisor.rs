//! Watches the one thread that works: its time may be up, or the process be told
//! to end.

use std::io;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::deadline::Deadline;

/// How long a run that is writing may go on after it was told to end.
const GRACE: Duration = Duration::from_secs(5);

/// Knows of signals.
#[derive(Debug)]
pub struct Supervisor {
    /// A byte for every signal.
    signals: UnixStream,
}

impl Supervisor {
    /// Takes over SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// Where the system has no more file descriptors or refuses the signals.
    pub fn new() -> io::Result<Self> {
        let (signals, sender) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self { signals })
    }

    /// Returns when the process should end, and with what to say: the time is up,
    /// or a signal came and nothing is being written, or has been by now.
    pub fn wait(&self, deadline: &Deadline) -> anyhow::Error {
        match self.signalled_within(deadline) {
            Ok(false) => deadline.elapsed().into(),
            Ok(true) => {
                if !deadline.end() {
                    // The auth file is being written: let it be done, or fail. The
                    // process ends by itself then.
                    thread::sleep(GRACE.min(deadline.remaining()));
                }
                anyhow!("terminated by a signal")
            }
            Err(error) => anyhow::Error::new(error).context("wait for signals"),
        }
    }

    fn signalled_within(&self, deadline: &Deadline) -> io::Result<bool> {
        loop {
            let timeout = Timespec::try_from(deadline.remaining()).ok();
            let mut watched = [PollFd::new(&self.signals, PollFlags::IN)];
            match poll(&mut watched, timeout.as_ref()) {
                // A signal interrupts the call; its byte is there the next time.
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(ready) => return Ok(ready > 0),
            }
        }
    }
}
