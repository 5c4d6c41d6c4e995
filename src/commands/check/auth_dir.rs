//! The directory of auth files: nobody but root may write there, and nothing is
//! left over in it.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::report::Finding;
use crate::auth_file;
use crate::commands::root::Root;
use crate::ownership::Loophole;
use crate::settings::Settings;

const NAME: &str = "auth-dir";
/// Group and others may look into it.
const OPEN_TO_OTHERS: u32 = 0o077;
/// Where CRI-O keeps the files of pulls that are under way.
const IN_USE: &str = "in-use";
/// How old a file may be where `--stale-after 0` says that none is ever removed.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);
/// The most files that are looked at.
const MAX_FILES: usize = 100_000;

/// Checks the directory, and what is in it; `named` is its path as the node has it,
/// with links.
pub(super) fn check(root: &Root, config: &Settings, named: &Path) -> Vec<Finding> {
    let path = config.auth_dir.as_path();
    let shown = root.shown(path);
    let shown = shown.display();
    if let Some(finding) = dangling(root, named) {
        return vec![finding];
    }
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return vec![missing(root, path)],
        Err(error) => return vec![unreadable(&format!("{shown}: {error}"), &error)],
    };
    if !metadata.is_dir() {
        let message = format!("{shown} is no directory");
        return vec![Finding::fail(
            NAME,
            message,
            format!(
                "remove {shown}, or name another directory here (--auth-dir) and to CRI-O (namespaced_auth_dir)"
            ),
        )];
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let directory = match root.loophole(named) {
        Err(error) => unreadable(&format!("{shown}: {error}"), &error),
        Ok(Some(loophole)) => open_to_change(&loophole),
        Ok(None) if mode & OPEN_TO_OTHERS != 0 => Finding::warn(
            NAME,
            format!("{shown} is open to others than root (mode {mode:04o})"),
            format!("chmod 0700 {shown}"),
        ),
        Ok(None) => Finding::pass(NAME, format!("{shown}, root's alone")),
    };
    vec![directory, left_over(root, config)]
}

/// A link that leads nowhere, on the way or at the end: nothing can be created there.
fn dangling(root: &Root, named: &Path) -> Option<Finding> {
    let target = |path: &Path| {
        let holder = root.path(path.parent()?);
        fs::read_link(holder.join(path.file_name()?)).ok()
    };
    let mut parts = named.ancestors();
    let (link, target) = parts.find_map(|path| Some((path, target(path)?)))?;
    if root.path(link).exists() {
        return None;
    }
    let (link, target) = (link.display(), target.display());
    Some(Finding::fail(
        NAME,
        format!("{link} is a link to {target}, which does not exist"),
        format!("remove {link}, or create the directory that it leads to, mode 0700"),
    ))
}

/// The first pull creates it; somebody else must not be able to do that before.
fn missing(root: &Root, path: &Path) -> Finding {
    let shown = root.shown(path);
    let shown = shown.display();
    let parent = path.ancestors().find(|path| path.exists());
    match root.loophole(&root.shown(parent.unwrap_or(Path::new("/")))) {
        Err(error) => unreadable(&format!("{shown}: {error}"), &error),
        Ok(Some(loophole)) => open_to_change(&loophole),
        Ok(None) if parent.is_some_and(|parent| !parent.is_dir()) => Finding::fail(
            NAME,
            format!("{shown} cannot be created: something else is in the way"),
            "name another directory here (--auth-dir) and to CRI-O (namespaced_auth_dir)",
        ),
        Ok(None) => Finding::pass(NAME, format!("{shown} is created by the first pull")),
    }
}

fn open_to_change(loophole: &Loophole) -> Finding {
    Finding::fail(NAME, loophole.to_string(), loophole.remedy())
}

fn unreadable(message: &str, error: &io::Error) -> Finding {
    let denied = error.kind() == io::ErrorKind::PermissionDenied;
    Finding::unreadable(NAME, denied, message, "make it readable by root")
}

fn left_over(root: &Root, config: &Settings) -> Finding {
    const NAME: &str = "auth-files";
    let path = &config.auth_dir;
    let age = config.stale_after.unwrap_or(OLD);
    let old = match old_files(path, age) {
        Ok(old) => old,
        Err(error) => {
            let message = format!("{}: {error}", root.shown(path).display());
            return Finding::warn(NAME, message, "run it as root");
        }
    };
    match old.as_slice() {
        [] => Finding::pass(NAME, "none is left over"),
        [first, ..] => Finding::warn(
            NAME,
            format!(
                "{} left over, such as {first:?}: their pulls never happened, or did not end",
                old.len()
            ),
            format!(
                "remove what is older than {} s from {} and its in-use; the provider's next pull sweeps what is its own",
                age.as_secs(),
                root.shown(path).display()
            ),
        ),
    }
}

/// The names of auth files older than that, of temporary ones, and of those that
/// CRI-O did not delete.
fn old_files(path: &Path, age: Duration) -> io::Result<Vec<String>> {
    let now = SystemTime::now();
    let is_older = |metadata: &Metadata, age: Duration| {
        let modified = metadata.modified().unwrap_or(now);
        metadata.is_file() && now.duration_since(modified).is_ok_and(|since| since > age)
    };
    let mut old = Vec::new();
    for entry in fs::read_dir(path)?.take(MAX_FILES) {
        let Some((name, metadata)) = described(&entry?)? else {
            continue;
        };
        let is_temporary = name.starts_with('.');
        let age = if is_temporary {
            auth_file::TEMPORARY_AGE
        } else {
            age
        };
        if auth_file::is_ours(&name) && is_older(&metadata, age) {
            old.push(name);
        }
    }
    let in_use = match fs::read_dir(path.join(IN_USE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(old),
        other => other?,
    };
    for entry in in_use.take(MAX_FILES) {
        let described = described(&entry?)?;
        if let Some((name, metadata)) = described
            && is_older(&metadata, age)
        {
            old.push(format!("{IN_USE}/{name}"));
        }
    }
    Ok(old)
}

/// `None` where a pull has taken the file meanwhile.
fn described(entry: &DirEntry) -> io::Result<Option<(String, Metadata)>> {
    let name = entry.file_name().to_string_lossy().into_owned();
    match entry.metadata() {
        Ok(metadata) => Ok(Some((name, metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
