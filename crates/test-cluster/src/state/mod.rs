//! The state of the cluster: Secrets, grants and issued tokens.

mod grants;
mod object;
mod store;
mod tokens;
mod user;

pub(crate) use grants::{Access, Grants};
pub(crate) use object::{Item, Object};
pub(crate) use store::{PageLimit, Store};
pub use tokens::TokenOptions;
pub(crate) use tokens::Tokens;
pub(crate) use user::{ServiceAccount, User};

/// Everything that requests read and tests change.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) grants: Grants,
    pub(crate) tokens: Tokens,
}
