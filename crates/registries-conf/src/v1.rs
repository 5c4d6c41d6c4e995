//! The first version of the format, which main files may still use:
//! `[registries.search]`, `[registries.insecure]` and `[registries.block]`.
//!
//! Agrees with `V1RegistriesConf` and its `ConvertToV2`. It has no mirrors.

use std::collections::HashMap;

use crate::{
    error::Refusal,
    registry_table::RegistryTable,
    tree::{Node, Table, Text},
};

/// The lists of the v1 format; at least one of them is in the file, perhaps empty.
#[derive(Debug)]
pub(crate) struct V1 {
    /// The line of the first list.
    pub(crate) line: usize,
    pub(crate) search: Option<Vec<Text>>,
    insecure: Option<Vec<Text>>,
    block: Option<Vec<Text>>,
}

impl V1 {
    pub(crate) fn decode(root: Table<'_>) -> Result<Option<Self>, Refusal> {
        let Some(table) = root.get("registries", Node::table)? else {
            return Ok(None);
        };
        let list = |kind| {
            let list = table.get(kind, |node| node.table()?.get("registries", Node::texts))?;
            Ok(list.flatten())
        };
        let v1 = Self {
            line: table.line,
            search: list("search")?,
            insecure: list("insecure")?,
            block: list("block")?,
        };
        let lists = [&v1.search, &v1.insecure, &v1.block];
        Ok(lists.iter().any(|list| list.is_some()).then_some(v1))
    }

    /// The blocked and insecure registries as v2 tables.
    pub(crate) fn registries(&self) -> Vec<RegistryTable> {
        let mut tables = Vec::<RegistryTable>::new();
        let mut known = HashMap::new();
        let blocked = self.block.iter().flatten().map(|text| (text, true));
        let insecure = self.insecure.iter().flatten().map(|text| (text, false));
        for (location, blocks) in blocked.chain(insecure) {
            let key = location.value.trim_end_matches('/');
            let at = *known.entry(key).or_insert(tables.len());
            if at == tables.len() {
                tables.push(RegistryTable {
                    line: location.line,
                    location: location.clone(),
                    ..RegistryTable::default()
                });
            }
            if let Some(table) = tables.get_mut(at) {
                if blocks {
                    table.blocked = true;
                } else {
                    table.insecure = true;
                }
            }
        }
        tables
    }
}
