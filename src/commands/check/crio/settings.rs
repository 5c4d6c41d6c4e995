//! CRI-O's files: the main one, then every file of the drop-in directories in the
//! order of their paths; the last one that says something counts.
//!
//! Agrees with CRI-O's `UpdateFromFile` and `UpdateFromPath`, which decode with
//! BurntSushi/toml: keys match without regard to case.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::NAME;
use crate::commands::check::report::{Finding, chain};
use crate::commands::check::root::Root;
use crate::secret::{ReadError, read_file};

/// Where CRI-O looks; newer ones also below `/usr/lib`, which counts less.
const MAIN_FILES: [&str; 2] = ["/etc/crio/crio.conf", "/usr/lib/crio/crio.conf"];
const DROP_IN_DIRS: [&str; 2] = ["/usr/lib/crio/crio.conf.d", "/etc/crio/crio.conf.d"];
/// The largest file that is read.
const MAX_BYTES: usize = 1024 * 1024;
/// The most files, and how deep directories are looked into.
const MAX_FILES: usize = 1_000;
const MAX_DEPTH: usize = 8;

/// What CRI-O was told that matters here.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
    /// `namespaced_auth_dir`.
    pub(super) auth_dir: Option<String>,
    /// `global_auth_file`.
    pub(super) global_auth_file: Option<String>,
    /// `version_file` and `version_file_persist`, the last one said first.
    pub(super) version_files: Vec<String>,
}

/// Why a file is no configuration.
#[derive(Debug, thiserror::Error)]
enum ConfigError {
    #[error("read")]
    Read(#[from] ReadError),
    #[error("not UTF-8")]
    Utf8,
    #[error("nested too deeply")]
    TooDeep,
    #[error("line {line}: {message}")]
    Toml { line: usize, message: String },
    #[error("{0} is of the wrong type")]
    Type(&'static str),
}

/// Reads the files; `told` gives a flag of CRI-O's, or its variable.
///
/// # Errors
/// The finding for a file that CRI-O would not take, or that cannot be read.
pub(super) fn settings(
    root: &Root,
    told: &impl Fn(&str, &str) -> Option<String>,
) -> Result<Settings, Finding> {
    let mut settings = Settings::default();
    for path in files(root, told)? {
        settings
            .add(root, &path)
            .map_err(|error| refused(root, &path, &error))?;
        settings.files.push(path);
    }
    settings.version_files.retain(|path| !path.is_empty());
    settings.version_files.reverse();
    Ok(settings)
}

fn files(
    root: &Root,
    told: &impl Fn(&str, &str) -> Option<String>,
) -> Result<Vec<PathBuf>, Finding> {
    let usual = || {
        let mut usual = MAIN_FILES.iter().map(|path| root.path(Path::new(path)));
        usual.find(|path| path.exists())
    };
    let main = told("config", "CONTAINER_CONFIG");
    let main = main.map(|path| root.path(Path::new(&path))).or_else(usual);
    let directory = told("config-dir", "CONTAINER_CONFIG_DIR");
    let directories = match &directory {
        Some(path) => vec![path.as_str()],
        None => DROP_IN_DIRS.to_vec(),
    };
    let mut files: Vec<PathBuf> = main.into_iter().collect();
    for directory in directories {
        let here = root.path(Path::new(directory));
        list(&here, MAX_DEPTH, &mut files).map_err(|error| {
            let denied = error.kind() == io::ErrorKind::PermissionDenied;
            let message = format!("{directory}: {error}");
            Finding::unreadable(NAME, denied, message, "make it readable by root")
        })?;
    }
    Ok(files)
}

/// Every file below a directory, as Go's `filepath.Walk` gives them; none where
/// there is no such directory.
fn list(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let mut entries: Vec<_> = entries.take(MAX_FILES).collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let is_directory = entry.file_type()?.is_dir();
        if is_directory && depth > 0 {
            list(&entry.path(), depth - 1, files)?;
        } else if !is_directory && files.len() < MAX_FILES {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn refused(root: &Root, path: &Path, error: &ConfigError) -> Finding {
    let denied = matches!(error, ConfigError::Read(ReadError::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied);
    let message = format!("{}: {}", root.shown(path).display(), chain(error));
    let remedy = "correct it: CRI-O does not start with it";
    Finding::unreadable(NAME, denied, message, remedy)
}

impl Settings {
    fn add(&mut self, root: &Root, path: &Path) -> Result<(), ConfigError> {
        // A file may be a link of the node's.
        let text = read_file(&root.path(&root.shown(path)), MAX_BYTES)?;
        let text = str::from_utf8(&text).map_err(|_invalid| ConfigError::Utf8)?;
        if registries_conf::too_deep(text).is_some() {
            return Err(ConfigError::TooDeep);
        }
        let whole = DeTable::parse(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            ConfigError::Toml {
                line: before.map_or(1, |before| before.matches('\n').count() + 1),
                message: error.message().to_owned(),
            }
        })?;
        let Some(crio) = table(whole.get_ref(), "crio")? else {
            return Ok(());
        };
        for key in ["version_file", "version_file_persist"] {
            self.version_files.extend(string(crio, key)?);
        }
        if let Some(image) = table(crio, "image")? {
            set(&mut self.auth_dir, string(image, "namespaced_auth_dir")?);
            let global = string(image, "global_auth_file")?;
            set(&mut self.global_auth_file, global);
        }
        Ok(())
    }
}

fn set(value: &mut Option<String>, said: Option<String>) {
    if said.is_some() {
        *value = said;
    }
}

fn get<'t>(table: &'t DeTable<'t>, key: &str) -> Option<&'t DeValue<'t>> {
    let mut entries = table.iter();
    let found = entries.find(|(name, _)| name.get_ref().eq_ignore_ascii_case(key));
    found.map(|(_, value)| value.get_ref())
}

fn table<'t>(
    parent: &'t DeTable<'t>,
    key: &'static str,
) -> Result<Option<&'t DeTable<'t>>, ConfigError> {
    match get(parent, key) {
        None => Ok(None),
        Some(value) => value.as_table().map(Some).ok_or(ConfigError::Type(key)),
    }
}

fn string(table: &DeTable<'_>, key: &'static str) -> Result<Option<String>, ConfigError> {
    match get(table, key) {
        None => Ok(None),
        Some(value) => {
            let text = value.as_str().ok_or(ConfigError::Type(key))?;
            Ok(Some(text.to_owned()))
        }
    }
}
