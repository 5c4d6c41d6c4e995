//! The cluster part of a kubeconfig's current context, read as client-go reads it.
//!
//! Users are not read here: the node's own identity may read Secrets of other pods.
//! Contexts and clusters that are not used may have any content.
//!
//! <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>

mod namespace;

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use kubernetes_yaml::{Node, SyntaxError, Value};
use secret::{DecodeError, ReadError, Wiped, read_file};

use super::tls::CaSource;
use crate::yaml::decode_error;

pub use namespace::current_namespace;

/// The largest kubeconfig that is read: 4 MiB; OpenShift's contain a bundle of CAs.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Go's `base64.StdEncoding`, which accepts a last character with unused bits set.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// The address of a cluster in a kubeconfig, and how to verify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    /// The file.
    pub path: PathBuf,
    /// `server`, unchanged.
    pub server: String,
    /// `certificate-authority-data` or `certificate-authority`.
    pub ca: Option<CaSource>,
    /// `tls-server-name`.
    pub tls_server_name: Option<String>,
    /// `proxy-url`.
    pub proxy_url: Option<String>,
    /// `insecure-skip-tls-verify: true`, which is ignored.
    pub asks_to_skip_verification: bool,
}

/// Why a file is not a usable kubeconfig. Never contains a value of it, which may be a
/// key or a password.
#[derive(Debug, thiserror::Error)]
#[error("kubeconfig {path:?}")]
pub struct KubeconfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: KubeconfigProblem,
}

/// What is wrong with a kubeconfig.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigProblem {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The text is in neither of YAML's encodings.
    #[error("it is neither UTF-8 nor UTF-16 with a byte order mark")]
    Encoding,
    /// The text is not YAML, or its first document is not a map.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Another kind of object, such as OpenShift's `KubeletConfiguration`.
    #[error("its kind is not Config, or its apiVersion is not v1")]
    Kind,
    /// A required part is missing.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// The name that is used is defined twice.
    #[error("it has more than one {0}")]
    Ambiguous(&'static str),
    /// A field has another type.
    #[error("its {field} is not {expected}")]
    Type {
        /// The field.
        field: &'static str,
        /// The type that it should have.
        expected: &'static str,
    },
    /// `certificate-authority-data` is not base64.
    #[error("its certificate-authority-data is not base64")]
    CaData,
    /// The CA is given twice.
    #[error(
        "its current cluster has both certificate-authority and certificate-authority-data: remove one"
    )]
    TwoCas,
}

impl KubeconfigError {
    /// Whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(&self.problem, KubeconfigProblem::Read(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl Kubeconfig {
    /// Reads a kubeconfig.
    ///
    /// # Errors
    /// [`KubeconfigError`] if it cannot be read, or has no server.
    pub fn read(path: &Path) -> Result<Self, KubeconfigError> {
        let document = Document::read(path)?;
        Self::of(&document, path).map_err(|problem| error(path, problem))
    }

    /// Parses the text of a kubeconfig in the file `path`.
    ///
    /// # Errors
    /// As [`Kubeconfig::read`].
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, KubeconfigError> {
        let document = Document::parse(text);
        let kubeconfig = document.and_then(|document| Self::of(&document, path));
        kubeconfig.map_err(|problem| error(path, problem))
    }

    fn of(document: &Document, path: &Path) -> Result<Self, KubeconfigProblem> {
        let context = document.current_context()?;
        let name = text(context, "cluster")?.unwrap_or_default();
        let cluster = CLUSTERS.find(document, name)?;
        let server = text(cluster, "server")?;
        let data = text(cluster, "certificate-authority-data")?;
        let file = text(cluster, "certificate-authority")?;
        let owned = |field| text(cluster, field).map(|text| text.map(str::to_owned));
        Ok(Self {
            path: path.to_owned(),
            server: server
                .ok_or(KubeconfigProblem::Missing("server in its current cluster"))?
                .to_owned(),
            ca: match (data, file) {
                (Some(_), Some(_)) => return Err(KubeconfigProblem::TwoCas),
                (Some(data), None) => {
                    let pem = base64(data.as_bytes()).ok_or(KubeconfigProblem::CaData)?;
                    Some(CaSource::Inline(path.to_owned(), pem.to_vec()))
                }
                // A relative path is relative to the kubeconfig, as in client-go.
                (None, Some(file)) => {
                    Some(CaSource::File(path.parent().unwrap_or(path).join(file)))
                }
                (None, None) => None,
            },
            tls_server_name: owned("tls-server-name")?,
            proxy_url: owned("proxy-url")?,
            asks_to_skip_verification: flag(cluster, "insecure-skip-tls-verify")?,
        })
    }
}

/// The first document of a kubeconfig; client-go ignores the others.
#[derive(Debug)]
pub struct Document(Option<Node>);

impl Document {
    /// Reads a file that is a kubeconfig by its kind.
    ///
    /// # Errors
    /// [`KubeconfigError`].
    pub fn read(path: &Path) -> Result<Self, KubeconfigError> {
        let read = read_file(path, MAX_BYTES).map_err(KubeconfigProblem::from);
        read.and_then(|text| Self::parse(&text))
            .map_err(|problem| error(path, problem))
    }

    fn parse(text: &[u8]) -> Result<Self, KubeconfigProblem> {
        let mut decoded = Wiped::default();
        let text =
            kubernetes_yaml::decode(text, &mut decoded).ok_or(KubeconfigProblem::Encoding)?;
        let broken = |error| KubeconfigProblem::Decode(decode_error(&error));
        let root = kubernetes_yaml::parse(text).map_err(broken)?;
        let document = Self(root);
        match document.0.as_ref().map(|root| (&root.value, &root.span)) {
            None | Some((Value::Mapping(_) | Value::Null, _)) => {}
            Some((_, span)) => {
                return Err(broken(SyntaxError::at("not an object", text, span.start)));
            }
        }
        let is = |field, expected| match document.field(field).map(|node| &node.value) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.is_empty() || text.as_str() == expected,
            Some(_) => false,
        };
        if is("kind", "Config") && is("apiVersion", "v1") {
            Ok(document)
        } else {
            Err(KubeconfigProblem::Kind)
        }
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Node> {
        self.0.as_ref()?.last(name)
    }

    /// The context that `current-context` names.
    ///
    /// # Errors
    /// [`KubeconfigProblem`] where there is not exactly one.
    pub fn current_context(&self) -> Result<Option<&Node>, KubeconfigProblem> {
        let name = self.context_name()?;
        let name = name.ok_or(KubeconfigProblem::Missing("current-context"))?;
        CONTEXTS.find(self, name)
    }

    /// The value of `current-context`; `None` if it is missing or empty.
    fn context_name(&self) -> Result<Option<&str>, KubeconfigProblem> {
        text(self.0.as_ref(), "current-context")
    }
}

/// A list of named entries.
struct List {
    field: &'static str,
    entry: &'static str,
    what: &'static str,
}

const CONTEXTS: List = List {
    field: "contexts",
    entry: "context",
    what: "context of the name in its current-context",
};
const CLUSTERS: List = List {
    field: "clusters",
    entry: "cluster",
    what: "cluster of the name in its current context",
};

impl List {
    /// The entry of that name.
    fn find<'a>(
        &self,
        document: &'a Document,
        name: &str,
    ) -> Result<Option<&'a Node>, KubeconfigProblem> {
        let entries = match document.field(self.field).map(|list| &list.value) {
            Some(Value::Sequence(entries)) => entries.as_slice(),
            None | Some(Value::Null) => &[],
            Some(_) => {
                return Err(KubeconfigProblem::Type {
                    field: self.field,
                    expected: "a list",
                });
            }
        };
        // For Go a missing name is the empty one.
        let is_named = |entry: &&Node| match entry.last("name").map(|given| &given.value) {
            None | Some(Value::Null) => name.is_empty(),
            Some(Value::String(given)) => given.as_str() == name,
            Some(_) => false,
        };
        let mut found = entries.iter().filter(is_named);
        let entry = found.next().ok_or(KubeconfigProblem::Missing(self.what))?;
        if found.next().is_some() {
            return Err(KubeconfigProblem::Ambiguous(self.what));
        }
        Ok(entry.last(self.entry))
    }
}

/// A field of text; `None` where it is missing or empty.
///
/// # Errors
/// [`KubeconfigProblem::Type`].
pub fn text<'a>(
    object: Option<&'a Node>,
    field: &'static str,
) -> Result<Option<&'a str>, KubeconfigProblem> {
    match object
        .and_then(|object| object.last(field))
        .map(|node| &node.value)
    {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(KubeconfigProblem::Type {
            field,
            expected: "a string",
        }),
    }
}

fn flag(object: Option<&Node>, field: &'static str) -> Result<bool, KubeconfigProblem> {
    match object
        .and_then(|object| object.last(field))
        .map(|node| &node.value)
    {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(KubeconfigProblem::Type {
            field,
            expected: "true or false",
        }),
    }
}

/// Decodes the base64 of a `-data` field; line breaks are skipped, as in Go.
pub fn base64(text: &[u8]) -> Option<Wiped<Vec<u8>>> {
    let text = text.iter().copied();
    let text = text.filter(|byte| !matches!(byte, b'\r' | b'\n'));
    let text = Wiped::new(text.collect::<Vec<_>>());
    BASE64.decode(text.as_slice()).map(Wiped::new).ok()
}

/// A problem of the file `path`.
pub fn error(path: &Path, problem: KubeconfigProblem) -> KubeconfigError {
    let path = path.to_owned();
    KubeconfigError { path, problem }
}

#[cfg(test)]
mod tests;
