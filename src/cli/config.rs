//! The command line of `config`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use containers_auth::UrlError;
use kubelet_credential_provider::provider_config::MatchImage;

use super::parse_file;

const CONFIG_HELP: &str = "\
matchImages has every registry that may be pulled from elsewhere: with mirrors, or with a location \
other than its prefix, unless all of that is blocked. A \"*\" of registries.conf stands for up to 4 labels \
here. Registries without a port match images without one: add others by hand, they are kept.

kubelet reads the file when it starts. Flags of the plugin that are given here go into the entry's args: \
the plugin runs with them.

Examples:
  # What kubelet's file would be, and what would be added to one there is:
  crio-credential-provider config
  crio-credential-provider config \\
      --merge /etc/kubernetes/credential-providers.yaml |
      diff /etc/kubernetes/credential-providers.yaml -

  # Add it, or create the file:
  crio-credential-provider config \\
      --write /etc/kubernetes/credential-providers.yaml

  # On OpenShift, whose operator writes the file:
  crio-credential-provider config -o openshift | oc apply -f -

Exit codes: 0 printed, written, or nothing to write; 1 a failure, or a file that kubelet would refuse, \
with one line for each reason; 2 wrong usage.";

/// The subcommand `config`.
#[derive(Debug, Args)]
#[command(after_help = CONFIG_HELP)]
pub struct ProviderConfig {
    /// Add to this file what is missing in it, and print the result. Everything else
    /// stays unchanged, comments included.
    #[arg(long, value_name = "FILE", value_parser = parse_file(), conflicts_with_all = ["output", "write"])]
    pub merge: Option<PathBuf>,
    /// The same, but write the result to FILE; the old content is kept as FILE.bak. A
    /// missing FILE is created.
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    pub write: Option<PathBuf>,
    /// Audience of the tokens that the provider gets. By default that of the entry in
    /// FILE, else the issuer that the API server returns without a login.
    #[arg(long, value_name = "AUDIENCE", value_parser = NonEmptyStringValueParser::new())]
    pub audience: Option<String>,
    /// Pattern of images to serve in addition to those of registries.conf, as for
    /// --unmirrored; repeatable.
    #[arg(long = "match-image", value_name = "PATTERN", value_parser = parse_pattern)]
    pub match_images: Vec<String>,
    /// Give the plugin this environment's proxy: `HTTPS_PROXY` and `NO_PROXY` are written
    /// into the entry's env. The plugin inherits those of kubelet in any case.
    #[arg(long)]
    pub with_proxy: bool,
    /// What to print.
    #[arg(short, long, value_enum, default_value_t = ConfigOutput::Yaml)]
    pub output: ConfigOutput,
}

/// Parses a pattern that kubelet accepts in matchImages.
fn parse_pattern(pattern: &str) -> Result<String, UrlError> {
    MatchImage::parse(pattern).map(|_| pattern.to_owned())
}

/// What `config` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigOutput {
    /// kubelet's file as YAML.
    Yaml,
    /// kubelet's file as JSON.
    Json,
    /// OpenShift's `CRIOCredentialProviderConfig`, from which it writes kubelet's file.
    Openshift,
    /// The same in the preview version of OpenShift 4.21.
    OpenshiftV1alpha1,
}
