//! Who could change a file that root relies on: its owner, everyone with write
//! access, and the same for every directory and symbolic link on the way to it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;
use rustix::process::geteuid;

/// Group and others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Others may add files to the directory, but not replace ours, as in `/tmp`.
const STICKY: u32 = 0o1000;
/// The most symbolic links on the way to a file, as in Linux.
const MAX_LINKS: usize = 40;

/// What another user than root could change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loophole {
    /// The owner could change it.
    #[error("{path:?} belongs to user {owner}, who could change it: chown root:root {path:?}")]
    Owner {
        /// The file, directory or link.
        path: PathBuf,
        /// Its owner's user ID.
        owner: u32,
    },
    /// Others have write access.
    #[error("{path:?} is writable by others than root (mode {mode:04o}): chmod go-w {path:?}")]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// Returns the first part of an absolute path that somebody else than root, and the
/// user we run as, could change.
///
/// # Errors
/// A part that does not exist or cannot be inspected.
pub fn loophole(path: &Path) -> io::Result<Option<Loophole>> {
    let mut resolved = PathBuf::from("/");
    let mut rest = reversed(path);
    let mut links = 0;
    loop {
        let is_last = rest.is_empty();
        if let Some(loophole) = inspect(&resolved, is_last)? {
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
        if fs::symlink_metadata(&resolved)?.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP.into());
            }
            if let Some(loophole) = inspect(&resolved, true)? {
                return Ok(Some(loophole));
            }
            let target = fs::read_link(&resolved)?;
            resolved.pop();
            if target.is_absolute() {
                resolved = PathBuf::from("/");
            }
            rest.extend(reversed(&target));
        }
    }
}

fn inspect(path: &Path, is_last: bool) -> io::Result<Option<Loophole>> {
    let metadata = fs::symlink_metadata(path)?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != 0 && owner != geteuid().as_raw() {
        let path = path.to_owned();
        return Ok(Some(Loophole::Owner { path, owner }));
    }
    let is_safe_for_ours = !is_last && mode & STICKY != 0;
    // The permissions of a symbolic link mean nothing.
    if mode & WRITABLE_BY_OTHERS != 0 && !is_safe_for_ours && !metadata.is_symlink() {
        let path = path.to_owned();
        return Ok(Some(Loophole::Writable { path, mode }));
    }
    Ok(None)
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
    #![expect(clippy::disallowed_methods, reason = "lays out the files")]

    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

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
            let found = loophole(&base.join(path)).unwrap();
            let found = found.map(|loophole| match loophole {
                Loophole::Owner { path, .. } | Loophole::Writable { path, .. } => path,
            });
            assert_eq!(found, expected.map(|path| base.join(path)), "{path}");
        }
        assert!(loophole(&base.join("safe/missing")).is_err());
        assert!(loophole(&base.join("safe/loop")).is_err());
    }
}
