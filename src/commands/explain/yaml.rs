//! YAML as JSON, so that Secrets from a file are decoded by the same code as those
//! from the API server.

use containers_auth::Text;
use kubernetes_yaml::{Limits, documents};
use secret::{DecodeError, Wiped};

use provider::yaml::decode_error;

/// Limits that are larger than any namespace; kubectl never writes aliases.
const LIMITS: Limits = Limits {
    documents: 10_000,
    nodes: 4_000_000,
    expanded: 100_000,
};

/// The documents of a YAML text, one JSON text after the other.
///
/// # Errors
/// [`DecodeError`], which never contains a part of the text.
pub(super) fn to_json(text: &str) -> Result<Text<'static>, DecodeError> {
    let documents = documents(text, LIMITS).map_err(|error| decode_error(&error))?;
    let mut all = Wiped::new(String::new());
    for document in documents {
        let json = document.to_json(text);
        let json = json.map_err(|error| decode_error(&error))?;
        all.push_str(&Wiped::new(serde_json::to_string(&json)?));
        all.push('\n');
    }
    Ok(Text::Owned(all))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn yaml_becomes_the_json_that_kubernetes_reads() {
        for (yaml, expected) in [
            ("", ""),
            ("# nothing\n---\n", ""),
            (
                "a: 1\nb: [x, 2.5, null, true, '3']\n",
                "{\"a\":1,\"b\":[\"x\",2.5,null,true,\"3\"]}\n",
            ),
            ("a: {}\n---\nb: []\n", "{\"a\":{}}\n{\"b\":[]}\n"),
            (
                "a: |\n  two\n  \"lines\"\n",
                "{\"a\":\"two\\n\\\"lines\\\"\\n\"}\n",
            ),
            (
                "a: &x {y: z}\nb: *x\n",
                "{\"a\":{\"y\":\"z\"},\"b\":{\"y\":\"z\"}}\n",
            ),
            ("[[], [[]], a]", "[[],[[]],\"a\"]\n"),
            (
                "{\"a\": [1], \"b\": \"\\u00e9\"}",
                "{\"a\":[1],\"b\":\"é\"}\n",
            ),
            ("a: !!binary ZTMwPQ==", "{\"a\":\"e30=\"}\n"),
        ] {
            let json = to_json(yaml).unwrap();
            assert_eq!(&*json, expected, "{yaml}");
        }
    }

    #[test]
    fn invalid_or_too_large_yaml_is_refused_and_not_quoted() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (before, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            let ten = vec![format!("*{before}"); 10].join(", ");
            writeln!(bomb, "{name}: &{name} [{ten}]").unwrap();
        }
        for yaml in [
            "data: {x: hunter2",
            "data: hunter2\n  x: y",
            "x: *hunter2",
            "hunter2: 1\nhunter2: 2",
            "? {hunter2: a}\n: b",
            "x: !!int hunter2",
            "x: \"hunter2\\q\"",
            &"[".repeat(100_000),
            &"- ".repeat(10_000),
            &bomb,
            &"---\na\n".repeat(10_001),
        ] {
            let error = to_json(yaml).unwrap_err();
            let line = format!("{error} {error:?}");
            assert!(line.contains("YAML at line"), "{line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
    }
}
