//! All network I/O: finds the API server, connects to it with TLS, and reads a
//! namespace's Secrets, in paged lists or by name.
//!
//! `discover` finds the server, `client` sends requests, `secrets` reads Secrets;
//! `review` and `user` are only for `check`.

mod address;
mod client;
mod connector;
mod discover;
mod kubeconfig;
mod proxy;
mod retry;
mod review;
mod secrets;
mod tls;
mod user;

pub use client::{ATTEMPT, Client, ClientError, Refusal};
pub use discover::{DiscoverError, Endpoint, EnvFileError, Settings, discover};
pub use kubeconfig::{Kubeconfig, KubeconfigError, KubeconfigProblem, current_namespace};
pub use proxy::{ProxyError, ProxySettings, Through};
pub use review::{Access, REQUEST_AUDIENCE, ReviewError, may_account, may_i, may_node_request};
pub use secrets::{
    Listed, PageEnd, SECRET_TYPES, SecretDoc, SecretProblem, SecretType, SecretsError,
    UnusableSecret, data_key, for_each_secret, grant, read_named, read_page, read_secret,
    read_shared, secret_type,
};
pub use tls::{CaSource, CertificateProblem, Refused, TlsError, Trust};
pub use user::{User, UserError};
