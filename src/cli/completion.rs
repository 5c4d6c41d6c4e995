//! The command line of `completion`.

use clap::{Args, ValueEnum};

const COMPLETION_HELP: &str = "\
The packages, and \"make install\", install the scripts for all three shells.

Examples:
  # For this shell:
  source <(crio-credential-provider completion bash)

  # For every shell that is started from now on:
  crio-credential-provider completion fish > \\
      ~/.config/fish/completions/crio-credential-provider.fish

Exit codes: 0 printed; 1 nothing could be printed; 2 wrong usage.";

/// The subcommand `completion`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETION_HELP)]
pub struct Completion {
    /// The shell for which the script is printed.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// A shell with completion scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash, from 4.4 on.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}
