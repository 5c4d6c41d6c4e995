//! From the text of a docker config to the one credential a pull source gets.
//! Pure: no path, no clock, no network.

mod docker_config;
mod entry;
mod go_json;
mod key;
mod observer;
mod schemeless_url;
mod selection;
#[cfg(test)]
pub(crate) mod vectors;

pub use docker_config::{AuthFile, DockerConfig, Entries, Format, RawFields};
pub(crate) use entry::{BASE64, decode_base64};
pub use entry::{Credential, EntryError, RawEntry};
pub use go_json::Text;
pub use key::{Key, Specificity};
pub use observer::{Observer, Skipped};
pub(crate) use schemeless_url::glob;
pub use schemeless_url::{SchemelessUrl, UrlError};
pub use selection::{Candidate, Comparison, Origin, Owner, Rule, Selection, Verdict};
