//! From the text of a docker config to the one credential a pull source gets
//! (SPEC section 5). Pure: no path, no clock, no network.

mod docker_config;
mod key;
mod observer;
mod selection;

pub(crate) use docker_config::BASE64;
pub use docker_config::{Credential, DockerConfig, EntryError, Format, RawEntry};
pub use key::{Key, Specificity};
pub use observer::{Observer, Skipped};
pub use selection::{Candidate, Comparison, Origin, Rule, Selection, Verdict};
