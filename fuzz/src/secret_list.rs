//! `cluster::read_page`, and the use of the Secrets in the page.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use containers_auth::{DockerConfig, Format, Text};
use provider::api_server::{
    PageEnd, SecretDoc, SecretProblem, SecretsError, UnusableSecret, read_named, read_page,
};
use secret::Wiped;
use serde_json::Value;

use crate::{
    docker_config::selection,
    log::captured,
    presentable::{
        assert_no_marker, assert_one_line, assert_readable, every_form, has_marker, line, planted,
    },
};

/// A page of a list of Secrets, as the API server answers, or a single Secret.
///
/// - Every Secret that is read is one of the page, in its order, with the text that it has
///   there; `secrets` and `continue_token` are the page's.
/// - A refusal is one readable line.
/// - A refusal, the reason why a Secret is skipped, and the log quote only the names of
///   Secrets.
/// - Reading Secrets of any content and selecting from them does not panic.
pub fn secret_list(data: &[u8]) {
    one_page(data);
    if let Some(planted) = planted(data, b'"') {
        one_page(&planted);
        one_secret(&planted);
    }
    one_secret(data);
}

/// Reads the same text as a single Secret that was requested by name.
fn one_secret(data: &[u8]) {
    let (read, log) = captured(|| read_named(data, "asked"));
    log.lines().for_each(assert_one_line);
    match read {
        Err(error) => refusal(&error),
        Ok(Ok(doc)) => {
            assert_eq!(doc.name, "asked");
            use_secret(&doc);
        }
        Ok(Err(unusable)) => {
            assert_eq!(unusable.name, "asked");
            if !matches!(unusable.problem, SecretProblem::Type(_)) {
                reason(&unusable);
            }
        }
    }
}

fn one_page(data: &[u8]) {
    let mut docs = Vec::new();
    let mut skipped = Vec::new();
    let (end, log) = captured(|| {
        let mut buffer = Wiped::default();
        read_page(data, &mut buffer, &mut |listed| {
            match listed {
                Ok(doc) => docs.push(doc),
                Err(unusable) => skipped.push(unusable),
            }
            Ok(())
        })
    });
    let end = match end {
        Ok(end) => end,
        // It ends too early, or is larger than a page.
        Err(error) => return assert_no_marker(&every_form(&error)),
    };
    let plain = serde_json::from_slice::<Value>(data).ok();
    log.lines().for_each(assert_one_line);
    if let Some(plain) = &plain {
        let items = plain["items"].as_array().map_or(&[][..], Vec::as_slice);
        if let Ok(end) = &end {
            same_page(plain, items, end);
            assert!(docs.len() + skipped.len() <= items.len());
        }
        same_secrets(items, &docs);
        if !items.iter().filter_map(name).any(has_marker) {
            assert_no_marker(&log);
        }
    }
    if let Err(error) = &end {
        refusal(error);
    }
    docs.iter().for_each(use_secret);
    skipped.iter().for_each(reason);
}

fn same_page(plain: &Value, items: &[Value], end: &PageEnd) {
    assert_eq!(plain["kind"], "SecretList");
    assert_eq!(end.secrets, items.len());
    let token = plain["metadata"]["continue"].as_str();
    let token = token.filter(|token| !token.is_empty());
    assert_eq!(end.continue_token.as_deref(), token);
}

fn same_secrets(items: &[Value], docs: &[SecretDoc]) {
    let mut items = items.iter();
    for doc in docs {
        let (kind, field) = match doc.format {
            Format::DockerConfigJson => ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
            Format::DockerCfg => ("kubernetes.io/dockercfg", ".dockercfg"),
        };
        let same = |item: &Value| {
            if item["type"] != kind {
                return false;
            }
            let text = item["data"][field].as_str().and_then(decoded);
            name(item) == Some(&doc.name) && text.as_ref() == Some(&*doc.docker_config)
        };
        assert!(items.any(same), "no such secret in the page: {doc:?}");
    }
}

fn use_secret(doc: &SecretDoc) {
    let text = Text::of_json(&doc.docker_config);
    match DockerConfig::parse(&text, doc.format) {
        Ok(config) => {
            let auths = config.auths.unwrap_or_default();
            let entries: Vec<_> = auths
                .iter()
                .map(|(key, entry)| (key.as_ref(), *entry))
                .collect();
            selection(&entries);
        }
        Err(error) => assert_no_marker(&every_form(&error)),
    }
}

fn reason(unusable: &UnusableSecret) {
    assert_readable(&line(&unusable.problem));
    assert_no_marker(&every_form(&unusable.problem));
}

fn refusal(error: &SecretsError) {
    assert_readable(&line(error));
    assert_no_marker(&every_form(error));
}

fn name(item: &Value) -> Option<&str> {
    item["metadata"]["name"].as_str()
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
    engine.decode(text.replace(['\r', '\n'], "")).ok()
}
