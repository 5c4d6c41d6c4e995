//! Global auth files: the node's own logins, which CRI-O no longer reads once it
//! is given our file, and which are therefore carried over into it.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use registries_conf::ImageName;
use tracing::{debug, warn};
use zeroize::Zeroizing;

use crate::credentials::{DockerConfig, Format, Origin, Selection};
use crate::secret::{ReadError, read_file};

/// The largest global auth file that is read: 4 MiB, far beyond any real one.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The text of one global auth file.
#[derive(Debug)]
pub struct GlobalText {
    index: usize,
    path: PathBuf,
    text: Zeroizing<Vec<u8>>,
}

/// One global auth file, decoded; borrows from its [`GlobalText`].
#[derive(Debug)]
pub struct GlobalAuthFile<'a> {
    /// Place and path, for messages and precedence.
    pub origin: Origin,
    /// Its entries.
    pub config: DockerConfig<'a>,
}

/// Reads the global auth files in order. A missing one is normal; one that
/// cannot be read is a warning, and the others still count.
pub fn read_global(paths: &[PathBuf]) -> Vec<GlobalText> {
    let read = |(index, path): (usize, &PathBuf)| match read_file(path, MAX_BYTES) {
        Ok(text) => Some(GlobalText {
            index,
            path: path.clone(),
            text,
        }),
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            debug!(?path, "no such global auth file");
            None
        }
        Err(error) => {
            let error = anyhow::Error::new(error);
            warn!(?path, "skip global auth file: {error:#}");
            None
        }
    };
    paths.iter().enumerate().filter_map(read).collect()
}

impl GlobalText {
    /// Decodes the text; one that is broken is a warning, and nothing.
    pub fn decode(&self) -> Option<GlobalAuthFile<'_>> {
        let decoded = DockerConfig::parse(&self.text, Format::DockerConfigJson);
        let decoded = decoded.inspect_err(|error| {
            warn!(path = ?self.path, "skip global auth file: {error}");
        });
        Some(GlobalAuthFile {
            origin: Origin::GlobalFile(self.index, self.path.clone()),
            config: decoded.ok()?,
        })
    }
}

/// Offers the entries of all global auth files to a selection.
///
/// A source whose host has a credential helper in the same file or one before it
/// gets none of them: containers/image asks the helper first, and so shall it.
pub fn offer_global(files: &[GlobalAuthFile<'_>], selection: &mut Selection) {
    let mut helpers: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        helpers.extend(
            file.config
                .cred_helpers
                .iter()
                .map(|(host, _)| host.as_ref()),
        );
        let without_helper = |source: &ImageName| !helpers.contains(source.host());
        for (key, entry) in file.config.auths.iter().flatten() {
            if let Err(error) = selection.offer(&file.origin, key, *entry, without_helper) {
                let path = file.origin.path();
                let error = anyhow::Error::new(error);
                warn!(?path, ?key, "skip entry of global auth file: {error:#}");
            }
        }
    }
}
