//! Checks who could change a file that root relies on: its owner, everyone with write
//! access to it, and the same for every directory and symbolic link on the way to it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

/// Group and others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The sticky bit, as on `/tmp`: others may add files to the directory, but not replace
/// ours.
const STICKY: u32 = 0o1000;
/// The most symbolic links on the way to a file, as in Linux.
const MAX_LINKS: usize = 40;

/// What a user other than root could change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loophole {
    /// The owner could change it.
    #[error("{path:?} belongs to user {owner}, who could change it")]
    Owner {
        /// The file, directory or link.
        path: PathBuf,
        /// Its owner's user ID.
        owner: u32,
    },
    /// Others have write access.
    #[error("{path:?} is writable by others than root (mode {mode:04o})")]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl Loophole {
    /// The command that removes the access.
    #[expect(
        clippy::unnecessary_debug_formatting,
        reason = "a path may hold characters that would forge a line"
    )]
    pub fn remedy(&self) -> String {
        match self {
            Self::Owner { path, .. } => format!("chown root:root {path:?}"),
            Self::Writable { path, .. } => format!("chmod go-w {path:?}"),
        }
    }
}

/// Returns the first part of an absolute path that a user other than root and `owner`
/// could change; `owner` is a user whose files are trusted as root's. The path, its links
/// and the result are those of a node that has `root` as its `/`.
///
/// # Errors
/// A part that does not exist or cannot be inspected.
pub fn loophole(root: &Path, path: &Path, owner: Option<u32>) -> io::Result<Option<Loophole>> {
    let mut resolved = PathBuf::from("/");
    let mut rest = reversed(path);
    let mut links = 0;
    loop {
        let is_last = rest.is_empty();
        if let Some(loophole) = inspect(root, &resolved, owner, is_last)? {
            return Ok(Some(loophole));
        }
        let Some(name) = rest.pop() else {
            return Ok(None);
        };
        if name == ".." {
            resolved.pop();
            continue;
        }
        resolved.push(name);
        let here = below(root, &resolved);
        if fs::symlink_metadata(&here)?.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP.into());
            }
            if let Some(loophole) = inspect(root, &resolved, owner, true)? {
                return Ok(Some(loophole));
            }
            let target = fs::read_link(&here)?;
            resolved.pop();
            if target.is_absolute() {
                resolved = PathBuf::from("/");
            }
            rest.extend(reversed(&target));
        }
    }
}

/// The user whose files are trusted as root's on a node that has `root` as its `/`: the
/// one who unpacked a copy of a node. `None` on the machine itself.
pub fn copier(root: &Path) -> Option<u32> {
    let is_copy = root != Path::new("/");
    let metadata = is_copy.then(|| fs::metadata(root).ok())?;
    metadata.map(|metadata| metadata.uid())
}

fn inspect(
    root: &Path,
    path: &Path,
    trusted: Option<u32>,
    is_last: bool,
) -> io::Result<Option<Loophole>> {
    let metadata = fs::symlink_metadata(below(root, path))?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != 0 && trusted != Some(owner) {
        let path = path.to_owned();
        return Ok(Some(Loophole::Owner { path, owner }));
    }
    let is_safe_for_ours = !is_last && mode & STICKY != 0;
    // The permissions of a symbolic link have no effect.
    if mode & WRITABLE_BY_OTHERS != 0 && !is_safe_for_ours && !metadata.is_symlink() {
        let path = path.to_owned();
        return Ok(Some(Loophole::Writable { path, mode }));
    }
    Ok(None)
}

/// The path below `root` of a path of the node, none of whose parts is a link.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The components of a path, the last one first.
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
    #![expect(clippy::disallowed_methods, reason = "lays out the files")]

    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use rustix::process::geteuid;

    use super::*;

    #[test]
    fn every_directory_and_link_on_the_way_counts() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let chmod = |path: &str, mode: u32| {
            fs::set_permissions(base.join(path), Permissions::from_mode(mode)).unwrap();
        };
        for path in ["safe", "open", "sticky"] {
            fs::create_dir(base.join(path)).unwrap();
            fs::write(base.join(path).join("file"), "").unwrap();
            chmod(&format!("{path}/file"), 0o644);
        }
        fs::write(base.join("safe/writable"), "").unwrap();
        for (path, mode) in [
            ("open", 0o777),
            ("sticky", 0o1777),
            ("safe/writable", 0o664),
        ] {
            chmod(path, mode);
        }
        symlink("../open/file", base.join("safe/link")).unwrap();
        symlink("loop", base.join("safe/loop")).unwrap();

        // On the machine itself, and on a node that has the directory as its root.
        chmod("", 0o755);
        let me = Some(geteuid().as_raw());
        for (path, expected) in [
            ("safe/file", None),
            ("safe", None),
            ("open/file", Some("open")),
            ("open/../safe/file", Some("open")),
            ("sticky/file", None),
            ("sticky", Some("sticky")),
            ("safe/writable", Some("safe/writable")),
            ("safe/link", Some("open")),
        ] {
            let of = |found: Loophole| match found {
                Loophole::Owner { path, .. } | Loophole::Writable { path, .. } => path,
            };
            let found = loophole(Path::new("/"), &base.join(path), me).unwrap();
            assert_eq!(
                found.map(of),
                expected.map(|path| base.join(path)),
                "{path}"
            );
            let on_node = |path: &str| Path::new("/").join(path);
            let found = loophole(&base, &on_node(path), me).unwrap();
            assert_eq!(found.map(of), expected.map(on_node), "{path}");
        }
        for path in ["safe/missing", "safe/loop"] {
            assert!(loophole(Path::new("/"), &base.join(path), me).is_err());
        }
    }

    #[test]
    fn absolute_links_stay_below_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir(base.join("etc")).unwrap();
        fs::create_dir(base.join("shared")).unwrap();
        for (path, mode) in [("", 0o755), ("etc", 0o755), ("shared", 0o777)] {
            fs::set_permissions(base.join(path), Permissions::from_mode(mode)).unwrap();
        }
        symlink("/../shared", base.join("etc/link")).unwrap();
        let me = geteuid().as_raw();
        let found = loophole(&base, Path::new("/etc/link"), Some(me)).unwrap();
        let shared = Loophole::Writable {
            path: PathBuf::from("/shared"),
            mode: 0o777,
        };
        assert_eq!(found, Some(shared.clone()));
        assert_eq!(shared.remedy(), "chmod go-w \"/shared\"");
    }

    #[test]
    fn what_belongs_to_another_user_is_a_loophole() {
        const NOBODY: u32 = 65534;
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir(base.join("etc")).unwrap();
        fs::write(base.join("etc/file"), "").unwrap();
        symlink("file", base.join("etc/link")).unwrap();
        for (path, mode) in [("etc", 0o755), ("etc/file", 0o644)] {
            fs::set_permissions(base.join(path), Permissions::from_mode(mode)).unwrap();
        }
        let me = geteuid().as_raw();
        let found = |trusted| loophole(&base, Path::new("/etc/link"), trusted).unwrap();
        assert_eq!(found(Some(me)), None);
        for path in ["/etc", "/etc/link", "/etc/file"] {
            let here = below(&base, Path::new(path));
            // Only root can give a file away. Everything here belongs to any other user.
            let (path, owner) = if me == 0 {
                lchown(&here, Some(NOBODY), None).unwrap();
                (path, NOBODY)
            } else {
                ("/", me)
            };
            let expected = Loophole::Owner {
                path: PathBuf::from(path),
                owner,
            };
            assert_eq!(found(None), Some(expected.clone()));
            assert_eq!(expected.remedy(), format!("chown root:root {path:?}"));
            assert_eq!(found(Some(owner)), None);
            lchown(&here, Some(me), None).unwrap();
        }
    }
}
