//! Writes to journald while it accepts lines: the library's socket blocks, and a journal
//! that hangs must not hold up a pull.

use std::fmt::{self, Write};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::budget::Budget;

const SOCKET: &str = "/run/systemd/journal/socket";
/// The bytes of a line besides its own fields: priority, source and identifier.
const COMMON_BYTES: usize = 256;

/// The `tracing` layer that writes to the journal.
pub(super) struct Journal {
    lines: tracing_journald::Layer,
    /// Connected to the same socket: only then does the kernel report whether its queue
    /// has room.
    probe: UnixDatagram,
    budget: Arc<Budget>,
}

impl Journal {
    /// Connects to the journal.
    ///
    /// # Errors
    /// There is no journal, or it accepts no lines now.
    pub(super) fn connect(budget: Arc<Budget>) -> io::Result<Self> {
        let probe = UnixDatagram::unbound()?;
        probe.connect(SOCKET)?;
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
        Ok(Self {
            lines,
            probe,
            budget,
        })
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut length = Length(COMMON_BYTES);
        event.record(&mut length);
        let level = *event.metadata().level();
        if has_room(&self.probe) && self.budget.spend(level, length.0) {
            self.lines.on_event(event, context);
        }
    }
}

fn has_room(probe: &UnixDatagram) -> bool {
    let mut watched = [PollFd::new(probe, PollFlags::OUT)];
    poll(&mut watched, Some(&Timespec::default())).is_ok()
        && watched.iter().all(|fd| fd.revents() == PollFlags::OUT)
}

/// The bytes of a line's fields in journald's native protocol: each has its name, its
/// value, and 10 bytes that separate them at most.
///
/// <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>
struct Length(usize);

impl Visit for Length {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 = self.0.saturating_add(field.name().len() + 10);
        // Counting cannot fail.
        let _ignored = write!(self, "{value:?}");
    }
}

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}
