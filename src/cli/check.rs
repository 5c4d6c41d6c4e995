//! The command line of `check`.

use std::path::PathBuf;

use clap::Args;

use super::{CheckName, NodeRoot, Output, parse_annotation, parse_file};
use provider::service_account::Namespace;

const CHECK_HELP: &str = "\
Each check is PASS, WARN or FAIL, with what to do. Flags and environment of the provider's entry in kubelet's \
configuration are used, unless they are given here. What cannot be seen is a WARN: run it as root.

Examples:
  # Will pulls work on this node, and if not, why?
  crio-credential-provider check

  # What keeps it from working, as JSON:
  crio-credential-provider check -o json |
      jq '.checks[] | select(.status != \"PASS\")'

  # In a script: problems alone, warnings fail it, CRI-O is left out:
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
    /// Where the node is.
    #[command(flatten)]
    pub root: NodeRoot,
    /// kubelet's --image-credential-provider-config, where its command line cannot be
    /// seen.
    #[arg(long, value_name = "FILE")]
    pub kubelet_provider_config: Option<PathBuf>,
    /// kubelet's --image-credential-provider-bin-dir, where its command line cannot be
    /// seen.
    #[arg(long, value_name = "DIR")]
    pub kubelet_bin_dir: Option<PathBuf>,
    /// Namespace whose Secrets a service account is to read.
    #[arg(short, long, value_parser = Namespace::parse)]
    pub namespace: Option<Namespace>,
    /// The service account whose rights are checked.
    #[arg(long, value_name = "NAME", requires = "namespace")]
    pub service_account: Option<String>,
    /// Annotation of the service account; repeatable. One of them may name the Secrets
    /// that it is to read: then it must be allowed to get these, and list none.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = parse_annotation)]
    pub annotations: Vec<(String, String)>,
    /// File with a token of the service account: asks the API server what it may do.
    #[arg(long, value_name = "FILE", value_parser = parse_file(), conflicts_with = "kubeconfig_for_review")]
    pub token_file: Option<PathBuf>,
    /// kubeconfig of somebody who may ask what others may do, such as an
    /// administrator: its user, a token or a client certificate, is used for nothing
    /// else.
    #[arg(long, value_name = "FILE", value_parser = parse_file(), requires = "service_account")]
    pub kubeconfig_for_review: Option<PathBuf>,
    /// Check to leave out, with those that need it; repeatable. docs/checks.md has all
    /// names.
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    pub skip: Vec<CheckName>,
    /// Exit with 1 for a WARN, too.
    #[arg(long)]
    pub strict: bool,
    /// Print problems alone.
    #[arg(short, long)]
    pub quiet: bool,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}
