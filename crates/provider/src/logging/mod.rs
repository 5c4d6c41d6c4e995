//! The outputs of the log: stderr, which ends up in kubelet's log but not in a pod's
//! events, and journald if its socket exists.
//!
//! Levels: `error` the request failed, `warn` something was skipped, `info` the
//! outcome, `debug` each decision. Each output has a [budget](Budget) for the whole
//! run. An output that fails, such as a missing or full journal, is not an error.

mod budget;
mod collector;
mod journal;

use std::io::{self, Write, stderr};
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, warn};
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::budget::{BYTES, BYTES_FOR_DEBUGGING, Budget};
use self::collector::Collector;
use self::journal::Journal;

/// The level of the least severe lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Failures only.
    Error,
    /// Also what was skipped.
    Warn,
    /// Also the outcome.
    Info,
    /// Also each decision.
    Debug,
    /// Everything.
    Trace,
}

/// The format of lines on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

impl Level {
    /// The level of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "error" => Some(Self::Error),
            "warn" => Some(Self::Warn),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            "trace" => Some(Self::Trace),
            _ => None,
        }
    }
}

impl Format {
    /// The format of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// The log of a run, as started by [`start`].
#[derive(Debug)]
pub struct Log {
    stderr: Arc<Budget>,
    journal: Arc<Budget>,
}

/// Starts logging. A later call in the same process has no effect.
pub fn start(level: Level, format: Format) -> Log {
    let (level, bytes) = match level {
        Level::Error => (LevelFilter::ERROR, BYTES),
        Level::Warn => (LevelFilter::WARN, BYTES),
        Level::Info => (LevelFilter::INFO, BYTES),
        Level::Debug => (LevelFilter::DEBUG, BYTES_FOR_DEBUGGING),
        Level::Trace => (LevelFilter::TRACE, BYTES_FOR_DEBUGGING),
    };
    let [stderr, journal] = [(); 2].map(|()| Arc::new(Budget::new(bytes)));
    let outputs = Collector.with(level);
    let outputs = outputs.with(Journal::connect(Arc::clone(&journal)).ok());
    let writer = Stderr(Arc::clone(&stderr));
    let text = layer().with_writer(writer).with_target(false);
    // Only a second start fails; the log of the first one is used.
    let _ignored = match format {
        Format::Text => outputs
            .with(text.without_time().with_ansi(false))
            .try_init(),
        Format::Json => outputs.with(text.json().without_time()).try_init(),
    };
    Log { stderr, journal }
}

impl Log {
    /// Logs how many lines did not fit, if any. The only line after it is the failure.
    pub fn note_left_out(&self) {
        let left_out = self.stderr.close().max(self.journal.close());
        if left_out > 0 {
            warn!("{left_out} more lines are left out: the log of a run is limited");
        }
    }
}

/// stderr, within the budget.
struct Stderr(Arc<Budget>);

/// The writer of one line.
struct Line<'a> {
    budget: &'a Budget,
    level: tracing::Level,
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            budget: &self.0,
            level: tracing::Level::ERROR,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line {
            budget: &self.0,
            level: *metadata.level(),
        }
    }
}

impl Write for Line<'_> {
    /// Takes whole lines, as the layer writes them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.budget.spend(self.level, line.len()) {
            // Ignore a failure: the layer would report it on stderr, and panic if that
            // fails too.
            let _ignored = stderr().write_all(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
