//! The users that send requests.

use std::fmt;

/// A service account. Displays as its user name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ServiceAccount {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum User {
    Anonymous,
    ServiceAccount(ServiceAccount),
}

impl ServiceAccount {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl User {
    /// The user with that name.
    pub(crate) fn named(name: &str) -> Self {
        let account = name.strip_prefix("system:serviceaccount:");
        match account.and_then(|account| account.split_once(':')) {
            Some((namespace, name)) => Self::ServiceAccount(ServiceAccount::new(namespace, name)),
            None => Self::Anonymous,
        }
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("system:anonymous"),
            Self::ServiceAccount(account) => account.fmt(f),
        }
    }
}
