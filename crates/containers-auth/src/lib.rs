#![doc = include_str!("../README.md")]
//!
//! # The modules, in reading order
//!
//! [`document`] reads the two layouts of a document into entries, [`entry`] decodes an
//! entry into a login, [`key`] matches images, and [`lookup`] chooses among several keys;
//! [`builder`] writes auth files. Below them are [`schemeless_url`] and [`go_json`].

mod document;
mod entry;
mod key;
mod lookup;
mod builder;
mod schemeless_url;
mod go_json;

pub use builder::{AuthFileBuilder, EncodeError, NotCarried, Undecodable};
pub use document::{AuthFile, DockerConfig, Entries, Format, RawFields};
pub use entry::{Credential, EntryError, Mistake, RawEntry, decode_base64};
pub use go_json::Text;
pub use key::{Key, Specificity};
pub use lookup::Spelling;
pub use schemeless_url::{SchemelessUrl, UrlError, glob};
