//! The command line of `explain`.

use std::path::PathBuf;

use clap::Args;

use super::{NodeRoot, Output, parse_annotation, parse_file, parse_input};
use provider::service_account::Namespace;

const EXPLAIN_HELP: &str = "\
Examples:
  # With Secrets as kubectl prints them; needs no cluster, writes nothing:
  kubectl -n team-a get secrets -o yaml |
      crio-credential-provider explain nginx -n team-a --secrets -

  # All images of a Deployment, before it is applied:
  kubectl -n team-a get secrets -o yaml |
      crio-credential-provider explain --pod app.yaml --secrets -

  # What would change if this Secret was applied?
  crio-credential-provider explain nginx -n team-a \\
      --secrets now.yaml --secrets new-secret.yaml

  # For a service account that names its pull Secrets in an annotation:
  kubectl -n team-a get secrets -o yaml |
      crio-credential-provider explain nginx -n team-a --secrets - \\
      --annotation 'credential-provider.crio.io/secrets=mirror'

  # As kubelet would have it for a pod of service account app; on the
  # node, whose API server is found:
  kubectl -n team-a create token app > token
  crio-credential-provider explain nginx -n team-a --token-file token

Exit codes: 0 printed; 1 a failure, told in one line on stderr; 2 wrong usage.";

/// The subcommand `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub struct Explain {
    /// Image names as in a pod.
    #[arg(value_name = "IMAGE", required_unless_present = "pod")]
    pub images: Vec<String>,
    /// File with a pod or what makes pods, such as a Deployment, in YAML or JSON:
    /// explains all its images, in its namespace; - is stdin.
    #[arg(long, value_name = "FILE", value_parser = parse_input())]
    pub pod: Option<PathBuf>,
    /// The pod's namespace. Without it, that of the pod's manifest, of the token, or of
    /// the current context of the kubeconfig, else "default".
    #[arg(short, long, value_parser = Namespace::parse)]
    pub namespace: Option<Namespace>,
    /// Annotation of the pod's service account, as kubelet passes it; repeatable. One of
    /// them may name the Secrets to use.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = parse_annotation)]
    pub annotations: Vec<(String, String)>,
    /// The source of the Secrets.
    #[command(flatten)]
    pub secrets: SecretsFrom,
    /// The directory of the node.
    #[command(flatten)]
    pub root: NodeRoot,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// The source of the Secrets for `explain`: files, or the API server.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SecretsFrom {
    /// File with Secrets as "kubectl get secrets -o yaml" or "-o json" prints them;
    /// repeatable, and - is stdin. Of two with the same name the last one is used.
    #[arg(id = "secret-files", long = "secrets", value_name = "FILE", value_parser = parse_input())]
    pub secrets: Vec<PathBuf>,
    /// File with a token of a service account of the namespace: reads the Secrets from
    /// the API server, as the plugin does.
    #[arg(long, value_name = "FILE", value_parser = parse_file())]
    pub token_file: Option<PathBuf>,
}
