//! Where the API server is, and whom to trust there; the first hit wins (SPEC
//! section 4):
//!
//! 1. flags: `--api-server`, `--kubeconfig`;
//! 2. OpenShift's `/etc/kubernetes/apiserver-url.env`;
//! 3. the `--kubeconfig` of the kubelet that started us;
//! 4. the kubelet kubeconfigs of well-known distributions;
//! 5. `https://localhost:6443`, verified as `kubernetes.default.svc`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::getppid;
use rustls_pki_types::ServerName;
use tracing::{debug, info, warn};
use ureq::http::Uri;
use ureq::http::uri::Scheme;

use super::kubeconfig::{Kubeconfig, KubeconfigError};
use super::proxy::{self, ProxyError, ProxySettings};
use super::tls::{CaSource, Trust};
use crate::secret::{ReadError, read_bounded};

const FALLBACK_SERVER: &str = "https://localhost:6443";
const FALLBACK_SERVER_NAME: &str = "kubernetes.default.svc";
/// The port of a URL that names none.
const HTTPS: u16 = 443;
/// The largest environment file or command line that is read: 256 KiB.
const MAX_BYTES: usize = 256 * 1024;

/// What the administrator says of the API server.
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
    /// Proxies of the environment.
    pub proxy: ProxySettings,
    /// Where `/etc`, `/var` and `/proc` are: `/`, but in tests.
    pub root: PathBuf,
}

/// An API server, ready to be asked.
#[derive(Debug)]
pub struct Endpoint {
    /// `https://host:port/path`, without a slash at the end.
    pub server: Uri,
    /// The name the certificate must have.
    pub server_name: ServerName<'static>,
    /// Who must have signed it.
    pub trust: Trust,
    /// What stands in between.
    pub proxy: Option<ureq::Proxy>,
    /// Why this server, for people.
    pub why: String,
}

impl Endpoint {
    /// The TCP port that is connected to: the proxy's, or the server's.
    pub fn connects_to(&self) -> u16 {
        let direct = || self.server.port_u16().unwrap_or(HTTPS);
        self.proxy.as_ref().map_or_else(direct, ureq::Proxy::port)
    }
}

/// Where distributions keep what we look for, below the root.
struct Distribution {
    names: &'static str,
    kubeconfigs: &'static [&'static str],
    certificate_authorities: &'static [&'static str],
}

/// Why there is no usable server.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The kubeconfig named by flag is unusable.
    #[error("--kubeconfig")]
    Kubeconfig(#[from] KubeconfigError),
    /// The environment file is there, but unusable.
    #[error("read API server address from {path:?}")]
    EnvFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: EnvFileError,
    },
    /// The server is no `https://host[:port][/path]`.
    #[error("API server {server:?} from {origin} is not https://HOST[:PORT][/PATH]")]
    Server {
        /// As given.
        server: String,
        /// Where it was given.
        origin: String,
    },
    /// The name to verify is no host name and no address.
    #[error("TLS server name {0:?} is neither a host name nor an IP address")]
    ServerName(String),
    /// The proxy is unusable.
    #[error("connect through a proxy")]
    Proxy(#[from] ProxyError),
}

/// Why the environment file is unusable.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The port is no number.
    #[error("KUBERNETES_SERVICE_PORT is not a port number")]
    Port,
    /// It says nothing of a host.
    #[error("KUBERNETES_SERVICE_HOST is not set")]
    NoHost,
}

/// SPEC section 4, the table: kubelet's kubeconfig and the API server's CA.
const WELL_KNOWN: [Distribution; 8] = [
    Distribution {
        names: "kubeadm, kind",
        kubeconfigs: &["etc/kubernetes/kubelet.conf"],
        certificate_authorities: &["etc/kubernetes/pki/ca.crt"],
    },
    Distribution {
        names: "OpenShift",
        kubeconfigs: &["var/lib/kubelet/kubeconfig"],
        // Not kubelet-ca.crt: that one signs clients.
        certificate_authorities: &[],
    },
    Distribution {
        names: "MicroShift",
        kubeconfigs: &["var/lib/microshift/resources/kubelet/kubeconfig"],
        certificate_authorities: &[],
    },
    Distribution {
        names: "EKS, AKS, GKE",
        kubeconfigs: &["var/lib/kubelet/kubeconfig"],
        certificate_authorities: &[
            "etc/kubernetes/pki/ca.crt",
            "etc/kubernetes/certs/ca.crt",
            "etc/srv/kubernetes/pki/ca-certificates.crt",
        ],
    },
    Distribution {
        names: "k3s, rke2",
        kubeconfigs: &[
            "var/lib/rancher/k3s/agent/kubelet.kubeconfig",
            "var/lib/rancher/rke2/agent/kubelet.kubeconfig",
        ],
        certificate_authorities: &[
            "var/lib/rancher/k3s/agent/server-ca.crt",
            "var/lib/rancher/rke2/agent/server-ca.crt",
        ],
    },
    Distribution {
        names: "MicroK8s",
        kubeconfigs: &["var/snap/microk8s/current/credentials/kubelet.config"],
        certificate_authorities: &["var/snap/microk8s/current/certs/ca.crt"],
    },
    Distribution {
        names: "k0s",
        kubeconfigs: &["var/lib/k0s/kubelet.conf"],
        certificate_authorities: &["var/lib/k0s/pki/ca.crt"],
    },
    Distribution {
        names: "Talos",
        kubeconfigs: &["etc/kubernetes/kubeconfig-kubelet"],
        certificate_authorities: &["etc/kubernetes/pki/ca.crt"],
    },
];

/// A server as one of the ways gave it.
struct Found {
    server: String,
    kubeconfig: Option<Kubeconfig>,
    server_name: Option<&'static str>,
    origin: String,
}

/// Finds the API server.
///
/// # Errors
/// [`DiscoverError`] where what was named by flag, or what was found first,
/// cannot be used.
pub fn discover(settings: &Settings) -> Result<Endpoint, DiscoverError> {
    let found = find(settings)?;
    let server = parse_server(&found)?;
    let named = found.kubeconfig.as_ref();
    // As in kubectl, a server that was named by flag is not the kubeconfig's.
    let of_server = named.filter(|_| settings.api_server.is_none());
    let host = server.host().unwrap_or_default().to_owned();
    let name = settings
        .tls_server_name
        .as_deref()
        .or_else(|| of_server.and_then(|kubeconfig| kubeconfig.tls_server_name.as_deref()))
        .or(found.server_name)
        .unwrap_or(&host);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let server_name = ServerName::try_from(name.to_owned())
        .map_err(|_invalid| DiscoverError::ServerName(name.to_owned()))?;
    let proxy = proxy::choose(
        named.and_then(|kubeconfig| kubeconfig.proxy_url.as_deref()),
        &settings.proxy,
        &host,
        server.port_u16().unwrap_or(HTTPS),
    )?;
    let trust = trust(settings, named);
    let why = found.origin;
    info!(%server, why, trust = describe(&trust), "API server");
    Ok(Endpoint {
        server,
        server_name,
        trust,
        proxy,
        why,
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
    if let Some(path) = kubeconfig_of_parent(&settings.root) {
        match Kubeconfig::read(&path) {
            Ok(kubeconfig) => return Ok(found_in(kubeconfig, "the kubelet that started us")),
            Err(error) => {
                let error = anyhow::Error::new(error);
                warn!("kubelet's --kubeconfig: {error:#}");
            }
        }
    }
    if let Some((kubeconfig, distributions)) = well_known_kubeconfig(&settings.root) {
        return Ok(found_in(kubeconfig, distributions));
    }
    Ok(Found {
        server: FALLBACK_SERVER.to_owned(),
        kubeconfig: None,
        server_name: Some(FALLBACK_SERVER_NAME),
        origin: "nothing else was found".to_owned(),
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

fn parse_server(found: &Found) -> Result<Uri, DiscoverError> {
    let invalid = || DiscoverError::Server {
        server: found.server.clone(),
        origin: found.origin.clone(),
    };
    // client-go takes a bare host for https too where there is a CA to verify it.
    let (scheme, rest) = found
        .server
        .split_once("://")
        .unwrap_or(("https", &found.server));
    let text = format!("{scheme}://{}", rest.trim_end_matches('/'));
    let uri: Uri = text.parse().map_err(|_invalid| invalid())?;
    let has_user = uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    let usable = uri.scheme() == Some(&Scheme::HTTPS)
        && uri.host().is_some_and(|host| !host.is_empty())
        && uri.query().is_none()
        && !has_user;
    if usable { Ok(uri) } else { Err(invalid()) }
}

fn trust(settings: &Settings, kubeconfig: Option<&Kubeconfig>) -> Trust {
    if settings.insecure_skip_tls_verify {
        warn!("--insecure-skip-tls-verify: whoever answers gets the pod's token");
        return Trust::Nothing;
    }
    settings
        .certificate_authority
        .clone()
        .map(CaSource::File)
        .or_else(|| kubeconfig.and_then(|kubeconfig| kubeconfig.ca.clone()))
        .or_else(|| well_known_ca(&settings.root))
        .map_or(Trust::System, Trust::Ca)
}

fn describe(trust: &Trust) -> String {
    match trust {
        Trust::Nothing => "nothing is verified".to_owned(),
        Trust::System => "the system's roots".to_owned(),
        Trust::Ca(CaSource::File(path) | CaSource::Inline(path, _)) => {
            format!("CA of {}", path.display())
        }
    }
}

fn well_known_kubeconfig(root: &Path) -> Option<(Kubeconfig, &'static str)> {
    WELL_KNOWN.iter().find_map(|row| {
        let mut paths = row.kubeconfigs.iter();
        let kubeconfig = paths.find_map(|path| read_well_known(&root.join(path)))?;
        Some((kubeconfig, row.names))
    })
}

fn well_known_ca(root: &Path) -> Option<CaSource> {
    WELL_KNOWN.iter().find_map(|row| {
        let mut kubeconfigs = row.kubeconfigs.iter();
        let files = row.certificate_authorities.iter();
        kubeconfigs
            .find_map(|path| read_well_known(&root.join(path))?.ca)
            .or_else(|| {
                let mut paths = files.map(|path| root.join(path));
                let path = paths.find(|path| path.is_file());
                path.map(CaSource::File)
            })
    })
}

fn read_well_known(path: &Path) -> Option<Kubeconfig> {
    match Kubeconfig::read(path) {
        Ok(kubeconfig) => Some(kubeconfig),
        Err(error) if error.is_not_found() => None,
        Err(error) => {
            let error = anyhow::Error::new(error);
            debug!("passed over: {error:#}");
            None
        }
    }
}

/// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, as OpenShift's
/// machine-config-operator writes them for services of the node.
fn server_of_env_file(path: &Path) -> Result<Option<String>, DiscoverError> {
    let unusable = |source| DiscoverError::EnvFile {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(ReadError::Io(error).into())),
    };
    let text = read_bounded(file, MAX_BYTES).map_err(|error| unusable(error.into()))?;
    server_of_env(&String::from_utf8_lossy(&text))
        .map(Some)
        .map_err(unusable)
}

fn server_of_env(text: &str) -> Result<String, EnvFileError> {
    let (mut host, mut port) = ("", "6443");
    for line in text.lines() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        match name.trim() {
            "KUBERNETES_SERVICE_HOST" => host = unquote(value),
            "KUBERNETES_SERVICE_PORT" => port = unquote(value),
            _ => {}
        }
    }
    if host.is_empty() {
        return Err(EnvFileError::NoHost);
    }
    let port: u16 = port.parse().map_err(|_invalid| EnvFileError::Port)?;
    let bracketed = host.contains(':') && !host.starts_with('[');
    Ok(if bracketed {
        format!("https://[{host}]:{port}")
    } else {
        format!("https://{host}:{port}")
    })
}

fn unquote(value: &str) -> &str {
    let value = value.trim();
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
        .trim()
}

/// The `--kubeconfig` of our parent process: kubelet runs us itself.
fn kubeconfig_of_parent(root: &Path) -> Option<PathBuf> {
    let parent = getppid()?.as_raw_nonzero();
    let process = root.join(format!("proc/{parent}"));
    let command_line = File::open(process.join("cmdline")).ok()?;
    let command_line = read_bounded(command_line, MAX_BYTES).ok()?;
    let path = kubeconfig_flag(&command_line)?;
    if path.is_absolute() {
        return Some(path);
    }
    let directory = std::fs::read_link(process.join("cwd")).ok()?;
    Some(directory.join(path))
}

/// The value of the last `--kubeconfig`, as pflag takes it.
fn kubeconfig_flag(command_line: &[u8]) -> Option<PathBuf> {
    let mut arguments = command_line
        .split(|&byte| byte == 0)
        .map(String::from_utf8_lossy);
    let mut last = None;
    while let Some(argument) = arguments.next() {
        if argument == "--kubeconfig" {
            last = arguments.next();
        } else if let Some(value) = argument.strip_prefix("--kubeconfig=") {
            last = Some(value.to_owned().into());
        }
    }
    last.filter(|path| !path.is_empty())
        .map(|path| PathBuf::from(path.into_owned()))
}

#[cfg(test)]
mod tests;
