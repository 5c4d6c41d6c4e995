//! The directory of auth files (`namespaced_auth_dir` in crio.conf(5)). An auth file is a
//! short-lived file of logins; CRI-O takes one for each pull.
//!
//! `name` computes the name of a file, `turns` decides when it is written or removed, and
//! `store` and `sweep` do that.

mod name;
mod turns;
mod pulls;
mod intents;
mod lock;
mod store;
mod temporary;
mod sweep;
mod times;

pub use intents::{Intents, process_started};
pub use lock::Locks;
pub(crate) use lock::hold_lock;
pub use name::FileName;
pub use store::{AuthDir, StoreError};
pub use sweep::{TEMPORARY_AGE, is_ours};
pub use turns::{AuthFile, Placed};
