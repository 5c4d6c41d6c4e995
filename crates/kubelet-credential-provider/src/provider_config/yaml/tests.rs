use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::*;

#[derive(Deserialize)]
struct Case {
    text: String,
    error: Option<String>,
    #[serde(default)]
    json: Json,
}

/// The document as JSON, every number as 0; nothing where a key is there twice,
/// which kubelet's strict decoder refuses.
fn json(node: &Node) -> Option<Json> {
    Some(match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number => Json::from(0),
        Value::String(text) => Json::from(text.as_str()),
        Value::Sequence(items) => Json::Array(items.iter().map(json).collect::<Option<_>>()?),
        Value::Mapping(entries) => {
            let keys: BTreeSet<_> = entries.iter().map(|entry| &entry.key).collect();
            if keys.len() < entries.len() {
                return None;
            }
            let entries = entries
                .iter()
                .map(|entry| Some((entry.key.clone(), json(&entry.value)?)));
            Json::Object(entries.collect::<Option<Map<_, _>>>()?)
        }
    })
}

#[test]
fn yaml_is_what_kubelets_reader_takes_it_for() {
    let cases = include_str!("../../../tests/data/yaml.json");
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    assert!(cases.iter().any(|case| case.error.is_some()));
    for Case {
        text,
        error,
        json: expected,
    } in cases
    {
        let found = match parse(&text) {
            Ok(None) => Some(Json::Null),
            Ok(Some(node)) => json(&node),
            Err(_) => None,
        };
        // JSON has no infinity, which go-yaml finds out last.
        let expected = match error.as_deref() {
            None => Some(expected),
            Some("json: unsupported value: +Inf") => continue,
            Some(_) => None,
        };
        assert_eq!(found, expected, "{text:?} {error:?}");
    }
}

#[test]
fn a_tag_with_a_comma_is_refused_but_not_a_text_with_both() {
    for text in ["[!a, b]", "{a: !b, c: d}", "[\"a\" , !,]", "{a: !!str,}"] {
        let error = parse(text).err().map(|error| error.to_string());
        let offset = text.find('!').unwrap();
        let expected = format!("a comma right after a tag at line 1 column {}", offset + 1);
        assert_eq!(error, Some(expected), "{text}");
    }
    for text in [
        "[a !b, c]",
        "['!a,', b]",
        "[a, # !b,\n c]",
        "a: pass!word,x",
        "a: |\n  !b, c",
    ] {
        assert!(parse(text).is_ok(), "{text}");
    }
}

#[test]
fn a_text_may_end_anywhere() {
    let text = "a: !t &b \"\\x41\\u00e9\" # c\nd:\n  - |2\n    e\n\u{85}f: [*b, 'g', {h: >-\n i}]\n? - j\n";
    for (end, _) in text.char_indices() {
        drop(parse(text.get(..end).unwrap()));
    }
}
