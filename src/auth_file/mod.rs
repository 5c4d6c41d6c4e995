//! The auth file: the short-lived file of logins that CRI-O takes for one pull (CRI-O:
//! `namespaced_auth_dir` in crio.conf(5)).
//!
//! `name` and the encoding of the content are pure. `turns` decides when the file is
//! written or removed, `store` and `sweep` do it.

mod content;
mod name;
mod turns;
mod pulls;
mod intents;
mod lock;
mod store;
mod sweep;
mod times;

pub use content::{EncodeError, encode};
pub use intents::Intents;
pub use lock::Locks;
pub use name::FileName;
pub use store::{AuthDir, StoreError};
pub(crate) use sweep::{TEMPORARY_AGE, is_ours};
pub use turns::{AuthFile, Placed};
