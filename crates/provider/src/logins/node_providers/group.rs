//! The process group of the providers that a run starts, with all processes that these
//! start in turn. It is killed when the run ends, even if the run itself is killed.
//!
//! Its leader is another process of this program, which only waits. When the run ends,
//! the kernel closes the pipe between the two, and the leader kills its group, itself
//! included. The run itself sends no signal, which the sandbox forbids.
//!
//! A process that leaves the group (setsid(2)) is not killed; kubelet does not kill it
//! either.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group};

const PROGRAM: &str = "/proc/self/exe";
/// The first argument of the leader: a name that no other process has.
const LEADER: &str = "crio-credential-provider: leader of node providers";

/// The process group. Killed when this is dropped, or when this process ends.
#[derive(Debug)]
pub(super) struct Group {
    /// The leader; its stdin is the pipe.
    leader: Child,
    id: i32,
}

/// Whether the first argument of this process is that of a leader, which must call
/// [`lead`].
pub fn is_leader(name: Option<&OsStr>) -> bool {
    name.is_some_and(|name| name == LEADER)
}

/// Waits until the process at the other end of the pipe has ended, and kills the group.
pub fn lead(mut pipe: impl Read) {
    // An error counts as the end.
    io::copy(&mut pipe, &mut io::sink()).unwrap_or_default();
    if getpgrp() == getpid() {
        kill_current_process_group(Signal::KILL).unwrap_or_default();
    }
}

impl Group {
    /// Starts the leader.
    ///
    /// # Errors
    /// The leader cannot be started.
    pub(super) fn start() -> io::Result<Self> {
        let mut leader = Command::new(PROGRAM);
        leader.arg0(LEADER);
        Self::led_by(leader)
    }

    pub(super) fn led_by(mut leader: Command) -> io::Result<Self> {
        leader.env_clear().stdin(Stdio::piped());
        // kubelet waits until every process has closed the pipes that it reads.
        leader.stdout(Stdio::null()).stderr(Stdio::null());
        let leader = leader.process_group(0).spawn()?;
        let id = i32::try_from(leader.id()).map_err(io::Error::other)?;
        Ok(Self { leader, id })
    }

    /// Starts a process in the group.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        command.process_group(self.id).spawn()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.leader.stdin.take());
    }
}

#[cfg(test)]
impl Group {
    /// A group that is led by a shell, which does the same as [`lead`].
    pub(super) fn of_tests() -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "read -r end; kill -s KILL -- -$$"]);
        Self::led_by(shell).unwrap()
    }
}
