//! A value that is written as YAML lines or as JSON.

use std::fmt::Write;

/// A value to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    /// A fixed word that YAML reads as a string without quotes.
    Word(&'static str),
    /// Any text.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// A list.
    List(Vec<Self>),
    /// An object, its keys in this order.
    Object(Vec<(&'static str, Self)>),
}

/// The indentation of each level.
const STEP: usize = 2;

impl Tree {
    /// A list of texts.
    pub(super) fn texts(texts: &[String]) -> Self {
        Self::List(texts.iter().cloned().map(Self::Text).collect())
    }

    /// Lines of YAML, without indentation and line ends.
    pub(super) fn yaml(&self) -> Vec<String> {
        match self {
            Self::Word(word) => vec![(*word).to_owned()],
            Self::Text(_) | Self::Bool(_) => vec![self.flow()],
            Self::List(items) => items.iter().flat_map(Self::yaml_item).collect(),
            Self::Object(fields) => fields
                .iter()
                .flat_map(|(key, value)| value.yaml_field(key))
                .collect(),
        }
    }

    /// The same as an item of a list.
    pub(super) fn yaml_item(&self) -> Vec<String> {
        let lines = self.yaml().into_iter().enumerate();
        lines
            .map(|(index, line)| (if index == 0 { "- " } else { "  " }).to_owned() + &line)
            .collect()
    }

    /// The same as a field of an object.
    pub(super) fn yaml_field(&self, key: &str) -> Vec<String> {
        match self {
            Self::Word(_) | Self::Text(_) | Self::Bool(_) => {
                vec![format!("{key}: {}", self.yaml().concat())]
            }
            Self::List(_) | Self::Object(_) => {
                let inner = self.yaml().into_iter().map(|line| " ".repeat(STEP) + &line);
                [format!("{key}:")].into_iter().chain(inner).collect()
            }
        }
    }

    /// JSON on one line, which is YAML too.
    pub(super) fn flow(&self) -> String {
        let mut text = String::new();
        self.json(&mut text, None);
        text
    }

    /// JSON over several lines, all but the first one with this indentation.
    pub(super) fn pretty(&self, indent: usize, line_end: &str) -> String {
        let mut text = String::new();
        self.json(&mut text, Some((indent, line_end)));
        text
    }

    fn json(&self, text: &mut String, lines: Option<(usize, &str)>) {
        match self {
            Self::Word(word) => text.push_str(&quoted(word)),
            Self::Text(own) => text.push_str(&quoted(own)),
            Self::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::List(items) => {
                let items = items.iter().map(|item| (None, item));
                enclosed(text, lines, ['[', ']'], items);
            }
            Self::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (Some(*key), value));
                enclosed(text, lines, ['{', '}'], fields);
            }
        }
    }
}

/// Keys and values between brackets or braces.
fn enclosed<'a>(
    text: &mut String,
    lines: Option<(usize, &str)>,
    [open, close]: [char; 2],
    children: impl Iterator<Item = (Option<&'a str>, &'a Tree)>,
) {
    let deeper = lines.map(|(indent, line_end)| (indent + STEP, line_end));
    text.push(open);
    for (index, (key, value)) in children.enumerate() {
        if index > 0 {
            text.push(',');
        }
        match deeper {
            Some((indent, line_end)) => {
                text.push_str(line_end);
                text.push_str(&" ".repeat(indent));
            }
            None if index > 0 => text.push(' '),
            None => {}
        }
        if let Some(key) = key {
            text.push_str(&quoted(key));
            text.push_str(": ");
        }
        value.json(text, deeper);
    }
    if let Some((indent, line_end)) = lines {
        text.push_str(line_end);
        text.push_str(&" ".repeat(indent));
    }
    text.push(close);
}

/// A JSON string that is a YAML string too: characters that YAML reads as a line break,
/// or does not allow, are escaped.
pub(super) fn quoted(text: &str) -> String {
    // A string can always be written as JSON.
    let json = serde_json::to_string(text).unwrap_or_default();
    let mut quoted = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() || c > '\u{ffff}' {
            quoted.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ignored = write!(quoted, "\\u{:04x}", u32::from(c));
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubelet_credential_provider::provider_config;

    #[test]
    fn a_value_is_written_as_yaml_and_as_json() {
        let tree = Tree::Object(vec![
            ("kind", Tree::Word("K")),
            (
                "list",
                Tree::List(vec![
                    Tree::Object(vec![
                        ("a", Tree::texts(&["*.x".to_owned(), "\"\n".to_owned()])),
                        ("b", Tree::Bool(false)),
                    ]),
                    Tree::Word("w"),
                ]),
            ),
        ]);
        let yaml = [
            "kind: K",
            "list:",
            "  - a:",
            "      - \"*.x\"",
            "      - \"\\\"\\n\"",
            "    b: false",
            "  - w",
        ];
        assert_eq!(tree.yaml(), yaml);
        let json = r#"{"kind": "K", "list": [{"a": ["*.x", "\"\n"], "b": false}, "w"]}"#;
        assert_eq!(tree.flow(), json);
        let pretty = "{\n    \"kind\": \"K\",\n    \"list\": [\n      {\n        \"a\": [\n          \"*.x\",\n          \"\\\"\\n\"\n        ],\n        \"b\": false\n      },\n      \"w\"\n    ]\n  }";
        assert_eq!(tree.pretty(2, "\n"), pretty);
    }
    #[test]
    fn quoted_text_is_read_back_as_yaml_and_as_json() {
        let texts = [
            "a\u{7f}b",
            "\u{85}\u{2028}\u{2029}",
            "\u{feff}\u{fffe}\u{ffff}",
            "\u{1}\n\t\\\"",
            "é 🎉",
            "\u{200e}",
        ];
        for text in texts {
            let quoted = quoted(text);
            let json: String = serde_json::from_str(&quoted).unwrap();
            assert_eq!(json, text);
            let config =
                provider_config::parse(format!("apiVersion: {quoted}").as_bytes()).unwrap();
            assert_eq!(config.config.api_version, text, "{quoted}");
        }
    }
}
