//! The Secrets of the namespace that are used: those that the service account names in an
//! annotation, else those that the node's administrator names by flag, else all. Does no
//! I/O.
//!
//! Named Secrets are read one by one, so the service account only needs the right to
//! `get` these, and not to list all Secrets of the namespace.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::dns;
use crate::service_account::Namespace;

/// The most Secrets that may be named: each is a request to the API server.
pub const MAX_NAMES: usize = 32;
/// The most characters of an unusable name that a message quotes.
const MAX_TOLD: usize = 253;

/// Names of Secrets in order of precedence, as in `imagePullSecrets`: of two whose
/// entries match a pull source equally, the first is used.
///
/// Every name is a DNS subdomain and occurs once; there are at most [`MAX_NAMES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretNames {
    names: Vec<String>,
    unusable: Vec<String>,
}

/// There are more than [`MAX_NAMES`] names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{by} names more than {MAX_NAMES} Secrets")]
pub struct TooManyNames {
    by: String,
}

/// The text is not a valid Secret name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the name of a Secret (a DNS subdomain: lower-case letters, digits, '-' and '.', at most 253)"
)]
pub struct NotASubdomain;

/// A Secret by its namespace and name, written `NAMESPACE/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSecret {
    /// The namespace.
    pub namespace: Namespace,
    /// The name: a DNS subdomain.
    pub name: String,
}

/// The text is not a namespace and the name of a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected NAMESPACE/NAME, such as registry-logins/mirror")]
pub struct NotAName;

impl FromStr for SharedSecret {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let (namespace, name) = text.split_once('/').ok_or(NotAName)?;
        let namespace = Namespace::parse(namespace).map_err(|_not_a_label| NotAName)?;
        if !dns::is_subdomain(name) {
            return Err(NotAName);
        }
        let name = name.to_owned();
        Ok(Self { namespace, name })
    }
}

impl fmt::Display for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl SecretNames {
    /// The names in the service account's annotation of that name, if it exists, even if it
    /// is empty; else those of the flag. `None` if neither exists, and all Secrets of the
    /// namespace are used.
    ///
    /// # Errors
    /// [`TooManyNames`].
    pub fn wanted(
        annotation: Option<&str>,
        annotations: &BTreeMap<String, String>,
        flag: &[String],
    ) -> Result<Option<Self>, TooManyNames> {
        let text = annotation.and_then(|name| annotations.get_key_value(name));
        if let Some((name, text)) = text {
            let by = || format!("annotation {name:?} of the service account");
            return Self::parse(by, &[text]).map(Some);
        }
        if flag.is_empty() {
            return Ok(None);
        }
        let texts: Vec<&str> = flag.iter().map(String::as_str).collect();
        Self::parse(|| "--secret-name".to_owned(), &texts).map(Some)
    }

    /// Splits texts at commas, and ignores blank parts.
    fn parse(by: impl FnOnce() -> String, texts: &[&str]) -> Result<Self, TooManyNames> {
        let mut names: Vec<String> = Vec::new();
        let mut unusable: Vec<String> = Vec::new();
        let all = texts.iter().flat_map(|text| text.split(','));
        for name in all.map(str::trim).filter(|name| !name.is_empty()) {
            let (list, name) = if dns::is_subdomain(name) {
                (&mut names, name.to_owned())
            } else {
                (&mut unusable, name.chars().take(MAX_TOLD).collect())
            };
            if !list.contains(&name) {
                list.push(name);
                if names.len() + unusable.len() > MAX_NAMES {
                    return Err(TooManyNames { by: by() });
                }
            }
        }
        Ok(Self { names, unusable })
    }

    /// Whether there is a valid name.
    pub fn is_any(&self) -> bool {
        !self.names.is_empty()
    }

    /// The names, in order of precedence.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The invalid names, cut to a readable length.
    pub fn unusable(&self) -> &[String] {
        &self.unusable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<SecretNames, TooManyNames> {
        SecretNames::parse(|| "the test".to_owned(), texts)
    }

    #[test]
    fn names_are_split_in_order_without_repetitions() {
        for (texts, names, unusable) in [
            (&["b, a"][..], &["b", "a"][..], &[][..]),
            (
                &[" mirror-login,team.cache ", "c"],
                &["mirror-login", "team.cache", "c"],
                &[],
            ),
            (&["a,b,a", "b"], &["a", "b"], &[]),
            (&[""], &[], &[]),
            (&[" , ,\n"], &[], &[]),
            (&[",a,"], &["a"], &[]),
            (&["a b,A,../x,A,c"], &["c"], &["a b", "A", "../x"]),
        ] {
            let parsed = parse(texts).unwrap();
            assert_eq!(parsed.names(), names, "{texts:?}");
            assert_eq!(parsed.unusable(), unusable, "{texts:?}");
        }
        let long = "x".repeat(1000);
        assert_eq!(parse(&[&long]).unwrap().unusable(), ["x".repeat(MAX_TOLD)]);
    }

    #[test]
    fn too_many_names_are_refused() {
        let numbered = |count: usize, name: &str| {
            let names: Vec<_> = (0..count).map(|number| format!("{name}{number}")).collect();
            names.join(",")
        };
        let most = numbered(MAX_NAMES, "a");
        assert_eq!(parse(&[&most, &most]).unwrap().names().len(), MAX_NAMES);
        for one_more in ["b", "_"] {
            let error = parse(&[&most, one_more]).unwrap_err();
            assert_eq!(error.to_string(), "the test names more than 32 Secrets");
        }
        assert!(parse(&[&numbered(MAX_NAMES + 1, "_")]).is_err());
    }
}
