//! The Secrets of all namespaces.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use super::Object;
use crate::secret::Secret;

// The revision of a new cluster, about that of a real one.
const FIRST_REVISION: u64 = 1402;

/// Secrets by namespace and name. Every change has a revision.
#[derive(Debug)]
pub(crate) struct Store {
    revision: u64,
    namespaces: BTreeMap<String, BTreeMap<String, Arc<Object>>>,
}

/// The limit of one page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PageLimit {
    /// This many objects that the selector selects, as in the real server.
    Selected(usize),
    /// This many objects, selected or not: pages may be short or empty.
    Scanned(usize),
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// The objects, in the order of their names.
    pub(crate) objects: Vec<Arc<Object>>,
    /// The last name of the page, if more objects follow.
    pub(crate) last: Option<String>,
    /// The number of objects after this page, selected or not.
    pub(crate) remaining: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            revision: FIRST_REVISION,
            namespaces: BTreeMap::new(),
        }
    }
}

impl Store {
    /// The current revision.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Creates or replaces a Secret.
    pub(crate) fn put(&mut self, namespace: &str, secret: Secret) {
        self.revision += 1;
        let name = secret.name().to_owned();
        let object = Object::new(namespace, secret, self.revision);
        let names = self.namespaces.entry(namespace.to_owned()).or_default();
        names.insert(name, Arc::new(object));
    }

    /// Deletes a Secret, and returns whether there was one.
    pub(crate) fn delete(&mut self, namespace: &str, name: &str) -> bool {
        self.revision += 1;
        let names = self.namespaces.get_mut(namespace);
        names.is_some_and(|names| names.remove(name).is_some())
    }

    /// One Secret.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Object>> {
        self.namespaces.get(namespace)?.get(name).cloned()
    }

    /// The objects of a namespace after the name `after`.
    pub(crate) fn list(
        &self,
        namespace: &str,
        after: Option<&str>,
        limit: Option<PageLimit>,
        selects: impl Fn(&Object) -> bool,
    ) -> Page {
        let mut objects = Vec::new();
        let mut last = None;
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self
            .namespaces
            .get(namespace)
            .into_iter()
            .flat_map(|names| names.range::<str, _>((begin, Bound::Unbounded)))
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
                if selects(object) {
                    objects.push(Arc::clone(object));
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

#[cfg(test)]
mod tests {
    use super::{PageLimit, Store};
    use crate::secret::Secret;

    #[test]
    fn a_page_counts_selected_or_scanned_objects() {
        let mut store = Store::default();
        for name in ["a", "b", "c"] {
            store.put("ns", Secret::opaque(name, "k", "v"));
        }
        let selects = |_: &_| false;
        let page = |limit| store.list("ns", None, Some(limit), selects);

        let selected = page(PageLimit::Selected(1));
        assert_eq!((selected.last, selected.remaining), (None, 0));
        let scanned = page(PageLimit::Scanned(1));
        assert_eq!((scanned.last.as_deref(), scanned.remaining), (Some("a"), 2));
    }
}
