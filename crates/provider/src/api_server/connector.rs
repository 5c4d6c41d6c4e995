//! Connections: the two parts that `ureq` leaves to its user.
//!
//! [`TlsConnector`] verifies the name that it is given, which need not be the host of the
//! URL (`tls-server-name`). [`IpFirstResolver`] starts a thread only for a name, not for
//! an address.

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::{Authority, Scheme};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use super::wait::WaitingTime;

/// The size of a connection's buffers: one TLS record, the most that one read returns.
pub(crate) const BUFFER: usize = 16 * 1024;
/// The most addresses of a name that are tried, which is the length of `ureq`'s list.
const MAX_ADDRESSES: usize = 16;

/// Wraps a connection in TLS: to the API server as in its endpoint, and to an `https://`
/// proxy under the proxy's own name and with the system's roots.
pub(crate) struct TlsConnector {
    /// Host and port of the API server.
    pub(crate) authority: Authority,
    /// The name its certificate must have.
    pub(crate) server_name: ServerName<'static>,
    /// The CA certificates that it trusts, and the other settings.
    pub(crate) config: Arc<ClientConfig>,
    /// The same for an `https://` proxy; `None` if there is none.
    pub(crate) proxy: Option<Arc<ClientConfig>>,
    /// The limit of waiting for the server.
    pub(crate) waiting_time: WaitingTime,
}

impl TlsConnector {
    fn is_to_server(&self, uri: &Uri) -> bool {
        uri.authority() == Some(&self.authority)
    }

    fn session(&self, uri: &Uri) -> Result<ClientConnection, ureq::Error> {
        let other = |error: rustls::Error| ureq::Error::Other(Box::new(error));
        if self.is_to_server(uri) {
            let name = self.server_name.clone();
            return ClientConnection::new(self.config.clone(), name).map_err(other);
        }
        let config = self.proxy.clone();
        let config = config.ok_or(ureq::Error::Tls("TLS with neither server nor proxy"))?;
        let host = bare_host(uri).to_owned();
        let name = ServerName::try_from(host)
            .map_err(|_invalid| ureq::Error::Tls("the proxy's host is not a valid name"))?;
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
            waiting_time: self
                .is_to_server(details.uri)
                .then(|| self.waiting_time.clone()),
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
    /// `None` for a proxy: the connection to the server, inside this one, counts.
    waiting_time: Option<WaitingTime>,
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
        let Self {
            buffers,
            stream,
            waiting_time,
        } = self;
        let mut read = |timeout| {
            stream.get_mut().set_timeout(timeout);
            stream.read(buffers.input_append_buf())
        };
        let amount = match waiting_time {
            Some(time) => time.spend(timeout, read)?,
            None => read(timeout)?,
        };
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

/// Parses an IP address, and resolves a name in a thread that is abandoned when the time
/// is up.
///
/// `ureq`'s own resolver panics if it cannot start a thread.
#[derive(Debug, Default)]
pub(crate) struct IpFirstResolver;

impl Resolver for IpFirstResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // An address may have a zone, which the system's resolver knows.
        let host = bare_host(uri).replace("%25", "%");
        let default = if uri.scheme() == Some(&Scheme::HTTP) {
            80
        } else {
            443
        };
        let port = uri.port_u16().unwrap_or(default);
        let mut addresses = self.empty();
        if let Ok(address) = host.parse::<IpAddr>() {
            addresses.push((address, port).into());
            return Ok(addresses);
        }
        for address in resolve(host, port, timeout)?.take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(addresses)
    }
}

fn resolve(
    host: String,
    port: u16,
    timeout: NextTimeout,
) -> Result<impl Iterator<Item = SocketAddr>, ureq::Error> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // After the time is up there is no receiver.
    let look_up = move || drop(sender.send((host, port).to_socket_addrs()));
    thread::Builder::new().spawn(look_up)?;
    match receiver.recv_timeout(*timeout.after) {
        Ok(addresses) => Ok(addresses?),
        Err(RecvTimeoutError::Timeout) => Err(ureq::Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => Err(ureq::Error::HostNotFound),
    }
}

fn bare_host(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}
