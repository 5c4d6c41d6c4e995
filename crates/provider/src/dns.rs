//! Names by the rules of DNS (RFC 1123), as Kubernetes uses them for namespaces and
//! Secrets: safe as a segment of a URL and in a file name.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>

/// The longest label.
const MAX_LABEL: usize = 63;
/// The longest subdomain.
const MAX_SUBDOMAIN: usize = 253;

/// Whether the name is a label: lower-case letters, digits and `-`, at most 63.
pub(crate) fn is_label(name: &str) -> bool {
    name.len() <= MAX_LABEL && is_part(name)
}

/// Whether the name is a subdomain: labels with dots between them, at most 253
/// characters. As in the API server, a part may be longer than a label.
pub(crate) fn is_subdomain(name: &str) -> bool {
    name.len() <= MAX_SUBDOMAIN && name.split('.').all(is_part)
}

fn is_part(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<u8>| byte.is_some_and(alphanumeric);
    let bytes = part.as_bytes();
    ends(bytes.first().copied())
        && ends(bytes.last().copied())
        && bytes.iter().all(|&byte| alphanumeric(byte) || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_subdomains_or_neither() {
        let (label, long) = ("l".repeat(63), "l".repeat(64));
        let subdomain = format!("{}.a", "l".repeat(251));
        for (name, expected) in [
            ("a", (true, true)),
            ("0-9", (true, true)),
            (&*label, (true, true)),
            (&*long, (false, true)),
            ("a.b-c.d", (false, true)),
            (&*subdomain, (false, true)),
            (&*format!("{subdomain}a"), (false, false)),
            ("", (false, false)),
            (".", (false, false)),
            ("a..b", (false, false)),
            ("a.", (false, false)),
            ("-a", (false, false)),
            ("a-", (false, false)),
            ("a.-b", (false, false)),
            ("A", (false, false)),
            ("a_b", (false, false)),
            ("a/../b", (false, false)),
            ("a b", (false, false)),
            ("a\n", (false, false)),
            ("\u{e4}", (false, false)),
        ] {
            assert_eq!((is_label(name), is_subdomain(name)), expected, "{name:?}");
        }
    }
}
