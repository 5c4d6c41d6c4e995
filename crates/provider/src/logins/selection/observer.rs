//! Events of a selection besides its result: the provider logs them, `explain` prints
//! them.

use std::error::Error;

use super::rule::Comparison;
use crate::logins::origin::Origin;

/// Gets the events of a selection. `()` ignores them.
pub trait Observer {
    /// A Secret, file or entry cannot be used and was left out; everything else is used.
    fn skipped(&mut self, _skipped: &Skipped<'_>) {}

    /// An entry was compared with the best one so far of a pull source that it matches.
    fn compared(&mut self, _comparison: &Comparison<'_>) {}

    /// An entry matches no pull source.
    fn unmatched(&mut self, _origin: &Origin, _key: &str) {}
}

impl Observer for () {}

/// A Secret, file or entry that cannot be used, and why. Never contains a part of a
/// login.
#[derive(Debug)]
pub struct Skipped<'a> {
    /// The origin; a Secret without a name has an empty one.
    pub origin: &'a Origin,
    /// The key of the entry, if only an entry is skipped.
    pub key: Option<&'a str>,
    /// The reason with all causes, in one line.
    pub reason: String,
}

impl<'a> Skipped<'a> {
    /// Uses an error and its causes as the reason.
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
