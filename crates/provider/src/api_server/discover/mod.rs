//! The address of the API server, and the CA to trust; the first that exists is used:
//!
//! 1. flags: `--api-server`, `--kubeconfig`;
//! 2. OpenShift's `/etc/kubernetes/apiserver-url.env`;
//! 3. the `--kubeconfig` of the kubelet that started us;
//! 4. the kubelet kubeconfigs of well-known distributions;
//! 5. `https://localhost:6443`, verified as `kubernetes.default.svc`.

mod env_file;
mod well_known;

use std::fmt;
use std::path::{Path, PathBuf};

use containers_auth::SchemelessUrl;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rustls_pki_types::ServerName;
use tracing::{debug, warn};
use ureq::http::Uri;

use super::address::{Address, AddressError, bracketed, ip, unbracketed, without_zone};
use super::kubeconfig::{Kubeconfig, KubeconfigError};
use super::proxy::{self, ProxyError, ProxySettings, Through};
use super::tls::{CaSource, Trust};

pub use env_file::EnvFileError;

const FALLBACK_SERVER: &str = "https://localhost:6443";
const FALLBACK_SERVER_NAME: &str = "kubernetes.default.svc";
/// What Go escapes in a path that it has parsed; percent signs belong to escapes there.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// The port of a URL without one.
const HTTPS: u16 = 443;

/// The settings for the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `--api-server`.
    pub api_server: Option<String>,
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--certificate-authority`.
    pub certificate_authority: Option<PathBuf>,
    /// `--tls-server-name`.
    pub tls_server_name: Option<String>,
    /// `--insecure-skip-tls-verify`.
    pub insecure_skip_tls_verify: bool,
    /// `--api-server-env-file`.
    pub env_file: PathBuf,
    /// The `--kubeconfig` of the kubelet that started this process, or of the running
    /// one.
    pub kubelet_kubeconfig: Option<PathBuf>,
    /// Proxies of the environment.
    pub proxy: ProxySettings,
    /// The node's root directory, below which files in `/etc` and `/var` are looked for.
    pub root: PathBuf,
}

/// An API server and how to connect to it.
#[derive(Debug)]
pub struct Endpoint {
    /// `https://host:port/path`, without a slash at the end.
    pub server: Uri,
    /// The name the certificate must have.
    pub server_name: ServerName<'static>,
    /// How its certificate is verified.
    pub trust: Trust,
    /// The proxy, if there is one.
    pub proxy: Option<Through>,
    /// Why this server was chosen, for messages.
    pub why: String,
    /// Whether nothing names a server, so that it is the default: `localhost`, where only
    /// a control-plane node has one.
    pub is_default: bool,
}

impl fmt::Display for Endpoint {
    /// The server, why it was chosen, and what the connection depends on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            why,
            trust,
            proxy,
            ..
        } = self;
        write!(f, "{server} (from {why}; trusts {trust})")?;
        match proxy {
            Some(through) => write!(f, " {through}"),
            None => Ok(()),
        }
    }
}

impl Endpoint {
    /// The TCP port of the connection: the proxy's, or the server's.
    pub fn connects_to(&self) -> u16 {
        let direct = || self.server.port_u16().unwrap_or(HTTPS);
        let proxy = self.proxy.as_ref();
        proxy.map_or_else(direct, |through| through.proxy.port())
    }
}

/// Why there is no usable server.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The kubeconfig that a flag names cannot be used.
    #[error("--kubeconfig")]
    Kubeconfig(#[from] KubeconfigError),
    /// The environment file exists, but cannot be used.
    #[error("read API server address from {path:?}")]
    EnvFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: EnvFileError,
    },
    /// The server is not `https://host[:port][/path]`.
    #[error("API server {server:?} from {origin} is not https://HOST[:PORT][/PATH]")]
    Server {
        /// As given, without a user and password.
        server: String,
        /// Where it was given.
        origin: String,
    },
    /// The server's host has letters whose form in DNS is not known here.
    #[error("API server {server:?} from {origin}: write the host in ASCII (xn--...)")]
    NotAscii {
        /// As given, without a user and password.
        server: String,
        /// Where it was given.
        origin: String,
    },
    /// The server's port is not valid.
    #[error("API server {server:?} from {origin}: {port:?} is not a port from 1 to 65535")]
    Port {
        /// As given, without a user and password.
        server: String,
        /// Where it was given.
        origin: String,
        /// What follows the host.
        port: String,
    },
    /// The name to verify is neither a host name nor an address.
    #[error("TLS server name {0:?} is neither a host name nor an IP address")]
    ServerName(String),
    /// The proxy cannot be used.
    #[error("connect through a proxy")]
    Proxy(#[from] ProxyError),
}

/// A server that was found in one of these places.
struct Found {
    server: String,
    kubeconfig: Option<Kubeconfig>,
    /// The name in the certificate of the default server.
    server_name: Option<&'static str>,
    origin: String,
}

/// Finds the API server.
///
/// # Errors
/// [`DiscoverError`] if the server that a flag names, or the first that was found, cannot
/// be used.
pub fn discover(settings: &Settings) -> Result<Endpoint, DiscoverError> {
    let found = find(settings)?;
    let server = parse_server(&found)?;
    let named = found.kubeconfig.as_ref();
    // As in kubectl, the kubeconfig does not apply to a server from a flag.
    let of_server = named.filter(|_| settings.api_server.is_none());
    let host = server.host().unwrap_or_default().to_owned();
    let name = settings
        .tls_server_name
        .as_deref()
        .or_else(|| of_server.and_then(|kubeconfig| kubeconfig.tls_server_name.as_deref()))
        .or(found.server_name)
        .unwrap_or(&host);
    let server_name = server_name(without_zone(unbracketed(name)))?;
    let proxy = proxy::choose(
        named.and_then(|kubeconfig| kubeconfig.proxy_url.as_deref()),
        &settings.proxy,
        &host,
        server.port().as_ref().map_or("443", |port| port.as_str()),
    )?;
    let trust = trust(settings, named);
    let why = found.origin;
    debug!(%server, why, trust = %trust, "API server");
    Ok(Endpoint {
        server,
        server_name,
        trust,
        proxy,
        why,
        is_default: found.server_name.is_some(),
    })
}

fn find(settings: &Settings) -> Result<Found, DiscoverError> {
    let kubeconfig = settings
        .kubeconfig
        .as_deref()
        .map(Kubeconfig::read)
        .transpose()?;
    if let Some(server) = &settings.api_server {
        return Ok(Found {
            server: server.clone(),
            kubeconfig,
            server_name: None,
            origin: "--api-server".to_owned(),
        });
    }
    if let Some(kubeconfig) = kubeconfig {
        return Ok(found_in(kubeconfig, "--kubeconfig"));
    }
    if let Some(server) = server_of_env_file(&settings.env_file)? {
        return Ok(Found {
            server,
            kubeconfig: None,
            server_name: None,
            origin: settings.env_file.display().to_string(),
        });
    }
    if let Some(path) = &settings.kubelet_kubeconfig {
        match Kubeconfig::read(path) {
            Ok(kubeconfig) => return Ok(found_in(kubeconfig, "kubelet's --kubeconfig")),
            Err(error) => {
                let error = anyhow::Error::new(error);
                warn!("kubelet's --kubeconfig: {error:#}");
            }
        }
    }
    if let Some((kubeconfig, distributions)) = well_known::kubeconfig(&settings.root) {
        return Ok(found_in(kubeconfig, distributions));
    }
    Ok(Found {
        server: FALLBACK_SERVER.to_owned(),
        kubeconfig: None,
        server_name: Some(FALLBACK_SERVER_NAME),
        origin: "the default, as nothing else was found".to_owned(),
    })
}

fn found_in(kubeconfig: Kubeconfig, origin: &str) -> Found {
    if kubeconfig.asks_to_skip_verification {
        warn!(
            path = ?kubeconfig.path,
            "insecure-skip-tls-verify of a kubeconfig is not obeyed"
        );
    }
    Found {
        server: kubeconfig.server.clone(),
        origin: format!("{} ({origin})", kubeconfig.path.display()),
        kubeconfig: Some(kubeconfig),
        server_name: None,
    }
}

/// Parses the URL of a server as client-go does: user and query are ignored in a
/// kubeconfig, and an error elsewhere. `HOST[:PORT]` is https, where client-go would send
/// the token over http.
fn parse_server(found: &Found) -> Result<Uri, DiscoverError> {
    let (scheme, rest) = found
        .server
        .split_once("://")
        .unwrap_or(("https", &found.server));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let shown = || {
        let host = authority.rsplit('@').next().unwrap_or_default();
        let server = format!("{scheme}://{host}{path}");
        (server, found.origin.clone())
    };
    let invalid = || {
        let (server, origin) = shown();
        DiscoverError::Server { server, origin }
    };
    let address = Address::parse(authority).map_err(|error| match error {
        AddressError::Host => invalid(),
        AddressError::NotAscii => {
            let (server, origin) = shown();
            DiscoverError::NotAscii { server, origin }
        }
        AddressError::Port(port) => {
            let (server, origin) = shown();
            let port = port.to_owned();
            DiscoverError::Port {
                server,
                origin,
                port,
            }
        }
    })?;
    let kubeconfig = found.kubeconfig.as_ref();
    let is_of_kubeconfig = kubeconfig.is_some_and(|named| named.server == found.server);
    let has_more = address.user.is_some() || found.server.contains(['?', '#']);
    let is_bare_with_path = !found.server.contains("://") && !["", "/"].contains(&path);
    let is_url = SchemelessUrl::parse(rest).is_ok();
    if !scheme.eq_ignore_ascii_case("https")
        || is_bare_with_path
        || !is_url
        || has_more && !is_of_kubeconfig
    {
        return Err(invalid());
    }
    let host = bracketed(&address.host);
    let port = address
        .port
        .map_or_else(String::new, |port| format!(":{port}"));
    let path = utf8_percent_encode(path.trim_end_matches('/'), ESCAPED);
    let uri = format!("https://{host}{port}{path}");
    uri.parse().map_err(|_invalid| invalid())
}

fn trust(settings: &Settings, kubeconfig: Option<&Kubeconfig>) -> Trust {
    if settings.insecure_skip_tls_verify {
        warn!("--insecure-skip-tls-verify: any server that answers gets the pod's token");
        return Trust::Nothing;
    }
    settings
        .certificate_authority
        .clone()
        .map(CaSource::File)
        .or_else(|| kubeconfig.and_then(|kubeconfig| kubeconfig.ca.clone()))
        .or_else(|| well_known::certificate_authority(&settings.root))
        .map_or(Trust::System, Trust::Ca)
}

/// The name that a certificate must have: a host name or an address.
fn server_name(name: &str) -> Result<ServerName<'static>, DiscoverError> {
    if let Some(address) = ip(name) {
        return Ok(ServerName::IpAddress(address.into()));
    }
    ServerName::try_from(name.to_owned())
        .map_err(|_invalid| DiscoverError::ServerName(name.to_owned()))
}

fn server_of_env_file(path: &Path) -> Result<Option<String>, DiscoverError> {
    env_file::server(path).map_err(|source| DiscoverError::EnvFile {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
