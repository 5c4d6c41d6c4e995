//! The command line of `resolve`.

use clap::Args;

use super::{NodeRoot, Output};

const RESOLVE_HELP: &str = "\
Examples:
  # Where may CRI-O pull these from, and which rule of which file says so?
  crio-credential-provider resolve nginx quay.io/org/app:1.2

  # The same for a registries.conf that is not in place yet:
  crio-credential-provider resolve nginx \\
      --registries-conf new.conf --registries-conf-dir /nowhere

  # For a node whose files are below another directory, as in a debug pod:
  crio-credential-provider resolve --root /host nginx

  # Only the names, in the order in which CRI-O tries them:
  crio-credential-provider resolve -o json nginx |
      jq -r '.images[].sources[].name'

Exit codes: 0 printed; 1 a failure, told in one line on stderr; 2 wrong usage.";

/// The subcommand `resolve`.
#[derive(Debug, Args)]
#[command(after_help = RESOLVE_HELP)]
pub struct Resolve {
    /// Image names as in a pod.
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
    /// The directory of the node.
    #[command(flatten)]
    pub root: NodeRoot,
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}
