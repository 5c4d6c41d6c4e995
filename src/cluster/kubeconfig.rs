//! The cluster part of a kubeconfig's current context, and nothing else of it:
//! the node's own identity may read Secrets of other pods, so its user entries
//! are never looked at (SPEC section 4).
//!
//! <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::tls::CaSource;
use crate::credentials::BASE64;
use crate::secret::{ReadError, read_file};

/// The largest kubeconfig that is read: 4 MiB; OpenShift's hold a bundle of CAs.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How to reach a cluster, as a kubeconfig says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    /// The file.
    pub path: PathBuf,
    /// `server`, as it stands there.
    pub server: String,
    /// `certificate-authority-data`, else `certificate-authority`.
    pub ca: Option<CaSource>,
    /// `tls-server-name`.
    pub tls_server_name: Option<String>,
    /// `proxy-url`.
    pub proxy_url: Option<String>,
    /// `insecure-skip-tls-verify: true`, which is not obeyed.
    pub asks_to_skip_verification: bool,
}

/// Why a file is no usable kubeconfig. Never holds a value of it: a kubeconfig
/// may hold keys and passwords.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// The file cannot be read.
    #[error("read kubeconfig {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// Not YAML, or not of the known shape.
    #[error("kubeconfig {path:?} is not YAML of the expected shape{at}")]
    Decode {
        /// The file.
        path: PathBuf,
        /// `, at line N column M`, where known.
        at: String,
    },
    /// Some other object, like OpenShift's KubeletConfiguration.
    #[error("{path:?} is no kubeconfig: its kind is not Config")]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A part that is needed is missing.
    #[error("kubeconfig {path:?} has no {what}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// `certificate-authority-data` is no base64.
    #[error("certificate-authority-data in kubeconfig {path:?} is not base64")]
    CaData {
        /// The file.
        path: PathBuf,
    },
}

impl KubeconfigError {
    /// Whether there is just no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Read { source: ReadError::Io(error), .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default, rename = "current-context")]
    current_context: Option<String>,
    #[serde(default)]
    contexts: Option<Vec<NamedContext>>,
    #[serde(default)]
    clusters: Option<Vec<NamedCluster>>,
    #[serde(default, rename = "users")]
    _users: IgnoredAny,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    #[serde(default)]
    server: Option<String>,
    #[serde(default)]
    certificate_authority: Option<String>,
    #[serde(default)]
    certificate_authority_data: Option<String>,
    #[serde(default)]
    tls_server_name: Option<String>,
    #[serde(default)]
    proxy_url: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: Option<bool>,
}

impl Kubeconfig {
    /// Reads a kubeconfig.
    ///
    /// # Errors
    /// [`KubeconfigError`] where it cannot be read, or names no server.
    pub fn read(path: &Path) -> Result<Self, KubeconfigError> {
        let read = |source| KubeconfigError::Read {
            path: path.to_owned(),
            source,
        };
        let text = read_file(path, MAX_BYTES).map_err(read)?;
        Self::parse(path, &text)
    }

    /// Decodes the text of a kubeconfig; `path` is for messages and for the paths
    /// in it that are relative.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, KubeconfigError> {
        let path = path.to_owned();
        let Ok(text) = str::from_utf8(text) else {
            let at = String::new();
            return Err(KubeconfigError::Decode { path, at });
        };
        let wire: Wire = match serde_saphyr::from_str(text) {
            Ok(wire) => wire,
            // A KubeletConfiguration has fields of our names with other types.
            Err(_) if !says_kind_config(text) => return Err(KubeconfigError::Kind { path }),
            Err(error) => {
                let at = error.location().map_or_else(String::new, |at| {
                    format!(", at line {} column {}", at.line(), at.column())
                });
                return Err(KubeconfigError::Decode { path, at });
            }
        };
        if wire.kind.as_deref() != Some("Config") {
            return Err(KubeconfigError::Kind { path });
        }
        let missing = |what| KubeconfigError::Missing {
            path: path.clone(),
            what,
        };
        let current = wire
            .current_context
            .filter(|name| !name.is_empty())
            .ok_or_else(|| missing("current-context"))?;
        let context = wire
            .contexts
            .into_iter()
            .flatten()
            .find(|context| context.name == current)
            .ok_or_else(|| missing("context of the name in current-context"))?;
        let cluster = wire
            .clusters
            .into_iter()
            .flatten()
            .find(|cluster| cluster.name == context.context.cluster)
            .ok_or_else(|| missing("cluster of the name in its current context"))?
            .cluster;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let server =
            given(cluster.server).ok_or_else(|| missing("server in its current cluster"))?;
        let ca = match given(cluster.certificate_authority_data) {
            Some(data) => {
                let compact: Vec<u8> = data
                    .bytes()
                    .filter(|byte| !byte.is_ascii_whitespace())
                    .collect();
                let pem = BASE64
                    .decode(compact)
                    .map_err(|_position| KubeconfigError::CaData { path: path.clone() })?;
                Some(CaSource::Inline(path.clone(), pem))
            }
            // A relative path is relative to the kubeconfig, as in client-go.
            None => given(cluster.certificate_authority)
                .map(|file| CaSource::File(path.parent().unwrap_or(&path).join(file))),
        };
        Ok(Self {
            server,
            ca,
            tls_server_name: given(cluster.tls_server_name),
            proxy_url: given(cluster.proxy_url),
            asks_to_skip_verification: cluster.insecure_skip_tls_verify.unwrap_or_default(),
            path,
        })
    }
}

fn says_kind_config(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(default)]
        kind: Option<String>,
    }
    // Where not even this can be read, the decode error is the better message.
    serde_saphyr::from_str(text).map_or(true, |found: Kind| found.kind.as_deref() == Some("Config"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r"
apiVersion: v1
kind: Config
current-context: here
preferences: {}
contexts:
- name: other
  context: {cluster: b, user: u}
- name: here
  context: {cluster: a, user: u, namespace: x}
clusters:
- name: b
  cluster: {server: https://b}
- name: a
  cluster:
    server: https://[2001:db8::1]:6443/k8s/clusters/c-1
    certificate-authority-data: UEVN
    tls-server-name: api.internal
    proxy-url: http://proxy:3128
    insecure-skip-tls-verify: true
    extensions: [{name: x, extension: {a: 1}}]
users:
- name: u
  user: {token: hunter2, client-key-data: [hunter2]}
";

    fn parse(text: &str) -> Result<Kubeconfig, KubeconfigError> {
        Kubeconfig::parse(Path::new("/etc/kubernetes/kubelet.conf"), text.as_bytes())
    }

    #[test]
    fn the_cluster_of_the_current_context_is_read() {
        let path = PathBuf::from("/etc/kubernetes/kubelet.conf");
        let expected = Kubeconfig {
            server: "https://[2001:db8::1]:6443/k8s/clusters/c-1".to_owned(),
            ca: Some(CaSource::Inline(path.clone(), b"PEM".to_vec())),
            tls_server_name: Some("api.internal".to_owned()),
            proxy_url: Some("http://proxy:3128".to_owned()),
            asks_to_skip_verification: true,
            path,
        };
        assert_eq!(parse(GOOD).unwrap(), expected);
    }

    #[test]
    fn a_ca_file_is_relative_to_the_kubeconfig() {
        for (given, expected) in [
            ("pki/ca.crt", "/etc/kubernetes/pki/ca.crt"),
            ("/pki/ca.crt", "/pki/ca.crt"),
        ] {
            let text = GOOD.replace(
                "certificate-authority-data: UEVN",
                &format!("certificate-authority: {given}"),
            );
            let ca = parse(&text).unwrap().ca;
            assert_eq!(ca, Some(CaSource::File(PathBuf::from(expected))));
        }
    }

    #[test]
    fn what_is_no_kubeconfig_says_why_and_quotes_nothing() {
        let kubelet_configuration =
            "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\nclusters: 5\n";
        for (name, text, said) in [
            ("empty", "", "not of"),
            ("text", "hello", "not YAML"),
            (
                "kubelet configuration",
                kubelet_configuration,
                "its kind is not Config",
            ),
            ("no kind", "a: b", "its kind is not Config"),
            ("list", "- hunter2", "not YAML"),
            (
                "wrong type",
                &GOOD.replace("server: https://[", "server: [hunter2, "),
                "not YAML",
            ),
            (
                "context",
                &GOOD.replace("current-context: here", "current-context: gone"),
                "has no context",
            ),
            (
                "cluster",
                &GOOD.replace("- name: a\n", "- name: z\n"),
                "has no cluster",
            ),
            (
                "server",
                &GOOD.replace(
                    "server: https://[2001:db8::1]:6443/k8s/clusters/c-1",
                    "server: ''",
                ),
                "has no server",
            ),
            ("data", &GOOD.replace("UEVN", "'*'"), "not base64"),
        ] {
            let error = parse(text).unwrap_err();
            let line = format!("{:#}", anyhow::Error::new(error));
            assert!(name == "empty" || line.contains(said), "{name}: {line}");
            assert!(
                !line.contains("hunter2") && !line.contains('\n'),
                "{name}: {line}"
            );
        }
    }
}
