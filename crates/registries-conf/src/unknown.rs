//! Keys that containers/image ignores silently: misspelt ones, and those that belong in
//! another table.

use std::{path::Path, sync::Arc};

use crate::{
    document::with_root,
    error::Error,
    registry::Origin,
    tree::{Node, Table, Text},
};

/// The keys of a file. The last two were added after 5.38.
const FILE: &[&str] = &[
    "registry",
    "unqualified-search-registries",
    "credential-helpers",
    "short-name-mode",
    "additional-layer-store-auth-helper",
    "aliases",
    "registries",
    "proxy",
    "namespace-proxy",
];
const REGISTRY: &[&str] = &[
    "prefix",
    "location",
    "insecure",
    "blocked",
    "mirror-by-digest-only",
    "pull-from-mirror",
    "mirror",
];
const MIRROR: &[&str] = &["location", "insecure", "pull-from-mirror"];
/// The keys of `[registries]`, the first version of the format.
const LISTS: &[&str] = &["search", "insecure", "block"];

/// A key that containers/image ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// The key, after the keys of its tables, such as `registry.mirrors`.
    pub key: String,
    /// The place of its value.
    pub origin: Origin,
}

/// The keys of a file that their tables do not have, in the order of their lines.
pub(crate) fn unknown_keys(content: &[u8], path: &Path) -> Result<Vec<UnknownKey>, Error> {
    let keys = with_root(content, |root| Ok(of_file(root)));
    let mut keys = keys.map_err(|refusal| refusal.of(path))?;
    keys.sort_by_key(|key| key.line);
    let file: Arc<Path> = Arc::from(path);
    let unknown = keys.into_iter().map(|Text { value, line }| UnknownKey {
        key: value,
        origin: Origin {
            file: Arc::clone(&file),
            line,
        },
    });
    Ok(unknown.collect())
}

fn of_file(root: Table<'_>) -> Vec<Text> {
    let mut keys: Vec<Text> = root.others(FILE).collect();
    for registry in tables(root, "registry") {
        keys.extend(below("registry", registry.others(REGISTRY)));
        for mirror in tables(registry, "mirror") {
            keys.extend(below("registry.mirror", mirror.others(MIRROR)));
        }
    }
    if let Ok(Some(lists)) = root.get("registries", Node::table) {
        keys.extend(below("registries", lists.others(LISTS)));
    }
    keys
}

/// The tables of a key; empty where the value has another type, which is reported
/// elsewhere.
fn tables<'t>(table: Table<'t>, key: &str) -> Vec<Table<'t>> {
    let tables = table.get(key, Node::tables);
    tables.unwrap_or_default().unwrap_or_default()
}

fn below(table: &str, keys: impl Iterator<Item = Text>) -> impl Iterator<Item = Text> {
    keys.map(move |key| Text {
        value: format!("{table}.{}", key.value),
        line: key.line,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::unknown_keys;

    #[test]
    fn keys_are_named_with_their_tables_and_lines() {
        for (text, expected) in [
            ("", &[][..]),
            (
                "unqualified-search-registries = []\n[aliases]\nx = \"y.z/a\"\n[[Registry]]\n\
                 PREFIX = \"a\"\nlocation = \"b\"\nblocked = true\n[[registry.mirror]]\n\
                 location = \"c\"\ninsecure = true\n[proxy]\nx = 1\n",
                &[],
            ),
            (
                "[[registry]]\nlocation = \"a\"\n[[registry.mirrors]]\nlocation = \"b\"\n\
                 [[registry.mirror]]\nlocation = \"c\"\nblocked = true\n",
                &["f:3 registry.mirrors", "f:7 registry.mirror.blocked"],
            ),
            (
                "[[registry]]\nlocation = \"a\"\nmirror_by_digest_only = true\n[[registrys]]\n",
                &["f:3 registry.mirror_by_digest_only", "f:4 registrys"],
            ),
            (
                "[registries.searches]\nregistries = []\n[registries.block]\nregistries = []\n",
                &["f:1 registries.searches"],
            ),
        ] {
            let unknown = unknown_keys(text.as_bytes(), Path::new("f")).unwrap();
            let unknown = unknown
                .iter()
                .map(|one| format!("{} {}", one.origin, one.key));
            assert_eq!(unknown.collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
