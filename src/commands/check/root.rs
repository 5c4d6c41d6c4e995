//! Where the node is: `/`, or a directory that holds one, for a disk that is
//! mounted elsewhere, a container that sees the node below `/host`, and tests.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::cluster::{CaSource, Endpoint, Trust};
use crate::settings::Settings;

/// The most symbolic links on the way to a file, as in Linux.
const MAX_LINKS: usize = 40;

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

    /// Whether this is the node we run on.
    pub(super) fn is_here(&self) -> bool {
        self.directory == Path::new("/")
    }

    /// Where a path of the node is here. Symbolic links stay below the root,
    /// also absolute ones; a path that does not exist is as good as it gets.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        if self.is_here() {
            return path.to_owned();
        }
        let mut rest: Vec<OsString> = reversed(path);
        let mut resolved = self.directory.clone();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == ".." {
                if resolved != self.directory {
                    resolved.pop();
                }
                continue;
            }
            let next = resolved.join(&name);
            match fs::read_link(&next) {
                Ok(target) if links < MAX_LINKS => {
                    links += 1;
                    if target.is_absolute() {
                        resolved.clone_from(&self.directory);
                    }
                    rest.extend(reversed(&target));
                }
                _ => resolved = next,
            }
        }
        resolved
    }

    /// Whether two paths of the node are the same file.
    pub(super) fn is_same(&self, one: &Path, other: &Path) -> bool {
        let resolved = |path: &Path| {
            let path = self.path(path);
            fs::canonicalize(&path).unwrap_or(path)
        };
        resolved(one) == resolved(other)
    }

    /// Whom files of the node must belong to: root, or, in a copy of a node that
    /// somebody has unpacked, that person too.
    pub(super) fn is_owner(&self, user: u32) -> bool {
        let owner = || fs::metadata(&self.directory).is_ok_and(|root| root.uid() == user);
        user == 0 || !self.is_here() && owner()
    }

    /// The settings with every path where it is here.
    pub(super) fn apply(&self, mut config: Settings) -> Settings {
        if self.is_here() {
            return config;
        }
        let cluster = &mut config.cluster;
        let registries = &mut config.registries;
        let paths = [
            &mut registries.main,
            &mut config.auth_dir,
            &mut cluster.env_file,
        ];
        let optional = [
            &mut cluster.kubeconfig,
            &mut cluster.certificate_authority,
            &mut cluster.kubelet_kubeconfig,
        ];
        let lists = [&mut registries.drop_in_dirs, &mut config.global_auth_files];
        let all = paths.into_iter();
        let all = all.chain(optional.into_iter().flatten());
        for path in all.chain(lists.into_iter().flatten()) {
            *path = self.path(path);
        }
        cluster.root.clone_from(&self.directory);
        config
    }

    /// The API server with its CA where that is here: kubeconfigs name it by the
    /// node's own path.
    pub(super) fn apply_to_trust(&self, endpoint: &mut Endpoint) {
        if let Trust::Ca(CaSource::File(path)) = &mut endpoint.trust
            && !path.starts_with(&self.directory)
        {
            *path = self.path(path);
        }
    }

    /// A message with every path as the node has it.
    pub(super) fn told(&self, message: String) -> String {
        if self.is_here() {
            return message;
        }
        message.replace(&format!("{}/", self.directory.display()), "/")
    }

    /// A path here as the node has it.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix(&self.directory);
        below.map_or_else(|_| path.to_owned(), |below| Path::new("/").join(below))
    }
}

/// The names of a path, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let names = path.components().rev();
    names
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_leads_out_of_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path();
        fs::create_dir_all(base.join("run/a")).unwrap();
        for (link, target) in [
            ("var", "/run"),
            ("up", "../../../.."),
            ("loop", "/loop"),
            ("run/self", "a/../a"),
        ] {
            symlink(target, base.join(link)).unwrap();
        }
        let root = Root::new(base.to_owned());
        for (path, expected) in [
            ("/var/a/b", "run/a/b"),
            ("/up/etc/passwd", "etc/passwd"),
            ("/../../etc", "etc"),
            ("/run/self/x", "run/a/x"),
            ("/missing/../x", "x"),
            ("/loop", "loop"),
        ] {
            assert_eq!(root.path(Path::new(path)), base.join(expected), "{path}");
        }
        assert_eq!(root.shown(&base.join("run/a")), Path::new("/run/a"));
        assert!(root.is_same(Path::new("/var/a/"), Path::new("/run/a")));
        assert!(!root.is_same(Path::new("/var/a"), Path::new("/run")));
    }
}
