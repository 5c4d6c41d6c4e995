use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::*;

#[derive(Deserialize)]
struct Case {
    text: String,
    error: Option<String>,
    #[serde(default)]
    json: Json,
}

/// The same value with every number as 0, as in the recorded cases.
fn zeroed(json: Json) -> Json {
    match json {
        Json::Number(_) => Json::from(0),
        Json::Array(items) => items.into_iter().map(zeroed).collect(),
        Json::Object(entries) => {
            let entries = entries.into_iter();
            Json::Object(entries.map(|(key, value)| (key, zeroed(value))).collect())
        }
        Json::Null | Json::Bool(_) | Json::String(_) => json,
    }
}

#[test]
fn yaml_is_read_as_by_kubelet() {
    let cases = include_str!("../../tests/data/yaml.json");
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
            // kubelet's decoder refuses repeated keys.
            Ok(Some(node)) => node.to_json(&text).ok().map(zeroed),
            Err(_) => None,
        };
        // go-yaml reports last that JSON has no infinity.
        let expected = match error.as_deref() {
            None => Some(expected),
            Some("json: unsupported value: +Inf") => continue,
            Some(_) => None,
        };
        assert_eq!(found, expected, "{text:?} {error:?}");
    }
}

#[test]
fn a_comma_right_after_a_tag_is_refused_outside_of_strings() {
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

#[test]
fn values_are_those_of_go_yaml() {
    for (text, expected) in [
        ("1_000", json!(1000)),
        ("010", json!(8)),
        ("-0x1f", json!(-31)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(u64::MAX)),
        ("1e3", json!(1000.0)),
        (".inf", json!(null)),
        ("!!binary ZTMwPQ==", json!("e30=")),
        ("!!binary |\n ZTMw\n PQ==\n", json!("e30=")),
        ("!!binary /w==", json!("\u{fffd}")),
    ] {
        let node = parse(text).unwrap().unwrap();
        assert_eq!(node.to_json(text).unwrap(), expected, "{text}");
    }
    assert!(parse("!!binary '*'").is_err());
}

#[test]
fn all_documents_are_read_within_limits() {
    let limits = Limits {
        documents: 3,
        nodes: 6,
        expanded: 2,
    };
    let read = |text: &str| {
        let documents = documents(text, limits).map_err(|error| error.to_string())?;
        let json = documents.iter().map(|document| document.to_json(text));
        json.collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())
    };
    for (text, expected) in [
        ("", Ok(vec![])),
        ("# nothing\n---\n", Ok(vec![])),
        ("a\n---\n---\n[b]\n", Ok(vec![json!("a"), json!(["b"])])),
        ("[&a b, *a]", Ok(vec![json!(["b", "b"])])),
        (
            "&a b\n---\n*a",
            Err("an alias without an anchor before it at line 3 column 1"),
        ),
        (
            "- 1\n---\n[!a, b]",
            Err("a comma right after a tag at line 3 column 2"),
        ),
        ("{a: 1, a: 2}", Err("a repeated key at line 1 column 8")),
        (
            "a\n---\na\n---\na\n---\na\n",
            Err("too many documents at line 7 column 1"),
        ),
        (
            "[1, 2, 3, 4, 5, 6]",
            Err("too many values at line 1 column 17"),
        ),
        (
            "[&a b, *a, *a]",
            Err("too many values from aliases at line 1 column 12"),
        ),
    ] {
        assert_eq!(read(text), expected.map_err(str::to_owned), "{text:?}");
    }
}
