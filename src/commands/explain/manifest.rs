//! Manifests for or from kubectl: YAML or JSON, any number of documents, each an object
//! or a list of objects.

use std::borrow::Cow;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail};
use containers_auth::Text;
use secret::{DecodeError, Object, Wiped, read_bounded};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::yaml;
use crate::cli::STDIN;

/// The largest file that is read: 64 MiB, more than all Secrets of most clusters.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The expected content of a file, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// The objects, such as `Secrets`.
    pub(super) what: &'static str,
    /// The same in the singular.
    pub(super) one: &'static str,
    /// The command that prints them.
    pub(super) command: &'static str,
}

/// An object of a manifest.
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    /// The object.
    pub(super) json: &'a RawValue,
    /// The kind by the list that it is in: items of an API server's list have no kind.
    pub(super) kind: Option<String>,
}

/// A document: a list, or one object.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    items: Option<Vec<&'a RawValue>>,
}

impl Expected {
    /// The name of the file in messages.
    pub(super) fn called(&self, file: &Path) -> String {
        let what = self.what;
        if file == Path::new(STDIN) {
            format!("{what} on stdin")
        } else {
            format!("{what} in {}", file.display())
        }
    }

    /// The content of a file, or of stdin.
    ///
    /// # Errors
    /// The file cannot be read, or is a terminal.
    pub(super) fn read(
        &self,
        file: &Path,
        stdin: &mut (impl Read + IsTerminal),
    ) -> anyhow::Result<Wiped<Vec<u8>>> {
        let read = || {
            if file != Path::new(STDIN) {
                return Ok(read_bounded(File::open(file)?, MAX_BYTES)?);
            }
            if stdin.is_terminal() {
                bail!(
                    "it is a terminal: pipe {:?} into this command",
                    self.command
                );
            }
            Ok(read_bounded(stdin, MAX_BYTES)?)
        };
        read().with_context(|| self.called(file))
    }

    /// The objects of all JSON documents: the items of lists, and single objects.
    ///
    /// # Errors
    /// A document is neither a list nor an object. The content is never quoted.
    pub(super) fn items<'a>(&self, text: &'a str) -> anyhow::Result<Vec<Item<'a>>> {
        let Self { one, command, .. } = self;
        let documents = documents(text)?;
        let is_expected = format!("is this what {command:?} prints?");
        if documents.is_empty() {
            bail!("neither a list nor a {one}: {is_expected}");
        }
        let mut items = Vec::new();
        for (index, document) in documents.into_iter().enumerate() {
            let Ok(Object(Document {
                kind,
                items: of_list,
            })) = serde_json::from_str(document.get())
            else {
                let number = index + 1;
                bail!("document {number} is neither a list nor a {one}: {is_expected}");
            };
            match (kind.strip_suffix("List"), of_list) {
                (Some(kind), of_list) => {
                    let kind = (!kind.is_empty()).then(|| kind.to_owned());
                    let of_list = of_list.unwrap_or_default().into_iter();
                    items.extend(of_list.map(|json| Item {
                        json,
                        kind: kind.clone(),
                    }));
                }
                (None, _) => items.push(Item {
                    json: document,
                    kind: None,
                }),
            }
        }
        Ok(items)
    }
}

/// The documents of a manifest as JSON, one after the other.
///
/// # Errors
/// The text is neither JSON nor YAML. The content is never quoted.
pub(super) fn as_json(bytes: &[u8]) -> anyhow::Result<Text<'_>> {
    let text = Text::of_json(bytes);
    let as_it_is = documents(&text).map(drop);
    match as_it_is {
        Ok(()) => Ok(text),
        Err(broken_json) => {
            let mut decoded = Wiped::default();
            let text = kubernetes_yaml::decode(bytes, &mut decoded);
            let text = text.context("neither UTF-8 nor UTF-16 with a byte order mark")?;
            let begins_like_json = text.trim_start().starts_with('{');
            yaml::to_json(text).map_err(|error| {
                let error = if begins_like_json { broken_json } else { error };
                anyhow::Error::new(error)
            })
        }
    }
}

fn documents(text: &str) -> Result<Vec<&RawValue>, DecodeError> {
    let documents = serde_json::Deserializer::from_str(text).into_iter();
    documents
        .map(|document| document.map_err(DecodeError::from))
        .collect()
}
