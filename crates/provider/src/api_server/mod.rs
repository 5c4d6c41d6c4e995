//! All network I/O: finds the API server, connects to it with TLS, and reads a
//! namespace's Secrets, in paged lists or by name.
//!
//! `discover` finds the server, `client` sends requests (`failure` says why one failed),
//! `secrets` reads Secrets.

mod address;
mod client;
mod connector;
mod discover;
mod failure;
mod idn;
pub mod kubeconfig;
mod proxy;
mod retry;
mod secrets;
mod tls;
mod wait;

pub use client::{ATTEMPT, Client};
pub use discover::{DiscoverError, Endpoint, EnvFileError, Settings, discover};
pub use failure::{ClientError, Refusal};
pub use kubeconfig::{Kubeconfig, KubeconfigError, KubeconfigProblem, current_namespace};
pub use proxy::{ProxyError, ProxySettings, Through};
pub use secrets::{
    Listed, PageEnd, SECRET_TYPES, SecretDoc, SecretProblem, SecretType, SecretsError,
    UnusableSecret, data_key, for_each_secret, grant, read_named, read_page, read_secret,
    read_shared, secret_type,
};
pub use tls::{CaSource, CertificateProblem, Identity, Refused, TlsError, Trust};
