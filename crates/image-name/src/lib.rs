#![doc = include_str!("../README.md")]
//!
//! # The modules, in reading order
//!
//! [`name`] is the type of names in full and completes short ones; [`mod@reference`] is
//! the grammar behind it.

mod name;
mod reference;

pub use crate::name::{DEFAULT_HOST, ImageName, OFFICIAL_PATH};
pub use crate::reference::{ImageNameError, NameProblem, Reference, is_domain};
