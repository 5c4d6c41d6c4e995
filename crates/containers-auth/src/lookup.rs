//! The choice among several entries of one document for an image.

use std::borrow::Cow;
use std::cmp::Ordering;

use image_name::ImageName;

use crate::entry::{Credential, RawEntry};
use crate::key::{Key, Specificity, is_hub};

/// The rules that decide between several spellings of one key in one document, in the
/// order in which they are applied. They agree with containers/image where it does not
/// pick at random (`pkg/docker/config`, `findCredentialsInFile`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spelling {
    /// The key that is, letter by letter, the image's name or a parent of it.
    Literal,
    /// The key that containers/image uses for the image's registry.
    Registry,
    /// The key without a scheme, then the one with `https://`, then the shorter one,
    /// then the one that sorts first.
    Shortest,
}

impl Spelling {
    /// The rule that decides between two keys that match `image` and are equally
    /// [specific](Specificity), and how `one` compares to `other`; `None` if they are the
    /// same. The greater one is used.
    pub fn compare(one: &str, other: &str, image: &ImageName) -> Option<(Self, Ordering)> {
        let is_literal = |key| {
            let rest = image.as_str().strip_prefix(key);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_for_registry = |key| registry_of(key) == hub_registry(image.host());
        let spelling = |key: &str| {
            let mut schemes = ["https://", "http://"].into_iter();
            (
                schemes.position(|scheme| key.starts_with(scheme)),
                key.len(),
            )
        };
        let parts = [
            (Self::Literal, is_literal(one).cmp(&is_literal(other))),
            (
                Self::Registry,
                is_for_registry(one).cmp(&is_for_registry(other)),
            ),
            (
                Self::Shortest,
                (spelling(other), other).cmp(&(spelling(one), one)),
            ),
        ];
        parts.into_iter().find(|(_, order)| order.is_ne())
    }
}

/// The login for an image, with its key. Entries that cannot be used are left out.
pub(crate) fn find<'d>(
    entries: &'d [(Cow<'d, str>, RawEntry<'d>)],
    image: &ImageName,
) -> Option<(&'d str, Credential)> {
    let matching = entries.iter().filter_map(|(key, entry)| {
        let parsed = Key::parse(key).ok()?;
        parsed
            .matches(image)
            .then(|| (parsed.specificity(), key.as_ref(), entry))
    });
    let mut matching: Vec<(Specificity, &str, &RawEntry<'_>)> = matching.collect();
    matching.sort_by(|(a, one, _), (b, other, _)| {
        let spelling = || Spelling::compare(other, one, image);
        b.cmp(a)
            .then_with(|| spelling().map_or(Ordering::Equal, |(_, order)| order))
    });
    let mut usable = matching.into_iter();
    usable.find_map(|(_, key, entry)| Some((key, entry.credential().ok()?)))
}

/// The registry that containers/image reads from a key that is not a parent of the image
/// (`pkg/docker/config`, `normalizeAuthFileKey`).
fn registry_of(raw_key: &str) -> &str {
    let rest = raw_key.strip_prefix("http://").unwrap_or(raw_key);
    let rest = rest.strip_prefix("https://").unwrap_or(rest);
    let is_url = rest.len() < raw_key.len();
    hub_registry(match rest.split_once('/') {
        Some((host, _)) if is_url => host,
        _ => rest,
    })
}

/// The host of a registry, with one name for all hosts of Docker Hub, as in
/// containers/image (`normalizeRegistry`).
fn hub_registry(host: &str) -> &str {
    if is_hub(host) { "docker.io" } else { host }
}
