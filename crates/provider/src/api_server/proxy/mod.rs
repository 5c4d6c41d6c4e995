//! The proxy for the API server, if any, chosen as client-go and Go's
//! `golang.org/x/net/http/httpproxy` do.

mod no_proxy;

use std::fmt;

use percent_encoding::percent_decode_str;
use tracing::warn;
use ureq::{Proxy, ProxyProtocol};

use super::address::{Address, AddressError, bracketed, port, unbracketed};

/// The proxy settings of an environment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    https_proxy: Option<Variable>,
    no_proxy: Option<Variable>,
}

/// A variable that is not empty.
#[derive(Clone, PartialEq, Eq)]
struct Variable {
    name: &'static str,
    value: String,
}

impl ProxySettings {
    /// Reads an environment. Of the two spellings of a name the first that is not empty
    /// is used, as in `httpproxy.FromEnvironment`.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| {
            let values = names.map(|name| (name, variable(name).unwrap_or_default()));
            let mut values = values.into_iter();
            let (name, value) = values.find(|(_, value)| !value.is_empty())?;
            Some(Variable { name, value })
        };
        Self {
            https_proxy: first(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: first(["NO_PROXY", "no_proxy"]),
        }
    }

    /// The proxy's URL, which may contain a password; never empty.
    pub fn https_proxy(&self) -> Option<&str> {
        self.https_proxy.as_ref().map(|set| set.value.as_str())
    }

    /// The servers for which no proxy is used; never empty.
    pub fn no_proxy(&self) -> Option<&str> {
        self.no_proxy.as_ref().map(|set| set.value.as_str())
    }
}

impl fmt::Debug for ProxySettings {
    /// A proxy's URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |variable: &Option<Variable>| variable.as_ref().map(|set| set.name);
        f.debug_struct("ProxySettings")
            .field("https_proxy", &name(&self.https_proxy))
            .field("no_proxy", &name(&self.no_proxy))
            .finish()
    }
}

/// The proxy of a connection, and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Through {
    /// The proxy.
    pub(crate) proxy: Proxy,
    origin: String,
}

impl fmt::Display for Through {
    /// Without the proxy's user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.proxy.host(), self.proxy.port());
        let host = bracketed(unbracketed(host));
        write!(f, "through proxy {host}:{port} ({})", self.origin)
    }
}

/// The proxy's URL cannot be used. It is not quoted, since it may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy URL in {origin} is not http://, https:// or socks5://HOST[:PORT]{remedy}")]
pub struct ProxyError {
    /// Where the URL was set.
    pub origin: &'static str,
    remedy: &'static str,
}

/// Chooses the proxy for a connection to `host:port`, the port as it is written in the URL.
///
/// A kubeconfig's `proxy-url` is always used, as in client-go. Otherwise the environment
/// decides, and `localhost` and loopback addresses are direct.
///
/// # Errors
/// [`ProxyError`] if the proxy's URL is not valid.
pub(crate) fn choose(
    proxy_url: Option<&str>,
    environment: &ProxySettings,
    host: &str,
    port: &str,
) -> Result<Option<Through>, ProxyError> {
    if let Some(url) = proxy_url {
        let origin = "the kubeconfig's proxy-url";
        // client-go requires one of these schemes here, and only here.
        let is_known = url.split_once("://").is_some_and(|(scheme, _)| {
            ["http", "https", "socks5"].contains(&scheme.to_ascii_lowercase().as_str())
        });
        let proxy = if is_known && !is_not_a_url(url) {
            parse(url)
        } else {
            Err("")
        };
        let proxy = proxy.map_err(|remedy| ProxyError { origin, remedy })?;
        let origin = origin.to_owned();
        return Ok(Some(Through { proxy, origin }));
    }
    let Some(Variable { name, value: url }) = &environment.https_proxy else {
        return Ok(None);
    };
    let no_proxy = environment.no_proxy.as_ref();
    if no_proxy::is_direct(no_proxy.map_or("", |set| &set.value), host, port) {
        return Ok(None);
    }
    if is_not_a_url(url) {
        warn!("{name} is not a URL: no proxy is used, as by every Kubernetes client");
        return Ok(None);
    }
    let origin = *name;
    let proxy = parse(url).map_err(|remedy| ProxyError { origin, remedy })?;
    let host = unbracketed(host);
    let origin = no_proxy.map_or_else(
        || format!("{name}; NO_PROXY is not set"),
        |set| format!("{name}; {} does not cover {host}", set.name),
    );
    Ok(Some(Through { proxy, origin }))
}

/// Whether Go cannot parse a text as a URL, neither as it is nor with `http://` before
/// it: then it uses no proxy. A text that it can parse is used, even if it cannot work.
fn is_not_a_url(url: &str) -> bool {
    let host = url.split('/').next().unwrap_or_default();
    let is_odd = |character: char| character.is_whitespace() || "\\^`{|}".contains(character);
    let path = url.split('?').next().unwrap_or_default();
    let mut escapes = path.split('%').skip(1);
    let is_escape = |rest: &str| {
        let mut digits = rest.chars();
        let mut is_digit = || digits.next().is_some_and(|digit| digit.is_ascii_hexdigit());
        is_digit() && is_digit()
    };
    url.contains(|character: char| character.is_ascii_control())
        || !escapes.all(is_escape)
        || host.contains(':') && host.contains(is_odd)
}

/// The protocol of a URL's scheme.
fn protocol(scheme: &str) -> Option<ProxyProtocol> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Some(ProxyProtocol::Http),
        "https" => Some(ProxyProtocol::Https),
        // Go lets a SOCKS5 proxy resolve the name with either scheme, socks5 or socks5h.
        "socks5" | "socks5h" => Some(ProxyProtocol::Socks5),
        _ => None,
    }
}

/// Parses a proxy's URL. The error is the remedy, empty where the forms that are accepted
/// are enough.
fn parse(url: &str) -> Result<Proxy, &'static str> {
    let with_scheme = url
        .split_once(':')
        .and_then(|(scheme, rest)| Some((protocol(scheme)?, rest)));
    let (protocol, rest) = match with_scheme {
        Some((protocol, rest)) => (protocol, rest.strip_prefix("//").ok_or("")?),
        None if url.contains("://") => return Err(""),
        None => (ProxyProtocol::Http, url),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = Address::parse(authority).map_err(|error| match error {
        AddressError::NotAscii => ": write the host in ASCII (xn--...)",
        AddressError::Host | AddressError::Port(_) => "",
    })?;
    let mut builder = Proxy::builder(protocol)
        .host(&bracketed(&address.host))
        .resolve_target(false);
    if let Some(port) = address.port.and_then(port) {
        builder = builder.port(port);
    }
    if let Some(user) = address.user {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        let decode = |text| {
            let text = percent_decode_str(text);
            text.decode_utf8().map_err(|_not_utf8| "")
        };
        builder = builder
            .username(&decode(name)?)
            .password(&decode(password)?);
    }
    builder.build().map_err(|_invalid| "")
}

#[cfg(test)]
mod tests;
