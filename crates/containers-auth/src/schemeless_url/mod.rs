//! URLs without a scheme. kubelet parses image names, the keys of docker configs and the
//! patterns of `matchImages` as such.
//!
//! Agrees with `ParseSchemelessURL` and `SplitURL` of Kubernetes'
//! `pkg/credentialprovider`, built with Go 1.26: the text is parsed as `net/url` parses
//! what follows `https://`.

pub mod glob;

use std::borrow::Cow;
use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

/// Host and path of a URL; user, query and fragment are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemelessUrl<'a> {
    /// The host with its port; escapes are decoded.
    host: Cow<'a, str>,
    /// The path with its leading slash; escapes are decoded.
    path: Cow<'a, [u8]>,
}

/// Why a text is not a URL without a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// A tab, a line break or another control character.
    #[error("has a control character")]
    Control,
    /// The text after the colon is not a number, or there are several colons.
    #[error("has no number after the colon of its host")]
    Port,
    /// A `[` that does not start an IPv6 address in brackets. Go refuses it since 1.25.8
    /// and 1.26.1; before, kubelet accepted character classes such as `[0-9]`.
    #[error(
        "has a \"[\" in its host without an IPv6 address: kubelet accepts no character classes since April 2026, write \"*\" or one pattern for each host"
    )]
    Bracket,
    /// A character that is not allowed in a host.
    #[error("has a character in its host that is not allowed there")]
    Host,
    /// A percent sign without two hexadecimal digits.
    #[error("has a percent sign without two hexadecimal digits")]
    Escape,
    /// A character that is not allowed before an `@`.
    #[error("has a character before the \"@\" that is not allowed there")]
    User,
}

impl<'a> SchemelessUrl<'a> {
    /// Parses a URL without its `https://`.
    ///
    /// # Errors
    /// [`UrlError`] if Go's `url.Parse` refuses it.
    pub fn parse(text: &'a str) -> Result<Self, UrlError> {
        // Most texts have nothing to check or to decode.
        if text.bytes().all(is_plain) {
            let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
            return Ok(Self {
                host: Cow::Borrowed(host),
                path: Cow::Borrowed(path.as_bytes()),
            });
        }
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(UrlError::Control);
        }
        let text = text.split('?').next().unwrap_or_default();
        let (authority, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let host = parse_host(host)?;
        let is_of_user = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
        if !user.chars().all(is_of_user) {
            return Err(UrlError::User);
        }
        [user, path, fragment]
            .into_iter()
            .try_for_each(check_escapes)?;
        Ok(Self {
            host,
            path: percent_decode_str(path).into(),
        })
    }

    /// The host, with its port if there is one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host's name and port, each of which may be empty.
    pub fn name_and_port(&self) -> (&str, &str) {
        split_port(&self.host)
    }

    /// The path with its leading slash; empty if there is none.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Host and path, if the text has both unchanged.
    pub(crate) fn borrowed(&self) -> Option<(&'a str, &'a [u8])> {
        match (&self.host, &self.path) {
            (Cow::Borrowed(host), Cow::Borrowed(path)) => Some((host, path)),
            _ => None,
        }
    }

    /// The same URL as an owned copy.
    pub fn into_owned(self) -> SchemelessUrl<'static> {
        SchemelessUrl {
            host: Cow::Owned(self.host.into_owned()),
            path: Cow::Owned(self.path.into_owned()),
        }
    }
}

/// Splits a host as `net.SplitHostPort` does, which removes the brackets of an IPv6
/// address only if a port follows.
pub(crate) fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => {
            let bare = name
                .strip_prefix('[')
                .and_then(|name| name.strip_suffix(']'));
            (bare.unwrap_or(name), port)
        }
        _ => (host, ""),
    }
}

/// Checks a host and decodes its escapes, as `parseHost` of Go 1.26.
fn parse_host(host: &str) -> Result<Cow<'_, str>, UrlError> {
    let (zone, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.rsplit_once(']').ok_or(UrlError::Bracket)?;
            let (address, zone) = match address.split_once("%25") {
                Some((address, zone)) => (address, Some(zone)),
                None => (address, None),
            };
            if address.parse::<Ipv6Addr>().is_err() || zone == Some("") {
                return Err(UrlError::Bracket);
            }
            (zone.unwrap_or_default(), port)
        }
        None if host.contains('[') => return Err(UrlError::Bracket),
        None => ("", host.split_at(host.find(':').unwrap_or(host.len())).1),
    };
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_number) {
        return Err(UrlError::Port);
    }
    if !host.bytes().all(may_be_in_host) {
        return Err(UrlError::Host);
    }
    check_escapes(host)?;
    // In a host, only bytes outside of ASCII and the percent sign may be escaped; in a
    // zone also a space and every byte that needs no escape.
    let in_zone = |code: u8| !zone.is_empty() && (code == b' ' || may_be_in_host(code));
    if !codes(host).all(|code| !code.is_ascii() || code == b'%' || in_zone(code)) {
        return Err(UrlError::Host);
    }
    Ok(percent_decode_str(host).decode_utf8_lossy())
}

/// Whether a byte means the same everywhere in a host and a path.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' | b'/')
}

fn may_be_in_host(byte: u8) -> bool {
    let others = b"-_.~!$&'()*+,;=:[]<>\"%";
    !byte.is_ascii() || byte.is_ascii_alphanumeric() || others.contains(&byte)
}

/// The bytes that the escapes of a text encode.
fn codes(text: &str) -> impl Iterator<Item = u8> {
    let escapes = text.split('%').skip(1);
    escapes.filter_map(|rest| u8::from_str_radix(rest.get(..2)?, 16).ok())
}

fn check_escapes(text: &str) -> Result<(), UrlError> {
    let is_hex = |code: &str| code.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_escape = |rest: &str| rest.get(..2).is_some_and(is_hex);
    let good = text.split('%').skip(1).all(is_escape);
    good.then_some(()).ok_or(UrlError::Escape)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_has_a_host_a_port_and_a_path() {
        for (text, name, port, path) in [
            ("", "", "", ""),
            ("quay.io", "quay.io", "", ""),
            ("quay.io/", "quay.io", "", "/"),
            ("quay.io:5000/org//app", "quay.io", "5000", "/org//app"),
            ("quay.io:", "quay.io", "", ""),
            ("user:x@y@quay.io/a@b", "quay.io", "", "/a@b"),
            ("quay.io/a?b c#d%20", "quay.io", "", "/a"),
            ("quay.io#?/a", "quay.io", "", ""),
            ("quay.io?/a\u{e4}", "quay.io", "", ""),
            ("quay.io/%6f%2Frg", "quay.io", "", "/o/rg"),
            ("*.b\u{fc}cher.io", "*.b\u{fc}cher.io", "", ""),
            ("b%C3%BCcher.io", "b\u{fc}cher.io", "", ""),
            ("a]b.io", "a]b.io", "", ""),
            ("[::1]", "[::1]", "", ""),
            ("[::1]:5000/a", "::1", "5000", "/a"),
            ("[::ffff:1.2.3.4]:5", "::ffff:1.2.3.4", "5", ""),
            ("[fe80::1%25en0]:5", "fe80::1%en0", "5", ""),
            ("[fe80::1%25e%20n]:5/a", "fe80::1%e n", "5", "/a"),
            ("quay.io?a%zz", "quay.io", "", ""),
            ("a:/b", "a", "", "/b"),
            ("*", "*", "", ""),
        ] {
            let url = SchemelessUrl::parse(text).unwrap();
            assert_eq!(url.name_and_port(), (name, port), "{text}");
            assert_eq!(url.path(), path.as_bytes(), "{text}");
            assert_eq!(url.clone().into_owned(), url, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_url_is_read_as_one_with_a_query(text in "[a-zA-Z0-9._*/-]{0,20}") {
            // What follows the question mark is dropped.
            let with_query = format!("{text}?");
            let url = SchemelessUrl::parse(&text).unwrap();
            prop_assert_eq!(SchemelessUrl::parse(&with_query).unwrap(), url);
        }
    }

    #[test]
    fn text_that_gos_parser_refuses_is_refused() {
        for (text, expected) in [
            ("quay.io:x", UrlError::Port),
            ("quay.io:*", UrlError::Port),
            ("a:1:2", UrlError::Port),
            ("::1", UrlError::Port),
            ("[::1]x", UrlError::Port),
            ("[::1", UrlError::Bracket),
            ("[1.2.3.4]", UrlError::Bracket),
            ("[a-c].io", UrlError::Bracket),
            ("[a-c].io:80", UrlError::Bracket),
            ("[::1][::1]", UrlError::Bracket),
            ("[fe80::1%25e%0an]", UrlError::Host),
            ("[a-c]", UrlError::Bracket),
            ("[]:5000", UrlError::Bracket),
            ("[fe80::1%25]", UrlError::Bracket),
            ("mirror[0-9].io", UrlError::Bracket),
            ("a[b-d.io", UrlError::Bracket),
            ("x[::1]:5000", UrlError::Bracket),
            ("qu ay.io", UrlError::Host),
            ("{quay}.io", UrlError::Host),
            ("a\\b.io", UrlError::Host),
            ("quay%41.io", UrlError::Host),
            ("quay%.io", UrlError::Escape),
            ("quay.io/%zz", UrlError::Escape),
            ("quay.io/%2", UrlError::Escape),
            ("quay.io#%zz", UrlError::Escape),
            ("%zz@quay.io", UrlError::Escape),
            ("us er@quay.io", UrlError::User),
            ("quay.io\n", UrlError::Control),
            ("quay.io/a?\t", UrlError::Control),
            ("quay.io/\u{7f}", UrlError::Control),
        ] {
            assert_eq!(SchemelessUrl::parse(text), Err(expected), "{text:?}");
        }
    }
}
