//! The auth file: the short-lived file of logins that CRI-O takes for one pull
//! (SPEC section 6; CRI-O: `namespaced_auth_dir` in crio.conf(5)).
//!
//! Its name and content are pure; `store` is the only place that writes.

mod content;
mod global;
mod name;
mod store;

pub use content::encode;
pub use global::{GlobalAuthFile, GlobalText, offer_global, read_global};
pub use name::FileName;
pub(crate) use store::is_ours;
pub use store::{AuthDir, StoreError};
