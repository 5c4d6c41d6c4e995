//! What the program can do by hand, for the administrator of a node.

mod check;
mod explain;
pub mod output;
mod resolve;
mod config;

pub use check::check;
use config::{NAME, issuer, ours};
pub use config::{config, written_directory};
pub use explain::explain;
use explain::read_token;
pub use resolve::resolve;
