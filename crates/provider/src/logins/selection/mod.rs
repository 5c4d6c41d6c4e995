//! The rule by which a pull source gets its credential:
//!
//! 1. entries from the namespace's Secrets, then from shared Secrets, then from global
//!    auth files, then from the node's providers;
//! 2. then the more specific key ([`Specificity`]);
//! 3. then the Secret whose name sorts last, or that is named first where Secrets are
//!    named ([`SecretNames`](crate::secret_names::SecretNames)), or the global file
//!    that is named first. For the node's providers, kubelet's order replaces 2 and 3: the
//!    key that sorts last, then the provider that kubelet runs first
//!    ([`Rule::KeyringOrder`]);
//! 4. within one document, of several spellings of a key, the one that containers/image
//!    would use, unless that picks at random ([`Rule::LiteralKey`] and the rules after it).
//!
//! Only the best candidate of each source is kept, and shared between sources, so memory
//! does not grow with the content of a namespace.

mod index;
mod rule;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use containers_auth::{Credential, EntryError, Key, RawEntry, Specificity};
use registries_conf::ImageName;

use self::index::Index;
use self::rule::Place;
use crate::excerpt::Excerpt;
use crate::logins::observer::Observer;

pub use rule::{Comparison, Rule, Verdict};

/// The place of an entry. Displays as `secret "NAME"`, `shared secret "NAMESPACE/NAME"`
/// or `global auth file "PATH"`, with escaped characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A Secret of the pod's namespace, by name.
    Secret(String),
    /// One of the Secrets that were asked for by name: its place among them, and its
    /// name. Of one namespace all or none are such.
    NamedSecret(usize, String),
    /// A Secret that the node's administrator shares among namespaces: its place among
    /// them, its namespace and its name.
    SharedSecret(usize, String, String),
    /// A global auth file: its place in the configured order, and its path.
    GlobalFile(usize, PathBuf),
    /// A credential provider of the node: its place in kubelet's configuration, and its
    /// name.
    NodeProvider(usize, String),
}

/// An entry that may be sent to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it was found.
    pub origin: Origin,
    /// The key, unchanged.
    pub key: String,
    /// The login.
    pub credential: Credential,
    specificity: Specificity,
}

/// The best candidate so far of every pull source.
#[derive(Debug)]
pub struct Selection {
    sources: Vec<Source>,
    index: Index,
}

#[derive(Debug)]
struct Source {
    name: ImageName,
    best: Option<Arc<Candidate>>,
}

/// An entry that is offered; it is decoded only where it would win.
struct Offer<'a> {
    place: Place<'a>,
    entry: RawEntry<'a>,
    decoded: Option<Arc<Candidate>>,
}

/// Whose login an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The pod's: its token opened the Secret.
    Pod,
    /// The node's: every pod may use it.
    Node,
}

impl Origin {
    /// Whose login it is.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Secret(_) | Self::NamedSecret(..) | Self::SharedSecret(..) => Owner::Pod,
            Self::GlobalFile(..) | Self::NodeProvider(..) => Owner::Node,
        }
    }

    /// How much its login source counts.
    fn precedence(&self) -> u8 {
        match self {
            Self::Secret(_) | Self::NamedSecret(..) => 3,
            Self::SharedSecret(..) => 2,
            Self::GlobalFile(..) => 1,
            Self::NodeProvider(..) => 0,
        }
    }

    fn secret_name(&self) -> Option<&str> {
        match self {
            Self::Secret(name) => Some(name),
            Self::NamedSecret(..)
            | Self::SharedSecret(..)
            | Self::GlobalFile(..)
            | Self::NodeProvider(..) => None,
        }
    }

    fn secret_place(&self) -> Option<usize> {
        match self {
            Self::NamedSecret(place, _) | Self::SharedSecret(place, ..) => Some(*place),
            Self::Secret(_) | Self::GlobalFile(..) | Self::NodeProvider(..) => None,
        }
    }

    fn file_index(&self) -> Option<usize> {
        match self {
            Self::GlobalFile(index, _) => Some(*index),
            Self::Secret(_)
            | Self::NamedSecret(..)
            | Self::SharedSecret(..)
            | Self::NodeProvider(..) => None,
        }
    }

    fn provider_index(&self) -> Option<usize> {
        match self {
            Self::NodeProvider(index, _) => Some(*index),
            Self::Secret(_)
            | Self::NamedSecret(..)
            | Self::SharedSecret(..)
            | Self::GlobalFile(..) => None,
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
            Self::SharedSecret(_, namespace, name) => {
                write!(f, "shared secret {:?}", format!("{namespace}/{name}"))
            }
            Self::GlobalFile(_, path) => write!(f, "global auth file {path:?}"),
            Self::NodeProvider(_, name) => write!(f, "node provider {:?}", Excerpt(name)),
        }
    }
}

impl Candidate {
    /// The rule by which this entry wins over another one for `source`; `None` where it
    /// does not.
    pub fn beats(&self, origin: &Origin, key: &str, source: &ImageName) -> Option<Rule> {
        let specificity = Key::parse(key).ok()?.specificity();
        let other = Place {
            origin,
            key,
            specificity,
        };
        let (rule, order) = rule::compare(self.place(), other, source)?;
        order.is_gt().then_some(rule)
    }

    fn place(&self) -> Place<'_> {
        Place {
            origin: &self.origin,
            key: &self.key,
            specificity: self.specificity,
        }
    }
}

impl Offer<'_> {
    fn candidate(&mut self) -> Result<Arc<Candidate>, EntryError> {
        if let Some(decoded) = &self.decoded {
            return Ok(Arc::clone(decoded));
        }
        let decoded = Arc::new(Candidate {
            origin: self.place.origin.clone(),
            key: self.place.key.to_owned(),
            credential: self.entry.credential()?,
            specificity: self.place.specificity,
        });
        Ok(Arc::clone(self.decoded.insert(decoded)))
    }
}

impl Source {
    fn verdict(&self, offered: Place<'_>) -> Verdict<'_> {
        let Some(best) = &self.best else {
            return Verdict::First;
        };
        match rule::compare(offered, best.place(), &self.name) {
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
        let mut seen = HashSet::new();
        let mut sources: Vec<_> = sources.into_iter().collect();
        sources.retain(|source| seen.insert(source.clone()));
        let index = Index::new(&sources);
        let sources = sources.into_iter().map(|name| Source { name, best: None });
        Self {
            sources: sources.collect(),
            index,
        }
    }

    /// Offers one entry to every source that it matches. `served` narrows the sources further:
    /// not those whose host has a credential helper. An entry that comes again, from a list
    /// that was started again, replaces itself. `observer` gets every comparison.
    ///
    /// # Errors
    /// [`EntryError`] if the entry would win and cannot be used; the selection does not change
    /// then.
    pub fn offer(
        &mut self,
        origin: &Origin,
        key: &str,
        entry: RawEntry<'_>,
        served: impl Fn(&ImageName) -> bool,
        observer: &mut dyn Observer,
    ) -> Result<(), EntryError> {
        self.offer_where(|_| true, origin, key, entry, served, observer)
    }

    /// Offers one entry to `source` alone, if it matches it, as [`offer`](Self::offer)
    /// does to all: an answer of a provider is for the image that it was asked for.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn offer_to(
        &mut self,
        source: &ImageName,
        origin: &Origin,
        key: &str,
        entry: RawEntry<'_>,
        served: impl Fn(&ImageName) -> bool,
        observer: &mut dyn Observer,
    ) -> Result<(), EntryError> {
        let is_it = |other: &ImageName| other == source;
        self.offer_where(is_it, origin, key, entry, served, observer)
    }

    fn offer_where(
        &mut self,
        is_meant: impl Fn(&ImageName) -> bool,
        origin: &Origin,
        key: &str,
        entry: RawEntry<'_>,
        served: impl Fn(&ImageName) -> bool,
        observer: &mut dyn Observer,
    ) -> Result<(), EntryError> {
        let parsed = Key::parse(key);
        let mut places = parsed
            .iter()
            .flat_map(|key| self.index.matching(key))
            .peekable();
        let (Ok(parsed), Some(_)) = (&parsed, places.peek()) else {
            observer.unmatched(origin, key);
            return Ok(());
        };
        let place = Place {
            origin,
            key,
            specificity: parsed.specificity(),
        };
        let mut offer = Offer {
            place,
            entry,
            decoded: None,
        };
        for at in places {
            let source = self.sources.get_mut(at);
            let Some(source) = source.filter(|source| is_meant(&source.name)) else {
                continue;
            };
            let verdict = if served(&source.name) {
                source.verdict(place)
            } else {
                Verdict::Helper
            };
            let winner = verdict.is_win().then(|| offer.candidate()).transpose()?;
            observer.compared(&Comparison {
                source: &source.name,
                origin,
                key,
                entry,
                verdict,
            });
            if winner.is_some() {
                source.best = winner;
            }
        }
        Ok(())
    }

    /// The part of it that is for these sources, in their order.
    #[must_use]
    pub fn narrowed(&self, sources: impl IntoIterator<Item = ImageName>) -> Self {
        let own = self.sources.iter();
        let best: HashMap<_, _> = own.map(|source| (&source.name, &source.best)).collect();
        let mut narrowed = Self::new(sources);
        for source in &mut narrowed.sources {
            source.best = best.get(&source.name).and_then(|best| (*best).clone());
        }
        narrowed
    }

    /// The sources that have a credential, in pull order.
    pub fn chosen(&self) -> impl Iterator<Item = (&ImageName, &Candidate)> {
        let sources = self.sources.iter();
        sources.filter_map(|source| Some((&source.name, source.best.as_deref()?)))
    }

    /// Whether a credential of the pod was chosen for any source.
    pub fn has_pods(&self) -> bool {
        self.chosen()
            .any(|(_, candidate)| candidate.origin.owner() == Owner::Pod)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
