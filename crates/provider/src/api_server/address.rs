//! The authority of a URL, `[user[:password]@]host[:port]`, parsed as Go's `net/url`
//! does. An invalid port is an error, where other parsers use the scheme's default port.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use super::idn;

/// Host and port of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// The part before the `@`, which may contain a password.
    pub(super) user: Option<&'a str>,
    /// The host in ASCII, without brackets; never empty. The zone of an IPv6 address follows
    /// `%25`, as in the URL.
    pub(super) host: Cow<'a, str>,
    /// The port as it is written, a number from 1 to 65535; `None` where none is given.
    pub(super) port: Option<&'a str>,
}

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressError<'a> {
    /// The host is missing, or in brackets and not an IPv6 address.
    Host,
    /// The host has to be given in ASCII.
    NotAscii,
    /// The text after the host is not a port.
    Port(&'a str),
}

impl<'a> Address<'a> {
    /// Parses an authority.
    ///
    /// # Errors
    /// [`AddressError`].
    pub(super) fn parse(authority: &'a str) -> Result<Self, AddressError<'a>> {
        let (user, rest) = match authority.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, authority),
        };
        let (host, after) = match rest.strip_prefix('[') {
            Some(inside) => inside
                .split_once(']')
                .filter(|(host, _)| without_zone(host).parse::<Ipv6Addr>().is_ok())
                .ok_or(AddressError::Host)?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let after = if after.is_empty() { ":" } else { after };
        let digits = after.strip_prefix(':').ok_or(AddressError::Host)?;
        if host.is_empty() {
            return Err(AddressError::Host);
        }
        if !digits.is_empty() && port(digits).is_none() {
            return Err(AddressError::Port(digits));
        }
        Ok(Self {
            user,
            host: idn::to_ascii(host).ok_or(AddressError::NotAscii)?,
            port: Some(digits).filter(|digits| !digits.is_empty()),
        })
    }
}

/// A port in decimal digits, from 1 to 65535.
pub(super) fn port(text: &str) -> Option<u16> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|&port| port > 0);
    port.filter(|_| is_decimal)
}

/// A host as it is written in a URL: IPv6 addresses in brackets.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// A host without the brackets that URLs put around IPv6 addresses.
pub(super) fn unbracketed(host: &str) -> &str {
    let inside = host.strip_prefix('[');
    inside
        .and_then(|inside| inside.strip_suffix(']'))
        .unwrap_or(host)
}

/// An IPv6 address without the zone that a URL may have after it.
pub(super) fn without_zone(host: &str) -> &str {
    host.split_once("%25")
        .map_or(host, |(address, _zone)| address)
}

/// The IP address, if the host is one. An IPv4-mapped address is the IPv4 address, as in
/// Go's `net.IP`.
pub(super) fn ip(host: &str) -> Option<IpAddr> {
    let address: IpAddr = unbracketed(host).parse().ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_separated() {
        for (authority, host, port) in [
            ("api", "api", None),
            ("api:", "api", None),
            ("api:6443", "api", Some("6443")),
            ("api:006443", "api", Some("006443")),
            ("[fd00::5]", "fd00::5", None),
            ("[fd00::5]:1", "fd00::5", Some("1")),
            ("[fe80::1%25eth0]:1", "fe80::1%25eth0", Some("1")),
            ("[::ffff:10.0.0.1]", "::ffff:10.0.0.1", None),
            ("u:p:w@e@api:65535", "api", Some("65535")),
            ("bücher。example:1", "xn--bcher-kva.example", Some("1")),
        ] {
            let address = Address::parse(authority).unwrap();
            assert_eq!((&*address.host, address.port), (host, port), "{authority}");
        }
        assert_eq!(Address::parse("u:p@api").unwrap().user, Some("u:p"));
    }

    #[test]
    fn an_invalid_port_is_an_error() {
        for port in [
            "6443x",
            "x",
            "-1",
            "+1",
            "0",
            "65536",
            "99999999999",
            " 1",
            "1:2",
            ":1",
            "٣",
        ] {
            for host in ["api", "10.0.0.1", "[fd00::5]"] {
                let authority = format!("{host}:{port}");
                let error = Address::parse(&authority).unwrap_err();
                assert_eq!(error, AddressError::Port(port), "{authority}");
            }
        }
        for authority in [
            "",
            ":1",
            "[fd00::5",
            "[fd00::5]1",
            "[]:1",
            "u@",
            "[api]:1",
            "[10.0.0.1]:1",
            "[fe80::1%eth0]:1",
        ] {
            let error = Address::parse(authority).unwrap_err();
            assert_eq!(error, AddressError::Host, "{authority}");
        }
        let error = Address::parse("\u{644}:1").unwrap_err();
        assert_eq!(error, AddressError::NotAscii);
    }
}
