//! Reads one text, one file, or the file or directory that
//! `--image-credential-provider-config` names.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use containers_auth::Text;
use kubernetes_yaml::{Node, Style, SyntaxError, Value, line_of};
use secret::{ReadError, Wiped, read_file};

use super::decode::decode;
use super::json;
use super::provider::{CredentialProviderConfig, Problem};

/// The largest file that is read: 1 MiB.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The most files of a directory that are read.
const MAX_FILES: usize = 1_000;
/// The extensions of the files that kubelet reads in a directory.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// A YAML or JSON text, with its configuration and all problems for which kubelet would
/// refuse it.
///
/// `Debug` leaves the text out, which may contain secrets.
#[derive(Clone)]
pub struct Document {
    /// The text that the tree refers to; for JSON, with the replacements that [`parse()`]
    /// describes.
    pub text: String,
    /// The tree of the document; a null if the text has none.
    pub root: Node,
    /// Whether the text is JSON.
    pub is_json: bool,
    /// The typed values, as far as they could be decoded.
    pub config: CredentialProviderConfig,
    /// The problems for which kubelet would refuse it; empty if kubelet starts with it.
    pub problems: Vec<Problem>,
}

/// A configuration file.
#[derive(Debug, Clone)]
pub struct File {
    /// The file.
    pub path: PathBuf,
    /// Its content.
    pub document: Document,
}

/// The text is not a document.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// YAML in neither of its encodings.
    #[error("neither UTF-8 nor UTF-16 with a byte order mark")]
    Encoding,
    /// The text is not valid YAML or JSON.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
}

/// Why the configuration could not be read; kubelet would not start either.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or directory cannot be read.
    #[error("read {path:?}")]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// A file is neither YAML nor JSON.
    #[error("parse {path:?}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParseError,
    },
    /// A directory has no file that kubelet reads.
    #[error("directory {path:?} has no *.json, *.yaml or *.yml")]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// A directory has more files than are read.
    #[error("directory {path:?} has more than {MAX_FILES} files to read")]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
}

impl LoadError {
    /// Whether the file or directory does not exist.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Read {
                source: ReadError::Io(error),
                ..
            } => error.kind() == io::ErrorKind::NotFound,
            Self::Read { .. } | Self::Parse { .. } | Self::Empty { .. } | Self::TooMany { .. } => {
                false
            }
        }
    }
}

impl Document {
    /// Whether the document is empty, apart from comments.
    pub fn is_blank(&self) -> bool {
        self.root.value == Value::Null
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("config", &self.config)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

/// Parses a text, and lists what kubelet would refuse about it. In JSON, what Go reads as
/// U+FFFD is replaced: bytes that are not UTF-8, and escapes of lone surrogates.
///
/// # Errors
/// The text is neither YAML nor JSON, is nested too deep, or has too many values: aliases
/// that would expand to too many values are refused before they are expanded.
pub fn parse(text: &[u8]) -> Result<Document, ParseError> {
    let is_json = json::is_json(text);
    let mut decoded = Wiped::default();
    let text = if is_json {
        Text::of_json(text)
    } else {
        Text::Borrowed(kubernetes_yaml::decode(text, &mut decoded).ok_or(ParseError::Encoding)?)
    };
    let text = &*text;
    let root = if is_json {
        json::parse(text)?
    } else {
        kubernetes_yaml::parse(text)?.unwrap_or(Node {
            value: Value::Null,
            span: text.len()..text.len(),
            style: Style::Block,
            shared: false,
        })
    };
    let (config, mut problems) = decode(text, &root);
    let mut invalid = config.validate();
    // A value that could not be decoded is not reported as missing too.
    invalid.retain(|invalid| !problems.iter().any(|known| known.field == invalid.field));
    for problem in &mut invalid {
        problem.line = line_of(text, root.at(&problem.field).span.start);
    }
    problems.append(&mut invalid);
    problems.sort_by_key(|problem| problem.line);
    Ok(Document {
        text: text.to_owned(),
        root,
        is_json,
        config,
        problems,
    })
}

/// Reads one file.
///
/// # Errors
/// [`LoadError::Read`] and [`LoadError::Parse`].
pub fn read(path: &Path) -> Result<File, LoadError> {
    let failed = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let text = read_file(path, MAX_BYTES).map_err(failed)?;
    let document = parse(&text).map_err(|source| LoadError::Parse {
        path: path.to_owned(),
        source,
    })?;
    Ok(File {
        path: path.to_owned(),
        document,
    })
}

/// Reads the files that kubelet reads if `--image-credential-provider-config` is `path`:
/// the file, or in a directory every `*.json`, `*.yaml` and `*.yml`, sorted by name. A
/// provider with the same name as one of an earlier file is a problem of the later file.
///
/// # Errors
/// [`LoadError`], for the first file that cannot be read.
pub fn load(path: &Path) -> Result<Vec<File>, LoadError> {
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let paths = files_in(path)?;
    if paths.is_empty() {
        let path = path.to_owned();
        return Err(LoadError::Empty { path });
    }
    if paths.len() > MAX_FILES {
        let path = path.to_owned();
        return Err(LoadError::TooMany { path });
    }
    let mut files = paths
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>, _>>()?;
    let mut names = HashSet::new();
    for file in &mut files {
        let document = &mut file.document;
        let own = document.config.providers.iter().enumerate();
        for (index, provider) in own.filter(|(_, provider)| names.contains(&provider.name)) {
            document.problems.push(Problem {
                line: provider.line,
                provider: Some(index),
                field: format!("providers[{index}].name"),
                message: format!("{:?} is in an earlier file too", provider.name),
            });
        }
        let own = document.config.providers.iter();
        names.extend(own.map(|provider| provider.name.clone()));
    }
    Ok(files)
}

fn files_in(directory: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let failed = |error: io::Error| LoadError::Read {
        path: directory.to_owned(),
        source: error.into(),
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let has_extension = EXTENSIONS
            .iter()
            .any(|extension| has_extension(&path, extension));
        if has_extension && !is_directory {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether the path has the extension by Go's `filepath.Ext`, for which a file named
/// `.yaml` has one.
fn has_extension(path: &Path, extension: &str) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let rest = name.strip_suffix(extension.as_bytes());
    rest.is_some_and(|rest| rest.ends_with(b"."))
}

#[cfg(test)]
mod tests;
