//! The configuration file: the settings as keys of a TOML file, for nodes on which an
//! operator writes `CredentialProviderConfig` and sets neither `args` nor `env`.
//!
//! The file decides where the pods' tokens are sent, so only root may be able to change
//! it.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use registries_conf::resolve_below;
use rustix::process::geteuid;
use secret::{ReadError, read_bounded};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::declared::{CONFIG_FILE, Kind, Setting, named};
use super::given::{Given, Origin};
use crate::ownership::{Loophole, copier, loophole};

/// The largest file that is read.
const MAX_BYTES: usize = 1024 * 1024;

/// The content of a configuration file.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// The settings.
    pub(super) given: Given,
    /// Keys that are not settings; they are ignored.
    pub(super) unknown: Vec<UnknownKey>,
}

/// A key that is not a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The file.
    pub path: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// The key.
    pub key: String,
}

impl fmt::Display for UnknownKey {
    #[expect(
        clippy::unnecessary_debug_formatting,
        reason = "a path may hold characters that would forge a line"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, key } = self;
        write!(
            f,
            "configuration file {path:?} line {line}: {key:?} is not a setting, and is ignored"
        )
    }
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("read configuration file {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: ReadError,
    },
    /// A user other than root could change it.
    #[error("configuration file {path:?}: {loophole}: {}", loophole.remedy())]
    Loophole {
        /// The file.
        path: PathBuf,
        /// What that user could change.
        loophole: Loophole,
    },
    /// It is not TOML, or has a value of the wrong type.
    #[error("configuration file {path:?} line {line}: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Reads the file of a node that has `root` as its `/`; `None` if it does not exist and
/// need not.
///
/// # Errors
/// [`FileError`].
pub(super) fn read(
    root: &Path,
    path: &Path,
    must_exist: bool,
) -> Result<Option<Parsed>, FileError> {
    let failed = |source: ReadError| FileError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(resolve_below(root, path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error.into())),
    };
    let owner = copier(root).unwrap_or_else(|| geteuid().as_raw());
    let judged = loophole(root, path, Some(owner));
    if let Some(loophole) = judged.map_err(|error| failed(error.into()))? {
        let path = path.to_owned();
        return Err(FileError::Loophole { path, loophole });
    }
    let content = read_bounded(file, MAX_BYTES).map_err(failed)?;
    parse(path, &content).map(Some)
}

fn parse(path: &Path, content: &[u8]) -> Result<Parsed, FileError> {
    let line_at = |offset: usize| {
        let before = content.get(..offset).unwrap_or(content);
        before.split(|&byte| byte == b'\n').count()
    };
    let refuse = |offset: usize, reason: &str| FileError::Content {
        path: path.to_owned(),
        line: line_at(offset),
        reason: reason.to_owned(),
    };
    let text = str::from_utf8(content)
        .map_err(|error| refuse(error.valid_up_to(), "not UTF-8, which TOML requires"))?;
    if let Some(offset) = registries_conf::too_deep(text) {
        return Err(refuse(offset, "nested too deeply"));
    }
    let tree = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let message: Vec<&str> = error.message().split_whitespace().collect();
        refuse(offset, &message.join(" "))
    })?;
    let mut parsed = Parsed::default();
    for (key, value) in tree.get_ref() {
        let offset = key.span().start;
        let line = line_at(offset);
        // The file cannot set its own path.
        let setting = named(key.get_ref()).filter(|setting| setting.name != CONFIG_FILE.name);
        let Some(setting) = setting else {
            parsed.unknown.push(UnknownKey {
                path: path.to_owned(),
                line,
                key: key.get_ref().to_string(),
            });
            continue;
        };
        let texts = match (setting.kind, value.get_ref()) {
            // Off is the default.
            (Kind::Switch, DeValue::Boolean(false)) => continue,
            (Kind::Switch, DeValue::Boolean(true)) => Some(Vec::new()),
            (Kind::List(_), DeValue::Array(values)) => values.iter().map(string).collect(),
            (Kind::One(_) | Kind::Choice(..), _) => string(value).map(|text| vec![text]),
            (Kind::Switch | Kind::List(_), _) => None,
        };
        let texts = texts
            .ok_or_else(|| refuse(offset, &format!("{} {}", setting.name, expected(setting))))?;
        let origin = Origin::File(path.to_owned(), line);
        parsed.given.set(setting, origin, texts);
    }
    Ok(parsed)
}

fn string(value: &Spanned<DeValue<'_>>) -> Option<OsString> {
    value.get_ref().as_str().map(OsString::from)
}

fn expected(setting: &Setting) -> &'static str {
    match setting.kind {
        Kind::Switch => "must be true or false",
        Kind::List(_) => "must be a list of strings, such as [\"a\", \"b\"]",
        Kind::One(_) | Kind::Choice(..) => "must be a string in quotes",
    }
}
