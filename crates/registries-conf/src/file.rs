//! The checked content of one file.
//!
//! Agrees with `loadConfigFile`.

use std::{path::Path, sync::Arc};

use crate::{
    aliases::{Aliases, PlainAliases},
    document::Document,
    error::{Invalid, Refusal},
    registry::Registry,
    search::V1Format,
    short_name_mode::ShortNameMode,
    tree::Text,
    validate,
};

/// The role of a file in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `registries.conf`, which may be in the first version of the format.
    Main(V1Format),
    /// A file that is read after it, which must be in the second version.
    DropIn,
}

/// The content of one file; settings that the file does not have are `None`.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// The first line that is in the first version of the format.
    pub(crate) v1_line: Option<usize>,
    pub(crate) registries: Vec<Registry>,
    pub(crate) unqualified_search_registries: Option<Vec<String>>,
    pub(crate) credential_helpers: Option<Vec<String>>,
    pub(crate) short_name_mode: Option<ShortNameMode>,
    pub(crate) additional_layer_store_auth_helper: Option<String>,
    pub(crate) aliases: Option<Aliases>,
}

impl File {
    pub(crate) fn parse(content: &[u8], path: &Arc<Path>, role: Role) -> Result<Self, Refusal> {
        if let Some(aliases) = PlainAliases::scan(content, path) {
            return Ok(Self {
                aliases: Some(Aliases::Plain(aliases)),
                ..Self::default()
            });
        }
        let mut document = Document::parse(content)?;
        let mut v1_line = None;
        if let Some(v1) = document.v1.take() {
            let refused = match role {
                Role::DropIn => Some(Invalid::V1DropIn),
                Role::Main(V1Format::Refuse) => Some(Invalid::V1Main),
                Role::Main(V1Format::Accept) => None,
            };
            if let Some(reason) = refused {
                return Err(Refusal::new(v1.line, reason));
            }
            if document.has_v2() {
                return Err(Refusal::new(v1.line, Invalid::MixedVersions));
            }
            document.registries = Some(v1.registries());
            v1_line = Some(v1.line);
            document.unqualified_search_registries = v1.search;
        }
        Ok(Self {
            v1_line,
            registries: validate::registries(document.registries.unwrap_or_default(), path)?,
            unqualified_search_registries: document
                .unqualified_search_registries
                .map(|entries| validate::search_registries(&entries))
                .transpose()?,
            credential_helpers: document
                .credential_helpers
                .map(|helpers| helpers.into_iter().map(|helper| helper.value).collect()),
            short_name_mode: short_name_mode(document.short_name_mode)?,
            additional_layer_store_auth_helper: Some(document.additional_layer_store_auth_helper)
                .map(|helper| helper.value)
                .filter(|helper| !helper.is_empty()),
            aliases: document
                .aliases
                .map(|entries| Aliases::check(entries, path))
                .transpose()?,
        })
    }
}

fn short_name_mode(mode: Text) -> Result<Option<ShortNameMode>, Refusal> {
    if mode.value.is_empty() {
        return Ok(None);
    }
    match ShortNameMode::from_value(&mode.value) {
        Some(known) => Ok(Some(known)),
        None => Err(Refusal::new(
            mode.line,
            Invalid::UnknownShortNameMode { value: mode.value },
        )),
    }
}
