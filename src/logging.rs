//! Where log lines go: stderr, which kubelet keeps for the pod's events, and
//! journald where its socket is (SPEC section 8).
//!
//! Levels: `error` the request failed, `warn` something was skipped, `info` the
//! outcome, `debug` each decision. A missing or full journal is no error.

use std::io::stderr;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

/// The least severe lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
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
    let journal = tracing_journald::layer().ok().map(|layer| {
        layer
            .with_field_prefix(None)
            .with_syslog_identifier("crio-credential-provider".to_owned())
    });
    let registry = registry().with(level).with(journal);
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
