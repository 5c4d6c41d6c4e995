//! The checked content of one file.
//!
//! Agrees with `loadConfigFile`.

use std::{borrow::Cow, path::Path, sync::Arc};

use crate::{
    aliases::{Aliases, PlainAliases},
    document::Document,
    error::{Invalid, Refusal},
    registry::Registry,
    search::V1Format,
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
    pub(crate) aliases: Option<Aliases>,
}

impl File {
    pub(crate) fn parse(
        content: Cow<'_, [u8]>,
        path: &Arc<Path>,
        role: Role,
    ) -> Result<Self, Refusal> {
        let content = match PlainAliases::scan(content, path) {
            Ok(aliases) => {
                return Ok(Self {
                    aliases: Some(Aliases::Plain(aliases)),
                    ..Self::default()
                });
            }
            Err(content) => content,
        };
        let mut document = Document::parse(&content)?;
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
        // In this order they are checked, and the first problem is returned.
        let registries = validate::registries(document.registries.unwrap_or_default(), path)?;
        let unqualified_search_registries = document
            .unqualified_search_registries
            .map(|entries| validate::search_registries(&entries))
            .transpose()?;
        check_short_name_mode(document.short_name_mode)?;
        Ok(Self {
            v1_line,
            registries,
            unqualified_search_registries,
            credential_helpers: document
                .credential_helpers
                .map(|helpers| helpers.into_iter().map(|helper| helper.value).collect()),
            aliases: document
                .aliases
                .map(|entries| Aliases::check(entries, path))
                .transpose()?,
        })
    }
}

/// The mode is for programs that ask a user which registry is meant. A file with an unknown
/// one is refused all the same.
fn check_short_name_mode(mode: Text) -> Result<(), Refusal> {
    match mode.value.as_str() {
        "" | "disabled" | "enforcing" | "permissive" => Ok(()),
        _ => Err(Refusal::new(
            mode.line,
            Invalid::UnknownShortNameMode { value: mode.value },
        )),
    }
}
