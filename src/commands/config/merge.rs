//! `--merge`: our entry in a file that others wrote, the rest of it byte by byte
//! as it was.
//!
//! In an entry that is there already, what the administrator set stays as long as
//! kubelet takes it and the provider can work with it: `args`, `env`, the cache
//! settings, `requireServiceAccount`, patterns beyond those of registries.conf
//! that may match an image with a mirror. Patterns that match none are dropped.

use registries_conf::Registry;

use super::edit::{Editor, Unsupported};
use super::entry::{self, NAME};
use super::tree::Tree;
use crate::kubelet::API_VERSION as PROVIDER_API_VERSION;
use crate::kubelet::provider_config::{
    self, API_VERSION, CredentialProvider, Document, Entry, MatchImage, Node, TokenAttributes,
    Value,
};

/// What a file is to say.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The patterns, none covered by another.
    pub(super) patterns: &'a [String],
    /// The registries they come from.
    pub(super) registries: &'a [&'a Registry],
    /// Whom the token is for.
    pub(super) audience: &'a str,
    /// The annotation that kubelet is to hand over.
    pub(super) annotation: Option<&'a str>,
}

/// The text of a merged file, and what it has lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// The text.
    pub(super) text: String,
    /// Patterns of our entry that matched no image with a mirror.
    pub(super) dropped: Vec<String>,
}

/// Where our entry is in a file, and what it says.
pub(in crate::commands) fn ours(document: &Document) -> Option<(usize, &CredentialProvider)> {
    let mut providers = document.config.providers.iter().enumerate();
    providers.find(|(_, provider)| provider.name == NAME)
}

/// Merges.
///
/// # Errors
/// A part of the file that cannot be edited where it stands.
pub(super) fn merge(document: &Document, wanted: &Wanted<'_>) -> Result<Merged, Unsupported> {
    let root = &document.root;
    let mut editor = Editor::new(document);
    if document.config.api_version != API_VERSION {
        // No older version of the file has tokenAttributes.
        editor.set(root, "apiVersion", &Tree::Word(API_VERSION))?;
    }
    let providers = field(root, "providers");
    let own = ours(document).and_then(|(index, provider)| {
        let node = providers?.value.items().get(index)?;
        Some((node, provider))
    });
    let mut dropped = Vec::new();
    match (own, providers) {
        (Some((node, provider)), _) => {
            dropped = update(&mut editor, node, provider, wanted)?;
        }
        (None, Some(list)) if !list.value.items().is_empty() => {
            let entry = entry::entry(wanted.patterns, wanted.audience, wanted.annotation);
            editor.change_items(list, |_| true, &[entry])?;
        }
        (None, providers) => {
            let entry = entry::entry(wanted.patterns, wanted.audience, wanted.annotation);
            let list = Tree::List(vec![entry]);
            match providers {
                Some(empty) => editor.replace(root, empty, &list)?,
                None => editor.add_field(root, "providers", &list)?,
            }
        }
    }
    Ok(Merged {
        text: editor.finish(),
        dropped,
    })
}

/// Whether a merged file says what it should: the providers of others exactly what
/// they said, ours what is wanted.
pub(super) fn is_merged(before: &Document, after: &Document, wanted: &Wanted<'_>) -> bool {
    let others = |document: &Document| -> Vec<Node> {
        let own = ours(document).map(|(index, _)| index);
        let providers = document.root.get("providers").map_or(&[][..], Node::items);
        let others = providers.iter().enumerate();
        let others = others.filter(|(index, _)| Some(*index) != own);
        others.map(|(_, node)| without_places(node)).collect()
    };
    let says = |provider: &CredentialProvider| {
        let attributes = provider.token_attributes.as_ref();
        let audience = attributes.map(|token| token.service_account_token_audience.as_str());
        let is_handed_over = wanted
            .annotation
            .is_none_or(|key| attributes.is_some_and(|token| hands_over(token, key)));
        let mut patterns = wanted.patterns.iter();
        audience == Some(wanted.audience)
            && is_handed_over
            && patterns.all(|pattern| provider.covers(pattern))
    };
    others(before) == others(after) && ours(after).is_some_and(|(_, provider)| says(provider))
}

fn hands_over(token: &TokenAttributes, key: &str) -> bool {
    let required = token.required_service_account_annotation_keys.iter();
    let optional = token.optional_service_account_annotation_keys.iter();
    required.chain(optional).any(|given| given == key)
}

/// Changes what differs in our entry; returns the patterns that go.
fn update(
    editor: &mut Editor<'_>,
    node: &Node,
    provider: &CredentialProvider,
    wanted: &Wanted<'_>,
) -> Result<Vec<String>, Unsupported> {
    let patterns = Tree::texts(wanted.patterns);
    let attributes = entry::token_attributes(wanted.audience, wanted.annotation);
    let (list, token) = (field(node, "matchImages"), field(node, "tokenAttributes"));
    let mut dropped = Vec::new();
    // What goes into a value before what goes below it.
    match list {
        Some(list) if !list.value.items().is_empty() => {
            dropped = update_patterns(editor, list, wanted)?;
        }
        Some(other) => editor.replace(node, other, &patterns)?,
        None => {}
    }
    match (token, &provider.token_attributes) {
        (Some(found), Some(said)) if !found.value.entries().is_empty() => {
            update_token(editor, &found.value, said, wanted)?;
        }
        (Some(empty), _) => editor.replace(node, empty, &attributes)?,
        (None, _) => {}
    }
    if provider.api_version != PROVIDER_API_VERSION {
        editor.set(node, "apiVersion", &Tree::Word(PROVIDER_API_VERSION))?;
    }
    if list.is_none() {
        editor.add_field(node, "matchImages", &patterns)?;
    }
    if provider.default_cache_duration.is_none() {
        editor.set(node, "defaultCacheDuration", &entry::cache_duration())?;
    }
    if token.is_none() {
        editor.add_field(node, "tokenAttributes", &attributes)?;
    }
    Ok(dropped)
}

fn update_token(
    editor: &mut Editor<'_>,
    node: &Node,
    said: &TokenAttributes,
    wanted: &Wanted<'_>,
) -> Result<(), Unsupported> {
    // Into the list that is there, before what goes below it.
    let new = wanted.annotation.filter(|key| !hands_over(said, key));
    let list = field(node, entry::OPTIONAL_KEYS).filter(|list| !list.value.items().is_empty());
    if let (Some(key), Some(list)) = (new, list) {
        editor.change_items(list, |_| true, &[Tree::Text(key.to_owned())])?;
    }
    let Tree::Object(mut fields) = entry::token_attributes(wanted.audience, None) else {
        return Ok(());
    };
    if list.is_none() {
        fields.extend(new.map(|key| (entry::OPTIONAL_KEYS, entry::one_key(key))));
    }
    for (key, value) in fields {
        let is_there = node.get(key).is_some_and(|node| node.value != Value::Null);
        let audience = Tree::Text(said.service_account_token_audience.clone());
        let is_other = key == "serviceAccountTokenAudience" && audience != value
            || key == entry::OPTIONAL_KEYS;
        if !is_there || is_other {
            editor.set(node, key, &value)?;
        }
    }
    Ok(())
}

fn update_patterns(
    editor: &mut Editor<'_>,
    list: &Entry,
    wanted: &Wanted<'_>,
) -> Result<Vec<String>, Unsupported> {
    let parse = |pattern: &str| MatchImage::parse(pattern).ok();
    let patterns: Vec<_> = wanted
        .patterns
        .iter()
        .filter_map(|text| parse(text))
        .collect();
    let is_for_any = |item: &Node| {
        let pattern = item.as_str().and_then(parse);
        pattern.is_some_and(|pattern| {
            let mut registries = wanted.registries.iter();
            registries.any(|registry| provider_config::is_for(&pattern, registry))
                // Those of short names come from no registry.
                || patterns.iter().any(|wanted| wanted.overlaps(&pattern))
        })
    };
    let items = list.value.items();
    let served: Vec<bool> = items.iter().map(is_for_any).collect();
    let is_kept = |index: usize| served.get(index).copied().unwrap_or_default();
    let kept = items.iter().zip(&served).filter(|(_, kept)| **kept);
    let kept: Vec<_> = kept.filter_map(|(item, _)| parse(item.as_str()?)).collect();
    let is_new = |pattern: &&String| {
        parse(pattern).is_some_and(|pattern| !kept.iter().any(|kept| kept.covers(&pattern)))
    };
    let added = wanted.patterns.iter().filter(is_new);
    let added: Vec<_> = added.cloned().map(Tree::Text).collect();
    editor.change_items(list, is_kept, &added)?;
    let dropped = items.iter().zip(&served).filter(|(_, kept)| !**kept);
    Ok(dropped
        .filter_map(|(item, _)| item.as_str().map(str::to_owned))
        .collect())
}

fn field<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    node.entries().iter().find(|entry| entry.key == key)
}

/// A node by what it says alone.
fn without_places(node: &Node) -> Node {
    let value = match &node.value {
        Value::Sequence(items) => Value::Sequence(items.iter().map(without_places).collect()),
        Value::Mapping(entries) => {
            let entries = entries.iter().map(|entry| Entry {
                key: entry.key.clone(),
                key_span: 0..0,
                value: without_places(&entry.value),
            });
            Value::Mapping(entries.collect())
        }
        scalar @ (Value::Null | Value::Bool(_) | Value::Number | Value::String(_)) => {
            scalar.clone()
        }
    };
    Node {
        value,
        span: 0..0,
        ..*node
    }
}
