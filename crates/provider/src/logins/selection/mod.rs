//! The rule by which a pull source gets its credential:
//!
//! 1. entries from the namespace's Secrets, then from shared Secrets, then from global
//!    auth files, then from the node's providers;
//! 2. then the more specific key ([`Specificity`](containers_auth::Specificity));
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

mod candidate;
mod rule;
mod observer;
mod index;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use containers_auth::{EntryError, Key, RawEntry};
use registries_conf::ImageName;

use self::index::Index;
use self::rule::Place;
use crate::logins::origin::{Origin, Owner};

pub use candidate::Candidate;
pub use observer::{Observer, Skipped};
pub use rule::{Comparison, Rule, Verdict};

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

/// An entry that is offered; it is decoded only if it would win.
struct Offer<'a> {
    place: Place<'a>,
    entry: RawEntry<'a>,
    decoded: Option<Arc<Candidate>>,
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

    /// Offers one entry to every source that it matches. `served` narrows the sources
    /// further, for example to those whose host has no credential helper. An entry that
    /// is offered again, from a list that was restarted, replaces itself. `observer` gets
    /// every comparison.
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
    /// does to all: the response of a provider is for the image that it was asked for.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn offer_to(
        &mut self,
        source: &ImageName,
        origin: &Origin,
        key: &str,
        entry: RawEntry<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(), EntryError> {
        let is_it = |other: &ImageName| other == source;
        self.offer_where(is_it, origin, key, entry, |_| true, observer)
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

    /// The part of the selection that is for these sources, in their order.
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
