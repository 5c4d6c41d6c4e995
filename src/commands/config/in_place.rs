//! `--write`: one file in the place of another.
//!
//! Each write is a temporary file in the same directory, synced and renamed, with
//! the owner and mode of the file it replaces: kubelet sees the old file or the
//! new one. The old one stays as `FILE.bak`, which kubelet does not read, not even
//! in a directory. A symbolic link stays one: what it leads to is replaced.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Context;

const BACKUP: &str = ".bak";
const TEMPORARY: &str = ".tmp";

/// The file that is replaced, links followed.
///
/// # Errors
/// As the system says.
pub(super) fn target(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// Replaces a file, and keeps its old content beside it. Returns where that is.
///
/// # Errors
/// What could not be done; the file is as it was then.
pub(super) fn replace(path: &Path, old: &str, new: &str) -> anyhow::Result<PathBuf> {
    let target = target(path).with_context(|| format!("find {}", path.display()))?;
    let metadata =
        fs::metadata(&target).with_context(|| format!("inspect {}", target.display()))?;
    anyhow::ensure!(
        metadata.is_file(),
        "{} is no file that could be replaced",
        target.display()
    );
    let backup = beside(&target, "", BACKUP);
    for (path, content) in [(&backup, old), (&target, new)] {
        write(path, content, &metadata).with_context(|| format!("write {}", path.display()))?;
    }
    sync_directory(&target)
        .with_context(|| format!("sync the directory of {}", target.display()))?;
    Ok(backup)
}

fn write(path: &Path, content: &str, like: &Metadata) -> io::Result<()> {
    let temporary = beside(path, ".", &format!(".{}{TEMPORARY}", process::id()));
    let mut options = File::options();
    // Nobody else's until it is whole.
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    let written = fill(&file, content, like).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        fs::remove_file(&temporary).unwrap_or_default();
    }
    written
}

fn fill(mut file: &File, content: &str, like: &Metadata) -> io::Result<()> {
    file.write_all(content.as_bytes())?;
    fchown(file, Some(like.uid()), Some(like.gid()))?;
    let mode = like.permissions().mode() & 0o7777;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
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
