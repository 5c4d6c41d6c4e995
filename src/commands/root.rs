//! The directory of the node: `/`, or another one, for a disk that is mounted elsewhere,
//! a container that has the node below `/host`, and tests.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use registries_conf::resolve_below;

use provider::api_server::{CaSource, Endpoint, Trust};
use provider::ownership::{Loophole, copier, loophole};
use provider::settings::Settings;

/// The directory that the node sees as `/`.
#[derive(Debug)]
pub(super) struct Root {
    directory: PathBuf,
}

impl Root {
    /// The node below `directory`, which is absolute.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether this is the node that the program runs on.
    pub(super) fn is_here(&self) -> bool {
        self.directory == Path::new("/")
    }

    /// The place of a node's path here. Symbolic links stay below the root, even absolute
    /// ones; components that do not exist are appended.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        resolve_below(&self.directory, path).into_owned()
    }

    /// Whether two paths of the node are the same file.
    pub(super) fn is_same(&self, one: &Path, other: &Path) -> bool {
        let resolved = |path: &Path| {
            let path = self.path(path);
            fs::canonicalize(&path).unwrap_or(path)
        };
        resolved(one) == resolved(other)
    }

    /// What a user other than root could change on the way to a path of the node, and of it. In
    /// a copy of a node the user who has unpacked it is trusted too.
    ///
    /// # Errors
    /// A part that does not exist or cannot be inspected.
    pub(super) fn loophole(&self, path: &Path) -> io::Result<Option<Loophole>> {
        loophole(&self.directory, path, copier(&self.directory))
    }

    /// The settings with the places of all paths here.
    pub(super) fn apply(&self, mut config: Settings) -> Settings {
        if self.is_here() {
            return config;
        }
        let cluster = &mut config.cluster;
        let paths = [&mut config.auth_dir, &mut cluster.env_file];
        let optional = [
            &mut cluster.kubeconfig,
            &mut cluster.certificate_authority,
            &mut cluster.kubelet_kubeconfig,
        ];
        let all = paths.into_iter();
        let all = all.chain(optional.into_iter().flatten());
        for path in all.chain(&mut config.global_auth_files) {
            *path = self.path(path);
        }
        cluster.root.clone_from(&self.directory);
        config.registries.root.clone_from(&self.directory);
        config
    }

    /// The API server with its CA's place here: kubeconfigs have the node's own path.
    pub(super) fn apply_to_trust(&self, endpoint: &mut Endpoint) {
        if let Trust::Ca(CaSource::File(path)) = &mut endpoint.trust
            && !path.starts_with(&self.directory)
        {
            *path = self.path(path);
        }
    }

    /// A message with all paths as on the node.
    pub(super) fn told(&self, message: String) -> String {
        if self.is_here() {
            return message;
        }
        message.replace(&format!("{}/", self.directory.display()), "/")
    }

    /// A path here as on the node.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix(&self.directory);
        below.map_or_else(|_| path.to_owned(), |below| Path::new("/").join(below))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_are_those_of_the_node() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path();
        fs::create_dir_all(base.join("run/a")).unwrap();
        symlink("/run", base.join("var")).unwrap();
        let root = Root::new(base.to_owned());
        assert_eq!(root.path(Path::new("/var/a/b")), base.join("run/a/b"));
        assert_eq!(root.shown(&base.join("run/a")), Path::new("/run/a"));
        assert!(root.is_same(Path::new("/var/a/"), Path::new("/run/a")));
        assert!(!root.is_same(Path::new("/var/a"), Path::new("/run")));
    }
}
