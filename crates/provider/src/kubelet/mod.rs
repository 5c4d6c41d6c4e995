//! The wire types of `credentialprovider.kubelet.k8s.io/v1`, which kubelet and
//! this program speak over stdin and stdout.
//!
//! <https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/>

mod request;
mod response;

pub use kubelet_credential_provider::{API_VERSION, GoDuration, InvalidDuration};
pub use request::{MAX_REQUEST_BYTES, Request, RequestError};
pub use response::Response;
