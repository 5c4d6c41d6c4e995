//! Whether and which proxy leads to the API server, as client-go and Go's
//! `golang.org/x/net/http/httpproxy` decide it.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use ureq::{Proxy, ProxyProtocol};

/// What the environment says of proxies.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// `HTTPS_PROXY`, else `https_proxy`.
    pub https_proxy: Option<String>,
    /// `NO_PROXY`, else `no_proxy`.
    pub no_proxy: Option<String>,
}

impl fmt::Debug for ProxySettings {
    /// A proxy's URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxySettings")
            .field("https_proxy", &self.https_proxy.as_ref().map(|_| ".."))
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

/// The proxy's URL cannot be used. It is not quoted: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy URL in {origin} is not http://, https:// or socks5://HOST[:PORT]")]
pub struct ProxyError {
    /// Where the URL was given.
    pub origin: &'static str,
}

/// Chooses the proxy for a connection to `host:port`.
///
/// A kubeconfig's `proxy-url` is always used, as in client-go. Else the
/// environment decides, and `localhost` and loopback addresses are direct.
///
/// # Errors
/// [`ProxyError`] where the proxy to use is no URL.
pub(crate) fn choose(
    proxy_url: Option<&str>,
    environment: &ProxySettings,
    host: &str,
    port: u16,
) -> Result<Option<Proxy>, ProxyError> {
    if let Some(url) = proxy_url {
        let origin = "the kubeconfig's proxy-url";
        return parse(url).ok_or(ProxyError { origin }).map(Some);
    }
    let Some(url) = environment
        .https_proxy
        .as_deref()
        .filter(|url| !url.is_empty())
    else {
        return Ok(None);
    };
    let no_proxy = environment.no_proxy.as_deref().unwrap_or_default();
    if is_direct(no_proxy, host, port) {
        return Ok(None);
    }
    let origin = "HTTPS_PROXY";
    parse(url).ok_or(ProxyError { origin }).map(Some)
}

fn parse(url: &str) -> Option<Proxy> {
    let proxy = Proxy::new(url.trim()).ok()?;
    if proxy.host().is_empty() {
        return None;
    }
    if proxy.protocol() != ProxyProtocol::Socks5 {
        return Some(proxy);
    }
    // Go lets a SOCKS5 proxy resolve the name, whether it says socks5 or socks5h.
    let mut builder = Proxy::builder(ProxyProtocol::Socks5)
        .host(proxy.host())
        .port(proxy.port())
        .resolve_target(false);
    if let Some(username) = proxy.username() {
        builder = builder.username(username);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    builder.build().ok()
}

/// Whether `NO_PROXY`, or the host's being this machine, keeps the proxy out.
fn is_direct(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy
        .split(',')
        .map(|rule| rule.trim().to_ascii_lowercase())
        .any(|rule| rule_matches(&rule, host, address, port))
}

fn rule_matches(rule: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if rule.is_empty() {
        return false;
    }
    if rule == "*" {
        return true;
    }
    if let Ok(network) = rule.parse::<IpNet>() {
        return address.is_some_and(|address| network.contains(&address));
    }
    let (name, wanted_port) = split_port(rule);
    if wanted_port.is_some_and(|wanted| wanted != port.to_string()) || name.is_empty() {
        return false;
    }
    if let Ok(wanted) = name.parse::<IpAddr>() {
        return address == Some(wanted);
    }
    let name = name
        .strip_prefix('*')
        .filter(|rest| rest.starts_with('.'))
        .unwrap_or(name);
    match name.strip_prefix('.') {
        // `.dom` covers the subdomains alone.
        Some(_) => host.ends_with(name),
        // `dom` covers itself too.
        None => host
            .strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
    }
}

/// `host:port`, `[address]:port`, or no port at all, like Go's
/// `net.SplitHostPort`, for which an address of many colons has no port.
fn split_port(rule: &str) -> (&str, Option<&str>) {
    if let Some(rest) = rule.strip_prefix('[')
        && let Some((address, after)) = rest.split_once(']')
    {
        return (
            address,
            after.strip_prefix(':').filter(|port| !port.is_empty()),
        );
    }
    match rule.split_once(':') {
        Some((name, port)) if !port.contains(':') => {
            (name, Some(port).filter(|port| !port.is_empty()))
        }
        _ => (rule, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_read_like_go_reads_it() {
        for (no_proxy, host, port, direct) in [
            ("", "api.example.com", 6443, false),
            ("", "localhost", 6443, true),
            ("", "127.0.0.7", 6443, true),
            ("", "[::1]", 6443, true),
            ("*", "api.example.com", 6443, true),
            ("a, * ,b", "api.example.com", 6443, true),
            ("example.com", "example.com", 6443, true),
            ("example.com", "api.example.com", 6443, true),
            ("example.com", "notexample.com", 6443, false),
            (".example.com", "api.example.com", 6443, true),
            (".example.com", "example.com", 6443, false),
            ("*.example.com", "api.example.com", 6443, true),
            ("*.example.com", "example.com", 6443, false),
            ("EXAMPLE.com", "api.Example.COM", 6443, true),
            ("example.com:6443", "api.example.com", 6443, true),
            ("example.com:443", "api.example.com", 6443, false),
            ("10.0.0.1", "10.0.0.1", 6443, true),
            ("10.0.0.1:443", "10.0.0.1", 6443, false),
            ("10.0.0.0/8", "10.200.3.4", 6443, true),
            ("10.0.0.0/8", "11.0.0.1", 6443, false),
            ("10.0.0.0/8", "ten.example.com", 6443, false),
            ("2001:db8::/32", "[2001:db8::7]", 6443, true),
            ("2001:db8::7", "[2001:db8::7]", 6443, true),
            ("[2001:db8::7]:6443", "[2001:db8::7]", 6443, true),
            ("[2001:db8::7]:443", "[2001:db8::7]", 6443, false),
            (":6443", "api.example.com", 6443, false),
            (
                ".svc,.cluster.local,10.96.0.0/12",
                "kubernetes.default.svc",
                443,
                true,
            ),
        ] {
            assert_eq!(
                is_direct(no_proxy, host, port),
                direct,
                "{no_proxy:?} {host}:{port}"
            );
        }
    }

    #[test]
    fn a_kubeconfigs_proxy_comes_first_and_is_always_used() {
        let environment = ProxySettings {
            https_proxy: Some("http://user:hunter2@env:3128".to_owned()),
            no_proxy: Some("*".to_owned()),
        };
        let chosen = choose(Some("http://kube:1"), &environment, "localhost", 6443).unwrap();
        assert_eq!(
            chosen.map(|proxy| proxy.host().to_owned()),
            Some("kube".to_owned())
        );
        assert_eq!(choose(None, &environment, "api", 6443).unwrap(), None);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }

    #[test]
    fn a_proxy_that_is_no_url_is_an_error_without_its_text() {
        for url in ["http://", "ftp://hunter2@x", "http://hunter2 x"] {
            let settings = ProxySettings {
                https_proxy: Some(url.to_owned()),
                no_proxy: None,
            };
            let error = choose(None, &settings, "api", 6443).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_proxy_without_a_scheme_is_http() {
        for (url, protocol, port) in [
            ("proxy:3128", ProxyProtocol::Http, 3128),
            ("https://proxy", ProxyProtocol::Https, 443),
            ("socks5://proxy", ProxyProtocol::Socks5, 1080),
        ] {
            let proxy = parse(url).unwrap();
            assert_eq!((proxy.protocol(), proxy.port()), (protocol, port), "{url}");
        }
    }
}
