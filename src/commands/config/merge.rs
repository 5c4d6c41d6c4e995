//! `--merge`: adds or updates our entry in an existing file, and leaves every other byte
//! unchanged.
//!
//! In an existing entry, the administrator's values are kept if kubelet accepts them and
//! the provider can work with them: `args`, `env`, the cache settings,
//! `requireServiceAccount`, and further patterns that may match an image with a mirror.
//! Patterns that match no such image are removed.

use kubelet_credential_provider::API_VERSION as PROVIDER_API_VERSION;
use kubelet_credential_provider::provider_config::{
    API_VERSION, CredentialProvider, Document, MatchImage, TokenAttributes,
};
use kubernetes_yaml::{Entry, Node, Value};

use super::edit::{Editor, Unsupported};
use super::entry::{self, ARGS, ENV, NAME, Wanted};
use super::tree::Tree;
use crate::commands::match_images;

/// The text of a merged file, and the patterns that were removed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// The text.
    pub(super) text: String,
    /// Patterns of our entry that matched no image with a mirror.
    pub(super) dropped: Vec<String>,
}

/// The index of our entry in a file, and the entry.
pub(in crate::commands) fn ours(document: &Document) -> Option<(usize, &CredentialProvider)> {
    let mut providers = document.config.providers.iter().enumerate();
    providers.find(|(_, provider)| provider.name == NAME)
}

/// Merges the wanted entry into the document.
///
/// # Errors
/// A part of the file cannot be edited.
pub(super) fn merge(document: &Document, wanted: &Wanted<'_>) -> Result<Merged, Unsupported> {
    let root = &document.root;
    let mut editor = Editor::new(document);
    if document.config.api_version != API_VERSION {
        // Older versions of the file do not have tokenAttributes.
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
            editor.change_items(list, |_| true, &[entry::entry(wanted)])?;
        }
        (None, providers) => {
            let list = Tree::List(vec![entry::entry(wanted)]);
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

/// Whether a merged file is correct: other providers are unchanged, and ours is as
/// wanted.
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
            .is_none_or(|key| attributes.is_some_and(|token| token.passes(key)));
        let mut patterns = wanted.patterns.iter();
        let has_args = wanted.args.iter().all(|own| provider.args.contains(own));
        let has_env = wanted.env.iter().all(|(name, value)| {
            let mut env = provider.env.iter();
            env.any(|known| known.name == *name && *known.value.expose() == *value.as_bytes())
        });
        audience == Some(wanted.audience)
            && is_handed_over
            && has_args
            && has_env
            && patterns.all(|pattern| provider.covers(pattern))
    };
    others(before) == others(after) && ours(after).is_some_and(|(_, provider)| says(provider))
}

/// Changes the values of our entry that differ; returns the patterns that are removed.
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
    // Edit values before the lines that follow them.
    match list {
        Some(list) if !list.value.items().is_empty() => {
            dropped = update_patterns(editor, list, wanted)?;
        }
        Some(other) => editor.replace(node, other, &patterns)?,
        None => {}
    }
    let (args, env) = (field(node, ARGS), field(node, ENV));
    update_args(editor, node, args, wanted.args)?;
    update_env(editor, node, env, wanted.env)?;
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
    if args.is_none() && !wanted.args.is_empty() {
        editor.add_field(node, ARGS, &Tree::texts(wanted.args))?;
    }
    if env.is_none() && !wanted.env.is_empty() {
        editor.add_field(node, ENV, &Tree::List(entry::variables(wanted.env)))?;
    }
    Ok(dropped)
}

/// Replaces flags in the entry's `args`, and adds those that are missing.
fn update_args(
    editor: &mut Editor<'_>,
    node: &Node,
    list: Option<&Entry>,
    wanted: &[String],
) -> Result<(), Unsupported> {
    let Some(list) = list.filter(|_| !wanted.is_empty()) else {
        return Ok(());
    };
    let items: Vec<&str> = list.value.items().iter().filter_map(Node::as_str).collect();
    if items.is_empty() {
        return editor.replace(node, list, &Tree::texts(wanted));
    }
    let flag = |argument: &str| argument.split('=').next().unwrap_or_default().to_owned();
    let is_other = |argument: &str| {
        let own = flag(argument);
        wanted.iter().any(|wanted| flag(wanted) == own) && !wanted.iter().any(|w| w == argument)
    };
    let is_kept = |index: usize| {
        let argument = items.get(index).copied().unwrap_or_default();
        // The value of "--flag value" is replaced with the flag.
        let before = index.checked_sub(1).and_then(|before| items.get(before));
        let is_value = before.is_some_and(|before| {
            !before.contains('=') && is_other(before) && !argument.starts_with('-')
        });
        !is_other(argument) && !is_value
    };
    let is_new = |wanted: &&String| !items.contains(&wanted.as_str());
    let added: Vec<_> = wanted
        .iter()
        .filter(is_new)
        .cloned()
        .map(Tree::Text)
        .collect();
    editor.change_items(list, is_kept, &added)
}

/// Replaces variables in the entry's `env`, and adds those that are missing.
fn update_env(
    editor: &mut Editor<'_>,
    node: &Node,
    list: Option<&Entry>,
    wanted: &[(&'static str, String)],
) -> Result<(), Unsupported> {
    let Some(list) = list.filter(|_| !wanted.is_empty()) else {
        return Ok(());
    };
    let items = list.value.items();
    if items.is_empty() {
        return editor.replace(node, list, &Tree::List(entry::variables(wanted)));
    }
    let text = |index: usize, key: &str| items.get(index)?.get(key)?.as_str();
    let has = |index: usize, (name, value): &(&str, String)| {
        text(index, "name") == Some(*name) && text(index, "value") == Some(value.as_str())
    };
    let is_kept = |index: usize| {
        let name = text(index, "name");
        let own = wanted.iter().find(|(own, _)| name == Some(*own));
        own.is_none_or(|own| has(index, own))
    };
    let is_new = |own: &&(&'static str, String)| !(0..items.len()).any(|index| has(index, own));
    let added: Vec<_> = wanted.iter().filter(is_new).cloned().collect();
    editor.change_items(list, is_kept, &entry::variables(&added))
}

fn update_token(
    editor: &mut Editor<'_>,
    node: &Node,
    said: &TokenAttributes,
    wanted: &Wanted<'_>,
) -> Result<(), Unsupported> {
    // Add it to the existing list, before the lines that follow the list.
    let new = wanted.annotation.filter(|key| !said.passes(key));
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
            registries.any(|registry| match_images::is_for(&pattern, registry))
                // Patterns for short names do not come from a registry.
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

/// The content of a node, without positions.
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
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            scalar.clone()
        }
    };
    Node {
        value,
        span: 0..0,
        ..*node
    }
}
