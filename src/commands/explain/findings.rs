//! Collects what the provider would log. Unlike the provider it remembers every
//! entry, not only the best ones: its memory grows with what the namespace holds.

use std::collections::BTreeSet;

use registries_conf::ImageName;

use crate::credentials::{Candidate, Comparison, Observer, Origin, Skipped, Verdict};

/// What happened on the way to the logins, each thing once: a list that had to
/// start again tells some of it twice.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What cannot be used: where it is, and why.
    pub(super) skipped: BTreeSet<(String, String)>,
    /// Entries that match no pull source: where they are, and their keys.
    pub(super) unmatched: BTreeSet<(Origin, String)>,
    matching: BTreeSet<Matching>,
}

/// An entry that matches a pull source.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Matching {
    source: String,
    origin: Origin,
    key: String,
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
    pub(super) fn losers(
        &self,
        source: &ImageName,
        chosen: Option<&Candidate>,
    ) -> impl Iterator<Item = Loser<'_>> {
        let of_source = self
            .matching
            .iter()
            .filter(move |entry| entry.source == source.as_str());
        of_source.filter_map(move |entry| {
            let why = if entry.helper {
                Verdict::Helper.to_string()
            } else {
                chosen?.beats(&entry.origin, &entry.key)?.to_string()
            };
            Some(Loser {
                origin: &entry.origin,
                key: &entry.key,
                why,
            })
        })
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
        self.matching.insert(Matching {
            source: comparison.source.to_string(),
            origin: comparison.origin.clone(),
            key: comparison.key.to_owned(),
            helper: matches!(comparison.verdict, Verdict::Helper),
        });
    }

    fn unmatched(&mut self, origin: &Origin, key: &str) {
        self.unmatched.insert((origin.clone(), key.to_owned()));
    }
}
