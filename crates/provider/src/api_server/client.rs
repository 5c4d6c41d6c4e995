//! A client for one API server and one token: requests, attempts and their limits,
//! retries.

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use secret::{Object, ReadError, Secret, Wiped, read_bounded};
use serde::Deserialize;
use tracing::debug;
use ureq::http::header::{ACCEPT, AUTHORIZATION, RETRY_AFTER};
use ureq::http::{HeaderValue, Response, StatusCode, Uri};
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, SocksConnector, TcpConnector,
};
use ureq::{Agent, Body, ProxyProtocol, RequestBuilder, config::Config};

use super::connector::{BUFFER, IpFirstResolver, TlsConnector};
use super::discover::Endpoint;
use super::failure::{ClientError, Failure, Refusal};
use super::retry::{Backoff, retry_after};
use super::tls::{self, Identity, Refused, Trust};
use super::wait::{ANSWER, WaitingTime};
use crate::deadline::Deadline;

/// The limit of one attempt to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// The limit of one attempt as a whole, without what this process does meanwhile.
pub const ATTEMPT: Duration = CONNECT.saturating_add(ANSWER);
/// The largest `Status` that is read for its message: 64 KiB.
const MAX_STATUS_BYTES: usize = 64 * 1024;
/// Reserved for the end of the run, so that a failure is reported before the deadline.
const MARGIN: Duration = Duration::from_millis(250);

/// A client for one server, with one token or none.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    server: Uri,
    server_name: String,
    token: Option<Secret>,
    deadline: Deadline,
    waiting_time: WaitingTime,
    asks_once: bool,
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Trust`] and [`ClientError::Token`].
    pub fn new(
        endpoint: &Endpoint,
        token: Secret,
        deadline: Deadline,
    ) -> Result<Self, ClientError> {
        bearer(&token)?;
        Self::prepare(endpoint, Some(token), None, deadline)
    }

    /// Prepares a client without a login.
    ///
    /// # Errors
    /// [`ClientError::Trust`].
    pub fn anonymous(endpoint: &Endpoint, deadline: Deadline) -> Result<Self, ClientError> {
        Self::prepare(endpoint, None, None, deadline)
    }

    /// Prepares a client with a token, a client certificate, or both.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_login(
        endpoint: &Endpoint,
        token: Option<Secret>,
        identity: Option<Identity>,
        deadline: Deadline,
    ) -> Result<Self, ClientError> {
        token.as_ref().map(bearer).transpose()?;
        Self::prepare(endpoint, token, identity, deadline)
    }

    fn prepare(
        endpoint: &Endpoint,
        token: Option<Secret>,
        identity: Option<Identity>,
        deadline: Deadline,
    ) -> Result<Self, ClientError> {
        let server = endpoint.server.clone();
        let config = tls::client_config(&endpoint.trust, identity).map_err(ClientError::Trust)?;
        // Read now: the sandbox does not allow reading `SSL_CERT_FILE`.
        let proxy = endpoint.proxy.as_ref().map(|through| &through.proxy);
        let proxy = proxy.filter(|proxy| proxy.protocol() == ProxyProtocol::Https);
        let proxy = proxy.map(|_| tls::client_config(&Trust::System, None));
        let proxy = proxy.transpose().map_err(ClientError::ProxyTrust)?;
        // `discover` returns no server without a host.
        let authority = server.authority().cloned().ok_or(ClientError::NoHost)?;
        let waiting_time = WaitingTime::default();
        let connector = ().chain(ConnectProxyConnector::default());
        let connector = connector.chain(SocksConnector::default());
        let connector = connector
            .chain(TcpConnector::default())
            .chain(TlsConnector {
                authority,
                server_name: endpoint.server_name.clone(),
                config,
                proxy,
                waiting_time: waiting_time.clone(),
            });
        let settings = Config::builder()
            .proxy(endpoint.proxy.as_ref().map(|through| through.proxy.clone()))
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!(
                "crio-credential-provider/",
                env!("CARGO_PKG_VERSION")
            ))
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .build();
        Ok(Self {
            agent: Agent::with_parts(settings, connector, IpFirstResolver),
            server,
            server_name: endpoint.server_name.to_str().into_owned(),
            token,
            deadline,
            waiting_time,
            asks_once: false,
        })
    }

    /// Sends one attempt only, of at most [`ATTEMPT`]: a person at a terminal would
    /// rather repeat the command than wait.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.asks_once = true;
        self
    }

    /// GETs `path_and_query` below the server's own path, and returns the body of a 200, at
    /// most `limit` bytes of it.
    ///
    /// # Errors
    /// [`ClientError`]; errors that may pass were retried until the deadline.
    pub fn get(&self, path_and_query: &str, limit: usize) -> Result<Wiped<Vec<u8>>, ClientError> {
        self.bounded(path_and_query, None, limit)
    }

    /// As [`get`](Self::get), but `read` reads the body of a 200 as it arrives: once for each
    /// attempt, the last of which is read to the end.
    ///
    /// # Errors
    /// As [`get`](Self::get); where `read` fails at reading, the request is retried.
    pub(crate) fn stream(
        &self,
        path_and_query: &str,
        read: &mut dyn FnMut(&mut dyn Read) -> Result<(), ReadError>,
    ) -> Result<(), ClientError> {
        self.ask(path_and_query, None, read)
    }

    /// POSTs a JSON `body` that changes nothing, such as a review, and returns the body of a
    /// 200 or 201, as [`get`](Self::get) does.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn post(
        &self,
        path: &str,
        body: &[u8],
        limit: usize,
    ) -> Result<Wiped<Vec<u8>>, ClientError> {
        self.bounded(path, Some(body), limit)
    }

    fn bounded(
        &self,
        path_and_query: &str,
        body: Option<&[u8]>,
        limit: usize,
    ) -> Result<Wiped<Vec<u8>>, ClientError> {
        let mut answer = Wiped::default();
        self.ask(path_and_query, body, &mut |reader| {
            answer = read_bounded(reader, limit)?;
            Ok(())
        })?;
        Ok(answer)
    }

    fn ask(
        &self,
        path_and_query: &str,
        body: Option<&[u8]>,
        read: &mut dyn FnMut(&mut dyn Read) -> Result<(), ReadError>,
    ) -> Result<(), ClientError> {
        let url = format!("{}{path_and_query}", self.base());
        let mut backoff = Backoff::new();
        let mut attempts = 0;
        let mut last = None;
        loop {
            attempts += 1;
            let failure = match self.attempt(&url, body, read) {
                Ok(()) => return Ok(()),
                Err(Failure::Final(error)) => return Err(error),
                // The deadline cut this attempt short: the error before it is the better
                // one.
                Err(failure) if self.remaining().is_zero() => last.take().unwrap_or(failure),
                Err(failure) => failure,
            };
            let asked = match &failure {
                Failure::Busy { retry_after, .. } => *retry_after,
                Failure::Final(_) | Failure::Transient { .. } => None,
            };
            let pause = backoff.pause(asked);
            if self.asks_once || pause >= self.remaining() {
                return Err(failure.after(attempts));
            }
            debug!(attempts, ?pause, "{}", failure.describe());
            thread::sleep(pause);
            last = Some(failure);
        }
    }

    fn attempt(
        &self,
        url: &str,
        body: Option<&[u8]>,
        read: &mut dyn FnMut(&mut dyn Read) -> Result<(), ReadError>,
    ) -> Result<(), Failure> {
        self.waiting_time.begin();
        let answer = match body {
            None => self.prepared(self.agent.get(url))?.call(),
            Some(body) => {
                let request = self.prepared(self.agent.post(url))?;
                request.content_type("application/json").send(body)
            }
        };
        let mut response = answer.map_err(|error| self.classify(error))?;
        let status = response.status();
        if matches!(status, StatusCode::OK | StatusCode::CREATED) {
            let began = Instant::now();
            let read = read(&mut response.body_mut().as_reader());
            // The server is not to blame for the deadline if using its answer took longer
            // than waiting for it.
            let used = || began.elapsed() > self.waiting_time.waited().saturating_mul(2);
            return read.map_err(|error| match error {
                ReadError::Io(_) if self.remaining().is_zero() && used() => {
                    Failure::Final(ClientError::Elapsed(self.deadline.elapsed()))
                }
                ReadError::Io(error) => self.classify(error.into()),
                ReadError::TooLarge { limit } => Failure::Final(ClientError::TooLarge(limit)),
            });
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let header = response.headers().get(RETRY_AFTER);
            let header = header.and_then(|value| value.to_str().ok());
            return Err(Failure::Busy {
                status,
                retry_after: header.and_then(|value| retry_after(value, SystemTime::now())),
            });
        }
        Err(Failure::Final(if status.is_redirection() {
            ClientError::Redirect(status)
        } else {
            let message = self.message(&mut response);
            ClientError::Refused(Refusal { status, message })
        }))
    }

    /// A request with the login and the limits of one attempt; that of its answer is
    /// [`WaitingTime`].
    fn prepared<B>(&self, request: RequestBuilder<B>) -> Result<RequestBuilder<B>, Failure> {
        let whole = self.remaining();
        let request = request
            .config()
            .timeout_resolve(Some(CONNECT.min(whole)))
            .timeout_connect(Some(CONNECT.min(whole)))
            .timeout_send_request(Some(ANSWER.min(whole)))
            .timeout_recv_response(Some(ANSWER.min(whole)))
            .timeout_per_call(Some(whole))
            .build()
            .header(ACCEPT, "application/json");
        match &self.token {
            Some(token) => {
                Ok(request.header(AUTHORIZATION, bearer(token).map_err(Failure::Final)?))
            }
            None => Ok(request),
        }
    }

    /// The message of a `Status`, unless it contains the token.
    fn message(&self, response: &mut Response<Body>) -> Option<String> {
        #[derive(Deserialize)]
        struct Status {
            message: String,
        }
        let text = read_bounded(response.body_mut().as_reader(), MAX_STATUS_BYTES).ok()?;
        let Object(status): Object<Status> = serde_json::from_slice(&text).ok()?;
        let token = self.token.as_ref().map(Secret::expose);
        let token = token.map(String::from_utf8_lossy);
        let is_said = token.is_some_and(|token| status.message.contains(&*token));
        (!is_said).then_some(status.message)
    }

    /// Whether a retry may help: not after an error of TLS itself.
    fn classify(&self, error: ureq::Error) -> Failure {
        let tls: Option<&rustls::Error> = if let ureq::Error::Io(error) = &error {
            error.get_ref().and_then(|inner| inner.downcast_ref())
        } else if let ureq::Error::Other(inner) = &error {
            inner.downcast_ref()
        } else {
            None
        };
        match tls {
            Some(source) => self.tls(source.clone()),
            None => Failure::Transient {
                source: Box::new(error),
            },
        }
    }

    fn tls(&self, source: rustls::Error) -> Failure {
        let name = self.server_name.clone();
        Failure::Final(match Refused::of(&source) {
            Some(refused) => ClientError::Certificate {
                name,
                source: refused.clone(),
            },
            None => ClientError::Tls { name, source },
        })
    }

    fn remaining(&self) -> Duration {
        self.deadline.remaining().saturating_sub(MARGIN)
    }

    fn base(&self) -> String {
        let text = self.server.to_string();
        text.trim_end_matches('/').to_owned()
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, ClientError> {
    let mut text = Wiped::new(b"Bearer ".to_vec());
    text.extend_from_slice(token.expose());
    let mut value = HeaderValue::from_bytes(&text).map_err(|_invalid| ClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}
