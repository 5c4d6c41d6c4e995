//! The command line of `check`.

use std::path::PathBuf;

use clap::Args;

use super::{CheckName, NodeRoot, Output, parse_annotation, parse_file};
use provider::service_account::Namespace;

const CHECK_HELP: &str = "\
Each check is PASS, WARN or FAIL, with a remedy. Flags and environment of the provider's entry in kubelet's \
configuration are used, unless they are given here. What cannot be seen is a WARN: run it as root.

Examples:
  # Will pulls work on this node, and if not, why?
  crio-credential-provider check

  # What keeps it from working, as JSON:
  crio-credential-provider check -o json |
      jq '.checks[] | select(.status != \"PASS\")'

  # In a script: only problems, warnings fail, without CRI-O:
  crio-credential-provider check --quiet --strict --skip crio

  # A node whose files are below another directory, as in a debug pod:
  crio-credential-provider check --root /host

  # May the pods of service account app read their Secrets? With a token
  # of theirs, or as an administrator:
  kubectl -n team-a create token app > token
  crio-credential-provider check --token-file token
  crio-credential-provider check -n team-a --service-account app \\
      --kubeconfig-for-review /etc/kubernetes/admin.conf

Exit codes: 0 no FAIL; 1 a FAIL, with --strict also a WARN, or nothing could be printed; 2 wrong usage.";

/// The subcommand `check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub struct Check {
    /// The directory of the node.
    #[command(flatten)]
    pub root: NodeRoot,
    /// Namespace whose Secrets a service account must be able to read.
    #[arg(short, long, value_parser = Namespace::parse)]
    pub namespace: Option<Namespace>,
    /// The service account whose rights are checked.
    #[arg(long, value_name = "NAME", requires = "namespace")]
    pub service_account: Option<String>,
    /// Annotation of the service account; repeatable. One of them may name the Secrets
    /// that it reads: then it needs the right to get these, and not to list all.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = parse_annotation)]
    pub annotations: Vec<(String, String)>,
    /// File with a token of the service account, with which the API server is asked for
    /// its rights.
    #[arg(long, value_name = "FILE", value_parser = parse_file())]
    pub token_file: Option<PathBuf>,
    /// kubeconfig of a user who may review the rights of others, such as an
    /// administrator. The user's token or client certificate is used for nothing else.
    #[arg(long, value_name = "FILE", value_parser = parse_file(), requires = "service_account")]
    pub kubeconfig_for_review: Option<PathBuf>,
    /// Check to leave out, with those that depend on it; repeatable. The
    /// names are those in the output.
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    pub skip: Vec<CheckName>,
    /// Exit with 1 also for a WARN.
    #[arg(long)]
    pub strict: bool,
    /// Print only problems.
    #[arg(short, long)]
    pub quiet: bool,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}
