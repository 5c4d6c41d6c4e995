#![doc = include_str!("../README.md")]
//!
//! # The modules, in reading order
//!
//! [`search`] lists the search paths. [`load`] finds and reads them, and does all I/O
//! together with [`mod@root`], which resolves paths below another root directory.
//! [`config`] merges the files and answers lookups. One file is read in three steps:
//! [`tree`] is the TOML with line numbers, [`document`] extracts the keys (with
//! [`registry_table`], and [`v1`] for the old format), [`mod@file`] and [`validate`]
//! refuse what containers/image refuses. [`aliases`] are checked; a file with nothing
//! else is scanned without building a tree. [`mod@unknown`] lists ignored keys on
//! request. [`registry`] and [`pull_source`] match and rewrite names, whose type is in
//! the crate [`image_name`].

mod search;
mod load;
mod root;
mod config;
mod file;
mod validate;
mod document;
mod v1;
mod registry_table;
mod tree;
mod nesting;
mod unknown;
mod registry;
mod pull_source;
mod short_name;
mod aliases;
mod error;

pub use image_name::{ImageName, ImageNameError, NameProblem};

pub use crate::aliases::Alias;
pub use crate::config::{Config, Source};
pub use crate::error::{Error, Invalid};
pub use crate::nesting::too_deep;
pub use crate::pull_source::{PullSource, PullSources, SourceKind, UnusableSource};
pub use crate::registry::{Mirror, Origin, PullFromMirror, Registry};
pub use crate::root::resolve_below;
pub use crate::search::{
    Denied, Environment, Layout, MainFile, Options, Search, SearchPaths, V1Format,
};
pub use crate::short_name::Candidate;
pub use crate::unknown::UnknownKey;
