//! The configuration: all files merged, and the lookups in it.
//!
//! Agrees with `tryUpdatingCache`, `updateWithConfigurationFrom` and `FindRegistry`. Does
//! no I/O; the files are read in [`load`](crate::load).

use std::{
    borrow::Cow,
    cmp::{Ordering, Reverse},
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    aliases::{Alias, Aliases},
    error::Error,
    file::{File, Role},
    registry::{Origin, Registry},
    search::V1Format,
};

/// The credential helper that stands for the auth files; the default.
const AUTH_FILE_HELPER: &str = "containers-auth.json";

/// A file that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in errors and origins.
    pub path: PathBuf,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A configuration: the merged content of `registries.conf` and its drop-ins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    files: Vec<PathBuf>,
    denied: Vec<PathBuf>,
    v1: Option<Origin>,
    registries: Vec<Registry>,
    unqualified_search_registries: Vec<String>,
    credential_helpers: Vec<String>,
    /// The aliases of each file that has any, lowest precedence first.
    aliases: Vec<Aliases>,
}

/// A configuration while files are added to it.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    files: Vec<PathBuf>,
    v1: Option<Origin>,
    registries: BTreeMap<String, Registry>,
    unqualified_search_registries: Vec<String>,
    credential_helpers: Vec<String>,
    aliases: Vec<Aliases>,
}

impl Source {
    /// A file with this name and content.
    pub fn new(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
        }
    }
}

impl Config {
    /// Merges files that have been read already. The drop-ins are in order of precedence,
    /// lowest first.
    ///
    /// [`Config::load`] finds and reads them.
    ///
    /// # Errors
    /// The first file that containers/image would refuse.
    pub fn parse(main: Option<&Source>, drop_ins: &[Source]) -> Result<Self, Error> {
        let mut draft = Draft::default();
        if let Some(main) = main {
            let content = Cow::from(&main.content);
            draft.add(&main.path, content, Role::Main(V1Format::Accept))?;
        }
        for drop_in in drop_ins {
            draft.add(&drop_in.path, Cow::from(&drop_in.content), Role::DropIn)?;
        }
        Ok(draft.finish(Vec::new()))
    }

    /// The files that were read, lowest precedence first; empty if there were none.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The default directories and main files that were left out because the process has
    /// no permission to read them; see [`Denied::LeaveOut`](crate::Denied::LeaveOut).
    pub fn denied(&self) -> &[PathBuf] {
        &self.denied
    }

    /// The place where the main file uses the first version of the format, which
    /// containers/image refuses since 5.40; `None` if it does not.
    pub fn v1(&self) -> Option<&Origin> {
        self.v1.as_ref()
    }

    /// The registries, each prefix once, in byte order of their prefixes.
    pub fn registries(&self) -> &[Registry] {
        &self.registries
    }

    /// The registry with the longest prefix of a name. Of prefixes of the same length,
    /// wildcards included, the first in byte order is used.
    ///
    /// The name is a host, a full repository name or a full reference. It need not be a
    /// valid image name.
    pub fn find_registry(&self, name: &str) -> Option<&Registry> {
        self.candidates(name)
            .min_by(|one, other| precedence(one).cmp(&precedence(other)))
    }

    /// All registries whose prefix matches a name: first the one that applies, then those
    /// with shorter prefixes. Prefixes of one length are in byte order.
    ///
    /// The first is the result of [`find_registry`](Self::find_registry); the others have
    /// no effect on the name.
    pub fn matching_registries(&self, name: &str) -> Vec<&Registry> {
        let mut matching: Vec<_> = self.candidates(name).collect();
        matching.sort_by(|one, other| precedence(one).cmp(&precedence(other)));
        matching.dedup();
        matching
    }

    /// The registries whose prefix matches a name; some may be listed twice.
    ///
    /// A prefix ends at the end of a part of the name, so each end is looked up. The time
    /// does not grow with the number of registries.
    fn candidates<'c, 'n>(
        &'c self,
        name: &'n str,
    ) -> impl Iterator<Item = &'c Registry> + use<'c, 'n> {
        let exact = parts(name)
            .filter_map(|part| self.search(|prefix| prefix.cmp(part)))
            .chain(self.search(|prefix| prefix.cmp(name)));
        let host = name.split_once('/').map_or(name, |(host, _)| host);
        let wildcards = host.match_indices('.').filter_map(|(at, _)| {
            let domain = host.get(at..)?;
            let domain = parts(domain).next().unwrap_or(domain);
            self.search(|prefix| match prefix.strip_prefix('*') {
                Some(of_prefix) => of_prefix.cmp(domain),
                None => prefix.cmp("*"),
            })
        });
        let matches =
            |registry: &&Registry| !registry.prefix.is_empty() && registry.rest(name).is_some();
        exact.chain(wildcards).filter(matches)
    }

    /// The registry whose prefix compares as equal; registries are sorted by the bytes of
    /// their prefixes.
    fn search(&self, compare: impl Fn(&str) -> Ordering) -> Option<&Registry> {
        let found = self
            .registries
            .binary_search_by(|registry| compare(&registry.prefix));
        self.registries.get(found.ok()?)
    }

    /// The registries, as `host[:port]`, in which names without a registry are searched,
    /// in order.
    pub fn unqualified_search_registries(&self) -> &[String] {
        &self.unqualified_search_registries
    }

    /// The places where credentials are searched, in order; `containers-auth.json`, the
    /// default, stands for the auth files. Never empty.
    pub fn credential_helpers(&self) -> &[String] {
        &self.credential_helpers
    }

    /// The alias of a short name.
    pub fn alias(&self, short_name: &str) -> Option<Alias> {
        self.aliases
            .iter()
            .rev()
            .find_map(|file| file.get(short_name))
    }

    /// All aliases, by their short names.
    pub fn aliases(&self) -> BTreeMap<String, Alias> {
        self.aliases.iter().flat_map(Aliases::all).collect()
    }

    pub(crate) fn has_aliases(&self) -> bool {
        self.aliases.iter().any(|file| !file.is_empty())
    }
}

/// The parts of a name that end before a `/`, `:` or `@`.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let ends = name.match_indices(['/', ':', '@']);
    ends.filter_map(|(end, _)| name.get(..end))
}

/// Orders registries that match the same name: the one that applies comes first.
fn precedence(registry: &Registry) -> (Reverse<usize>, &str) {
    (Reverse(registry.prefix.len()), &registry.prefix)
}

impl Draft {
    /// Adds a file that takes precedence over those before it.
    pub(crate) fn add(
        &mut self,
        path: &Path,
        content: Cow<'_, [u8]>,
        role: Role,
    ) -> Result<(), Error> {
        let shared = Arc::from(path);
        let file = File::parse(content, &shared, role).map_err(|refusal| refusal.of(path))?;
        self.files.push(path.to_owned());
        if let Some(line) = file.v1_line {
            self.v1 = Some(Origin { file: shared, line });
        }
        self.registries.extend(
            file.registries
                .into_iter()
                .map(|registry| (registry.prefix.clone(), registry)),
        );
        if let Some(registries) = file.unqualified_search_registries {
            self.unqualified_search_registries = registries;
        }
        if let Some(helpers) = file.credential_helpers {
            self.credential_helpers = helpers;
        }
        self.aliases.extend(file.aliases);
        Ok(())
    }

    pub(crate) fn finish(self, denied: Vec<PathBuf>) -> Config {
        let mut credential_helpers = self.credential_helpers;
        if credential_helpers.is_empty() {
            credential_helpers.push(AUTH_FILE_HELPER.to_owned());
        }
        Config {
            files: self.files,
            denied,
            v1: self.v1,
            registries: self.registries.into_values().collect(),
            unqualified_search_registries: self.unqualified_search_registries,
            credential_helpers,
            aliases: self.aliases,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Config, Source};

    fn parse(main: &str, drop_ins: &[&str]) -> Config {
        let drop_ins: Vec<_> = drop_ins
            .iter()
            .enumerate()
            .map(|(at, text)| Source::new(format!("d/{at}.conf"), *text))
            .collect();
        Config::parse(Some(&Source::new("main.conf", main)), &drop_ins).unwrap()
    }

    #[test]
    fn no_file_at_all() {
        let config = Config::parse(None, &[]).unwrap();
        assert!(config.files().is_empty() && config.registries().is_empty());
        assert_eq!(config.credential_helpers(), ["containers-auth.json"]);
        assert_eq!(config.find_registry("docker.io/library/nginx"), None);
    }

    #[test]
    fn drop_ins_replace_the_settings_that_they_have() {
        let config = parse(
            "unqualified-search-registries = [\"a.b\"]\n\
             credential-helpers = [\"one\"]\n\
             [aliases]\nkept = \"a.b/c\"\nreset = \"a.b/c\"\n\
             [[registry]]\nlocation = \"b.b\"\n[[registry]]\nlocation = \"a.b\"\n",
            &[
                "unqualified-search-registries = []\ncredential-helpers = []\n\
                 [[registry]]\nlocation = \"a.b\"\nblocked = true",
                "[aliases]\nreset = \"\"",
            ],
        );
        let files = ["main.conf", "d/0.conf", "d/1.conf"].map(Path::new);
        assert_eq!(config.files(), files);
        let registries: Vec<_> = config
            .registries()
            .iter()
            .map(|r| (r.prefix.as_str(), r.blocked, r.origin.to_string()))
            .collect();
        let expected = [
            ("a.b", true, "d/0.conf:3".to_owned()),
            ("b.b", false, "main.conf:6".to_owned()),
        ];
        assert_eq!(registries, expected);
        assert_eq!(config.unqualified_search_registries().len(), 0);
        assert_eq!(config.credential_helpers(), ["containers-auth.json"]);
        let aliases = config.aliases();
        let aliases: Vec<_> = aliases
            .iter()
            .map(|(name, alias)| {
                let target = alias.target.as_ref().map(AsRef::as_ref);
                (name.as_str(), target, alias.origin.to_string())
            })
            .collect();
        let expected = [
            ("kept", Some("a.b/c"), "main.conf:4".to_owned()),
            ("reset", None, "d/1.conf:2".to_owned()),
        ];
        assert_eq!(aliases, expected);
    }

    #[test]
    fn the_longest_prefix_is_found() {
        let config = parse(
            "[[registry]]\nlocation = \"a.b.c\"\n[[registry]]\nprefix = \"*.b.c\"\n\
             [[registry]]\nlocation = \"a.b.c/d\"\n[[registry]]\nprefix = \"///\"\nlocation = \"e\"",
            &[],
        );
        for (name, expected) in [
            ("a.b.c/d/e", Some("a.b.c/d")),
            ("a.b.c/d", Some("a.b.c/d")),
            // This is as long as "a.b.c", and precedes it in byte order.
            ("a.b.c/e", Some("*.b.c")),
            ("x.b.c/d", Some("*.b.c")),
            ("x/d", None),
            ("/d", None),
        ] {
            let found = config.find_registry(name).map(|r| r.prefix.as_str());
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn all_registries_of_a_name_are_listed_with_the_applied_one_first() {
        let config = parse(
            "[[registry]]\nlocation = \"a.b.c\"\n[[registry]]\nprefix = \"*.b.c\"\n\
             [[registry]]\nprefix = \"*.c\"\n[[registry]]\nlocation = \"a.b.c/d\"\n\
             [[registry]]\nprefix = \"///\"\nlocation = \"e\"",
            &[],
        );
        for (name, expected) in [
            ("a.b.c/d/e", &["a.b.c/d", "*.b.c", "a.b.c", "*.c"][..]),
            ("a.b.c/e", &["*.b.c", "a.b.c", "*.c"]),
            ("x.c/d", &["*.c"]),
            ("x/d", &[]),
            ("/d", &[]),
        ] {
            let found = config.matching_registries(name);
            let prefixes: Vec<_> = found.iter().map(|r| r.prefix.as_str()).collect();
            assert_eq!(prefixes, expected, "{name}");
            assert_eq!(found.first().copied(), config.find_registry(name), "{name}");
        }
    }
}
