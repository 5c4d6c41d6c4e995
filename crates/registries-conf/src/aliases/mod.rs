//! Aliases of short names: `[aliases]` of one file.
//!
//! Agrees with `shortNameAliasConf` and `parseShortNameValue` of `sysregistriesv2`.

mod plain;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use image_name::{ImageName, Reference};

pub(crate) use self::plain::PlainAliases;
use crate::{
    error::{Invalid, Refusal},
    registry::Origin,
    tree::Text,
};

/// The target of a short name: an entry of `[aliases]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The full name. `None` if the alias was reset with an empty value.
    pub target: Option<ImageName>,
    /// The entry that defines it.
    pub origin: Origin,
}

/// The aliases of one file, all of them valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aliases {
    /// The aliases of any file.
    Parsed(BTreeMap<String, Alias>),
    /// The aliases of a file that contains nothing else.
    Plain(PlainAliases),
}

impl Aliases {
    /// Checks the entries of `[aliases]`.
    pub(crate) fn check(entries: Vec<(Text, Text)>, file: &Arc<Path>) -> Result<Self, Refusal> {
        let mut aliases = BTreeMap::new();
        for (name, target) in entries {
            let line = name.line;
            let origin = Origin {
                file: Arc::clone(file),
                line,
            };
            let alias = Alias::parse(&name.value, &target.value, origin)
                .map_err(|reason| Refusal::new(line, reason))?;
            aliases.insert(name.value, alias);
        }
        Ok(Self::Parsed(aliases))
    }

    /// The alias of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Alias> {
        match self {
            Self::Parsed(aliases) => aliases.get(name).cloned(),
            Self::Plain(aliases) => aliases.get(name),
        }
    }

    /// All aliases.
    pub(crate) fn all(&self) -> BTreeMap<String, Alias> {
        match self {
            Self::Parsed(aliases) => aliases.clone(),
            Self::Plain(aliases) => aliases.all().collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Parsed(aliases) => aliases.is_empty(),
            Self::Plain(aliases) => aliases.is_empty(),
        }
    }
}

impl Alias {
    /// Checks one `name = target` of `[aliases]`.
    pub(crate) fn parse(name: &str, target: &str, origin: Origin) -> Result<Self, Invalid> {
        check_short_name(name)?;
        let target = if target.is_empty() {
            None
        } else {
            Some(parse_target(name, target)?)
        };
        Ok(Self { target, origin })
    }
}

fn check_short_name(name: &str) -> Result<(), Invalid> {
    let reference = Reference::parse(name).map_err(|error| Invalid::AliasName { error })?;
    if reference.has_tag_or_digest() || reference.has_registry() {
        return Err(Invalid::AliasNotShort {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn parse_target(name: &str, target: &str) -> Result<ImageName, Invalid> {
    let malformed = |error| Invalid::AliasTarget {
        name: name.to_owned(),
        error,
    };
    let reference = Reference::parse(target).map_err(malformed)?;
    if reference.has_tag_or_digest() || !reference.has_registry() {
        return Err(Invalid::AliasTargetIncomplete {
            name: name.to_owned(),
            target: target.to_owned(),
        });
    }
    ImageName::parse(target).map_err(malformed)
}

#[cfg(test)]
mod tests;
