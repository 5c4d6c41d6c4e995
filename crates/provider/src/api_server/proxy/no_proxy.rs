//! `NO_PROXY` as Go's `httpproxy` reads it after client-go, which accepts addresses with
//! leading zeros in their numbers (`NewProxierWithNoProxyCIDR`).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::api_server::address::{ip, unbracketed};
use crate::api_server::idn;

/// Whether `NO_PROXY` contains the host, or the host is this machine. The port is compared
/// as it is written.
pub(super) fn is_direct(no_proxy: &str, host: &str, port: &str) -> bool {
    let host = unbracketed(host);
    let address = ip(host);
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    let host = host.to_ascii_lowercase().replace("%25", "%");
    no_proxy
        .split(',')
        .map(|rule| rule.trim().to_ascii_lowercase())
        .any(|rule| rule_matches(&rule, &host, address, port))
}

fn rule_matches(rule: &str, host: &str, address: Option<IpAddr>, port: &str) -> bool {
    if rule == "*" {
        return true;
    }
    if let Some(network) = network(rule) {
        return sloppy_ip(host).is_some_and(|address| network.contains(&address));
    }
    let (name, wanted_port) = split_port(rule).unwrap_or((rule, ""));
    if name.is_empty() || !(wanted_port.is_empty() || wanted_port == port) {
        return false;
    }
    if !name.starts_with('[')
        && let Some(wanted) = ip(name)
    {
        return address == Some(wanted);
    }
    let name = name
        .strip_prefix('*')
        .filter(|rest| rest.starts_with('.'))
        .unwrap_or(name);
    // `.domain` matches only the names below it.
    let is_below = name.starts_with('.');
    let name = idn::to_ascii(name).unwrap_or(Cow::Borrowed(name));
    host.strip_suffix(&*name)
        .is_some_and(|rest| is_below || rest.is_empty() || rest.ends_with('.'))
}

/// A network; of IPv4-mapped addresses the IPv4 network, if there is one.
fn network(rule: &str) -> Option<IpNet> {
    let (address, prefix) = rule.split_once('/')?;
    let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let prefix: u8 = prefix.parse().ok().filter(|_| is_number)?;
    let given: Option<IpAddr> = address.parse().ok();
    let mapped = given.is_some_and(|given| given.is_ipv6() && given.to_canonical().is_ipv4());
    let prefix = if mapped {
        prefix.checked_sub(96)?
    } else {
        prefix
    };
    IpNet::new(
        sloppy_ip(address).filter(|_| !address.starts_with('['))?,
        prefix,
    )
    .ok()
}

/// An address, with leading zeros of its numbers removed if necessary.
fn sloppy_ip(text: &str) -> Option<IpAddr> {
    ip(text).or_else(|| {
        let mut numbers = text.split('.').map(|number| {
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse::<u8>().ok().filter(|_| is_number)
        });
        let mut next = || numbers.next().flatten();
        let address = Ipv4Addr::new(next()?, next()?, next()?, next()?);
        numbers.next().is_none().then_some(address.into())
    })
}

/// Splits `host:port` or `[address]:port` as Go's `net.SplitHostPort` does.
fn split_port(rule: &str) -> Option<(&str, &str)> {
    if let Some(inside) = rule.strip_prefix('[') {
        let (address, after) = inside.split_once(']')?;
        return Some((
            address,
            after
                .strip_prefix(':')
                .filter(|port| !port.contains([':', '[', ']']))?,
        ));
    }
    let (name, port) = rule.split_once(':')?;
    (!rule.contains(['[', ']']) && !port.contains(':')).then_some((name, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_read_as_go_reads_it() {
        for (no_proxy, host, port, direct) in [
            ("", "api.example.com", "6443", false),
            ("", "localhost", "6443", true),
            ("", "LOCALHOST", "6443", false),
            ("", "127.0.0.7", "6443", true),
            ("", "[::1]", "6443", true),
            ("a, * ,b", "api.example.com", "6443", true),
            ("example.com", "example.com", "6443", true),
            ("example.com", "notexample.com", "6443", false),
            ("example.com:6443", "api.example.com", "6443", true),
            ("example.com:", "api.example.com", "6443", true),
            ("example.com:443", "api.example.com", "6443", false),
            ("10.0.0.1:443", "10.0.0.1", "6443", false),
            ("10.0.0.0/8", "ten.example.com", "6443", false),
            ("10.0.0.0/+8", "10.0.0.1", "6443", false),
            ("010.0.0.0/08", "010.001.2.3", "6443", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "6443", true),
            ("::ffff:10.0.0.0/8", "10.1.2.3", "6443", false),
            ("::/0", "10.1.2.3", "6443", false),
            ("2001:db8::/32", "[2001:db8::7]", "6443", true),
            ("[2001:db8::7]:6443", "[2001:db8::7]", "6443", true),
            ("[2001:db8::7]", "[2001:db8::7]", "6443", false),
            ("[2001:db8::]/32", "[2001:db8::7]", "6443", false),
            (":6443", "api.example.com", "6443", false),
            ("example.com:06443", "example.com", "06443", true),
            ("example.com:06443", "example.com", "6443", false),
            ("example.com:6443", "example.com", "06443", false),
            ("Bücher.example", "xn--bcher-kva.example", "443", true),
            ("*.BÜCHER.example", "a.xn--bcher-kva.example", "443", true),
            ("api。example．com", "api.example.com", "443", true),
            ("。example.com", "api.example.com", "443", false),
            ("fe80::1%eth0", "[fe80::1%25eth0]", "443", true),
            ("bü_cher.example", "xn--bcher-kva.example", "443", false),
            ("*:6443", "api.example.com", "6443", false),
            (
                ".svc,.cluster.local,10.96.0.0/12",
                "kubernetes.default.svc",
                "443",
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
}
