use std::path::PathBuf;
use std::slice::from_ref;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use containers_auth::{AuthFile, DockerConfig, Format, Text};
use proptest::prelude::*;
use registries_conf::ImageName;
use serde_json::{Value, json};

use super::*;
use crate::deadline::Deadline;
use crate::logins::{GlobalFiles, LoginSource, Origin};

/// The auth file for these sources, Secrets (name, docker config) and global files.
fn auth_file(sources: &[&str], secrets: &[(&str, Value)], globals: &[Value]) -> Option<Value> {
    let mut selection = Selection::new(sources.iter().map(|name| ImageName::parse(name).unwrap()));
    for (name, config) in secrets {
        let text = config.to_string();
        let text = Text::of_json(text.as_bytes());
        let config = DockerConfig::parse(&text, Format::DockerConfigJson).unwrap();
        for (key, entry) in config.auths.unwrap() {
            let origin = Origin::Secret((*name).to_owned());
            selection
                .offer(&origin, &key, entry, |_| true, &mut ())
                .unwrap();
        }
    }
    let texts: Vec<String> = globals.iter().map(Value::to_string).collect();
    let texts: Vec<_> = texts
        .iter()
        .map(|text| Text::of_json(text.as_bytes()))
        .collect();
    let origin = |index| Origin::GlobalFile(index, PathBuf::from("/global.json"));
    let origins: Vec<_> = (0..texts.len()).map(origin).collect();
    let globals: Vec<GlobalAuthFile<'_>> = texts
        .iter()
        .zip(&origins)
        .map(|(text, origin)| GlobalAuthFile {
            origin,
            file: AuthFile::parse(text).unwrap(),
        })
        .collect();
    let mut files = GlobalFiles {
        files: &globals,
        deadline: Deadline::new(Duration::from_secs(45)),
    };
    files.offer(&mut selection, &mut ()).unwrap();
    let text = encode(&selection, &globals, &mut ()).unwrap()?;
    Some(serde_json::from_slice(&text).unwrap())
}

#[expect(clippy::needless_pass_by_value, reason = "called with literals")]
fn auths(entries: Value) -> Value {
    json!({ "auths": entries })
}

#[test]
fn the_file_holds_the_exact_names_of_the_sources() {
    let written = auth_file(
        &["mirror.local/library/nginx", "docker.io/library/nginx"],
        &[(
            "a",
            auths(json!({"mirror.local": {"auth": "dTpw", "identitytoken": "t"}})),
        )],
        &[],
    );
    let expected =
        auths(json!({"mirror.local/library/nginx": {"auth": "dTpw", "identitytoken": "t"}}));
    assert_eq!(written, Some(expected));
}

#[test]
fn without_a_credential_for_any_source_there_is_no_file() {
    let foreign = auths(json!({"other.local": {"auth": "dTpw"}}));
    assert_eq!(
        auth_file(&["mirror.local/a"], &[("a", foreign.clone())], &[foreign]),
        None
    );
}

#[test]
fn a_global_glob_also_gives_the_exact_name_it_matches() {
    let global = auths(json!({"*.local": {"auth": "dTpw"}}));
    let written = auth_file(&["mirror.local/a"], &[], &[global]);
    let expected = auths(json!({"mirror.local/a": {"auth": "dTpw"}, "*.local": {"auth": "dTpw"}}));
    assert_eq!(written, Some(expected));
}

#[test]
fn a_helper_of_the_node_precedes_a_login_of_the_node() {
    let global = json!({
        "auths": {"mirror.local": {"auth": "dTpw"}},
        "credHelpers": {"mirror.local": "ecr-login"},
    });
    assert_eq!(auth_file(&["mirror.local/a"], &[], from_ref(&global)), None);
    // The first file wins: its login precedes the helper of the second.
    let first = auths(json!({"mirror.local": {"auth": "eDp5"}}));
    let written = auth_file(&["mirror.local/a"], &[], &[first, global]).unwrap();
    assert_eq!(written["auths"]["mirror.local/a"]["auth"], "eDp5");
    assert_eq!(written.get("credHelpers"), None);
}

#[test]
fn a_file_that_is_too_large_is_an_error_that_names_the_largest_login() {
    let sources = (0..200).map(|number| ImageName::parse(&format!("m{number}.x/i")).unwrap());
    let mut selection = Selection::new(sources);
    let small = STANDARD.encode("user:small");
    let large = STANDARD.encode(format!("user:{}", "x".repeat(100_000)));
    let text = json!({"*.x": {"auth": large}, "m1.x": {"auth": small}}).to_string();
    let text = Text::of_json(text.as_bytes());
    let config = DockerConfig::parse(&text, Format::DockerCfg).unwrap();
    for (key, entry) in config.auths.unwrap() {
        let origin = Origin::Secret("tenant".to_owned());
        selection
            .offer(&origin, &key, entry, |_| true, &mut ())
            .unwrap();
    }
    let error = encode(&selection, &[], &mut ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the auth file would be larger than 16777216 bytes: shorten the login under \"*.x\" of secret \"tenant\", which serves 199 pull sources"
    );
}

/// The login that containers/image finds in an auth file for a repository: a
/// helper of the host, the name, its parents down to the host, then any key whose
/// normalised host is the same (`pkg/docker/config`, `findCredentialsInFile`).
fn find_like_containers_image(file: &Value, source: &ImageName) -> Option<String> {
    if file["credHelpers"].get(source.host()).is_some() {
        return Some("from a helper".to_owned());
    }
    let auth = |entry: &Value| entry["auth"].as_str().map(ToOwned::to_owned);
    let mut key = source.as_str();
    loop {
        if let Some(entry) = file["auths"].get(key) {
            return auth(entry);
        }
        let Some((parent, _)) = key.rsplit_once('/') else {
            break;
        };
        key = parent;
    }
    let stripped = |key: &str| {
        let rest = key
            .strip_prefix("https://")
            .or_else(|| key.strip_prefix("http://"))?;
        rest.split('/').next().map(ToOwned::to_owned)
    };
    let entries = file["auths"].as_object()?;
    let same_host = entries
        .iter()
        .find(|(key, _)| stripped(key).as_deref() == Some(source.host()));
    same_host.and_then(|(_, entry)| auth(entry))
}

prop_compose! {
    fn config(user: &'static str)(
        keys in prop::collection::btree_set("(https://)?[ab*]\\.x(/[ab]){0,2}/?", 0..4),
        helpers in prop::collection::btree_set("[ab]\\.x", 0..2),
    ) -> Value {
        let auths: serde_json::Map<String, Value> = keys
            .into_iter()
            .map(|key| {
                let login = STANDARD.encode(format!("{user}:{key}"));
                (key, json!({"auth": login}))
            })
            .collect();
        let helpers: serde_json::Map<String, Value> =
            helpers.into_iter().map(|host| (host, json!("helper"))).collect();
        json!({"auths": auths, "credHelpers": helpers})
    }
}

proptest! {
    #[test]
    fn containers_image_finds_the_login_that_was_written(
        sources in prop::collection::vec("[ab]\\.x(/[ab]){1,3}", 1..4),
        secret in config("tenant"),
        global in config("node"),
    ) {
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let tenants_alone = auth_file(&sources, &[("s", secret.clone())], &[]);
        let Some(written) = auth_file(&sources, &[("s", secret)], &[global]) else {
            prop_assert!(tenants_alone.is_none());
            return Ok(());
        };
        for source in sources {
            let name = ImageName::parse(source).unwrap();
            let tenants = tenants_alone.as_ref().and_then(|file| file["auths"].get(source));
            if written["credHelpers"].get(name.host()).is_some() {
                // The node's helper takes precedence over the node's logins, never over a
                // tenant's.
                prop_assert_eq!(tenants, None);
                continue;
            }
            if let Some(entry) = written["auths"].get(source) {
                let expected = entry["auth"].as_str().map(ToOwned::to_owned);
                prop_assert_eq!(find_like_containers_image(&written, &name), expected);
            }
            // The namespace's own login is in the file, whatever the node's files
            // contain.
            if tenants.is_some() {
                prop_assert_eq!(written["auths"].get(source), tenants);
            }
        }
    }
}
