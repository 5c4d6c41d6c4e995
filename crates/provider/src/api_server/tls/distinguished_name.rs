//! The names in certificates, as text for messages.
//!
//! `x509-cert` prints them too, but with a database of more than a thousand attribute
//! types. The addresses of its entries are filled in whenever the program starts, which
//! costs each run a tenth of its page faults.

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::db::rfc4519::{C, CN, DC, L, O, OU, ST, STREET, UID};
use x509_cert::name::Name;

/// The attribute types that RFC 4514, section 3, has names for.
const KEYWORDS: [(ObjectIdentifier, &str); 9] = [
    (CN, "CN"),
    (L, "L"),
    (ST, "ST"),
    (O, "O"),
    (OU, "OU"),
    (C, "C"),
    (STREET, "STREET"),
    (DC, "DC"),
    (UID, "UID"),
];

/// A name in the order and with the separators of RFC 4514. Values of all types are shown
/// as text.
pub(super) fn shown(name: &Name) -> String {
    let relative = name.iter_rdn().map(|relative| {
        let attributes: Vec<_> = relative.iter().map(attribute).collect();
        attributes.join("+")
    });
    let mut relative: Vec<_> = relative.collect();
    relative.reverse();
    relative.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue) -> String {
    let keyword = KEYWORDS.iter().find(|(oid, _)| *oid == attribute.oid);
    let mut text = match keyword {
        Some((_, keyword)) => format!("{keyword}="),
        None => format!("{}=", attribute.oid),
    };
    for char in String::from_utf8_lossy(attribute.value.value()).chars() {
        if matches!(char, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            text.push('\\');
        }
        text.push(char);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn names_are_shown_as_in_rfc_4514() {
        for text in [
            "CN=kubernetes",
            "CN=a,OU=b,O=c,STREET=d,L=e,ST=f,C=DE",
            "UID=jsmith,DC=example,DC=net",
            "OU=Sales+CN=J. Smith,DC=example,DC=net",
            "CN=James \\\"Jim\\\" Smith\\, III",
            "CN=a\\+b\\;c\\<d\\>e\\\\f",
        ] {
            let name = Name::from_str(text).unwrap();
            assert_eq!(shown(&name), name.to_string(), "{text}");
        }
        assert_eq!(shown(&Name::default()), "");
    }

    #[test]
    fn other_attribute_types_are_shown_by_number() {
        // A UTF8String.
        let name = Name::from_str("CN=a,1.3.6.1.4.1.1466.0=#0c0462c3bc63").unwrap();
        assert_eq!(shown(&name), "CN=a,1.3.6.1.4.1.1466.0=b\u{fc}c");
    }
}
