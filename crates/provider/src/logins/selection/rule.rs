//! The comparison of two entries, and the part of the rule that decides.

use std::cmp::Ordering;
use std::fmt;

use containers_auth::{Key, RawEntry, Specificity, Spelling};
use registries_conf::ImageName;

use super::candidate::Candidate;
use crate::excerpt::ShownKey;
use crate::logins::origin::Origin;

/// The part of the rule that decides between two entries, in the order in which the parts
/// are applied. Displays as the property for which an entry loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Entries of the namespace's Secrets before those of shared Secrets, these before
    /// those of global auth files, and these before those of node providers.
    LoginSource,
    /// For the node's providers, the key that kubelet uses first
    /// (`BasicDockerKeyring.Lookup`): the one that sorts last.
    KeyringOrder,
    /// Then the provider that kubelet asks first.
    ProviderOrder,
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
    /// Within one Secret or file, the key that is, letter by letter, the source's name
    /// or a parent of it.
    LiteralKey,
    /// The key that containers/image uses for the source's registry.
    RegistryKey,
    /// The key without a scheme, then the one with `https://`, then the shorter one,
    /// then the one that sorts first.
    Spelling,
}

/// An entry at a pull source that its key matches.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The source.
    pub source: &'a ImageName,
    /// Where the entry is.
    pub origin: &'a Origin,
    /// The entry's key, unchanged.
    pub key: &'a str,
    /// The entry.
    pub entry: RawEntry<'a>,
    /// The result.
    pub verdict: Verdict<'a>,
}

/// The result of the comparison of an entry with the best one so far.
#[derive(Debug, Clone, Copy)]
pub enum Verdict<'a> {
    /// There was no entry before.
    First,
    /// It is the same entry, from a list that was restarted.
    Again,
    /// It is now the best.
    Wins {
        /// The best one before.
        over: &'a Candidate,
        /// What decides.
        rule: Rule,
    },
    /// The best one remains.
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
    /// Whether the entry is now the best.
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
            Self::LoginSource => {
                "is of a source with less precedence: the namespace's Secrets come first, then shared Secrets, then the node's own, then node providers"
            }
            Self::KeyringOrder => "has a key that kubelet takes later",
            Self::ProviderOrder => "is of a provider that kubelet asks later",
            Self::PathComponents => "has fewer path components in its key",
            Self::ExactHost => "has a glob for a host, not the exact name",
            Self::GlobLength => "has a shorter glob",
            Self::SecretOrder => "is in a Secret that is named later",
            Self::SecretName => "is in a Secret whose name sorts earlier",
            Self::FileOrder => "is in a file that is named later",
            Self::LiteralKey => "has a key that is spelt differently from the source",
            Self::RegistryKey => "has a key that containers/image does not use for the registry",
            Self::Spelling => {
                "has a key with a scheme, with a less secure one, a longer key, or one that sorts later"
            }
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
                    ShownKey(&over.key),
                    over.origin
                )
            }
            Self::Loses { to, rule } => {
                let key = ShownKey(&to.key);
                write!(f, "loses to {key:?} of {}: it {rule}", to.origin)
            }
            Self::Helper => f.write_str("the node has a credential helper for this host"),
        }
    }
}

/// The origin of an entry, and its key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) origin: &'a Origin,
    pub(super) key: &'a str,
    pub(super) specificity: Specificity,
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
        let (rule, order) = compare(self.place(), other, source)?;
        order.is_gt().then_some(rule)
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place {
            origin: &self.origin,
            key: &self.key,
            specificity: self.specificity,
        }
    }
}

/// Compares `one` with `other`, which both match `source`, and returns what decides;
/// `None` if they are the same. The greater one wins.
///
/// The tie breakers only compare entries of one kind: the first part separates the login
/// sources.
pub(super) fn compare(
    one: Place<'_>,
    other: Place<'_>,
    source: &ImageName,
) -> Option<(Rule, Ordering)> {
    let (a, b) = (one.specificity, other.specificity);
    let (from, others) = (one.origin, other.origin);
    let parts = [
        (
            Rule::LoginSource,
            from.precedence().cmp(&others.precedence()),
        ),
        (
            Rule::KeyringOrder,
            compare_in_keyring(one, other).unwrap_or(Ordering::Equal),
        ),
        (
            Rule::ProviderOrder,
            others.provider_index().cmp(&from.provider_index()),
        ),
        (
            Rule::PathComponents,
            a.path_components.cmp(&b.path_components),
        ),
        (Rule::ExactHost, a.exact_host.cmp(&b.exact_host)),
        (Rule::GlobLength, a.glob_length.cmp(&b.glob_length)),
        (
            Rule::SecretOrder,
            others.secret_place().cmp(&from.secret_place()),
        ),
        (
            Rule::SecretName,
            from.secret_name().cmp(&others.secret_name()),
        ),
        (Rule::FileOrder, others.file_index().cmp(&from.file_index())),
    ];
    let decisive = parts.into_iter().find(|(_, order)| order.is_ne());
    decisive.or_else(|| {
        let (spelling, order) = Spelling::compare(one.key, other.key, source)?;
        let rule = match spelling {
            Spelling::Literal => Rule::LiteralKey,
            Spelling::Registry => Rule::RegistryKey,
            Spelling::Shortest => Rule::Spelling,
        };
        Some((rule, order))
    })
}

/// The order of kubelet's keyring, which here contains only logins of the node's
/// providers.
fn compare_in_keyring(one: Place<'_>, other: Place<'_>) -> Option<Ordering> {
    one.origin
        .provider_index()
        .and(other.origin.provider_index())?;
    let name = |key| Key::parse(key).ok().map(|key| key.in_keyring());
    Some(name(one.key).cmp(&name(other.key)))
}
