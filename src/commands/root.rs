//! The root directory of the node: `/`, or another one for a disk that is mounted
//! elsewhere, a container with the node below `/host`, and tests.

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

    /// Whether this is the node on which the program runs.
    pub(super) fn is_here(&self) -> bool {
        self.directory == Path::new("/")
    }

    /// The path below the root for a path of the node. Symbolic links stay below the
    /// root, even absolute ones; missing components are appended.
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

    /// The first part of a path of the node that a user other than root could change. In
    /// a copy of a node the user who unpacked it is trusted too.
    ///
    /// # Errors
    /// A part that does not exist or cannot be inspected.
    pub(super) fn loophole(&self, path: &Path) -> io::Result<Option<Loophole>> {
        loophole(&self.directory, path, copier(&self.directory))
    }

    /// The settings with all paths below the root.
    pub(super) fn apply(&self, mut settings: Settings) -> Settings {
        if self.is_here() {
            return settings;
        }
        let cluster = &mut settings.cluster;
        let paths = [&mut settings.auth_dir, &mut cluster.env_file];
        let optional = [
            &mut cluster.kubeconfig,
            &mut cluster.certificate_authority,
            &mut cluster.kubelet_kubeconfig,
        ];
        let all = paths.into_iter();
        let all = all.chain(optional.into_iter().flatten());
        for path in all.chain(&mut settings.global_auth_files) {
            *path = self.path(path);
        }
        cluster.root.clone_from(&self.directory);
        settings.registries.root.clone_from(&self.directory);
        settings
    }

    /// Moves the path of the API server's CA below the root: kubeconfigs have the node's
    /// own path.
    pub(super) fn apply_to_trust(&self, endpoint: &mut Endpoint) {
        if let Trust::Ca(CaSource::File(path)) = &mut endpoint.trust
            && !path.starts_with(&self.directory)
        {
            *path = self.path(path);
        }
    }

    /// A message with all paths as on the node.
    pub(super) fn as_on_node(&self, message: String) -> String {
        if self.is_here() {
            return message;
        }
        message.replace(&format!("{}/", self.directory.display()), "/")
    }

    /// The node's path for a path below the root.
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
