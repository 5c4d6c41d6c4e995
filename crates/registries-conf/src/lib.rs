#![doc = include_str!("../README.md")]
//!
//! # The modules, in reading order
//!
//! [`search`] says where files are looked for, [`load`] finds and reads them, the only
//! I/O (with [`mod@root`] for files of another root directory). [`config`] puts them together and
//! answers questions. One file is read in three steps: [`tree`] is the TOML
//! with line numbers, [`document`] knows the keys (with [`registry_table`], and the
//! old format in [`v1`]), [`mod@file`] and [`validate`] refuse what containers/image refuses.
//! [`aliases`] are checked, those of a file with nothing else without a tree.
//! What is [`mod@unknown`] is listed on request.
//! [`registry`] and [`pull_source`] match and rewrite names, whose type is that of
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
mod short_name_mode;
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
pub use crate::short_name_mode::ShortNameMode;
pub use crate::unknown::UnknownKey;
