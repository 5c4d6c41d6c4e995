//! Directories with configuration files in them.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use registries_conf::{Config, Error, Files, MissingMainFile, PullSources};
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

    pub(crate) fn files(&self) -> Files {
        Files {
            main: self.path("registries.conf"),
            drop_in_dirs: vec![self.path("registries.conf.d")],
            missing_main: MissingMainFile::Refuse,
        }
    }

    pub(crate) fn load(&self) -> Result<Config, Error> {
        Config::load(&self.files())
    }

    /// A message with the node's own directory taken out.
    pub(crate) fn local(&self, message: &str) -> String {
        let dir = format!("{}/", self.dir.path().display());
        message.replace(&dir, "")
    }
}

/// The sources on one line each.
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
