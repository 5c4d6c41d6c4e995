//! Global auth files: the node's own logins, which CRI-O no longer reads once it
//! is given our file, and which are therefore carried over into it.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use registries_conf::ImageName;
use tracing::debug;
use zeroize::Zeroizing;

use crate::credentials::{DockerConfig, Format, Observer, Origin, Selection, Skipped};
use crate::secret::{ReadError, read_file};

/// The largest global auth file that is read: 4 MiB, far beyond any real one.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The text of one global auth file.
#[derive(Debug)]
pub struct GlobalText {
    origin: Origin,
    text: Zeroizing<Vec<u8>>,
}

/// One global auth file, decoded; borrows from its [`GlobalText`].
#[derive(Debug)]
pub struct GlobalAuthFile<'a> {
    /// Place and path, for messages and precedence.
    pub origin: &'a Origin,
    /// Its entries.
    pub config: DockerConfig<'a>,
}

/// Reads the global auth files in order. A missing one is normal; one that
/// cannot be read is skipped, and the others still count.
pub fn read_global(paths: &[PathBuf], observer: &mut impl Observer) -> Vec<GlobalText> {
    let mut texts = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let origin = Origin::GlobalFile(index, path.clone());
        match read_file(path, MAX_BYTES) {
            Ok(text) => texts.push(GlobalText { origin, text }),
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                debug!(?path, "no such global auth file");
            }
            Err(error) => observer.skipped(&Skipped::new(&origin, None, error)),
        }
    }
    texts
}

impl GlobalText {
    /// Decodes the text; one that is broken is skipped.
    pub fn decode(&self, observer: &mut impl Observer) -> Option<GlobalAuthFile<'_>> {
        match DockerConfig::parse(&self.text, Format::DockerConfigJson) {
            Ok(config) => Some(GlobalAuthFile {
                origin: &self.origin,
                config,
            }),
            Err(error) => {
                observer.skipped(&Skipped::new(&self.origin, None, error));
                None
            }
        }
    }
}

/// Offers the entries of all global auth files to a selection.
///
/// A source whose host has a credential helper in the same file or one before it
/// gets none of them: containers/image asks the helper first, and so shall it.
pub fn offer_global(
    files: &[GlobalAuthFile<'_>],
    selection: &mut Selection,
    observer: &mut impl Observer,
) {
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
            let offered = selection.offer(file.origin, key, *entry, without_helper, observer);
            if let Err(error) = offered {
                observer.skipped(&Skipped::new(file.origin, Some(key), error));
            }
        }
    }
}
