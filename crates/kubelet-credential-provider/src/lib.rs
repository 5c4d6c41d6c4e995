#![doc = include_str!("../README.md")]

pub mod provider_config;
mod api_version;
mod duration;
mod request;
mod response;

pub use api_version::{ApiVersion, UnknownApiVersion};
pub use duration::{GoDuration, InvalidDuration};
pub use request::{Request, RequestError};
pub use response::{Auth, CacheKeyType, Response, ResponseError};

/// The newest API version, and the only one with tokens.
pub const API_VERSION: &str = ApiVersion::V1.as_str();
