//! Where log lines go: stderr, which kubelet keeps for the pod's events, and
//! journald where its socket is (SPEC section 8).
//!
//! Levels: `error` the request failed, `warn` something was skipped, `info` the
//! outcome, `debug` each decision. A missing or full journal is no error.

use std::io::{self, stderr};
use std::os::unix::net::UnixDatagram;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

const JOURNAL: &str = "/run/systemd/journal/socket";

/// The least severe lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Failures alone.
    Error,
    /// And what was skipped.
    Warn,
    /// And the outcome.
    Info,
    /// And each decision.
    Debug,
    /// Everything.
    Trace,
}

/// How a line on stderr looks.
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

/// Starts logging; later calls in the same process change nothing.
pub fn start(level: Level, format: Format) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let journal = Journal::connect().ok();
    let registry = Registry::default().with(level).with(journal);
    let text = layer().with_writer(stderr).with_target(false);
    let started = match format {
        Format::Text => registry
            .with(text.without_time().with_ansi(false))
            .try_init(),
        Format::Json => registry.with(text.json().without_time()).try_init(),
    };
    // Only a second start fails, and the first one serves both.
    started.unwrap_or_default();
}

/// journald, as long as it takes lines: a journal that is stuck must not hold up
/// a pull, and the library's socket would block.
struct Journal {
    lines: tracing_journald::Layer,
    /// Connected to the same place, since only then does the kernel tell whether
    /// there is room in its queue.
    probe: UnixDatagram,
}

impl Journal {
    fn connect() -> io::Result<Self> {
        let probe = UnixDatagram::unbound()?;
        probe.connect(JOURNAL)?;
        if !has_room(&probe) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let lines = tracing_journald::layer()?
            .with_field_prefix(None)
            .with_syslog_identifier("crio-credential-provider".to_owned())
            .with_priority_mappings(PriorityMappings {
                info: Priority::Informational,
                debug: Priority::Debug,
                ..PriorityMappings::new()
            });
        Ok(Self { lines, probe })
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if has_room(&self.probe) {
            self.lines.on_event(event, context);
        }
    }
}

fn has_room(probe: &UnixDatagram) -> bool {
    let mut watched = [PollFd::new(probe, PollFlags::OUT)];
    poll(&mut watched, Some(&Timespec::default())).is_ok()
        && watched.iter().all(|fd| fd.revents() == PollFlags::OUT)
}
