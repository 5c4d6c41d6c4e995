//! The wire types of `credentialprovider.kubelet.k8s.io/v1`, which kubelet and
//! this program speak over stdin and stdout.
//!
//! <https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/>

mod duration;
mod request;
mod response;
pub mod provider_config;

pub use duration::{GoDuration, InvalidDuration};
pub use request::{MAX_REQUEST_BYTES, Request, RequestError};
pub use response::Response;

/// The only API version spoken; kubelet before 1.26 knew older ones.
pub const API_VERSION: &str = "credentialprovider.kubelet.k8s.io/v1";
