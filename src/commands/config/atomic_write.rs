//! Writes the file of `--write`: a new one, or a replacement.
//!
//! Each write is a temporary file in the same directory, synced and renamed, with the
//! owner, mode and extended attributes (the `SELinux` label, access lists) of the file it
//! replaces: kubelet sees the old file or the new one. The old one is kept as `FILE.bak`,
//! which kubelet does not read, not even in a directory. A symbolic link is kept: its
//! target is replaced.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Context;
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;

use provider::signals;

const BACKUP: &str = ".bak";
const TEMPORARY: &str = ".tmp";
/// The kernel's limit for a value, and for all names of a file together: 64 KiB.
const MAX_XATTR_BYTES: usize = 64 * 1024;

/// The result of a write.
#[derive(Debug)]
pub(super) struct Written {
    /// The file with the old content, if there was any.
    pub(super) backup: Option<PathBuf>,
    /// Why the directory could not be synced: the file is in place, but might not
    /// outlast a power failure.
    pub(super) unsynced: Option<io::Error>,
}

/// The file that will be written, with links followed; it need not exist.
///
/// # Errors
/// Its directory does not exist, or the system's error.
pub(super) fn target(path: &Path) -> anyhow::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error)
            if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() =>
        {
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new("."));
            let found = fs::canonicalize(parent).with_context(|| {
                let parent = parent.display();
                format!("write into directory {parent}: create it first, or name another file")
            })?;
            Ok(found.join(path.file_name().unwrap_or_default()))
        }
        found => found.with_context(|| format!("find {}", path.display())),
    }
}

/// Writes a file, and keeps the old content, if there is any, beside it. Signals are held
/// back meanwhile, so that no temporary file is left.
///
/// # Errors
/// The operation that failed; the file is then unchanged.
pub(super) fn write(path: &Path, old: Option<&str>, new: &str) -> anyhow::Result<Written> {
    let target = target(path)?;
    let like = match old {
        Some(_) => Some(Like::of(&target)?),
        None => None,
    };
    let backup = old.map(|old| (beside(&target, "", BACKUP), old));
    let _signals = signals::hold_back();
    let all = backup.iter().map(|(path, old)| (path, *old));
    for (path, content) in all.chain([(&target, new)]) {
        replace(path, content, like.as_ref())
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(Written {
        unsynced: sync_directory(&target).err(),
        backup: backup.map(|(path, _)| path),
    })
}

/// The owner, mode and attributes of a file.
struct Like {
    metadata: Metadata,
    attributes: Vec<(OsString, Vec<u8>)>,
}

impl Like {
    fn of(path: &Path) -> anyhow::Result<Self> {
        let inspected = || format!("inspect {}", path.display());
        let metadata = fs::metadata(path).with_context(inspected)?;
        anyhow::ensure!(
            metadata.is_file(),
            "{} is not a file that could be replaced",
            path.display()
        );
        let attributes = attributes(&File::open(path).with_context(inspected)?);
        Ok(Self {
            metadata,
            attributes: attributes.with_context(inspected)?,
        })
    }

    fn apply(&self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.metadata.uid()), Some(self.metadata.gid()))?;
        for (name, value) in &self.attributes {
            // The file may have inherited the same label from its directory. Setting a
            // label needs a permission, so do it only if it differs.
            if attribute(file, name)?.as_ref() != Some(value) {
                fsetxattr(file, name, value, XattrFlags::empty())?;
            }
        }
        let mode = self.metadata.permissions().mode() & 0o7777;
        file.set_permissions(fs::Permissions::from_mode(mode))
    }
}

/// The extended attributes of a file; empty if its file system has none.
fn attributes(file: &File) -> io::Result<Vec<(OsString, Vec<u8>)>> {
    let mut names = vec![0; MAX_XATTR_BYTES];
    let length = match flistxattr(file, &mut names[..]) {
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        listed => listed?,
    };
    names.truncate(length);
    let names = names
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty());
    let mut attributes = Vec::new();
    for name in names {
        let name = OsStr::from_bytes(name);
        if let Some(value) = attribute(file, name)? {
            attributes.push((name.to_owned(), value));
        }
    }
    Ok(attributes)
}

fn attribute(file: &File, name: &OsStr) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; MAX_XATTR_BYTES];
    match fgetxattr(file, name, &mut value[..]) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(Errno::NODATA) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn replace(path: &Path, content: &str, like: Option<&Like>) -> io::Result<()> {
    let temporary = beside(path, ".", &format!(".{}{TEMPORARY}", process::id()));
    let mut options = File::options();
    // Only root can read the file until it is complete; a new file may contain a proxy's
    // password.
    let file = options
        .write(true)
        .read(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    let written = fill(&file, content, like).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ignored = fs::remove_file(&temporary);
    }
    written
}

fn fill(mut file: &File, content: &str, like: Option<&Like>) -> io::Result<()> {
    file.write_all(content.as_bytes())?;
    if let Some(like) = like {
        like.apply(file)?;
    }
    file.sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

fn beside(path: &Path, before: &str, after: &str) -> PathBuf {
    let mut name = OsString::from(before);
    name.push(path.file_name().unwrap_or_default());
    name.push(after);
    path.with_file_name(name)
}
