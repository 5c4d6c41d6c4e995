//! Global auth files: the node's own logins, which CRI-O no longer reads once it
//! is given our file, and which are therefore carried over into it.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use registries_conf::ImageName;
use tracing::debug;

use super::content::is_helper;
use crate::credentials::{AuthFile, Observer, Origin, Selection, Skipped, Text};
use crate::secret::{DecodeError, ReadError, read_file};

/// The largest global auth file that is read: 4 MiB, far beyond any real one.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The text of one global auth file.
#[derive(Debug)]
pub struct GlobalText {
    origin: Origin,
    text: Text<'static>,
}

/// One global auth file, decoded; borrows from its [`GlobalText`].
#[derive(Debug)]
pub struct GlobalAuthFile<'a> {
    /// Place and path, for messages and precedence.
    pub origin: &'a Origin,
    /// What it holds.
    pub file: AuthFile<'a>,
}

/// Its credential helpers are left out, and its entries count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("leave out its \"credHelpers\"")]
struct HelpersUnusable(#[source] DecodeError);

/// Reads the global auth files in order. A missing one is normal; one that
/// cannot be read is skipped, and the others still count.
pub fn read_global(paths: &[PathBuf], observer: &mut impl Observer) -> Vec<GlobalText> {
    let mut texts = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let origin = Origin::GlobalFile(index, path.clone());
        match read_file(path, MAX_BYTES) {
            Ok(text) => texts.push(GlobalText {
                origin,
                text: Text::of_json(&text).into_owned(),
            }),
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
        match AuthFile::parse(&self.text) {
            Ok(file) => {
                if let Err(error) = &file.cred_helpers {
                    let unusable = HelpersUnusable(error.clone());
                    observer.skipped(&Skipped::new(&self.origin, None, unusable));
                }
                Some(GlobalAuthFile {
                    origin: &self.origin,
                    file,
                })
            }
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
        let own = file.file.cred_helpers.iter().flatten();
        let own = own.filter(|(_, helper)| is_helper(helper));
        helpers.extend(own.map(|(host, _)| host.as_ref()));
        let without_helper = |source: &ImageName| !helpers.contains(source.host());
        for (key, entry) in &file.file.auths {
            let offered = selection.offer(file.origin, key, *entry, without_helper, observer);
            if let Err(error) = offered {
                observer.skipped(&Skipped::new(file.origin, Some(key), error));
            }
        }
    }
}
