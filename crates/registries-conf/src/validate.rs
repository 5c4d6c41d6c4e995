//! The rules of containers/image for the registries of one file.
//!
//! Agrees with `V2RegistriesConf.postProcessRegistries` and, for wildcards, with
//! `loadConfigFile`.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use image_name::is_domain;

use crate::{
    error::{Invalid, Refusal},
    registry::{Mirror, Origin, PullFromMirror, Registry, is_wildcard},
    registry_table::{MirrorTable, RegistryTable},
    tree::Text,
};

/// The registries of a file, each prefix once: the first one wins.
pub(crate) fn registries(
    tables: Vec<RegistryTable>,
    file: &Arc<Path>,
) -> Result<Vec<Registry>, Refusal> {
    let mut registries = Vec::with_capacity(tables.len());
    for table in tables {
        registries.push(registry(table, file)?);
    }
    conflicts(&registries)?;
    let mut seen = HashSet::new();
    registries.retain(|registry| seen.insert(registry.prefix.clone()));
    Ok(registries)
}

/// The entries of `unqualified-search-registries`.
pub(crate) fn search_registries(entries: &[Text]) -> Result<Vec<String>, Refusal> {
    let mut registries = Vec::with_capacity(entries.len());
    for entry in entries {
        let registry = location(entry)?;
        if !is_domain(&registry) {
            return Err(Refusal::new(
                entry.line,
                Invalid::SearchRegistry { entry: registry },
            ));
        }
        registries.push(registry);
    }
    Ok(registries)
}

fn registry(table: RegistryTable, file: &Arc<Path>) -> Result<Registry, Refusal> {
    let location = location(&table.location)?;
    let prefix = prefix(&table, &location)?;
    if !table.pull_from_mirror.value.is_empty() {
        return Err(Refusal::new(
            table.pull_from_mirror.line,
            Invalid::PullFromMirrorOutsideMirror { prefix },
        ));
    }
    let mut mirrors = Vec::with_capacity(table.mirrors.len());
    for mirror_table in table.mirrors {
        mirrors.push(mirror(&mirror_table, &prefix, table.mirror_by_digest_only)?);
    }
    Ok(Registry {
        prefix,
        location,
        insecure: table.insecure,
        blocked: table.blocked,
        mirror_by_digest_only: table.mirror_by_digest_only,
        mirrors,
        origin: Origin {
            file: Arc::clone(file),
            line: table.line,
        },
        location_line: table.location.line,
    })
}

/// The prefix; if none is given, the location.
fn prefix(table: &RegistryTable, registry: &str) -> Result<String, Refusal> {
    if table.prefix.value.is_empty() {
        if registry.is_empty() {
            return Err(Refusal::new(table.line, Invalid::NoLocationNorPrefix));
        }
        return wildcard_format(registry.to_owned(), table.location.line);
    }
    let prefix = location(&table.prefix)?;
    if registry.is_empty() && !is_wildcard(&prefix) {
        return Err(Refusal::new(table.line, Invalid::NoLocation { prefix }));
    }
    wildcard_format(prefix, table.prefix.line)
}

fn wildcard_format(prefix: String, line: usize) -> Result<String, Refusal> {
    if is_wildcard(&prefix) && prefix.contains(['/', '@', ':']) {
        return Err(Refusal::new(line, Invalid::WildcardFormat { prefix }));
    }
    Ok(prefix)
}

fn mirror(table: &MirrorTable, prefix: &str, by_digest_only: bool) -> Result<Mirror, Refusal> {
    let location = location(&table.location)?;
    if location.is_empty() {
        return Err(Refusal::new(
            table.line,
            Invalid::MirrorWithoutLocation {
                prefix: prefix.to_owned(),
            },
        ));
    }
    let pull_from_mirror = match table.pull_from_mirror.value.as_str() {
        "" => None,
        _ if by_digest_only => {
            return Err(Refusal::new(
                table.pull_from_mirror.line,
                Invalid::PullFromMirrorTwice {
                    prefix: prefix.to_owned(),
                    mirror: location,
                },
            ));
        }
        value => match PullFromMirror::from_value(value) {
            Some(pull) => Some(pull),
            None => {
                return Err(Refusal::new(
                    table.pull_from_mirror.line,
                    Invalid::UnknownPullFromMirror {
                        mirror: location,
                        value: value.to_owned(),
                    },
                ));
            }
        },
    };
    Ok(Mirror {
        location,
        insecure: table.insecure,
        pull_from_mirror,
        location_line: table.location.line,
    })
}

/// A location or prefix: no URI scheme, no slashes at the end. May be empty.
fn location(text: &Text) -> Result<String, Refusal> {
    let trimmed = text.value.trim_end_matches('/');
    if trimmed.starts_with("http://") || trimmed.starts_with("https://") {
        return Err(Refusal::new(
            text.line,
            Invalid::Scheme {
                location: text.value.clone(),
            },
        ));
    }
    Ok(trimmed.to_owned())
}

/// Registries with the same location must have the same `insecure` and `blocked`. A
/// wildcard without a location is its own location.
fn conflicts(registries: &[Registry]) -> Result<(), Refusal> {
    let mut first_of = HashMap::<&str, &Registry>::new();
    for registry in registries {
        let location = if registry.location.is_empty() {
            &registry.prefix
        } else {
            &registry.location
        };
        let first = first_of.entry(location).or_insert(registry);
        let setting = if first.insecure != registry.insecure {
            "insecure"
        } else if first.blocked != registry.blocked {
            "blocked"
        } else {
            continue;
        };
        return Err(Refusal::new(
            registry.origin.line,
            Invalid::Conflict {
                location: location.clone(),
                setting,
                other_line: first.origin.line,
            },
        ));
    }
    Ok(())
}
