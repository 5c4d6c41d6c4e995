//! `--root`, for subcommands that read a node's files.

use std::path::{Path, PathBuf};

use clap::Args;

/// The directory that the node sees as `/`.
#[derive(Debug, Args)]
pub struct NodeRoot {
    /// Directory that the node sees as /: every path of the node is looked up below it,
    /// also those in the node's files and links.
    #[arg(long = "root", value_name = "DIR", default_value = "/", value_parser = parse_directory)]
    pub directory: PathBuf,
}

/// Parses the path of an existing directory into an absolute one without links.
fn parse_directory(path: &str) -> Result<PathBuf, String> {
    let directory = Path::new(path).canonicalize();
    let directory = directory.map_err(|error| error.to_string())?;
    if directory.is_dir() {
        Ok(directory)
    } else {
        Err("is not a directory".to_owned())
    }
}
