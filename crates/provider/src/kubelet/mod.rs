//! The messages between kubelet and this program on stdin and stdout,
//! `credentialprovider.kubelet.k8s.io/v1`.
//!
//! <https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/>

mod request;
mod response;

pub use kubelet_credential_provider::{API_VERSION, GoDuration, InvalidDuration};
pub use request::{MAX_REQUEST_BYTES, Request, RequestError};
pub use response::Response;
