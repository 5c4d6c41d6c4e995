//! The directory of auth files: only root may write to it, and no file is left over.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::report::Finding;
use crate::cli::CheckName;
use crate::commands::root::Root;
use provider::auth_dir;
use provider::ownership::Loophole;
use provider::settings::Settings;

const NAME: CheckName = CheckName::AuthDir;
/// Any permission of group and others.
const OPEN_TO_OTHERS: u32 = 0o077;
/// The directory to which CRI-O moves the files of pulls that are under way.
const IN_USE: &str = "in-use";
/// The age from which a file is reported as left over if `--stale-after 0` removes none.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);
/// The most files that are inspected.
const MAX_FILES: usize = 100_000;

/// Checks the directory and its content; `named` is its path on the node, with links.
pub(super) fn check(root: &Root, settings: &Settings, named: &Path) -> Vec<Finding> {
    let path = settings.auth_dir.as_path();
    let shown = root.shown(path);
    let shown = shown.display();
    if let Some(finding) = dangling(root, named) {
        return vec![finding];
    }
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![missing(root, path), left_over(root, settings)];
        }
        Err(error) => return vec![unreadable(&format!("{shown}: {error}"), &error)],
    };
    if !metadata.is_dir() {
        let message = format!("{shown} is not a directory");
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
    vec![directory, left_over(root, settings)]
}

/// A link without a target, on the way or at the end: the directory cannot be created
/// behind it.
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

/// Checks a missing directory. The first pull creates it, and no other user may be able
/// to create it before.
fn missing(root: &Root, path: &Path) -> Finding {
    let shown = root.shown(path);
    let shown = shown.display();
    let parent = path.ancestors().find(|path| path.exists());
    match root.loophole(&root.shown(parent.unwrap_or(Path::new("/")))) {
        Err(error) => unreadable(&format!("{shown}: {error}"), &error),
        Ok(Some(loophole)) => open_to_change(&loophole),
        Ok(None) if parent.is_some_and(|parent| !parent.is_dir()) => Finding::fail(
            NAME,
            format!("{shown} cannot be created: another file is in the way"),
            "name another directory here (--auth-dir) and to CRI-O (namespaced_auth_dir)",
        ),
        Ok(None) => Finding::pass(NAME, format!("{shown} is created by the first pull")),
    }
}

fn open_to_change(loophole: &Loophole) -> Finding {
    Finding::fail(NAME, loophole.to_string(), loophole.remedy())
}

fn unreadable(message: &str, error: &io::Error) -> Finding {
    Finding::unreadable(NAME, error, message, "make it readable by root")
}

/// The files in the directory.
#[derive(Debug, Default)]
struct Files {
    /// The names of files that no pull will take any more.
    old: Vec<String>,
    /// The number of other files of the provider.
    fresh: usize,
    /// The number of files of CRI-O, in `in-use`.
    in_use: usize,
}

fn left_over(root: &Root, settings: &Settings) -> Finding {
    const NAME: CheckName = CheckName::AuthFiles;
    let path = &settings.auth_dir;
    let shown = root.shown(path);
    let shown = shown.display();
    let age = settings.stale_after.unwrap_or(OLD);
    let files = match Files::list(path, age) {
        Ok(files) => files,
        Err(error) => return Finding::warn(NAME, format!("{shown}: {error}"), "run it as root"),
    };
    let age = age.as_secs();
    if let [first, ..] = files.old.as_slice() {
        let count = files.old.len();
        return Finding::warn(
            NAME,
            format!(
                "{count} left over, such as {first:?}: their pulls never happened, or did not end"
            ),
            format!(
                "remove files older than {age} s from {shown} and its in-use; the provider's next run sweeps its own files"
            ),
        );
    }
    let mut there = Vec::new();
    if files.fresh > 0 {
        there.push(format!(
            "{} for announced pulls, or of pod starts that needed no pull, which are removed when {age} s old",
            files.fresh
        ));
    }
    if files.in_use > 0 {
        there.push(format!("{} of pulls that are under way", files.in_use));
    }
    if there.is_empty() {
        return Finding::pass(NAME, "there is none");
    }
    Finding::pass(NAME, there.join("; "))
}

impl Files {
    /// Lists auth files, older than `age` or not, and temporary files. CRI-O deletes its
    /// own when the pull has ended.
    fn list(path: &Path, age: Duration) -> io::Result<Self> {
        let now = SystemTime::now();
        let is_older = |metadata: &Metadata, age: Duration| {
            let modified = metadata.modified().unwrap_or(now);
            now.duration_since(modified).is_ok_and(|since| since > age)
        };
        let mut files = Self::default();
        for (name, metadata) in in_directory(path)? {
            let age = if name.starts_with('.') {
                auth_dir::TEMPORARY_AGE
            } else {
                age
            };
            if !auth_dir::is_ours(&name) {
                continue;
            }
            if is_older(&metadata, age) {
                files.old.push(name);
            } else {
                files.fresh += 1;
            }
        }
        for (name, metadata) in in_directory(&path.join(IN_USE))? {
            if is_older(&metadata, age) {
                files.old.push(format!("{IN_USE}/{name}"));
            } else {
                files.in_use += 1;
            }
        }
        Ok(files)
    }
}

/// The regular files in a directory; empty if it does not exist.
fn in_directory(path: &Path) -> io::Result<Vec<(String, Metadata)>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let described = entries
        .take(MAX_FILES)
        .filter_map(|entry| entry.and_then(|entry| described(&entry)).transpose());
    let is_file = |(_, metadata): &(String, Metadata)| metadata.is_file();
    described
        .filter(|described| described.as_ref().map_or(true, is_file))
        .collect()
}

/// The name and metadata of a file; `None` if a pull has just taken it.
fn described(entry: &DirEntry) -> io::Result<Option<(String, Metadata)>> {
    let name = entry.file_name().to_string_lossy().into_owned();
    match entry.metadata() {
        Ok(metadata) => Ok(Some((name, metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
