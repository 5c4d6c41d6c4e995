//! How a connection is made: the two pieces that `ureq` leaves to its user.
//!
//! [`TlsConnector`] verifies the name it is told, which need not be the host of
//! the URL (`tls-server-name`); [`IpFirstResolver`] spares an address the thread
//! that a name needs.

use std::fmt;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Authority;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

/// The size of a connection's buffers: one TLS record, the most one read gives.
pub(crate) const BUFFER: usize = 16 * 1024;

/// Wraps a connection in TLS: to the API server as its endpoint says, and to an
/// `https://` proxy under the proxy's own name and the system's roots.
pub(crate) struct TlsConnector {
    /// Host and port of the API server.
    pub(crate) authority: Authority,
    /// The name its certificate must have.
    pub(crate) server_name: ServerName<'static>,
    /// Whom it trusts.
    pub(crate) config: Arc<ClientConfig>,
    /// Whom an `https://` proxy is trusted by; `None` where there is no such proxy.
    pub(crate) proxy: Option<Arc<ClientConfig>>,
}

impl TlsConnector {
    fn session(&self, uri: &Uri) -> Result<ClientConnection, ureq::Error> {
        let other = |error: rustls::Error| ureq::Error::Other(Box::new(error));
        if uri.authority() == Some(&self.authority) {
            let name = self.server_name.clone();
            return ClientConnection::new(self.config.clone(), name).map_err(other);
        }
        let config = self.proxy.clone();
        let config = config.ok_or(ureq::Error::Tls("TLS with neither server nor proxy"))?;
        let host = bare_host(uri).to_owned();
        let name = ServerName::try_from(host)
            .map_err(|_invalid| ureq::Error::Tls("the proxy's host is no valid name"))?;
        ClientConnection::new(config, name).map_err(other)
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let mut session = self.session(details.uri)?;
        let mut socket = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        socket.set_timeout(details.timeout);
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Some(Either::B(TlsTransport {
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
            stream: StreamOwned::new(session, socket),
        })))
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector")
            .field("authority", &self.authority)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// A connection inside TLS.
pub(crate) struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}

/// Resolves an IP address by reading it, and everything else as `ureq` does.
#[derive(Debug, Default)]
pub(crate) struct IpFirstResolver {
    names: DefaultResolver,
}

impl Resolver for IpFirstResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (Ok(address), Some(port)) = (bare_host(uri).parse::<IpAddr>(), uri.port_u16()) else {
            return self.names.resolve(uri, config, timeout);
        };
        let mut addresses = self.empty();
        addresses.push((address, port).into());
        Ok(addresses)
    }
}

fn bare_host(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}
