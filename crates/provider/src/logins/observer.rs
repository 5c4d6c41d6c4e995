//! What is told on the way to a selection, besides its result: the provider logs
//! it, `explain` prints it.

use std::error::Error;

use super::selection::{Comparison, Origin};

/// Listens while credentials are selected. `()` does not care.
pub trait Observer {
    /// Something cannot be used and was left out; everything else counts.
    fn skipped(&mut self, _skipped: &Skipped<'_>) {}

    /// An entry met the best one so far of a pull source that it matches.
    fn compared(&mut self, _comparison: &Comparison<'_>) {}

    /// An entry matches no pull source.
    fn unmatched(&mut self, _origin: &Origin, _key: &str) {}
}

impl Observer for () {}

/// Something that cannot be used, and why; never holds a part of a login.
#[derive(Debug)]
pub struct Skipped<'a> {
    /// Where it is; a Secret without a name has an empty one.
    pub origin: &'a Origin,
    /// The key of the entry, where that is all that is skipped.
    pub key: Option<&'a str>,
    /// Why, with all causes, in one line.
    pub reason: String,
}

impl<'a> Skipped<'a> {
    /// With an error and its causes for the reason.
    pub fn new(
        origin: &'a Origin,
        key: Option<&'a str>,
        error: impl Error + Send + Sync + 'static,
    ) -> Self {
        let error = anyhow::Error::new(error);
        Self {
            origin,
            key,
            reason: format!("{error:#}"),
        }
    }
}
