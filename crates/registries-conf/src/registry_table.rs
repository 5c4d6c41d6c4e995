//! A `[[registry]]` table as it was written: its keys and their types.

use crate::{
    error::Refusal,
    tree::{Table, Text},
};

/// A `[[registry]]` table; missing strings are empty.
#[derive(Debug, Default)]
pub(crate) struct RegistryTable {
    pub(crate) line: usize,
    pub(crate) prefix: Text,
    pub(crate) location: Text,
    pub(crate) insecure: bool,
    pub(crate) blocked: bool,
    pub(crate) mirror_by_digest_only: bool,
    pub(crate) pull_from_mirror: Text,
    pub(crate) mirrors: Vec<MirrorTable>,
}

/// A `[[registry.mirror]]` table; missing strings are empty.
#[derive(Debug)]
pub(crate) struct MirrorTable {
    pub(crate) line: usize,
    pub(crate) location: Text,
    pub(crate) insecure: bool,
    pub(crate) pull_from_mirror: Text,
}

impl RegistryTable {
    pub(crate) fn decode(table: Table<'_>) -> Result<Self, Refusal> {
        let mirrors = table.get("mirror", |node| {
            node.tables()?
                .into_iter()
                .map(MirrorTable::decode)
                .collect()
        })?;
        Ok(Self {
            line: table.line,
            prefix: table.text("prefix")?,
            location: table.text("location")?,
            insecure: table.flag("insecure")?,
            blocked: table.flag("blocked")?,
            mirror_by_digest_only: table.flag("mirror-by-digest-only")?,
            pull_from_mirror: table.text("pull-from-mirror")?,
            mirrors: mirrors.unwrap_or_default(),
        })
    }
}

impl MirrorTable {
    fn decode(table: Table<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            line: table.line,
            location: table.text("location")?,
            insecure: table.flag("insecure")?,
            pull_from_mirror: table.text("pull-from-mirror")?,
        })
    }
}
