//! Runs one provider as kubelet does (`execPlugin.ExecPlugin`), with two differences: the
//! provider has less time, and a process that it leaves behind does not hold up this one.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, waitid};
use secret::Wiped;

use super::group::Group;

/// The largest response that is read. A token has a few KiB.
const MAX_ANSWER: usize = 1024 * 1024;
/// The most bytes of stderr that are kept.
const MAX_STDERR: usize = 4 * 1024;
/// The size of one read.
const CHUNK: usize = 16 * 1024;
/// The most reads without a look at the time in between. Together they are larger than
/// any pipe.
const MAX_READS: usize = 1024 * 1024 / CHUNK + 1;
/// The interval of checks for the end of the process where the kernel cannot report it:
/// before Linux 5.3.
const PAUSE: Duration = Duration::from_millis(10);

/// A provider that was started.
pub(super) struct Run {
    child: Child,
    process: Option<Pid>,
    /// Ends the provider, if it still runs, once nothing else holds the group.
    _group: Rc<Group>,
    /// Readable once the process has ended.
    ended: Option<OwnedFd>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    answer: Wiped<Vec<u8>>,
    stderr_tail: Wiped<Vec<u8>>,
    is_tail_cut: bool,
    limit: Duration,
    until: Instant,
}

/// Why there is no response of a provider.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// The process that is to end it cannot be started.
    #[error("start the process that is to end it")]
    Group(#[source] io::Error),
    /// It cannot be started.
    #[error("start it")]
    Start(#[source] io::Error),
    /// It cannot be watched.
    #[error("wait for it")]
    Watch(#[source] io::Error),
    /// It has failed.
    #[error("it ended with exit code {0}")]
    Failed(i32),
    /// It was killed.
    #[error("it was ended by a signal")]
    Killed,
    /// It did not answer in time.
    #[error("it has not answered within {0:?}")]
    Late(Duration),
    /// It wrote too much.
    #[error("its response is larger than {MAX_ANSWER} bytes")]
    TooLarge,
}

impl Run {
    /// Starts `command`, and writes the request to its stdin.
    pub(super) fn start(
        mut command: Command,
        group: &Rc<Group>,
        request: &[u8],
        limit: Duration,
    ) -> Result<Self, RunError> {
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = group.spawn(&mut command).map_err(RunError::Start)?;
        let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let now = Instant::now();
        let mut run = Self {
            process,
            _group: Rc::clone(group),
            ended: process.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            answer: Wiped::new(Vec::new()),
            stderr_tail: Wiped::new(Vec::new()),
            is_tail_cut: false,
            limit,
            until: now.checked_add(limit).unwrap_or(now),
        };
        run.send(request).map_err(RunError::Start)?;
        Ok(run)
    }

    /// Writes the request. It fits into an empty pipe, so this does not block. A provider
    /// that does not read it may have ended already, which is not an error.
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        if let Some(mut stdin) = self.child.stdin.take() {
            do_not_wait(&stdin)?;
            match stdin.write_all(request) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
        }
        if let Some(stdout) = &self.stdout {
            do_not_wait(stdout)?;
        }
        if let Some(stderr) = &self.stderr {
            do_not_wait(stderr)?;
        }
        Ok(())
    }

    /// Waits until the provider has ended, and returns what it wrote to stdout.
    ///
    /// # Errors
    /// [`RunError`].
    pub(super) fn finish(&mut self) -> Result<&[u8], RunError> {
        loop {
            // Once the process has ended, everything that it wrote can be read.
            let status = self.status().map_err(RunError::Watch)?;
            self.read_stdout()?;
            self.read_stderr();
            match status.as_ref().map(WaitIdStatus::exit_status) {
                Some(Some(0)) => return Ok(&self.answer),
                Some(Some(code)) => return Err(RunError::Failed(code)),
                Some(None) => return Err(RunError::Killed),
                None => {}
            }
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RunError::Late(self.limit));
            }
            self.wait(left).map_err(RunError::Watch)?;
        }
    }

    /// The last bytes of its stderr, and whether earlier ones are missing.
    pub(super) fn stderr_tail(&self) -> (&[u8], bool) {
        (&self.stderr_tail, self.is_tail_cut)
    }

    /// How the process has ended. It remains a zombie, so that the ID of its group is not
    /// reused.
    fn status(&self) -> io::Result<Option<WaitIdStatus>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match self.process {
            Some(pid) => Ok(waitid(WaitId::Pid(pid), options)?),
            None => Err(Errno::SRCH.into()),
        }
    }

    fn wait(&self, left: Duration) -> io::Result<()> {
        let stdout = self.stdout.as_ref().map(AsFd::as_fd);
        let stderr = self.stderr.as_ref().map(AsFd::as_fd);
        let ended = self.ended.as_ref().map(AsFd::as_fd);
        let left = if ended.is_some() {
            left
        } else {
            left.min(PAUSE)
        };
        let watched = [stdout, stderr, ended].into_iter().flatten();
        let mut watched: Vec<_> = watched
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let left = Timespec::try_from(left).ok();
        match poll(&mut watched, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn read_stdout(&mut self) -> Result<(), RunError> {
        let answer = &mut self.answer;
        let is_open = read_available(self.stdout.as_mut(), |bytes| {
            append(answer, bytes);
            answer.len() <= MAX_ANSWER
        });
        if self.answer.len() > MAX_ANSWER {
            return Err(RunError::TooLarge);
        }
        if !is_open {
            self.stdout = None;
        }
        Ok(())
    }

    fn read_stderr(&mut self) {
        let (tail, is_cut) = (&mut self.stderr_tail, &mut self.is_tail_cut);
        let is_open = read_available(self.stderr.as_mut(), |bytes| {
            append(tail, bytes);
            if let Some(surplus @ 1..) = tail.len().checked_sub(MAX_STDERR) {
                tail.drain(..surplus);
                *is_cut = true;
            }
            true
        });
        if !is_open {
            self.stderr = None;
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

fn do_not_wait(pipe: impl AsFd) -> io::Result<()> {
    fcntl_setfl(pipe, OFlags::NONBLOCK)?;
    Ok(())
}

/// Passes on what can be read without blocking, until `take` returns `false`. Returns
/// whether more may follow. Stops at some point even if the other end writes faster than
/// this one reads.
fn read_available(pipe: Option<&mut impl Read>, mut take: impl FnMut(&[u8]) -> bool) -> bool {
    let Some(pipe) = pipe else { return false };
    let mut buffer = Wiped::new(vec![0; CHUNK]);
    for _ in 0..MAX_READS {
        match pipe.read(&mut buffer) {
            Ok(0) => return false,
            Ok(read) => {
                if !take(buffer.get(..read).unwrap_or_default()) {
                    return true;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
    true
}

/// Appends, and wipes the old buffer if a larger one is needed.
fn append(buffer: &mut Wiped<Vec<u8>>, bytes: &[u8]) {
    let length = buffer.len().saturating_add(bytes.len());
    if length > buffer.capacity() {
        let mut larger = Wiped::new(Vec::with_capacity(length.saturating_mul(2)));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "looks at a process")]

    use std::fs;
    use std::path::Path;
    use std::thread::sleep;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    fn run(script: &str, limit: Duration) -> Result<Vec<u8>, String> {
        let group = Rc::new(Group::of_tests());
        let mut run = Run::start(shell(script), &group, b"request\n", limit).unwrap();
        let answer = run.finish().map(<[u8]>::to_vec);
        answer.map_err(|error| error.to_string())
    }

    fn is_running(id: &str) -> bool {
        let stat = fs::read(Path::new("/proc").join(id).join("stat"));
        stat.is_ok_and(|stat| !String::from_utf8_lossy(&stat).contains(") Z "))
    }

    #[test]
    fn the_stdout_of_a_provider_that_succeeds_is_its_response() {
        for (script, expected) in [
            ("cat", Ok("request\n")),
            ("echo answer", Ok("answer\n")),
            ("exec 0<&-; sleep 0.05; echo late", Ok("late\n")),
            ("true", Ok("")),
            ("echo answer; exit 3", Err("it ended with exit code 3")),
            ("echo answer; kill -9 $$", Err("it was ended by a signal")),
            (
                "head -c 1048577 /dev/zero",
                Err("its response is larger than 1048576 bytes"),
            ),
            ("head -c 1000000 /dev/zero >&2; echo answer", Ok("answer\n")),
        ] {
            let answer = run(script, LONG);
            let expected = expected.map(|text| text.as_bytes().to_vec());
            assert_eq!(answer, expected.map_err(str::to_owned), "{script}");
        }
    }

    #[test]
    fn a_provider_that_takes_too_long_is_ended() {
        let started = Instant::now();
        let error = run("echo answer; sleep 20", Duration::from_millis(100)).unwrap_err();
        assert_eq!(error, "it has not answered within 100ms");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_process_that_holds_stdout_open_is_ended_and_does_not_hold_up_the_run() {
        let started = Instant::now();
        let script = "sleep 1000 & echo $!";
        let group = Rc::new(Group::of_tests());
        let mut run = Run::start(shell(script), &group, b"", LONG).unwrap();
        drop(group);
        let answer = run.finish().unwrap().to_vec();
        assert!(started.elapsed() < Duration::from_secs(10));
        let id = String::from_utf8(answer).unwrap().trim().to_owned();
        assert!(is_running(&id));
        drop(run);
        while is_running(&id) {
            assert!(started.elapsed() < LONG, "{id} is still there");
            sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_last_bytes_of_stderr_are_kept() {
        let script = "head -c 10000 /dev/zero >&2; echo end >&2";
        let group = Rc::new(Group::of_tests());
        let mut run = Run::start(shell(script), &group, b"", LONG).unwrap();
        run.finish().unwrap();
        let (tail, is_cut) = run.stderr_tail();
        assert_eq!(tail.len(), 4096);
        assert!(tail.ends_with(b"\0end\n") && is_cut);
    }

    #[test]
    fn a_pipe_that_is_never_empty_does_not_hold_up_the_run() {
        let mut read = 0;
        let is_open = read_available(Some(&mut io::repeat(0)), |bytes| {
            read += bytes.len();
            true
        });
        assert!(is_open && read > 1024 * 1024);
    }

    #[test]
    fn a_program_that_cannot_be_started_is_an_error() {
        let group = Rc::new(Group::of_tests());
        let error = Run::start(Command::new("/nonexistent"), &group, b"", LONG).unwrap_err();
        assert!(matches!(error, RunError::Start(_)), "{error}");
    }
}
