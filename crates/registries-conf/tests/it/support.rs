//! Directories with configuration files in them.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use registries_conf::{Config, Environment, Error, Layout, Options, PullSources, Search};
use tempfile::TempDir;

/// A directory that is laid out like `/etc/containers`.
pub(crate) struct Node {
    dir: TempDir,
}

impl Node {
    pub(crate) fn new<N: AsRef<Path>, C: AsRef<[u8]>>(
        files: impl IntoIterator<Item = (N, C)>,
    ) -> Self {
        let node = Self {
            dir: TempDir::new().unwrap(),
        };
        for (name, content) in files {
            node.write(name, content);
        }
        node
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::File::create(path).unwrap();
        file.write_all(content.as_ref()).unwrap();
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `registries.conf` and `registries.conf.d` of the directory, by their names.
    pub(crate) fn search(&self) -> Search {
        let options = Options {
            main: Some(self.path("registries.conf")),
            drop_in_dir: Some(self.path("registries.conf.d")),
        };
        Search::new(Layout::V5_38, options, Environment::default())
    }

    /// The directory as the root of a node, with only default paths.
    pub(crate) fn as_root(&self, layout: Layout) -> Search {
        let mut search = Search::new(layout, Options::default(), Environment::default());
        search.root = self.dir.path().to_owned();
        search
    }

    pub(crate) fn load(&self) -> Result<Config, Error> {
        Config::load(&self.search())
    }

    /// A message without the path of the node's directory.
    pub(crate) fn local(&self, message: &str) -> String {
        let dir = format!("{}/", self.dir.path().display());
        message.replace(&dir, "")
    }
}

/// The sources, one line each.
pub(crate) fn lines(sources: &PullSources<'_>) -> Vec<String> {
    sources
        .sources
        .iter()
        .map(|source| {
            let insecure = if source.insecure { " insecure" } else { "" };
            let (kind, pull) = (source.kind.as_str(), source.pull.as_str());
            format!("{} {kind} {pull}{insecure}", source.name)
        })
        .collect()
}
