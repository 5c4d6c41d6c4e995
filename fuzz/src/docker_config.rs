//! `containers_auth::DockerConfig` and `logins::Selection`.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use containers_auth::{
    AuthFile, Credential, DockerConfig, EntryError, Format, Key, RawEntry, Text,
};
use provider::logins::{Origin, Owner, Selection};
use registries_conf::ImageName;
use serde_json::{Value, json};

use crate::presentable::{
    assert_no_marker, assert_readable, every_form, has_marker, line, planted,
};

/// A docker config, in either of its layouts.
///
/// - Every key occurs once, and is one that a plain JSON reader finds.
/// - A login has a user name without a colon; its `auth()` is the base64 of
///   `user:password`, and gives the same login when it is read again.
/// - Each source gets the best of the entries that match it and can be used, by a second,
///   simpler implementation of the rule, in any order of the entries.
/// - No error, and no `Debug` of a login, contains a secret.
pub fn docker_config(data: &[u8]) {
    let text = Text::of_json(data);
    if let Ok(file) = AuthFile::parse(&text) {
        let names: BTreeSet<_> = file.other.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), file.other.len(), "a repeated field");
        file.auths.iter().for_each(|(_, entry)| one_entry(*entry));
    }
    for format in [Format::DockerConfigJson, Format::DockerCfg] {
        one_config(data, format);
        if let Some(planted) = planted(data, b'"') {
            one_config(&planted, format);
        }
    }
}

fn one_config(data: &[u8], format: Format) {
    let text = Text::of_json(data);
    let config = match DockerConfig::parse(&text, format) {
        Ok(config) => config,
        Err(error) => {
            assert_readable(&line(&error));
            assert_no_marker(&every_form(&error));
            return;
        }
    };
    let auths = config.auths.unwrap_or_default();
    let keys: BTreeSet<&str> = auths.iter().map(|(key, _)| key.as_ref()).collect();
    assert_eq!(keys.len(), auths.len(), "a repeated key: {keys:?}");
    if let Some(expected) = restated_keys(&text, format) {
        assert_eq!(keys, expected.iter().map(String::as_str).collect());
    }
    for (_, entry) in &auths {
        one_entry(*entry);
    }
    let entries: Vec<_> = auths
        .iter()
        .map(|(key, entry)| (key.as_ref(), *entry))
        .collect();
    selection(&entries);
}

/// The keys as another reader finds them; `None` if the rule about the case of field
/// names would be needed too.
fn restated_keys(text: &str, format: Format) -> Option<BTreeSet<String>> {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
        return None;
    };
    let auths = match format {
        Format::DockerCfg => fields,
        Format::DockerConfigJson => {
            let spellings = fields
                .keys()
                .filter(|key| key.eq_ignore_ascii_case("auths"));
            if spellings.count() > 1 {
                return None;
            }
            match fields.remove("auths")? {
                Value::Object(auths) => auths,
                _ => return None,
            }
        }
    };
    Some(auths.into_iter().map(|(key, _)| key).collect())
}

fn one_entry(entry: RawEntry<'_>) {
    assert_no_marker(&format!("{entry:?}"));
    let credential = entry.credential();
    if let Err(EntryError::Decode(_)) = credential {
        assert!(!entry.is_decodable());
    }
    match credential {
        Ok(credential) => one_login(&credential),
        Err(error) => {
            assert_readable(&line(&error));
            assert_no_marker(&every_form(&error));
        }
    }
}

fn one_login(credential: &Credential) {
    let username = credential.username.as_slice();
    assert!(!username.is_empty() && !username.contains(&b':'));
    if !has_marker(&credential.username_lossy()) {
        assert_no_marker(&format!("{credential:?}"));
    }
    let auth = credential.auth();
    let login = STANDARD.decode(auth.as_bytes()).expect("auth() is base64");
    let password = credential.password.expose();
    assert_eq!(login, [username, b":", password].concat());

    let written = json!({"auths": {"a.b": {"auth": *auth}}}).to_string();
    let text = Text::of_json(written.as_bytes());
    let read = DockerConfig::parse(&text, Format::DockerConfigJson);
    let read = read
        .expect("it was written as one")
        .auths
        .unwrap_or_default();
    let again = read[0].1.credential().expect("it can be used");
    assert_eq!(again.username, username);
    // NULs at the end are removed from `auth`, as by containers/image.
    let kept = password.iter().rposition(|byte| *byte != 0);
    let kept = kept.map_or(0, |last| last + 1);
    assert_eq!(again.password.expose(), &password[..kept]);
}

/// Offers entries to the sources that their own keys name. Each source gets the one that
/// is best by the documented rule, in any order of the entries.
pub(crate) fn selection(entries: &[(&str, RawEntry<'_>)]) {
    let named = entries.iter().take(8).flat_map(|(key, _)| {
        let key = key.trim_start_matches("https://").trim_end_matches('/');
        let key = key.replace('*', "a");
        [key.clone(), format!("{key}/a")]
    });
    let sources: Vec<_> = named
        .chain(["nginx".to_owned()])
        .filter_map(|name| ImageName::parse(&name).ok())
        .collect();
    // Four origins of entries, and their order.
    let places = [
        (Origin::Secret("one".to_owned()), 0),
        (Origin::Secret("two".to_owned()), 1),
        (Origin::GlobalFile(0, "/one".into()), 1),
        (Origin::GlobalFile(1, "/two".into()), 0),
    ];
    let offers: Vec<_> = entries.iter().zip(places.iter().cycle()).collect();

    let mut forwards = Selection::new(sources.iter().cloned());
    let mut backwards = Selection::new(sources.iter().cloned());
    for ((key, entry), (origin, _)) in &offers {
        offer(&mut forwards, origin, key, *entry);
    }
    for ((key, entry), (origin, _)) in offers.iter().rev() {
        offer(&mut backwards, origin, key, *entry);
    }
    assert!(forwards.chosen().eq(backwards.chosen()), "the order counts");

    let usable: Vec<_> = offers
        .into_iter()
        .filter(|((_, entry), _)| entry.credential().is_ok())
        .collect();
    for source in &sources {
        let best = usable
            .iter()
            .filter(|((key, _), _)| Key::parse(key).is_ok_and(|key| key.matches(source)))
            .max_by_key(|((key, _), (origin, late))| {
                let specificity = Key::parse(key).map(|key| key.specificity()).ok();
                (
                    origin.owner() == Owner::Pod,
                    specificity,
                    late,
                    spelling(key, source),
                )
            });
        let chosen = forwards.chosen().find(|(name, _)| *name == source);
        let chosen = chosen.map(|(_, candidate)| candidate);
        assert_eq!(
            chosen.map(|candidate| (candidate.key.as_str(), &candidate.origin)),
            best.map(|((key, _), (origin, _))| (*key, origin)),
            "{source}"
        );
        let login = best.and_then(|((_, entry), _)| entry.credential().ok());
        assert_eq!(
            chosen.map(|candidate| &candidate.credential),
            login.as_ref()
        );
    }
}

/// The rank of a key's spelling for a source, greater is better: literally a parent of
/// it; then the key that containers/image uses for its registry; then without a scheme,
/// then with https; then the shorter; then the one that sorts first.
fn spelling<'a>(key: &'a str, source: &ImageName) -> impl Ord + 'a {
    let mut parents = source.as_str().to_owned();
    parents.push('/');
    let is_literal = parents.starts_with(&format!("{key}/"));
    let mut registry = key;
    for scheme in ["http://", "https://"] {
        registry = registry.strip_prefix(scheme).unwrap_or(registry);
    }
    if registry != key {
        registry = registry.split('/').next().unwrap_or_default();
    }
    let hub = |host| ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(&host);
    let is_registry = registry == source.host() || (hub(registry) && hub(source.host()));
    let scheme = match key {
        key if key.starts_with("https://") => 1,
        key if key.starts_with("http://") => 2,
        _ => 0,
    };
    (is_literal, is_registry, Reverse((scheme, key.len(), key)))
}

fn offer(selection: &mut Selection, origin: &Origin, key: &str, entry: RawEntry<'_>) {
    if let Err(error) = selection.offer(origin, key, entry, |_| true, &mut ()) {
        assert_eq!(entry.credential(), Err(error));
    }
}
