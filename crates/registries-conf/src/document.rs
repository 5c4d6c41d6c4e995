//! The content of one file as it was written: the keys of the format, and their types.
//!
//! This module has the keys of `V2RegistriesConf` and `V1RegistriesConf`, and no rules
//! about their values. Unknown keys are ignored. A missing value differs from an empty
//! one only where it does in containers/image.

use toml::de::DeTable;

use crate::{
    error::{Invalid, Refusal},
    nesting::too_deep,
    registry_table::RegistryTable,
    tree::{Lines, Node, Table, Text},
    v1::V1,
};

/// The byte order marks that BurntSushi/toml skips at the beginning of a file. The file
/// must be UTF-8 nevertheless.
const BYTE_ORDER_MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe"];

/// The content of one file.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) registries: Option<Vec<RegistryTable>>,
    pub(crate) unqualified_search_registries: Option<Vec<Text>>,
    pub(crate) credential_helpers: Option<Vec<Text>>,
    pub(crate) short_name_mode: Text,
    pub(crate) additional_layer_store_auth_helper: Text,
    pub(crate) aliases: Option<Vec<(Text, Text)>>,
    pub(crate) v1: Option<V1>,
}

impl Document {
    pub(crate) fn parse(content: &[u8]) -> Result<Self, Refusal> {
        with_root(content, Self::decode)
    }

    /// Whether the file has any key of the v2 format, even with an empty list.
    pub(crate) fn has_v2(&self) -> bool {
        self.registries.is_some()
            || self.unqualified_search_registries.is_some()
            || self.credential_helpers.is_some()
            || !self.short_name_mode.value.is_empty()
            || !self.additional_layer_store_auth_helper.value.is_empty()
            || self.aliases.is_some()
    }

    fn decode(root: Table<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            registries: root.get("registry", |node| {
                node.tables()?
                    .into_iter()
                    .map(RegistryTable::decode)
                    .collect()
            })?,
            unqualified_search_registries: root
                .get("unqualified-search-registries", Node::texts)?,
            credential_helpers: root.get("credential-helpers", Node::texts)?,
            short_name_mode: root.text("short-name-mode")?,
            additional_layer_store_auth_helper: root.text("additional-layer-store-auth-helper")?,
            // A value that is not a table is ignored, as BurntSushi/toml does for a Go
            // map.
            aliases: root
                .get("aliases", |node| node.as_table().map(aliases).transpose())?
                .flatten(),
            v1: V1::decode(root)?,
        })
    }
}

/// Decodes the table that is the whole file.
pub(crate) fn with_root<T>(
    content: &[u8],
    decode: impl FnOnce(Table<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut marks = BYTE_ORDER_MARKS.iter();
    let content = marks
        .find_map(|mark| content.strip_prefix(*mark))
        .unwrap_or(content);
    let text = str::from_utf8(content).map_err(|error| {
        let valid = content.get(..error.valid_up_to()).unwrap_or_default();
        let line = valid.split(|byte| *byte == b'\n').count();
        Refusal::new(line, Invalid::NotUtf8)
    })?;
    // `toml` would skip a second mark.
    if text.starts_with('\u{feff}') {
        let message = "two byte order marks".to_owned();
        return Err(Refusal::new(1, Invalid::NotToml { message }));
    }
    let lines = Lines::of(text);
    if let Some(offset) = too_deep(text) {
        return Err(Refusal::new(lines.at(offset), Invalid::NestedTooDeeply));
    }
    let tree = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let message = one_line(error.message());
        Refusal::new(lines.at(offset), Invalid::NotToml { message })
    })?;
    decode(Table::root(tree.get_ref(), &lines)?)
}

/// The entries of `[aliases]`, which is a map, so its keys are not folded.
fn aliases(table: Table<'_>) -> Result<Vec<(Text, Text)>, Refusal> {
    table
        .nodes()
        .map(|node| Ok((node.key(), node.text()?)))
        .collect()
}

fn one_line(message: &str) -> String {
    let words: Vec<_> = message
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::Document;
    use crate::error::Invalid;

    fn reason(content: &[u8]) -> Option<(usize, String)> {
        Document::parse(content)
            .err()
            .map(|refusal| (refusal.line, refusal.reason.to_string()))
    }

    #[test]
    fn documents_that_decode() {
        let cases: &[(&str, &[u8])] = &[
            ("empty", b""),
            ("byte order mark", b"\xef\xbb\xbfshort-name-mode = \"x\""),
            ("byte order mark of UTF-16, before UTF-8", b"\xff\xfex = 1"),
            (
                "the last second of a day",
                b"x = [23:59:59, 1979-05-27T23:59:59.9+23:59]",
            ),
            ("CRLF", b"[[registry]]\r\nlocation = \"a\"\r\n"),
            (
                "unknown keys of any type",
                b"x = 1\ny = [{z = 1979-05-27}]\n[registry2]\n",
            ),
            ("aliases that are not a table", b"aliases = 5"),
            (
                "integers that fit",
                b"x = 9223372036854775807\ny = -9223372036854775808",
            ),
            ("floats that fit", b"x = [inf, -inf, nan, 1e308, 1e-999]"),
            ("TOML 1.1", b"registry = [\n{location = \"\\x61\",\n},\n]"),
        ];
        for (case, content) in cases {
            assert_eq!(reason(content), None, "{case}");
        }
    }

    #[test]
    fn documents_that_do_not_decode() {
        let wrong = |line, key: &str, expected: &str, found: &str| {
            (
                line,
                format!("key {key:?} must be {expected}, found {found}"),
            )
        };
        let range = |line, number: &str| (line, format!("number {number:?} is out of range"));
        let cases: &[(&[u8], (usize, String))] = &[
            (b"a = 1\n\xff", (2, "not valid UTF-8".to_owned())),
            (b"\xff\xff", (1, "not valid UTF-8".to_owned())),
            (
                b"\xef\xbb\xbf\xef\xbb\xbfx = 1",
                (1, "not valid TOML: two byte order marks".to_owned()),
            ),
            (
                b"x = 1\ny = [{z = 23:59:60}]",
                (2, "time \"23:59:60\" has a leap second".to_owned()),
            ),
            (
                b"x = 1990-12-31T23:59:60Z",
                (
                    1,
                    "time \"1990-12-31T23:59:60Z\" has a leap second".to_owned(),
                ),
            ),
            (
                b"registry = 1",
                wrong(1, "registry", "an array of tables", "integer"),
            ),
            (
                b"[registry]",
                wrong(1, "registry", "an array of tables", "table"),
            ),
            (
                b"registry = [1]",
                wrong(1, "registry", "a table", "integer"),
            ),
            (
                b"\n[[registry]]\nlocation = 5",
                wrong(3, "location", "a string", "integer"),
            ),
            (
                b"[[registry]]\nLocation = 5",
                wrong(2, "Location", "a string", "integer"),
            ),
            (
                b"[[registry]]\nlocation = \"a\"\nLOCATION = 5",
                wrong(3, "LOCATION", "a string", "integer"),
            ),
            (
                b"[[registry]]\nprefix = true",
                wrong(2, "prefix", "a string", "boolean"),
            ),
            (
                b"[[registry]]\nblocked = \"\"",
                wrong(2, "blocked", "a boolean", "string"),
            ),
            (
                b"[[registry]]\n[registry.mirror]",
                wrong(2, "mirror", "an array of tables", "table"),
            ),
            (
                b"[[registry]]\n[[registry.mirror]]\ninsecure = 0.5",
                wrong(3, "insecure", "a boolean", "float"),
            ),
            (
                b"credential-helpers = \"a\"",
                wrong(1, "credential-helpers", "an array of strings", "string"),
            ),
            (
                b"unqualified-search-registries = [\n\"a\",\n[]]",
                wrong(3, "unqualified-search-registries", "a string", "array"),
            ),
            (
                b"[aliases]\na.b = \"c\"",
                wrong(2, "a", "a string", "table"),
            ),
            (
                b"registries = 1",
                wrong(1, "registries", "a table", "integer"),
            ),
            (
                b"[registries]\nsearch = []",
                wrong(2, "search", "a table", "array"),
            ),
            (
                b"[registries.block]\nregistries = 1979-05-27",
                wrong(2, "registries", "an array of strings", "datetime"),
            ),
            (b"x = 9223372036854775808", range(1, "9223372036854775808")),
            (b"x = [0xffff_ffff_ffff_ffff]", range(1, "ffffffffffffffff")),
            (b"[x]\ny = {z = 1e999}", range(2, "1e999")),
        ];
        for (content, expected) in cases {
            let case = String::from_utf8_lossy(content);
            assert_eq!(reason(content).as_ref(), Some(expected), "{case}");
        }
    }

    #[test]
    fn syntax_errors_have_one_line() {
        let cases = [
            ("a", 1),
            ("[[registry]]\nlocation = \"docker.io\n", 2),
            ("\n\n[[registry]\n", 3),
            ("a = 1\na = 2", 2),
            ("a = 1\n\n\u{1}", 3),
            ("a = 1979-02-31", 1),
            ("a = \"\\q\"", 1),
            ("\u{feff}a = 1\n\u{feff}b = 1", 2),
        ];
        for (text, expected) in cases {
            let refusal = Document::parse(text.as_bytes()).unwrap_err();
            assert!(
                matches!(&refusal.reason, Invalid::NotToml { message }
                    if !message.is_empty() && !message.contains(char::is_control)),
                "{text:?}: {refusal:?}"
            );
            assert_eq!(refusal.line, expected, "{text:?}: {refusal:?}");
        }
    }

    #[test]
    fn the_exact_spelling_of_a_key_counts() {
        for (text, expected) in [
            ("[[registry]]\nLocation = \"other\"", "other"),
            (
                "[[\"regi\u{17f}try\"]]\nlocation = \"folded\"\n\"bloc\u{212a}ed\" = true",
                "folded",
            ),
            (
                "[[REGISTRY]]\nLOCATION = \"other\"\nlocation = \"exact\"",
                "exact",
            ),
            (
                "[[registry]]\nlocation = \"exact\"\nlocatioN = \"other\"",
                "exact",
            ),
        ] {
            let document = Document::parse(text.as_bytes()).unwrap();
            let registries = document.registries.unwrap();
            assert_eq!(registries[0].location.value, expected, "{text:?}");
            assert_eq!(registries[0].blocked, expected == "folded", "{text:?}");
        }
    }
}
