//! A cluster with one namespace, one service account that may list Secrets
//! there, and the token of its pod.

use serde_json::json;
use test_cluster::{ApiServer, Builder, Error, Secret};

use super::base64;
use super::needs::report_skipped;

/// The pod's namespace.
pub(crate) const NAMESPACE: &str = "team-a";
/// The pod's service account.
pub(crate) const ACCOUNT: &str = "builder";

/// An API server and the token that kubelet got for a pod.
pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    pub(crate) token: String,
}

impl Cluster {
    /// A cluster without any Secret.
    pub(crate) fn new() -> Self {
        Self::of(ApiServer::builder())
    }

    /// A cluster with a server from this builder.
    pub(crate) fn of(builder: Builder) -> Self {
        Self::on(builder.start())
    }

    fn on(server: ApiServer) -> Self {
        server.grant(NAMESPACE, ACCOUNT);
        let token = server.token(NAMESPACE, ACCOUNT);
        Self { server, token }
    }

    /// A cluster with these Secrets in the pod's namespace.
    pub(crate) fn with(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let cluster = Self::new();
        for secret in secrets {
            cluster.put(secret);
        }
        cluster
    }

    /// A cluster with the login `user:hunter2` for the mirror of
    /// [`Node::with_mirror`](super::Node::with_mirror).
    pub(crate) fn with_login() -> Self {
        Self::with([login("pull", "mirror.example", "user:hunter2")])
    }

    /// The same, with a server that listens on `::1`; `None` on a machine without IPv6.
    pub(crate) fn with_login_on_ipv6() -> Option<Self> {
        let server = match ApiServer::builder().ipv6().try_start() {
            Ok(server) => server,
            Err(error @ Error::Listen { .. }) => {
                report_skipped(&format!("{error:?}"));
                return None;
            }
            Err(error) => panic!("the server does not start: {error:?}"),
        };
        let cluster = Self::on(server);
        cluster.put(login("pull", "mirror.example", "user:hunter2"));
        Some(cluster)
    }

    /// Puts a Secret into the pod's namespace.
    pub(crate) fn put(&self, secret: Secret) {
        self.server.put_secret(NAMESPACE, secret);
    }

    /// The port of the server.
    pub(crate) fn port(&self) -> u16 {
        self.server.address().port()
    }
}

/// A Secret as `kubectl create secret docker-registry` makes it, with one login
/// `user:password`.
pub(crate) fn login(name: &str, key: &str, login: &str) -> Secret {
    Secret::docker_config_json(name, &docker_config(&[(key, login)]))
}

/// A docker config with logins, `user:password`, under these keys.
pub(crate) fn docker_config(logins: &[(&str, &str)]) -> String {
    let auths: serde_json::Map<_, _> = logins
        .iter()
        .map(|&(key, login)| (key.to_owned(), json!({"auth": base64(login)})))
        .collect();
    json!({"auths": auths}).to_string()
}
