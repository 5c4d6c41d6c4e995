//! Which of two entries stands before the other, and by which part of the rule.

use std::cmp::Ordering;
use std::fmt;

use registries_conf::ImageName;

use super::{Candidate, Origin};
use crate::credentials::key::Key;
use crate::excerpt::Excerpt;

/// The part of the rule that decides between two entries, in the order in which
/// the parts are looked at. Prints as what the loser is or has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Entries of the namespace's Secrets before those of global auth files.
    Namespace,
    /// More path components in the key.
    PathComponents,
    /// An exact host before a glob.
    ExactHost,
    /// The longer glob.
    GlobLength,
    /// The Secret that is named first, where Secrets are named.
    SecretOrder,
    /// The Secret whose name sorts last.
    SecretName,
    /// The global auth file that is named first.
    FileOrder,
    /// The key that sorts last, within one Secret or file.
    KeyOrder,
}

/// An entry at a pull source that its key matches.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The source.
    pub source: &'a ImageName,
    /// Where the entry is.
    pub origin: &'a Origin,
    /// The entry's key as it stands there.
    pub key: &'a str,
    /// What came of it.
    pub verdict: Verdict<'a>,
}

/// How an entry fares against the best one so far.
#[derive(Debug, Clone, Copy)]
pub enum Verdict<'a> {
    /// There was none: it is the best now.
    First,
    /// It is the same entry, listed once more.
    Again,
    /// It is the best now.
    Wins {
        /// The best until now.
        over: &'a Candidate,
        /// What decides.
        rule: Rule,
    },
    /// The best one stays.
    Loses {
        /// The best one.
        to: &'a Candidate,
        /// What decides.
        rule: Rule,
    },
    /// The node has a credential helper for the source's host, which is asked
    /// before the node's own logins.
    Helper,
}

impl Verdict<'_> {
    /// Whether the entry is the best one now.
    pub fn is_win(&self) -> bool {
        match self {
            Self::First | Self::Again | Self::Wins { .. } => true,
            Self::Loses { .. } | Self::Helper => false,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace => "is the node's own, and those of the namespace come first",
            Self::PathComponents => "has fewer path components in its key",
            Self::ExactHost => "has a glob for a host, not the exact name",
            Self::GlobLength => "has a shorter glob",
            Self::SecretOrder => "is in a Secret that is named later",
            Self::SecretName => "is in a Secret whose name sorts before",
            Self::FileOrder => "is in a file that is named later",
            Self::KeyOrder => "has a key that sorts before",
        })
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("the first that matches"),
            Self::Again => f.write_str("listed once more"),
            Self::Wins { over, rule } => {
                write!(
                    f,
                    "wins over {:?} of {}, which {rule}",
                    Excerpt(&over.key),
                    over.origin
                )
            }
            Self::Loses { to, rule } => {
                let key = Excerpt(&to.key);
                write!(f, "loses to {key:?} of {}: it {rule}", to.origin)
            }
            Self::Helper => f.write_str("the node has a credential helper for this host"),
        }
    }
}

/// Where an entry is: its origin and its key.
type Place<'a> = (&'a Origin, &'a str);

/// How `one` stands to `other`, where both match the same source, and what decides;
/// `None` where they are the same. The greater one wins.
///
/// The tie breakers only ever meet their own kind: the first part tells Secrets
/// from files.
pub(super) fn compare(one: Place<'_>, other: Place<'_>) -> Option<(Rule, Ordering)> {
    let of_key = |key| Key::parse(key).map(|key| key.specificity()).ok();
    let (a, b) = (of_key(one.1), of_key(other.1));
    let parts = [
        (
            Rule::Namespace,
            one.0.is_namespaced().cmp(&other.0.is_namespaced()),
        ),
        (
            Rule::PathComponents,
            a.map(|a| a.path_components)
                .cmp(&b.map(|b| b.path_components)),
        ),
        (
            Rule::ExactHost,
            a.map(|a| a.exact_host).cmp(&b.map(|b| b.exact_host)),
        ),
        (
            Rule::GlobLength,
            a.map(|a| a.glob_length).cmp(&b.map(|b| b.glob_length)),
        ),
        (
            Rule::SecretOrder,
            other.0.secret_place().cmp(&one.0.secret_place()),
        ),
        (
            Rule::SecretName,
            one.0.secret_name().cmp(&other.0.secret_name()),
        ),
        (
            Rule::FileOrder,
            other.0.file_index().cmp(&one.0.file_index()),
        ),
        (Rule::KeyOrder, one.1.cmp(other.1)),
    ];
    parts.into_iter().find(|(_, order)| order.is_ne())
}
