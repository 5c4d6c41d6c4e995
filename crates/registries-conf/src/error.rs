//! Errors of configurations: one line each, with the file, the line and the reason. Image
//! names have an error of their own in the crate [`image_name`].

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use image_name::ImageNameError;

/// A configuration that could not be read or that containers/image refuses.
///
/// Every message is one line; text from files is quoted and escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or a drop-in directory could not be read.
    #[error("read {}", shown(path))]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file is longer than the limit.
    #[error("read {}: longer than {limit} bytes", shown(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The longest file that is read.
        limit: u64,
    },
    /// A file was read, and its content is refused.
    #[error("{}:{line}: {reason}", shown(path))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line of the key or table at fault, from 1.
        line: usize,
        /// What is wrong with it.
        reason: Invalid,
    },
}

/// Why the content of a file is refused.
///
/// There is one case for each check of containers/image's `sysregistriesv2`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The file is not text.
    #[error("not valid UTF-8")]
    NotUtf8,
    /// The file is not TOML.
    #[error("not valid TOML: {message}")]
    NotToml {
        /// The TOML parser's message.
        message: String,
    },
    /// The file nests arrays, tables or dotted keys too deeply.
    #[error("nested too deeply")]
    NestedTooDeeply,
    /// A number, of any key, does not fit 64 bits.
    #[error("number {number:?} is out of range")]
    NumberOutOfRange {
        /// The digits.
        number: String,
    },
    /// A time, of any key, has a leap second.
    #[error("time {time:?} has a leap second")]
    LeapSecond {
        /// The time.
        time: String,
    },
    /// A known key has a value of the wrong type.
    #[error("key {key:?} must be {expected}, found {found}")]
    WrongType {
        /// The key as it is spelled in the file.
        key: String,
        /// The type it should have.
        expected: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// A drop-in file uses the v1 format.
    #[error("a drop-in file must use the v2 format, not [registries.search], .insecure and .block")]
    V1DropIn,
    /// The main file uses the v1 format, which containers/image 5.40 and later refuse.
    #[error(
        "the v1 format ([registries.search], .insecure and .block) is refused since containers/image 5.40: write unqualified-search-registries and [[registry]] instead"
    )]
    V1Main,
    /// One file uses both formats.
    #[error("[registries.search], .insecure and .block (v1) cannot be mixed with v2 keys")]
    MixedVersions,
    /// A location or prefix starts with `http://` or `https://`.
    #[error("{location:?} must not have a URI scheme")]
    Scheme {
        /// The location or prefix.
        location: String,
    },
    /// A registry has neither location nor prefix.
    #[error("registry has neither location nor prefix")]
    NoLocationNorPrefix,
    /// A registry has no location, and its prefix is not a wildcard.
    #[error("registry {prefix:?} has no location, and its prefix is not of the form *.example.com")]
    NoLocation {
        /// The prefix.
        prefix: String,
    },
    /// A wildcard prefix has a port, a path or a digest.
    #[error("wildcard prefix {prefix:?} is not of the form *.example.com")]
    WildcardFormat {
        /// The prefix.
        prefix: String,
    },
    /// `pull-from-mirror` is in a registry, not in a mirror.
    #[error("registry {prefix:?} has pull-from-mirror, which belongs in a mirror")]
    PullFromMirrorOutsideMirror {
        /// The registry's prefix.
        prefix: String,
    },
    /// A mirror has no location.
    #[error("mirror of registry {prefix:?} has no location")]
    MirrorWithoutLocation {
        /// The registry's prefix.
        prefix: String,
    },
    /// A mirror has `pull-from-mirror` and its registry `mirror-by-digest-only`.
    #[error(
        "mirror {mirror:?} has pull-from-mirror, but registry {prefix:?} has mirror-by-digest-only"
    )]
    PullFromMirrorTwice {
        /// The registry's prefix.
        prefix: String,
        /// The mirror's location.
        mirror: String,
    },
    /// `pull-from-mirror` has a value that does not exist.
    #[error(
        "pull-from-mirror {value:?} of mirror {mirror:?} is not \"all\", \"digest-only\" or \"tag-only\""
    )]
    UnknownPullFromMirror {
        /// The mirror's location.
        mirror: String,
        /// The value.
        value: String,
    },
    /// Two registries of one file share a location and have different settings for it.
    #[error("registry {location:?} has another {setting} setting in line {other_line}")]
    Conflict {
        /// The location; the prefix if there is none.
        location: String,
        /// `insecure` or `blocked`.
        setting: &'static str,
        /// The line of the other registry, from 1.
        other_line: usize,
    },
    /// An entry of `unqualified-search-registries` is not `host[:port]`.
    #[error("unqualified-search-registries entry {entry:?} is not host[:port]")]
    SearchRegistry {
        /// The entry.
        entry: String,
    },
    /// `short-name-mode` has a value that does not exist.
    #[error("short-name-mode {value:?} is not \"disabled\", \"enforcing\" or \"permissive\"")]
    UnknownShortNameMode {
        /// The value.
        value: String,
    },
    /// The left side of an alias does not parse.
    #[error("alias {error}")]
    AliasName {
        /// The left side, and why it does not parse.
        error: ImageNameError,
    },
    /// The left side of an alias has a tag, a digest or a registry.
    #[error("alias {name:?} is not a short name: a registry, tag or digest is not allowed in it")]
    AliasNotShort {
        /// The left side.
        name: String,
    },
    /// The right side of an alias does not parse.
    #[error("target of alias {name:?}: {error}")]
    AliasTarget {
        /// The left side.
        name: String,
        /// The right side, and why it does not parse.
        error: ImageNameError,
    },
    /// The right side of an alias has a tag or a digest, or no registry.
    #[error("target {target:?} of alias {name:?} is not registry/repository without tag or digest")]
    AliasTargetIncomplete {
        /// The left side.
        name: String,
        /// The right side.
        target: String,
    },
}

impl Error {
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// A reason with its line; the file is added to make it an [`Error`].
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) line: usize,
    pub(crate) reason: Invalid,
}

impl Refusal {
    pub(crate) fn new(line: usize, reason: Invalid) -> Self {
        Self { line, reason }
    }

    pub(crate) fn of(self, path: &Path) -> Error {
        Error::Invalid {
            path: path.to_owned(),
            line: self.line,
            reason: self.reason,
        }
    }
}

/// A path on one line: a file name may contain line breaks.
pub(crate) fn shown(path: &Path) -> impl fmt::Display {
    path.to_string_lossy().escape_debug().to_string()
}
