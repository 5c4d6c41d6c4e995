//! The options of a server.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::Arc,
};

use rustls::{ServerConfig, SupportedProtocolVersion, crypto::ring, version};
use thiserror::Error;

use crate::{
    api::Behaviour,
    certificate::{CertificateKind, Identity},
    record::Journal,
    server::ApiServer,
    shared::Shared,
};

/// The versions of TLS that a server supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// Only 1.2.
    Only12,
    /// Only 1.3.
    Only13,
}

/// Options of a server to be started.
#[derive(Debug)]
pub struct Builder {
    listen: SocketAddr,
    certificate: CertificateKind,
    tls: TlsVersion,
    behaviour: Behaviour,
    log: Option<File>,
}

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum Error {
    /// The address is in use, or not one of this machine.
    #[error("listen on {address}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The operating system's error.
        source: io::Error,
    },
    /// The certificates could not be made.
    #[error("issue the server's certificate")]
    Certificate(#[source] rcgen::Error),
    /// The TLS library refuses the certificate or the versions.
    #[error("configure TLS")]
    Tls(#[source] rustls::Error),
}

impl ApiServer {
    /// Starts an empty server on a free port of `127.0.0.1`.
    ///
    /// # Panics
    /// If it does not start: a test without its server has no result.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// The options for a server that is not the default one.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Listens there instead of on a free port of `127.0.0.1`.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Listens on a free port of `::1`.
    #[must_use]
    pub fn ipv6(self) -> Self {
        self.listen(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)))
    }

    /// Presents a certificate of that kind.
    #[must_use]
    pub fn certificate(mut self, kind: CertificateKind) -> Self {
        self.certificate = kind;
        self
    }

    /// Supports these versions of TLS.
    #[must_use]
    pub fn tls(mut self, version: TlsVersion) -> Self {
        self.tls = version;
        self
    }

    /// Serves everything under that path, as Rancher's proxy does:
    /// `/k8s/clusters/c-1`. Other paths are not found.
    #[must_use]
    pub fn path_prefix(mut self, prefix: &str) -> Self {
        prefix
            .trim_end_matches('/')
            .clone_into(&mut self.behaviour.path_prefix);
        self
    }

    /// Limits a page to `objects`, even if the client asks for more.
    #[must_use]
    pub fn max_page(mut self, objects: usize) -> Self {
        self.behaviour.max_page = Some(objects.max(1));
        self
    }

    /// Counts objects that the field selector drops towards a page, so that a page may be
    /// short or empty and still have a `continue`. The API allows it; the recorded server
    /// fills its pages.
    #[must_use]
    pub fn sparse_pages(mut self, sparse: bool) -> Self {
        self.behaviour.sparse_pages = sparse;
        self
    }

    /// Appends a line per request, `METHOD path?query -> status`, to a file.
    #[must_use]
    pub fn log(mut self, file: File) -> Self {
        self.log = Some(file);
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    /// If it does not start: a test without its server has no result.
    #[expect(clippy::panic, reason = "a test cannot continue without its server")]
    pub fn start(self) -> ApiServer {
        match self.try_start() {
            Ok(server) => server,
            Err(error) => panic!("the test cluster does not start: {error:?}"),
        }
    }

    /// Starts the server.
    ///
    /// # Errors
    /// The address cannot be listened on, or TLS cannot be set up.
    pub fn try_start(self) -> Result<ApiServer, Error> {
        let address = self.listen;
        let identity = Identity::issue(self.certificate).map_err(Error::Certificate)?;
        let ca_pem = identity.ca_pem.clone();
        let tls = tls_config(identity, self.tls).map_err(Error::Tls)?;
        let shared = Shared::new(self.behaviour, tls, Journal::new(self.log));
        TcpListener::bind(address)
            .and_then(|listener| ApiServer::listen(listener, shared, ca_pem))
            .map_err(|source| Error::Listen { address, source })
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            certificate: CertificateKind::default(),
            tls: TlsVersion::default(),
            behaviour: Behaviour::default(),
            log: None,
        }
    }
}

fn tls_config(identity: Identity, tls: TlsVersion) -> Result<ServerConfig, rustls::Error> {
    let versions: &[&SupportedProtocolVersion] = match tls {
        TlsVersion::Both => &[&version::TLS13, &version::TLS12],
        TlsVersion::Only12 => &[&version::TLS12],
        TlsVersion::Only13 => &[&version::TLS13],
    };
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)?;
    Ok(config)
}
