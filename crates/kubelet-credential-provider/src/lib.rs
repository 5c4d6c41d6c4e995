#![doc = include_str!("../README.md")]

pub mod provider_config;
mod duration;
mod malformed;
mod request;
mod response;

pub use duration::{GoDuration, InvalidDuration};
pub use malformed::Malformed;
pub use request::{Request, RequestError};
pub use response::{Auth, CacheKeyType, Response, ResponseError};

/// The only API version that is supported; kubelet before 1.26 used older ones.
pub const API_VERSION: &str = "credentialprovider.kubelet.k8s.io/v1";
