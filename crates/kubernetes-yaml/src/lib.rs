#![doc = include_str!("../README.md")]

mod encoding;
mod reader;
mod node;
mod number;
mod scalar;
mod line;

pub use encoding::decode;
pub use line::{LINE_BREAKS, line_before, line_of, next_line};
pub use node::{Entry, MAX_DEPTH, Node, Style, SyntaxError, Value};
pub use reader::{Limits, documents, parse};
