//! `ImageName::parse` and `ImageName::parse_canonical`.

use std::sync::LazyLock;

use regex::Regex;
use registries_conf::ImageName;

use crate::presentable::{assert_readable, line};

/// `ReferenceRegexp` of containers/image's `docker/reference`, anchored, and without IPv6
/// hosts, which that version does not have.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    let label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
    let domain = format!(r"{label}(?:\.{label})*(?::[0-9]+)?");
    let component = "[a-z0-9]+(?:(?:[._]|__|[-]*)[a-z0-9]+)*";
    let name = format!("(?:{domain}/)?{component}(?:/{component})*");
    let tag = "[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}";
    let digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
    Regex::new(&format!("^({name})(?::{tag})?(?:@({digest}))?$")).expect("it is constant")
});

/// An image reference as users write it.
///
/// - It parses exactly where containers/image's regular expression and its
///   `splitDockerDomain` accept it, to the same name.
/// - A name parses to itself, also as a canonical name, and consists of host and path
///   with a slash between them.
/// - A refusal is one readable line.
pub fn image_name(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let expected = restated(text);
    match ImageName::parse(text) {
        Ok(name) => {
            assert_eq!(Some(name.as_str()), expected.as_deref(), "{text:?}");
            assert_eq!(name.to_string(), format!("{}/{}", name.host(), name.path()));
            assert!(!name.host().is_empty() && !name.path().is_empty());
            assert_eq!(ImageName::parse(name.as_str()), Ok(name.clone()));
            assert_eq!(ImageName::parse_canonical(name.as_str()), Ok(name));
        }
        Err(error) => {
            assert_eq!(expected, None, "{text:?}: {error}");
            assert_readable(&line(&error));
        }
    }
    match ImageName::parse_canonical(text) {
        Ok(name) => assert_eq!(name.as_str(), text),
        Err(error) => {
            assert_ne!(expected.as_deref(), Some(text), "{text:?}: {error}");
            assert_readable(&line(&error));
        }
    }
}

/// `ParseNormalizedNamed(text).Name()`.
fn restated(text: &str) -> Option<String> {
    let hex = |text: &str| text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    if text.len() == 64 && hex(text) {
        return None;
    }
    let is_registry =
        |first: &str| first.contains('.') || first.contains(':') || first == "localhost";
    let (mut domain, mut remainder) = ("docker.io", text.to_owned());
    if let Some(slash) = text.find('/')
        && is_registry(&text[..slash])
    {
        (domain, remainder) = (&text[..slash], text[slash + 1..].to_owned());
    }
    if domain == "index.docker.io" {
        domain = "docker.io";
    }
    if domain == "docker.io" && !remainder.contains('/') {
        remainder = format!("library/{remainder}");
    }
    let reference = format!("{domain}/{remainder}");
    let found = REFERENCE.captures(&reference)?;
    if let Some(digest) = found.get(2) {
        let (algorithm, digits) = digest.as_str().split_once(':')?;
        let length = match algorithm {
            "sha256" => 64,
            "sha384" => 96,
            "sha512" => 128,
            _ => return None,
        };
        if digits.len() != length || !hex(digits) {
            return None;
        }
    }
    Some(found[1].to_owned()).filter(|name| name.len() <= 255)
}
