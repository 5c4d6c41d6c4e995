//! Collects the events that the provider would log. Unlike the provider it keeps every
//! entry, not only the best ones, so its memory grows with the content of the namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use registries_conf::ImageName;

use provider::logins::{Candidate, Comparison, Observer, Origin, Skipped, Verdict};

/// The most losing entries that are shown for a source.
const MAX_LOSERS: usize = 20;
/// A key that shows a mistake: a Secret of the older type has the layout of the newer
/// one, or the layout is nested.
const AUTHS: &str = "auths";

/// The events of a selection, each once: a list that was restarted reports some of them
/// twice.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The entries that cannot be used.
    pub(super) skipped: BTreeSet<Remark>,
    /// The probable mistakes in entries that are used.
    pub(super) mistakes: BTreeSet<Remark>,
    /// The entries that match no pull source.
    pub(super) unmatched: BTreeSet<Entry>,
    /// The entries that match a pull source, by its name.
    matching: BTreeMap<String, BTreeSet<Matching>>,
    /// The entry that was compared last, which is usually also the next one.
    last: Option<Rc<Entry>>,
}

/// Something about a login source, or one of its entries.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Remark {
    /// Its origin.
    pub(super) origin: Origin,
    /// The key of the entry, if it is about one.
    pub(super) key: Option<String>,
    /// The remark.
    pub(super) text: String,
}

/// The origin of an entry, and its key.
type Entry = (Origin, String);

/// An entry that matches a pull source.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Matching {
    entry: Rc<Entry>,
    helper: bool,
}

/// An entry that matches a source, and is not used for it.
#[derive(Debug)]
pub(super) struct Loser<'a> {
    pub(super) origin: &'a Origin,
    pub(super) key: &'a str,
    /// The property for which it loses.
    pub(super) why: String,
}

impl Findings {
    /// Records something that is not used.
    pub(super) fn skip(&mut self, origin: Origin, key: Option<String>, text: String) {
        self.skipped.insert(Remark { origin, key, text });
    }

    /// The entries that match a source and are not chosen, Secrets first, and the number
    /// of those that are not shown.
    pub(super) fn losers(
        &self,
        source: &ImageName,
        chosen: Option<&Candidate>,
    ) -> (Vec<Loser<'_>>, usize) {
        let is_chosen = |entry: &Entry| {
            chosen.is_some_and(|chosen| chosen.origin == entry.0 && chosen.key == entry.1)
        };
        let of_source = self.matching.get(source.as_str()).into_iter().flatten();
        let mut others = of_source.filter(|matching| !is_chosen(&matching.entry));
        let mut losers = Vec::new();
        for matching in others.by_ref().take(MAX_LOSERS) {
            let (origin, key) = &*matching.entry;
            let rule = chosen.and_then(|chosen| chosen.beats(origin, key, source));
            let why = if matching.helper {
                Verdict::Helper.to_string()
            } else {
                rule.map_or_else(String::new, |rule| rule.to_string())
            };
            losers.push(Loser { origin, key, why });
        }
        (losers, others.count())
    }

    /// The stored entry, one for all sources that it matches.
    fn kept(&mut self, comparison: &Comparison<'_>) -> Rc<Entry> {
        let (origin, key) = (comparison.origin, comparison.key);
        let is_it = |entry: &Rc<Entry>| entry.0 == *origin && entry.1 == key;
        let last = self.last.take().filter(is_it);
        let entry = last.unwrap_or_else(|| {
            for mistake in comparison.entry.mistakes() {
                self.suspect(origin, key, mistake.to_string());
            }
            Rc::new((origin.clone(), key.to_owned()))
        });
        Rc::clone(self.last.insert(entry))
    }

    fn suspect(&mut self, origin: &Origin, key: &str, text: String) {
        self.mistakes.insert(Remark {
            origin: origin.clone(),
            key: Some(key.to_owned()),
            text,
        });
    }
}

impl Observer for Findings {
    fn skipped(&mut self, skipped: &Skipped<'_>) {
        let key = skipped.key.map(str::to_owned);
        self.skip(skipped.origin.clone(), key, skipped.reason.clone());
    }

    fn compared(&mut self, comparison: &Comparison<'_>) {
        let entry = self.kept(comparison);
        let helper = matches!(comparison.verdict, Verdict::Helper);
        let of_source = self.matching.entry(comparison.source.to_string());
        of_source.or_default().insert(Matching { entry, helper });
    }

    fn unmatched(&mut self, origin: &Origin, key: &str) {
        if key == AUTHS {
            let text = "it is read as the name of a registry: this is the layout of Secrets of type kubernetes.io/dockerconfigjson";
            self.suspect(origin, key, text.to_owned());
        }
        self.unmatched.insert((origin.clone(), key.to_owned()));
    }
}
