//! kubelet's `CredentialProviderConfig` (`kubelet.config.k8s.io`): the programs that
//! kubelet runs, and the images for which it runs them. It is the file that
//! `--image-credential-provider-config` names, or, since Kubernetes 1.34, a directory of
//! such files.
//!
//! kubelet does not start with a file that it cannot read or does not accept, so
//! [`parse()`] lists every problem with its line. It agrees with
//! `pkg/credentialprovider/plugin/config.go` of Kubernetes 1.36 and the strict decoding
//! before it: unknown and repeated fields are refused.
//!
//! - [`load()`] reads the file or directory that the flag names, [`parse()`] one text.
//!   Both return typed values and [`Problem`]s.
//! - [`CredentialProviderConfig::validate`] makes the checks that kubelet makes after
//!   decoding.
//! - [`match_image()`] and [`CredentialProvider::is_for`] return whether kubelet would
//!   run a provider for an image, [`CredentialProvider::covers`] whether for every image
//!   of a pattern.
//! - [`Document::root`] has the values with their positions in the text, for editors.
//!
//! <https://kubernetes.io/docs/reference/config-api/kubelet-config.v1/>

mod load;
mod decode;
mod provider;
mod validate;
mod match_image;
mod intersect;
mod json;

pub use load::{Document, File, LoadError, MAX_BYTES, ParseError, load, parse, read};
pub use match_image::{MatchImage, match_image};
pub use provider::{
    CredentialProvider, CredentialProviderConfig, EnvVar, Problem, TokenAttributes,
};

/// The group and version that is written; kubelet also reads `v1beta1` and `v1alpha1`.
pub const API_VERSION: &str = "kubelet.config.k8s.io/v1";
/// The kind of the file.
pub const KIND: &str = "CredentialProviderConfig";
/// The versions of the file that kubelet reads.
const API_VERSIONS: [&str; 3] = [
    API_VERSION,
    "kubelet.config.k8s.io/v1beta1",
    "kubelet.config.k8s.io/v1alpha1",
];
