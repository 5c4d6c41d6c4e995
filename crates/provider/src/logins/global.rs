//! Global auth files: the node's own logins. CRI-O does not read them if it gets our
//! file, so they are copied into it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use containers_auth::{AuthFile, Text};
use registries_conf::ImageName;
use secret::{DecodeError, ReadError, read_file};
use tracing::debug;

use super::LoginSource;
use crate::deadline::{Deadline, Elapsed};
use crate::logins::{Observer, Origin, Selection, Skipped};

/// The largest global auth file that is read: 4 MiB, much larger than any real one.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The texts of the global auth files, in their order.
#[derive(Debug, Default)]
pub struct GlobalTexts(Vec<(Origin, Text<'static>)>);

/// One global auth file, decoded; borrows from its text.
#[derive(Debug)]
pub struct GlobalAuthFile<'a> {
    /// Its number and path, for messages and precedence.
    pub origin: &'a Origin,
    /// Its content.
    pub file: AuthFile<'a>,
}

/// The entries of global auth files as logins.
#[derive(Debug)]
pub struct GlobalFiles<'a> {
    /// The files, first file first.
    pub files: &'a [GlobalAuthFile<'a>],
    /// When the run must have ended.
    pub deadline: Deadline,
}

/// The file's credential helpers are left out, and its entries are used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("leave out its \"credHelpers\"")]
struct HelpersUnusable(#[source] DecodeError);

impl GlobalTexts {
    /// Reads the files. A missing file is normal; one that cannot be read is skipped, and
    /// the others are used.
    pub fn read(paths: &[PathBuf], observer: &mut dyn Observer) -> Self {
        let mut texts = Vec::new();
        for (index, path) in paths.iter().enumerate() {
            let origin = Origin::GlobalFile(index, path.clone());
            match read_file(path, MAX_BYTES) {
                Ok(text) => texts.push((origin, Text::of_json(&text).into_owned())),
                Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                    debug!(?path, "no such global auth file");
                }
                Err(error) => observer.skipped(&Skipped::new(&origin, None, error)),
            }
        }
        Self(texts)
    }

    /// Decodes the texts, and skips malformed ones.
    pub fn decode(&self, observer: &mut dyn Observer) -> Vec<GlobalAuthFile<'_>> {
        let mut files = Vec::new();
        for (origin, text) in &self.0 {
            match AuthFile::parse(text) {
                Ok(file) => {
                    if let Err(error) = &file.cred_helpers {
                        let unusable = HelpersUnusable(error.clone());
                        observer.skipped(&Skipped::new(origin, None, unusable));
                    }
                    files.push(GlobalAuthFile { origin, file });
                }
                Err(error) => observer.skipped(&Skipped::new(origin, None, error)),
            }
        }
        files
    }
}

impl GlobalFiles<'_> {
    /// The sources for which these files have a login, or a credential helper that
    /// containers/image runs, and the file of each.
    ///
    /// # Errors
    /// The deadline has passed.
    pub fn served<'s>(
        &self,
        sources: impl IntoIterator<Item = &'s ImageName>,
    ) -> Result<BTreeMap<&'s ImageName, Origin>, Elapsed> {
        let sources: Vec<&ImageName> = sources.into_iter().collect();
        let mut selection = Selection::new(sources.iter().copied().cloned());
        self.offer_all(&mut selection, &mut ())?;
        let chosen: BTreeMap<_, _> = selection.chosen().collect();
        let login = |source| Some(chosen.get(source)?.origin.clone());
        let helper = |source: &ImageName| {
            let mut files = self.files.iter();
            let file =
                files.find(|file| file.file.helper_hosts().any(|host| host == source.host()));
            Some(file?.origin.clone())
        };
        let served = |source| Some((source, login(source).or_else(|| helper(source))?));
        Ok(sources.into_iter().filter_map(served).collect())
    }

    /// Offers every entry. A source whose host has a credential helper in the same file or
    /// an earlier one gets no entry: containers/image uses the helper first, and must still
    /// do so.
    fn offer_all(
        &self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> Result<(), Elapsed> {
        let mut helpers: BTreeSet<&str> = BTreeSet::new();
        for GlobalAuthFile { origin, file } in self.files {
            helpers.extend(file.helper_hosts());
            let without_helper = |source: &ImageName| !helpers.contains(source.host());
            for (key, entry) in &file.auths {
                self.deadline.check()?;
                let offered = selection.offer(origin, key, *entry, without_helper, observer);
                if let Err(error) = offered {
                    observer.skipped(&Skipped::new(origin, Some(key), error));
                }
            }
        }
        Ok(())
    }
}

impl LoginSource for GlobalFiles<'_> {
    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()> {
        Ok(self.offer_all(selection, observer)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_of_many_entries_does_not_outlast_the_deadline() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let text = br#"{"auths":{"a.x":{"auth":"dTpw"}}}"#;
        path.as_file().write_all(text).unwrap();
        let texts = GlobalTexts::read(&[path.path().to_owned()], &mut ());
        let files = texts.decode(&mut ());
        let offer = |timeout| {
            let deadline = Deadline::new(timeout);
            let mut selection = Selection::new([ImageName::parse("a.x/b").unwrap()]);
            let offered = GlobalFiles {
                files: &files,
                deadline,
            }
            .offer(&mut selection, &mut ());
            (
                offered.map_err(|error| error.is::<Elapsed>()),
                selection.chosen().count(),
            )
        };
        assert_eq!(offer(Duration::from_secs(45)), (Ok(()), 1));
        assert_eq!(offer(Duration::ZERO), (Err(true), 0));
    }
}
