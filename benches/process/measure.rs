//! Measures runs of a program: time, CPU, page faults, peak memory and instructions.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::ptrace;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::scene::{feed, take_auth_files};

/// How many times a program that ends too soon is started again to measure its memory.
const ATTEMPTS: usize = 20;

/// A program with its arguments and environment.
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) command: Command,
    pub(crate) request: PathBuf,
}

/// The runs of one program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) wall: Spread,
    pub(crate) cpu: Spread,
    /// Pages that the kernel mapped on first touch, median.
    pub(crate) faults: u64,
    /// Peak resident memory, bytes.
    pub(crate) peak: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) min: Duration,
    pub(crate) median: Duration,
}

struct Sample {
    wall: Duration,
    cpu: Duration,
    faults: u64,
}

/// Runs the subjects in turn, `runs` times each and every other time in reverse, so that
/// other work of the machine affects all of them equally. A subject that fails has its
/// error instead of figures.
pub(crate) fn in_turn(runs: usize, subjects: &mut [Subject]) -> Vec<Result<Figures>> {
    let mut outcomes: Vec<Result<(u64, Vec<Sample>)>> = subjects
        .iter_mut()
        .map(|subject| Ok((first_run(subject)?, Vec::new())))
        .collect();
    for run in 0..runs.max(1) {
        let mut turn: Vec<_> = subjects.iter_mut().zip(&mut outcomes).collect();
        if run % 2 == 1 {
            turn.reverse();
        }
        for (subject, outcome) in turn {
            let Ok((_, samples)) = outcome else { continue };
            match once(subject) {
                Ok(sample) => samples.push(sample),
                Err(error) => *outcome = Err(error),
            }
        }
    }
    let summaries = outcomes.into_iter().map(|outcome| {
        let (peak, samples) = outcome?;
        summary(&samples, peak)
    });
    summaries.collect()
}

/// Runs a program once: returns its peak memory, or the reason for its failure.
fn first_run(subject: &mut Subject) -> Result<u64> {
    feed(&mut subject.command, &subject.request)?;
    let output = subject.command.stderr(Stdio::piped()).output()?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{}: {}",
            output.status,
            log.lines().last().unwrap_or_default()
        );
    }
    for _ in 0..ATTEMPTS {
        if let Some(peak) = peak(subject)? {
            return Ok(peak);
        }
    }
    bail!("its peak memory cannot be seen")
}

/// `VmHWM` just before the program ends: getrusage(2) would return that of the parent if
/// it is larger. `None` if it ended before it could be observed.
fn peak(subject: &mut Subject) -> Result<Option<u64>> {
    feed(&mut subject.command, &subject.request)?;
    let mut child = subject.command.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    if ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACEEXIT).is_err() {
        child.wait()?;
        return Ok(None);
    }
    let mut peak = None;
    loop {
        match waitpid(pid, None)? {
            WaitStatus::PtraceEvent(..) => {
                peak = high_water_mark(pid)?;
                ptrace::cont(pid, None)?;
            }
            WaitStatus::Stopped(_, signal) => ptrace::cont(pid, signal)?,
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Ok(peak),
            WaitStatus::Continued(_) | WaitStatus::PtraceSyscall(_) | WaitStatus::StillAlive => {}
        }
    }
}

fn high_water_mark(pid: Pid) -> Result<Option<u64>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes
        .map(str::parse::<u64>)
        .transpose()?
        .map(|kibibytes| kibibytes * 1024))
}

/// Makes one run. The command is started with `posix_spawn`, which copies no page tables,
/// so the size of this program does not affect the figures.
fn once(subject: &mut Subject) -> Result<Sample> {
    feed(&mut subject.command, &subject.request)?;
    let before = children()?;
    let start = Instant::now();
    let status = subject.command.status()?;
    let wall = start.elapsed();
    if !status.success() {
        bail!("{status}");
    }
    let after = children()?;
    let faults = |usage: &Usage| u64::try_from(usage.minor_page_faults()).unwrap_or_default();
    Ok(Sample {
        wall,
        cpu: cpu_time(&after).saturating_sub(cpu_time(&before)),
        faults: faults(&after).saturating_sub(faults(&before)),
    })
}

fn summary(samples: &[Sample], peak: u64) -> Result<Figures> {
    let mut faults: Vec<u64> = samples.iter().map(|sample| sample.faults).collect();
    faults.sort_unstable();
    Ok(Figures {
        wall: spread(samples.iter().map(|sample| sample.wall))?,
        cpu: spread(samples.iter().map(|sample| sample.cpu))?,
        faults: *faults.get(faults.len() / 2).context("no run")?,
        peak,
    })
}

pub(crate) fn spread(times: impl Iterator<Item = Duration>) -> Result<Spread> {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    Ok(Spread {
        min: *times.first().context("no run")?,
        median: *times.get(times.len() / 2).context("no run")?,
    })
}

/// The instructions that a run takes in user space, as callgrind counts them. Its
/// simulated CPU is the same everywhere. The counts by function are written to `profile`,
/// for `callgrind_annotate`. The sandbox is off: its work is done by the kernel, and
/// older versions of valgrind do not support its system calls.
pub(crate) fn instructions(subject: &Subject, profile: &Path) -> Result<u64> {
    callgrind(subject, profile, &[])
}

/// The same with further options of callgrind.
pub(crate) fn callgrind(subject: &Subject, profile: &Path, options: &[&str]) -> Result<u64> {
    take_auth_files(&subject.request)?;
    let log = profile.with_extension("log");
    let mut command = Command::new("valgrind");
    let environment = subject.command.get_envs();
    command
        .env_clear()
        .envs(environment.filter_map(|(name, value)| Some((name, value?))))
        .args(["--tool=callgrind", "--compress-strings=no"])
        .args(options)
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(format!("--log-file={}", log.display()))
        .env("CRIO_CREDENTIAL_PROVIDER_NO_SANDBOX", "true")
        .arg(subject.command.get_program())
        .args(subject.command.get_args())
        .stdin(File::open(&subject.request)?)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = match command.status() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("valgrind is missing: run \"test/setup valgrind\"")
        }
        status => status?,
    };
    if !status.success() {
        bail!("{} under callgrind: {status}", subject.name);
    }
    let log = fs::read_to_string(&log)?;
    let collected = log
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    let count = collected.context("callgrind printed no number")?;
    Ok(count.trim().parse()?)
}

fn children() -> Result<Usage> {
    getrusage(UsageWho::RUSAGE_CHILDREN).context("resource usage")
}

fn cpu_time(usage: &Usage) -> Duration {
    let of = |time: TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
        let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    of(usage.user_time()) + of(usage.system_time())
}
