//! Collects what the provider would log. Unlike the provider it remembers every
//! entry, not only the best ones: its memory grows with what the namespace holds.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use registries_conf::ImageName;

use provider::logins::{Candidate, Comparison, Observer, Origin, Skipped, Verdict};

/// The events on the way to the logins, each once: a list that was started again reports
/// some of them twice.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What cannot be used: where it is, and why.
    pub(super) skipped: BTreeSet<(String, String)>,
    /// Entries that match no pull source: where they are, and their keys.
    pub(super) unmatched: BTreeSet<(Origin, String)>,
    /// The entries that match a pull source, by its name.
    matching: BTreeMap<String, BTreeSet<Matching>>,
    /// The entry that was compared last, most often also the next one.
    last: Option<Rc<Entry>>,
}

/// Where an entry is, and its key.
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
    /// What it is or has that makes it lose.
    pub(super) why: String,
}

impl Findings {
    /// Notes something that is not used.
    pub(super) fn skip(&mut self, origin: String, reason: String) {
        self.skipped.insert((origin, reason));
    }

    /// Every entry but the chosen one that matches a source, Secrets first.
    pub(super) fn losers<'f>(
        &'f self,
        source: &'f ImageName,
        chosen: Option<&'f Candidate>,
    ) -> impl Iterator<Item = Loser<'f>> {
        let of_source = self.matching.get(source.as_str()).into_iter().flatten();
        of_source.filter_map(move |matching| {
            let (origin, key) = &*matching.entry;
            let why = if matching.helper {
                Verdict::Helper.to_string()
            } else {
                chosen?.beats(origin, key, source)?.to_string()
            };
            Some(Loser { origin, key, why })
        })
    }

    /// The entry as it is kept, once for all sources that it matches.
    fn kept(&mut self, origin: &Origin, key: &str) -> Rc<Entry> {
        let is_it = |entry: &Rc<Entry>| entry.0 == *origin && entry.1 == key;
        let last = self.last.take().filter(is_it);
        let entry = last.unwrap_or_else(|| Rc::new((origin.clone(), key.to_owned())));
        Rc::clone(self.last.insert(entry))
    }
}

impl Observer for Findings {
    fn skipped(&mut self, skipped: &Skipped<'_>) {
        let reason = match skipped.key {
            Some(key) => format!("entry {key:?}: {}", skipped.reason),
            None => skipped.reason.clone(),
        };
        self.skip(skipped.origin.to_string(), reason);
    }

    fn compared(&mut self, comparison: &Comparison<'_>) {
        let entry = self.kept(comparison.origin, comparison.key);
        let helper = matches!(comparison.verdict, Verdict::Helper);
        let of_source = self.matching.entry(comparison.source.to_string());
        of_source.or_default().insert(Matching { entry, helper });
    }

    fn unmatched(&mut self, origin: &Origin, key: &str) {
        self.unmatched.insert((origin.clone(), key.to_owned()));
    }
}
