//! An entry with its login, which matches a pull source.

use containers_auth::{Credential, Specificity};

use crate::logins::origin::Origin;

/// An entry with its login, which matches a pull source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it was found.
    pub origin: Origin,
    /// The key, unchanged.
    pub key: String,
    /// The login.
    pub credential: Credential,
    pub(super) specificity: Specificity,
}
