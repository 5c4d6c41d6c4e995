//! kubelet's files on the node. A file that cannot be used is a finding, since its
//! settings are then unknown.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kubernetes_yaml::Node;
use secret::read_file;

use crate::cli::CheckName;
use crate::commands::check::report::{Finding, chain};
use crate::commands::root::Root;

/// The largest file that is read.
const MAX_BYTES: usize = 1024 * 1024;
/// The most drop-ins that are read.
const MAX_DROP_INS: usize = 1_000;
const CORRECT: &str = "correct it: kubelet's settings are in it";

/// The text of a file.
pub(super) fn text(root: &Root, file: &Path, name: CheckName) -> Result<String, Finding> {
    match read_file(&root.path(file), MAX_BYTES) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) => {
            let message = format!("{}: {}", file.display(), chain(&error));
            Err(Finding::unreadable(name, &error, message, CORRECT))
        }
    }
}

/// The document in a YAML file; `None` if the file is empty or missing.
pub(super) fn yaml(root: &Root, file: &Path, name: CheckName) -> Result<Option<Node>, Finding> {
    if is_missing(root, file) {
        return Ok(None);
    }
    kubernetes_yaml::parse(&text(root, file, name)?).map_err(|error| {
        let message = format!("{}: {}", file.display(), chain(&error));
        Finding::fail(name, message, CORRECT)
    })
}

/// The drop-ins in a directory, sorted by name; empty if the directory is missing.
pub(super) fn drop_ins(
    root: &Root,
    directory: &Path,
    name: CheckName,
    is_drop_in: impl Fn(&Path) -> bool,
) -> Result<Vec<PathBuf>, Finding> {
    if is_missing(root, directory) {
        return Ok(Vec::new());
    }
    let names = fs::read_dir(root.path(directory)).and_then(|entries| {
        let entries = entries.take(MAX_DROP_INS);
        let names = entries.map(|entry| entry.map(|entry| directory.join(entry.file_name())));
        names.collect::<io::Result<Vec<_>>>()
    });
    let mut paths = names.map_err(|error| {
        let message = format!("{}: {error}", directory.display());
        Finding::unreadable(name, &error, message, CORRECT)
    })?;
    paths.retain(|path| is_drop_in(path));
    paths.sort();
    Ok(paths)
}

fn is_missing(root: &Root, path: &Path) -> bool {
    let metadata = fs::metadata(root.path(path));
    metadata.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
