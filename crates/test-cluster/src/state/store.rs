//! The Secrets of all namespaces with their history, so that the pages of one
//! list show one moment, as etcd's revisions make them.

use std::{collections::BTreeMap, sync::Arc};

use super::Object;
use crate::secret::Secret;

// A new cluster is at some such revision when its first user comes.
const FIRST_REVISION: u64 = 1402;

/// Secrets by namespace and name. Every change has a revision, and old ones
/// stay readable until [`Store::compact`].
#[derive(Debug)]
pub(crate) struct Store {
    revision: u64,
    compacted: u64,
    namespaces: BTreeMap<String, BTreeMap<String, Vec<Version>>>,
}

/// How far one page may go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PageLimit {
    /// So many objects that the selector lets through, as the real server
    /// counts.
    Selected(usize),
    /// So many objects, selected or not: pages may be short or empty.
    Scanned(usize),
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// The objects, in the order of their names.
    pub(crate) objects: Vec<Arc<Object>>,
    /// The last name looked at, if there is more to come after it.
    pub(crate) last: Option<String>,
    /// How many objects come after this page, selected or not.
    pub(crate) remaining: usize,
}

#[derive(Debug)]
struct Version {
    since: u64,
    until: Option<u64>,
    object: Arc<Object>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            revision: FIRST_REVISION,
            compacted: 0,
            namespaces: BTreeMap::new(),
        }
    }
}

impl Store {
    /// The current revision.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether a list of that revision can no longer be continued.
    pub(crate) fn is_compacted(&self, revision: u64) -> bool {
        revision < self.compacted
    }

    /// Creates or replaces a Secret.
    pub(crate) fn put(&mut self, namespace: &str, secret: Secret) {
        self.revision += 1;
        let versions = self
            .namespaces
            .entry(namespace.to_owned())
            .or_default()
            .entry(secret.name().to_owned())
            .or_default();
        let replaced = end(versions, self.revision);
        let object = Object::new(namespace, secret, self.revision, replaced.as_deref());
        versions.push(Version {
            since: self.revision,
            until: None,
            object: Arc::new(object),
        });
    }

    /// Deletes a Secret, and returns whether there was one.
    pub(crate) fn delete(&mut self, namespace: &str, name: &str) -> bool {
        self.revision += 1;
        let revision = self.revision;
        self.namespaces
            .get_mut(namespace)
            .and_then(|names| names.get_mut(name))
            .is_some_and(|versions| end(versions, revision).is_some())
    }

    /// Forgets all history, so that every `continue` handed out has expired.
    pub(crate) fn compact(&mut self) {
        self.revision += 1;
        self.compacted = self.revision;
        for names in self.namespaces.values_mut() {
            names.retain(|_, versions| {
                versions.retain(|version| version.until.is_none());
                !versions.is_empty()
            });
        }
    }

    /// One Secret as it is now.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let versions = self.namespaces.get(namespace)?.get(name)?;
        at(versions, self.revision)
    }

    /// The objects of a namespace from the name `start` on, as they were at
    /// `revision`.
    pub(crate) fn list(
        &self,
        namespace: &str,
        revision: u64,
        start: &str,
        limit: Option<PageLimit>,
        selects: impl Fn(&Object) -> bool,
    ) -> Page {
        let mut objects = Vec::new();
        let mut last = None;
        let mut rest = self
            .namespaces
            .get(namespace)
            .into_iter()
            .flat_map(|names| names.range(start.to_owned()..))
            .filter_map(|(name, versions)| Some((name, at(versions, revision)?)))
            .peekable();
        let mut scanned = 0;
        while rest.peek().is_some() {
            let full = match limit {
                Some(PageLimit::Selected(most)) => objects.len() >= most,
                Some(PageLimit::Scanned(most)) => scanned >= most,
                None => false,
            };
            if full {
                break;
            }
            if let Some((name, object)) = rest.next() {
                scanned += 1;
                last = Some(name.clone());
                if selects(&object) {
                    objects.push(object);
                }
            }
        }
        let remaining = rest.count();
        Page {
            objects,
            last: last.filter(|_| remaining > 0),
            remaining,
        }
    }
}

/// Ends the version that is current, and returns its object.
fn end(versions: &mut [Version], revision: u64) -> Option<Arc<Object>> {
    let current = versions.last_mut().filter(|last| last.until.is_none())?;
    current.until = Some(revision);
    Some(Arc::clone(&current.object))
}

/// The object as it was at that revision.
fn at(versions: &[Version], revision: u64) -> Option<Arc<Object>> {
    versions
        .iter()
        .rev()
        .find(|version| {
            version.since <= revision && version.until.is_none_or(|until| revision < until)
        })
        .map(|version| Arc::clone(&version.object))
}

#[cfg(test)]
mod tests {
    use super::{PageLimit, Store};
    use crate::secret::Secret;

    #[test]
    fn a_later_page_shows_the_moment_of_the_first() {
        let mut store = Store::default();
        store.put("ns", Secret::opaque("a", "k", "v"));
        store.put("ns", Secret::opaque("b", "k", "v"));
        let moment = store.revision();
        store.delete("ns", "b");
        store.put("ns", Secret::opaque("c", "k", "v"));

        let then = store.list("ns", moment, "a\0", None, |_| true);
        assert_eq!(then.objects.len(), 1);
        let now = store.list("ns", store.revision(), "", None, |_| true);
        assert_eq!(now.objects.len(), 2);
    }

    #[test]
    fn a_page_counts_what_the_selector_lets_through_or_what_was_scanned() {
        let mut store = Store::default();
        for name in ["a", "b", "c"] {
            store.put("ns", Secret::opaque(name, "k", "v"));
        }
        let selects = |_: &_| false;
        let page = |limit| store.list("ns", store.revision(), "", Some(limit), selects);

        let selected = page(PageLimit::Selected(1));
        assert_eq!((selected.last, selected.remaining), (None, 0));
        let scanned = page(PageLimit::Scanned(1));
        assert_eq!((scanned.last.as_deref(), scanned.remaining), (Some("a"), 2));
    }
}
