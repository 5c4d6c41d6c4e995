//! Captures the log of a stage, at every level.

use std::{
    cell::RefCell,
    fmt::{Debug, Write},
    mem,
    sync::Once,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::set_global_default,
};

thread_local! {
    static LINES: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a stage; returns its result and its log, one line per event.
pub(crate) fn captured<T>(stage: impl FnOnce() -> T) -> (T, String) {
    static START: Once = Once::new();
    START.call_once(|| set_global_default(Capture).expect("no other subscriber is set"));
    LINES.take();
    let result = stage();
    (result, LINES.take())
}

struct Capture;

struct Line<'l>(&'l mut String);

impl Subscriber for Capture {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        LINES.with_borrow_mut(|lines| {
            let mut line = mem::take(lines);
            event.record(&mut Line(&mut line));
            line.push('\n');
            *lines = line;
        });
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").expect("writing to a string cannot fail");
    }
}
