//! Finds the pull sources that a key matches, without comparing it with each of them.

use std::ops::Range;

use containers_auth::Key;
use registries_conf::ImageName;

/// The sources, sorted by name, so that those below one host or path are adjacent.
#[derive(Debug)]
pub(super) struct Index {
    /// The name and the position of each source.
    names: Vec<(ImageName, usize)>,
    /// Each host with its port, once, for globs.
    hosts: Vec<String>,
}

impl Index {
    /// Indexes the sources by their positions.
    pub(super) fn new(sources: &[ImageName]) -> Self {
        let places = sources.iter().enumerate();
        let mut names: Vec<_> = places.map(|(place, name)| (name.clone(), place)).collect();
        names.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        let mut hosts: Vec<_> = names
            .iter()
            .map(|(name, _)| name.host().to_owned())
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        Self { names, hosts }
    }

    /// The positions of the sources that the key matches.
    pub(super) fn matching(&self, key: &Key<'_>) -> impl Iterator<Item = usize> {
        let mut ranges = Vec::new();
        if key.is_glob() {
            let hosts = self.hosts.iter().filter(|host| key.matches_host(host));
            ranges.extend(hosts.flat_map(|host| self.at_or_below(host, key.path())));
        } else {
            let hosts = key.hosts();
            ranges.extend(hosts.flat_map(|host| self.at_or_below(host, key.path())));
        }
        let found = ranges.into_iter().filter_map(|range| self.names.get(range));
        found.flatten().map(|(_, place)| *place)
    }

    /// The ranges of sources whose names are this host and path, or below it.
    fn at_or_below(&self, host: &str, path: &[u8]) -> [Range<usize>; 2] {
        let mut parent = [host.as_bytes(), b"/", path].concat();
        let exact = if path.is_empty() {
            0..0
        } else {
            let at = self.first_from(&parent);
            let found = self.names.get(at);
            let is_it = found.is_some_and(|(name, _)| name.as_str().as_bytes() == parent);
            at..at + usize::from(is_it)
        };
        if !path.is_empty() {
            parent.push(b'/');
        }
        let from = self.first_from(&parent);
        // Names with this prefix sort before the prefix with its last character
        // increased.
        parent.pop();
        parent.push(b'/' + 1);
        [exact, from..self.first_from(&parent)]
    }

    fn first_from(&self, name: &[u8]) -> usize {
        self.names
            .partition_point(|(own, _)| own.as_str().as_bytes() < name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        let host = prop::sample::select(vec![
            "a.x",
            "a.x:5",
            "b.x",
            "a-b.x",
            "docker.io",
            "registry-1.docker.io",
        ]);
        (host, "[ab]{1,2}([/.-][ab]){0,2}").prop_map(|(host, path)| format!("{host}/{path}"))
    }

    fn key() -> impl Strategy<Value = String> {
        let host = prop::sample::select(vec![
            "a.x",
            "a.x:5",
            "a.x:",
            "*.x",
            "*.*",
            "a*.x",
            "*",
            "docker.io",
            "index.docker.io",
            "",
        ]);
        (host, "(/[ab]{1,2}([/.-][ab]){0,2}/?)?").prop_map(|(host, path)| host.to_owned() + &path)
    }

    proptest! {
        #[test]
        fn the_index_finds_the_matching_sources(
            names in prop::collection::btree_set(name(), 0..8), key in key(),
        ) {
            let sources: Vec<_> = names.iter().map(|name| ImageName::parse(name).unwrap()).collect();
            let key = Key::parse(&key).unwrap();
            let mut found: Vec<_> = Index::new(&sources).matching(&key).collect();
            found.sort_unstable();
            let matches = |place: &usize| key.matches(&sources[*place]);
            let expected: Vec<_> = (0..sources.len()).filter(matches).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
