//! CRI-O's configuration: the main file, then every file of the drop-in directories in
//! the order of their paths. Of several files that set a key, the last one wins.
//!
//! Agrees with CRI-O's `UpdateFromFile` and `UpdateFromPath`, which decode with
//! BurntSushi/toml: keys match without regard to case.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use registries_conf::resolve_below;
use secret::{ReadError, read_file};
use toml::de::{DeTable, DeValue};

/// `version_file` where no file sets it.
pub const DEFAULT_VERSION_FILE: &str = "/var/run/crio/version";
/// CRI-O's main files; newer versions also read `/usr/lib`, which has lower precedence.
const MAIN_FILES: [&str; 2] = ["/etc/crio/crio.conf", "/usr/lib/crio/crio.conf"];
const DROP_IN_DIRS: [&str; 2] = ["/usr/lib/crio/crio.conf.d", "/etc/crio/crio.conf.d"];
/// The largest file that is read.
const MAX_BYTES: usize = 1024 * 1024;
/// The most files, and the depth to which directories are read.
const MAX_FILES: usize = 1_000;
const MAX_DEPTH: usize = 8;

/// The settings of CRI-O that matter here.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// `namespaced_auth_dir`.
    pub auth_dir: Option<String>,
    /// `global_auth_file`.
    pub global_auth_file: Option<String>,
    /// `short_name_mode`.
    pub short_name_mode: Option<String>,
    /// `version_file`; empty where CRI-O writes none.
    pub version_file: Option<String>,
    /// `version_file_persist`, where CRI-O keeps the version over reboots.
    pub version_file_persist: Option<String>,
}

/// A file or directory that cannot be part of a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", path.display())]
pub struct ConfigurationError {
    /// The file or directory, as the node has it.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub reason: Reason,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// It cannot be read.
    #[error("read")]
    Read(#[from] ReadError),
    /// It is not UTF-8, which TOML requires.
    #[error("not UTF-8")]
    Utf8,
    /// Its arrays and tables are nested too deeply.
    #[error("nested too deeply")]
    TooDeep,
    /// It is not TOML.
    #[error("line {line}: {message}")]
    Toml {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// The value of this key is of the wrong type.
    #[error("{0} is of the wrong type")]
    Type(&'static str),
}

impl Configuration {
    /// Reads the files that CRI-O reads, given its flags `--config` and `--config-dir`.
    ///
    /// # Errors
    /// A file that CRI-O would refuse, or that cannot be read.
    pub fn read(
        root: &Path,
        main: Option<&str>,
        directory: Option<&str>,
    ) -> Result<Self, ConfigurationError> {
        let mut configuration = Self::default();
        for path in files(root, main, directory)? {
            let text = read_file(&resolve_below(root, &path), MAX_BYTES).map_err(Reason::from);
            let added = text.and_then(|text| configuration.add(&text));
            added.map_err(|reason| reason.of(&path))?;
            configuration.files.push(path);
        }
        Ok(configuration)
    }

    /// Adds a file if one of its keys is or contains `key`; otherwise it is not decoded.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn add_if_it_mentions(
        &mut self,
        root: &Path,
        path: &Path,
        key: &str,
    ) -> Result<(), ConfigurationError> {
        let text = read_file(&resolve_below(root, path), MAX_BYTES).map_err(Reason::from);
        let added = text.and_then(|text| {
            if mentions(&text, key) {
                self.add(&text)
            } else {
                Ok(())
            }
        });
        added.map_err(|reason| reason.of(path))
    }

    fn add(&mut self, text: &[u8]) -> Result<(), Reason> {
        let text = str::from_utf8(text).map_err(|_invalid| Reason::Utf8)?;
        if registries_conf::too_deep(text).is_some() {
            return Err(Reason::TooDeep);
        }
        let whole = DeTable::parse(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            Reason::Toml {
                line: before.map_or(1, |before| before.matches('\n').count() + 1),
                message: error.message().to_owned(),
            }
        })?;
        let Some(crio) = table(whole.get_ref(), "crio")? else {
            return Ok(());
        };
        set(&mut self.version_file, string(crio, "version_file")?);
        let persist = string(crio, "version_file_persist")?;
        set(&mut self.version_file_persist, persist);
        if let Some(image) = table(crio, "image")? {
            set(&mut self.auth_dir, string(image, "namespaced_auth_dir")?);
            let global = string(image, "global_auth_file")?;
            set(&mut self.global_auth_file, global);
            let mode = string(image, "short_name_mode")?;
            set(&mut self.short_name_mode, mode);
        }
        Ok(())
    }
}

impl Reason {
    fn of(self, path: &Path) -> ConfigurationError {
        ConfigurationError {
            path: path.to_owned(),
            reason: self,
        }
    }
}

/// The files that CRI-O reads, in order, as the node has them.
///
/// # Errors
/// A directory that cannot be listed.
pub fn files(
    root: &Path,
    main: Option<&str>,
    directory: Option<&str>,
) -> Result<Vec<PathBuf>, ConfigurationError> {
    let is_there = |path: &&str| resolve_below(root, Path::new(path)).exists();
    let main = main.or_else(|| MAIN_FILES.into_iter().find(is_there));
    let mut files: Vec<PathBuf> = main.map(PathBuf::from).into_iter().collect();
    let named = directory.map(|directory| [directory]);
    for directory in named.as_ref().map_or(&DROP_IN_DIRS[..], |named| named) {
        let directory = Path::new(directory);
        list(root, directory, MAX_DEPTH, &mut files)
            .map_err(|error| Reason::Read(error.into()).of(directory))?;
    }
    Ok(files)
}

/// Every file below a directory, in the order of Go's `filepath.Walk`. Empty if the
/// directory does not exist.
fn list(root: &Path, directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(resolve_below(root, directory)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let mut entries: Vec<_> = entries.take(MAX_FILES).collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let is_directory = entry.file_type()?.is_dir();
        let path = directory.join(entry.file_name());
        if is_directory && depth > 0 {
            list(root, &path, depth - 1, files)?;
        } else if !is_directory && files.len() < MAX_FILES {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a line that is not a comment contains a word, which as a key matches
/// without regard to case.
fn mentions(text: &[u8], word: &str) -> bool {
    let mut lines = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii_start);
    lines.any(|line| {
        let mut places = line.windows(word.len());
        line.first() != Some(&b'#') && places.any(|here| here.eq_ignore_ascii_case(word.as_bytes()))
    })
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
) -> Result<Option<&'t DeTable<'t>>, Reason> {
    match get(parent, key) {
        None => Ok(None),
        Some(value) => value.as_table().map(Some).ok_or(Reason::Type(key)),
    }
}

fn string(table: &DeTable<'_>, key: &'static str) -> Result<Option<String>, Reason> {
    match get(table, key) {
        None => Ok(None),
        Some(value) => {
            let text = value.as_str().ok_or(Reason::Type(key))?;
            Ok(Some(text.to_owned()))
        }
    }
}
