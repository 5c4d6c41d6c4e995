//! CRI-O's own files: its configuration, and the file with its version.

pub mod configuration;

use std::path::Path;

use registries_conf::{Layout, resolve_below};
use secret::read_file;
use tracing::debug;

use self::configuration::{Configuration, DEFAULT_VERSION_FILE, files};
use crate::node_version::Version;

/// The largest version file that is read.
const MAX_VERSION_BYTES: usize = 1024;

/// The generation of containers/image in a version of CRI-O.
///
/// The release branches up to 1.37 have go.podman.io/image 5.38 or earlier.
pub fn layout(Version(major, minor, _): Version) -> Layout {
    if (major, minor) <= (1, 37) {
        Layout::V5_38
    } else {
        Layout::V5_41
    }
}

/// The version that the running CRI-O has left in its version file; `None` if there is
/// none.
///
/// A configuration that cannot be read has no effect: the running CRI-O did not start
/// with it. It is decoded only if it sets another version file.
pub fn running_version(root: &Path) -> Option<Version> {
    let mut configuration = Configuration::default();
    for path in files(root, None, None).unwrap_or_default() {
        if let Err(error) = configuration.add_if_it_mentions(root, &path, "version_file") {
            debug!(?path, "leave out CRI-O's configuration: {error}");
        }
    }
    let path = configuration.version_file.as_deref();
    version_in(root, path.unwrap_or(DEFAULT_VERSION_FILE))
}

/// The version in a version file, as `semver` writes it: a JSON string such as
/// `"1.34.3+abcdef"`.
pub fn version_in(root: &Path, file: &str) -> Option<Version> {
    let path = Path::new(file);
    let text = read_file(&resolve_below(root, path), MAX_VERSION_BYTES).ok()?;
    let text: String = serde_json::from_slice(&text).ok()?;
    Version::parse(&text)
}
