//! The handle of a running server.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread::{self, JoinHandle},
};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    connection,
    fault::Fault,
    locked,
    record::RecordedRequest,
    secret::Secret,
    shared::Shared,
    state::{ServiceAccount, TokenOptions},
};

/// A running stand-in for the API server. It stops when it is dropped, and
/// with it every connection.
pub struct ApiServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    ca_pem: String,
    listening: Option<JoinHandle<Vec<JoinHandle<()>>>>,
}

impl ApiServer {
    pub(crate) fn listen(
        listener: TcpListener,
        shared: Shared,
        ca_pem: String,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(shared);
        let accepting = Arc::clone(&shared);
        let listening = thread::Builder::new()
            .name(format!("api-server-{}", address.port()))
            .spawn(move || accept(&listener, &accepting))?;
        Ok(Self {
            shared,
            address,
            ca_pem,
            listening: Some(listening),
        })
    }

    /// `https://`, address and path prefix; without a slash at the end.
    pub fn url(&self) -> String {
        format!(
            "https://{}{}",
            self.address, self.shared.behaviour.path_prefix
        )
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CA certificate that clients should trust.
    pub fn ca_pem(&self) -> String {
        self.ca_pem.clone()
    }

    /// A kubeconfig with only the cluster: URL and CA, no user.
    pub fn kubeconfig(&self) -> String {
        let authority = STANDARD.encode(&self.ca_pem);
        let server = self.url();
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - cluster:\n    \
                 certificate-authority-data: {authority}\n    \
                 server: {server}\n  \
               name: test-cluster\n\
             contexts:\n\
             - context:\n    \
                 cluster: test-cluster\n    \
                 user: \"\"\n  \
               name: test-cluster\n\
             current-context: test-cluster\n\
             users: []\n"
        )
    }

    /// Issues a token as kubelet gets it for a pod of that service account.
    pub fn token(&self, namespace: &str, service_account: &str) -> String {
        self.token_with(TokenOptions::new(namespace, service_account))
    }

    /// Issues a token with other claims.
    pub fn token_with(&self, options: TokenOptions) -> String {
        locked(&self.shared.state).tokens.issue(options)
    }

    /// Lets a service account get and list the Secrets of its namespace.
    pub fn grant(&self, namespace: &str, service_account: &str) {
        let account = ServiceAccount::new(namespace, service_account);
        locked(&self.shared.state).grants.grant(account);
    }

    /// Lets a service account get, not list, these Secrets of its namespace.
    pub fn grant_get(&self, namespace: &str, service_account: &str, resource_names: &[&str]) {
        let account = ServiceAccount::new(namespace, service_account);
        locked(&self.shared.state)
            .grants
            .grant_get(account, resource_names);
    }

    /// Lets a service account, given by namespace and name, get a Secret of another
    /// namespace.
    pub fn grant_elsewhere(&self, account: (&str, &str), namespace: &str, name: &str) {
        let account = ServiceAccount::new(account.0, account.1);
        locked(&self.shared.state)
            .grants
            .grant_elsewhere(account, namespace, name);
    }

    /// Lets a service account ask what others may do, with `SubjectAccessReview`.
    pub fn grant_review(&self, namespace: &str, service_account: &str) {
        let account = ServiceAccount::new(namespace, service_account);
        locked(&self.shared.state).grants.grant_review(account);
    }

    /// Lets nodes request tokens of service accounts for that audience.
    pub fn grant_audience(&self, audience: &str) {
        locked(&self.shared.state).grants.grant_audience(audience);
    }

    /// Revokes everything that was granted to a service account.
    pub fn revoke(&self, namespace: &str, service_account: &str) {
        let account = ServiceAccount::new(namespace, service_account);
        locked(&self.shared.state).grants.revoke(&account);
    }

    /// Creates or replaces a Secret.
    pub fn put_secret(&self, namespace: &str, secret: Secret) {
        locked(&self.shared.state).store.put(namespace, secret);
    }

    /// Deletes a Secret, and returns whether there was one.
    pub fn delete_secret(&self, namespace: &str, name: &str) -> bool {
        locked(&self.shared.state).store.delete(namespace, name)
    }

    /// Adds a fault for the next connection or request to which it applies. Faults wait
    /// in a queue; the first that applies happens.
    pub fn fault(&self, fault: impl Into<Fault>) {
        locked(&self.shared.faults).add(fault.into());
    }

    /// Removes the faults that have not happened yet.
    pub fn clear_faults(&self) {
        locked(&self.shared.faults).clear();
    }

    /// The requests since the start, or since they were last cleared.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.journal.requests()
    }

    /// The number of connections since the start, or since the record was
    /// last cleared.
    pub fn connections(&self) -> usize {
        self.shared.journal.connections()
    }

    /// Clears the record of requests and connections.
    pub fn clear_requests(&self) {
        self.shared.journal.clear();
    }
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiServer")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.shared.stop();
        // Wake the listener with a connection.
        let woken = TcpStream::connect(self.address);
        let Some(listening) = self.listening.take().filter(|_| woken.is_ok()) else {
            return;
        };
        // Ignore a panic: its message is already on stderr.
        let connections = listening.join().unwrap_or_default();
        self.shared.hang_up();
        for connection in connections {
            let _ended = connection.join();
        }
    }
}

/// Accepts connections until the server stops; returns the threads that may
/// still run.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for socket in listener.incoming() {
        if shared.is_stopping() {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        // Ignore a client that disconnects before it is accepted.
        if let Ok(thread) = socket.and_then(|socket| spawn(shared, socket)) {
            threads.push(thread);
        }
    }
    threads
}

fn spawn(shared: &Arc<Shared>, socket: TcpStream) -> io::Result<JoinHandle<()>> {
    let peer = socket.peer_addr()?;
    let handle = socket.try_clone()?;
    shared.journal.connection();
    shared.opened(peer, handle);
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name(format!("client-{}", peer.port()))
        .spawn(move || {
            // Ignore an error: the client notices it too.
            let _ended = connection::serve(&shared, socket);
            shared.closed(peer);
        })
}
