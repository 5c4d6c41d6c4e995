//! A provider that is running.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::Instant;

use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, kill_process};

use super::Outcome;

/// A process that has its request, and may still run.
pub(crate) struct Run {
    child: Child,
    started: Instant,
}

impl Run {
    pub(super) fn new(child: Child, started: Instant) -> Self {
        Self { child, started }
    }

    /// Sends a signal. Ignores a process that has ended.
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

    /// Waits for the end, and returns the outcome.
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

/// A pipe that is full: writing a response to it waits until it is read.
pub(crate) fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}
