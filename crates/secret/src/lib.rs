#![doc = include_str!("../README.md")]

mod wiped;
mod read;
mod decode;
mod json;

pub use decode::DecodeError;
pub use json::{Fields, Object};
pub use read::{ReadError, read_bounded, read_file};
pub use wiped::{Secret, Wipe, Wiped};
