//! The one documented rule by which a pull source gets its credential (SPEC
//! section 5):
//!
//! 1. entries from the namespace's Secrets before entries from global auth files;
//! 2. then the more specific key ([`Specificity`]);
//! 3. then the Secret whose name sorts last, or the global file that is named
//!    first; within one of them the key that sorts last.
//!
//! Only the best candidate of each source is kept, so memory does not grow with
//! what a tenant puts into a namespace.

use std::cmp::Reverse;
use std::fmt;
use std::path::{Path, PathBuf};

use registries_conf::ImageName;

use super::docker_config::{Credential, EntryError, RawEntry};
use super::key::{Key, Specificity};

/// Where an entry comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A Secret of the pod's namespace, by name.
    Secret(String),
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
        matches!(self, Self::Secret(_))
    }

    /// The path of a global auth file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Secret(_) => None,
            Self::GlobalFile(_, path) => Some(path),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "secret {name:?}"),
            Self::GlobalFile(_, path) => write!(f, "global auth file {}", path.display()),
        }
    }
}

impl Candidate {
    fn rank(&self) -> Rank<'_> {
        rank(&self.origin, &self.key)
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
    /// would win. `served` narrows the sources further. The same entry once more,
    /// from a list that had to start again, replaces itself.
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
    ) -> Result<(), EntryError> {
        let key = Key::parse(raw_key);
        let mut candidate: Option<Candidate> = None;
        for chosen in &mut self.sources {
            let wins = key.matches(&chosen.source)
                && served(&chosen.source)
                && chosen
                    .best
                    .as_ref()
                    .is_none_or(|best| best.rank() <= rank(origin, raw_key));
            if !wins {
                continue;
            }
            let candidate = match &mut candidate {
                Some(candidate) => candidate,
                none => none.insert(Candidate {
                    origin: origin.clone(),
                    key: raw_key.to_owned(),
                    credential: entry.credential()?,
                }),
            };
            chosen.best = Some(candidate.clone());
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

type Rank<'a> = (bool, Specificity, Option<&'a str>, Reverse<usize>, &'a str);

/// The greater rank wins. The tie breakers only ever meet their own kind: the
/// first part tells Secrets from files.
fn rank<'a>(origin: &'a Origin, key: &'a str) -> Rank<'a> {
    let (secret, file) = match origin {
        Origin::Secret(name) => (Some(name.as_str()), 0),
        Origin::GlobalFile(index, _) => (None, *index),
    };
    (
        origin.is_namespaced(),
        Key::parse(key).specificity(),
        secret,
        Reverse(file),
        key,
    )
}

#[cfg(test)]
mod tests;
