//! The subcommands, for the administrator of a node.

mod check;
mod completion;
mod explain;
mod match_images;
mod node_providers;
pub mod output;
mod patience;
mod resolve;
mod root;
mod config;

pub use check::check;
pub use completion::completion;
use config::{NAME, issuer, ours};
pub use config::{config, written_directory};
pub use explain::explain;
use explain::read_token;
pub use resolve::resolve;
