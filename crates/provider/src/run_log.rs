//! Logs the decisions of a run: a warning for each entry that is skipped, a debug line
//! for each comparison, and the outcome.
//!
//! Tenants control what is skipped, so repeated warnings of one Secret are counted
//! instead of listed, and sources with the same login share one line.

use std::collections::BTreeMap;
use std::ptr;

use registries_conf::ImageName;
use tracing::{debug, info, warn};

use crate::excerpt::{ShownKey, listed};
use crate::logins::{Candidate, Comparison, Logins, Observer, Origin, Skipped};
use crate::service_account::Namespace;

/// The number of different reasons that are listed for one Secret or file.
const MAX_REASONS: usize = 2;

/// The number of chosen logins that are listed.
const MAX_LOGINS: usize = 16;

/// The number of pull sources with the same login that are listed.
const MAX_SOURCES: usize = 8;

/// Logs the events of a selection.
#[derive(Debug, Default)]
pub struct RunLog {
    last: Option<Skips>,
}

/// The skipped entries of one Secret or file.
#[derive(Debug)]
struct Skips {
    origin: Origin,
    /// The reasons that are logged.
    reasons: Vec<String>,
    /// The number of entries that were skipped without a line.
    unlisted: usize,
}

impl Skips {
    fn of(origin: &Origin) -> Self {
        Self {
            origin: origin.clone(),
            reasons: Vec::new(),
            unlisted: 0,
        }
    }

    /// Whether this reason gets a line.
    fn is_listed(&mut self, reason: &str) -> bool {
        let is_new = self.reasons.iter().all(|known| known != reason);
        let is_listed = is_new && self.reasons.len() < MAX_REASONS;
        if is_listed {
            self.reasons.push(reason.to_owned());
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
        is_listed
    }
}

impl Drop for Skips {
    fn drop(&mut self) {
        let Self {
            origin, unlisted, ..
        } = self;
        if *unlisted > 0 {
            warn!(%origin, "skip {unlisted} more entries");
        }
    }
}

impl Observer for RunLog {
    fn skipped(&mut self, skipped: &Skipped<'_>) {
        let Skipped {
            origin,
            key,
            reason,
        } = skipped;
        let skips = match self.last.take() {
            Some(skips) if skips.origin == **origin => skips,
            _ => Skips::of(origin),
        };
        if self.last.insert(skips).is_listed(reason) {
            let key = key.map(ShownKey).map(tracing::field::debug);
            warn!(%origin, key, "skip: {reason}");
        }
    }

    fn compared(&mut self, comparison: &Comparison<'_>) {
        let Comparison {
            source,
            origin,
            key,
            verdict,
            ..
        } = comparison;
        debug!(%source, %origin, key = ?ShownKey(key), "{verdict}");
    }

    fn unmatched(&mut self, origin: &Origin, key: &str) {
        debug!(%origin, key = ?ShownKey(key), "matches no pull source");
    }
}

/// Logs the outcome.
pub fn log_outcome(namespace: &Namespace, image: &ImageName, logins: &Logins<'_>) {
    let registry = logins.sources.own.registry;
    let registry = registry.map_or("", |registry| &registry.prefix);
    if let Some(why) = logins.sources.no_login() {
        info!(%image, %namespace, registry, outcome = "no mirror", "{why}");
    } else if logins.content.is_none() {
        info!(%image, %namespace, registry, outcome = "no credential", "no login matches a pull source");
    }
    let by_login = by_login(logins);
    for (login, sources) in by_login.iter().take(MAX_LOGINS) {
        let Candidate { origin, key, .. } = login;
        let names = listed(MAX_SOURCES, sources);
        info!(%image, %namespace, registry, outcome = "login written", sources = names, %origin, key = ?ShownKey(key), "login for pull sources");
    }
    let more = by_login.len().saturating_sub(MAX_LOGINS);
    if more > 0 {
        info!(%image, %namespace, registry, outcome = "login written", "{more} more logins");
    }
}

/// The chosen logins, each with the sources that share it, in pull order.
fn by_login<'a>(logins: &'a Logins<'_>) -> Vec<(&'a Candidate, Vec<&'a str>)> {
    let mut places = BTreeMap::new();
    let mut groups: Vec<(&Candidate, Vec<&str>)> = Vec::new();
    for (source, chosen) in logins.selection.chosen() {
        let place = *places.entry(ptr::from_ref(chosen)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, sources)) => sources.push(source.as_str()),
            None => groups.push((chosen, vec![source.as_str()])),
        }
    }
    groups
}
