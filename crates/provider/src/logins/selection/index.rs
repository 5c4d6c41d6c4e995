//! Finds the pull sources that a key matches, without comparing it with each of them.

use std::ops::Range;

use containers_auth::Key;
use registries_conf::ImageName;

/// The sources, sorted by host and path, so that those below one path are adjacent.
#[derive(Debug)]
pub(super) struct Index {
    /// The path and the position of each source.
    paths: Vec<(String, usize)>,
    /// Each host with its port, once, and its paths.
    hosts: Vec<(String, Range<usize>)>,
}

impl Index {
    /// Indexes the sources by their positions.
    pub(super) fn new(sources: &[ImageName]) -> Self {
        let places = sources.iter().enumerate();
        let mut names: Vec<_> = places
            .map(|(place, name)| (name.host(), name.path(), place))
            .collect();
        names.sort_unstable();
        let mut hosts: Vec<(String, Range<usize>)> = Vec::new();
        for (at, (host, ..)) in names.iter().enumerate() {
            match hosts.last_mut() {
                Some((last, range)) if last == host => range.end = at + 1,
                _ => hosts.push(((*host).to_owned(), at..at + 1)),
            }
        }
        let names = names.into_iter();
        let paths = names.map(|(_, path, place)| (path.to_owned(), place));
        Self {
            paths: paths.collect(),
            hosts,
        }
    }

    /// The positions of the sources that the key matches.
    pub(super) fn matching<'a>(&'a self, key: &'a Key<'_>) -> impl Iterator<Item = usize> + 'a {
        let named = key.hosts().filter_map(|host| {
            let of = |(own, _): &(String, _)| own.as_str().cmp(host);
            self.hosts.get(self.hosts.binary_search_by(of).ok()?)
        });
        // No source's host has a star, so that a glob is not found by its name.
        let hosts = key.is_glob().then_some(&self.hosts);
        let globbed = hosts.into_iter().flatten();
        let globbed = globbed.filter(|(host, _)| key.matches_host(host));
        let found = named.chain(globbed).flat_map(|(_, paths)| {
            let paths = self.paths.get(paths.clone()).unwrap_or_default();
            at_or_below(paths, key.path())
        });
        found.flatten().map(|(_, place)| *place)
    }
}

/// The paths of one host that are this path, and those below it.
fn at_or_below<'a>(paths: &'a [(String, usize)], path: &[u8]) -> [&'a [(String, usize)]; 2] {
    if path.is_empty() {
        return [paths, &[]];
    }
    let before = |end: &[u8]| {
        paths.partition_point(|(own, _)| own.bytes().lt(path.iter().chain(end).copied()))
    };
    let range = |range| paths.get(range).unwrap_or_default();
    [
        range(before(b"")..before(b"\0")),
        // The slash and the character after it.
        range(before(b"/")..before(b"0")),
    ]
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
