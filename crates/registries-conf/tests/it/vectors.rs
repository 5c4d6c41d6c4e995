//! Results of containers/image 5.38, case by case.

use std::collections::BTreeMap;

use registries_conf::{Config, PullFromMirror, PullSources};
use serde::Deserialize;

use crate::support::Node;

#[derive(Deserialize)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    load_error: Option<String>,
    #[serde(default)]
    results: Vec<Answer>,
}

#[derive(Deserialize)]
pub(crate) struct Answer {
    image: String,
    prefix: Option<String>,
    #[serde(default)]
    location: String,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirrors: Vec<MirrorAnswer>,
    tag_sources: Option<Vec<String>>,
    digest_sources: Option<Vec<String>>,
    #[serde(default)]
    sources_error: bool,
}

#[derive(Debug, Deserialize, PartialEq)]
struct MirrorAnswer {
    location: String,
    pull_from_mirror: Option<String>,
}

#[derive(Deserialize)]
struct BlockedCase {
    name: String,
    files: BTreeMap<String, String>,
    load_error: Option<String>,
    #[serde(default)]
    results: Vec<BlockedAnswer>,
}

#[derive(Deserialize)]
struct BlockedAnswer {
    image: String,
    prefix: Option<String>,
    tag_sources: Option<Vec<SourceAnswer>>,
    digest_sources: Option<Vec<SourceAnswer>>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct SourceAnswer {
    name: String,
    blocked: bool,
}

#[test]
fn registries_are_found_and_names_rewritten_as_in_go() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../data/registries.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let config = Node::new(&case.files).load();
        match (config, &case.load_error) {
            (Ok(config), None) => {
                for answer in &case.results {
                    check(&case.name, &config, answer);
                }
            }
            (Err(_), Some(_)) => {}
            (config, expected) => panic!("{}: {config:?} for {expected:?}", case.name),
        }
    }
}

#[test]
fn the_registry_of_each_rewritten_name_decides_whether_it_is_blocked_as_in_go() {
    let cases: Vec<BlockedCase> =
        serde_json::from_str(include_str!("../data/blocked.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let config = match (Node::new(&case.files).load(), &case.load_error) {
            (Ok(config), None) => config,
            (Err(_), Some(_)) => continue,
            (config, expected) => panic!("{}: {config:?} for {expected:?}", case.name),
        };
        for answer in case.results.iter().filter(|answer| answer.prefix.is_some()) {
            let sources = config.pull_sources(&answer.image);
            let of_kind = |allows: fn(PullFromMirror) -> bool| {
                let unusable = sources.unusable.iter().any(|source| allows(source.pull));
                let listed = sources.sources.iter().filter(|source| allows(source.pull));
                let answers = listed.map(|source| SourceAnswer {
                    name: source.name.to_string(),
                    blocked: source.is_blocked(),
                });
                (!unusable).then(|| answers.collect::<Vec<_>>())
            };
            let context = format!("{}: {}", case.name, answer.image);
            let by_tag = of_kind(PullFromMirror::allows_tag);
            assert_eq!(by_tag, answer.tag_sources, "{context}");
            let by_digest = of_kind(PullFromMirror::allows_digest);
            assert_eq!(by_digest, answer.digest_sources, "{context}");
        }
    }
}

pub(crate) fn check(case: &str, config: &Config, answer: &Answer) {
    let context = format!("{case}: {}", answer.image);
    let sources = config.pull_sources(&answer.image);
    let registry = sources.registry;
    assert_eq!(
        registry.map(|r| &r.prefix),
        answer.prefix.as_ref(),
        "{context}"
    );
    let Some(registry) = registry else { return };
    assert_eq!(registry.location, answer.location, "{context}");
    assert_eq!(registry.blocked, answer.blocked, "{context}");
    let mirrors: Vec<_> = registry
        .mirrors
        .iter()
        .map(|mirror| MirrorAnswer {
            location: mirror.location.clone(),
            pull_from_mirror: mirror.pull_from_mirror.map(|pull| pull.as_str().to_owned()),
        })
        .collect();
    assert_eq!(mirrors, answer.mirrors, "{context}");

    let tag = (
        &answer.tag_sources,
        PullFromMirror::allows_tag as fn(_) -> _,
    );
    let digest = (
        &answer.digest_sources,
        PullFromMirror::allows_digest as fn(_) -> _,
    );
    let mut failing = false;
    for (expected, allows) in [tag, digest] {
        let unusable = sources.unusable.iter().any(|source| allows(source.pull));
        assert_eq!(expected.is_none(), unusable, "{context}: {sources:?}");
        if let Some(expected) = expected {
            assert_eq!(&names(&sources, allows), expected, "{context}");
        }
        failing |= unusable;
    }
    assert_eq!(failing, answer.sources_error, "{context}: {sources:?}");
}

fn names(sources: &PullSources<'_>, allows: fn(PullFromMirror) -> bool) -> Vec<String> {
    sources
        .sources
        .iter()
        .filter(|source| allows(source.pull))
        .map(|source| source.name.to_string())
        .collect()
}
