//! The one documented rule by which a pull source gets its credential (SPEC
//! section 5):
//!
//! 1. entries from the namespace's Secrets before entries from global auth files;
//! 2. then the more specific key ([`Specificity`](super::Specificity));
//! 3. then the Secret whose name sorts last, or that is named first where Secrets are
//!    named ([`SecretNames`](crate::secret_names::SecretNames)), or the global file
//!    that is named first; within one of them the key that sorts last.
//!
//! Only the best candidate of each source is kept, so memory does not grow with
//! what a tenant puts into a namespace.

mod rule;

use std::cmp::Ordering;
use std::fmt;
use std::path::PathBuf;

use registries_conf::ImageName;

use super::entry::{Credential, EntryError, RawEntry};
use super::key::Key;
use super::observer::Observer;
use crate::excerpt::Excerpt;

pub use rule::{Comparison, Rule, Verdict};

/// Where an entry comes from. Prints as `secret "NAME"` or `global auth file "PATH"`,
/// whatever characters are in there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A Secret of the pod's namespace, by name.
    Secret(String),
    /// One of the Secrets that were asked for by name: its place among them, and its
    /// name. Of one namespace all or none are such.
    NamedSecret(usize, String),
    /// A global auth file: its place in the configured order, and its path.
    GlobalFile(usize, PathBuf),
}

/// An entry that may be sent to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it was found.
    pub origin: Origin,
    /// The key as it stands there.
    pub key: String,
    /// The login.
    pub credential: Credential,
}

/// The best candidate so far of every pull source.
#[derive(Debug)]
pub struct Selection {
    sources: Vec<Chosen>,
}

#[derive(Debug)]
struct Chosen {
    source: ImageName,
    best: Option<Candidate>,
}

impl Origin {
    /// Whether it belongs to the pod's namespace, and not to the node.
    pub fn is_namespaced(&self) -> bool {
        matches!(self, Self::Secret(_) | Self::NamedSecret(..))
    }

    fn secret_name(&self) -> Option<&str> {
        match self {
            Self::Secret(name) => Some(name),
            Self::NamedSecret(..) | Self::GlobalFile(..) => None,
        }
    }

    fn secret_place(&self) -> Option<usize> {
        match self {
            Self::NamedSecret(place, _) => Some(*place),
            Self::Secret(_) | Self::GlobalFile(..) => None,
        }
    }

    fn file_index(&self) -> Option<usize> {
        match self {
            Self::GlobalFile(index, _) => Some(*index),
            Self::Secret(_) | Self::NamedSecret(..) => None,
        }
    }
}

impl fmt::Display for Origin {
    #[expect(
        clippy::unnecessary_debug_formatting,
        reason = "a path may hold what would forge a line"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) | Self::NamedSecret(_, name) => {
                write!(f, "secret {:?}", Excerpt(name))
            }
            Self::GlobalFile(_, path) => write!(f, "global auth file {path:?}"),
        }
    }
}

impl Candidate {
    /// The rule by which this candidate stands before another entry for the same
    /// source; `None` where it does not.
    pub fn beats(&self, origin: &Origin, key: &str) -> Option<Rule> {
        match rule::compare((&self.origin, &self.key), (origin, key)) {
            Some((rule, Ordering::Greater)) => Some(rule),
            Some(_) | None => None,
        }
    }
}

impl Chosen {
    fn verdict(&self, origin: &Origin, key: &str, served: bool) -> Verdict<'_> {
        if !served {
            return Verdict::Helper;
        }
        let Some(best) = &self.best else {
            return Verdict::First;
        };
        match rule::compare((origin, key), (&best.origin, &best.key)) {
            None => Verdict::Again,
            Some((rule, Ordering::Greater)) => Verdict::Wins { over: best, rule },
            Some((rule, _)) => Verdict::Loses { to: best, rule },
        }
    }
}

impl Selection {
    /// Nothing chosen yet, for sources in pull order; a name that occurs twice
    /// counts once.
    pub fn new(sources: impl IntoIterator<Item = ImageName>) -> Self {
        let mut unique: Vec<Chosen> = Vec::new();
        for source in sources {
            if unique.iter().all(|chosen| chosen.source != source) {
                unique.push(Chosen { source, best: None });
            }
        }
        Self { sources: unique }
    }

    /// Offers one entry to every source it matches; it is decoded only where it
    /// would win. `served` narrows the sources further: not those whose host has a
    /// credential helper. The same entry once more, from a list that had to start
    /// again, replaces itself. `observer` is told of every comparison.
    ///
    /// # Errors
    /// [`EntryError`] where the entry matches a source and cannot be used; the
    /// selection is then as it was.
    pub fn offer(
        &mut self,
        origin: &Origin,
        raw_key: &str,
        entry: RawEntry<'_>,
        served: impl Fn(&ImageName) -> bool,
        observer: &mut impl Observer,
    ) -> Result<(), EntryError> {
        let Ok(key) = Key::parse(raw_key) else {
            observer.unmatched(origin, raw_key);
            return Ok(());
        };
        let mut matched = false;
        let mut candidate: Option<Candidate> = None;
        for chosen in &mut self.sources {
            if !key.matches(&chosen.source) {
                continue;
            }
            matched = true;
            let verdict = chosen.verdict(origin, raw_key, served(&chosen.source));
            let winner = match &mut candidate {
                _ if !verdict.is_win() => None,
                Some(candidate) => Some(candidate.clone()),
                none => Some(
                    none.insert(Candidate {
                        origin: origin.clone(),
                        key: raw_key.to_owned(),
                        credential: entry.credential()?,
                    })
                    .clone(),
                ),
            };
            observer.compared(&Comparison {
                source: &chosen.source,
                origin,
                key: raw_key,
                verdict,
            });
            if winner.is_some() {
                chosen.best = winner;
            }
        }
        if !matched {
            observer.unmatched(origin, raw_key);
        }
        Ok(())
    }

    /// The sources that have a credential, in pull order.
    pub fn chosen(&self) -> impl Iterator<Item = (&ImageName, &Candidate)> {
        self.sources
            .iter()
            .filter_map(|chosen| Some((&chosen.source, chosen.best.as_ref()?)))
    }

    /// Whether a credential of the namespace was chosen for any source.
    pub fn has_namespaced(&self) -> bool {
        self.chosen()
            .any(|(_, candidate)| candidate.origin.is_namespaced())
    }
}

#[cfg(test)]
mod tests;
