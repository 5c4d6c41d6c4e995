//! A provider that is running.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::Outcome;

/// A process that has been given its request, and may not have ended yet.
pub(crate) struct Run {
    child: Child,
    started: Instant,
}

impl Run {
    pub(super) fn new(child: Child, started: Instant) -> Self {
        Self { child, started }
    }

    /// Sends a signal; to a process that has ended, it is no error.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.child.try_wait().unwrap().is_none() {
            let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
            kill_process(pid, signal).unwrap_or_default();
        }
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Waits for the end, and says what came of it.
    pub(crate) fn outcome(self) -> Outcome {
        let output = self.child.wait_with_output().unwrap();
        Outcome::new(output, self.started.elapsed())
    }

    /// Ends it at once. Whether that left a core file is in the answer.
    pub(crate) fn kill(mut self, signal: Signal) -> bool {
        self.signal(signal);
        self.wait().core_dumped()
    }

    /// The content of a file in the process's folder of `/proc`.
    pub(crate) fn proc(&self, file: &str) -> io::Result<String> {
        let mut content = Vec::new();
        let path = format!("/proc/{}/{file}", self.child.id());
        File::open(path)?.read_to_end(&mut content)?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    }
}
