//! A limit on nesting, checked on lines or tokens before a tree is built.
//!
//! The tree is walked and dropped by recursion, one level for each bracket and for each
//! part of a dotted key: without a limit, a line of a few hundred kilobytes would
//! overflow the stack.

use toml_parser::{Source, lexer::TokenKind};

/// The most brackets that may be open, and the most parts that a dotted key may have. The
/// format needs three of each.
const MAX_DEPTH: usize = 16;

/// The offset at which a TOML text is nested too deeply; `None` if it is not. The
/// configuration files of containers/image and CRI-O use a few levels; the limit is 16.
pub fn too_deep(text: &str) -> Option<usize> {
    // Looking for tokens takes as long as parsing them.
    if is_shallow(text) {
        return None;
    }
    by_tokens(text)
}

/// Whether the lines alone show that a text is not nested too deeply. A bracket counts as
/// open to the end of the text, unless its line closes it and has no string or comment,
/// in which a bracket has no meaning.
fn is_shallow(text: &str) -> bool {
    let mut open_before = 0_usize;
    text.as_bytes().split(|&byte| byte == b'\n').all(|line| {
        let (mut opened, mut open, mut deepest, mut dots) = (0_usize, 0_usize, 0_usize, 0_usize);
        let mut is_clear = true;
        for byte in line {
            match byte {
                b'[' | b'{' => {
                    opened += 1;
                    open += 1;
                    deepest = deepest.max(open);
                }
                b']' | b'}' if open > 0 => open -= 1,
                b']' | b'}' | b'"' | b'\'' | b'#' => is_clear = false,
                b'.' => dots += 1,
                _ => {}
            }
        }
        if !is_clear || open > 0 {
            open_before += opened;
            deepest = 0;
        }
        open_before + deepest <= MAX_DEPTH && dots < MAX_DEPTH
    })
}

fn by_tokens(text: &str) -> Option<usize> {
    let mut brackets = 0_usize;
    let mut dots = 0_usize;
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                brackets += 1;
                dots = 0;
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                brackets = brackets.saturating_sub(1);
                dots = 0;
            }
            TokenKind::Dot => dots += 1,
            TokenKind::Equals | TokenKind::Comma | TokenKind::Newline => dots = 0,
            TokenKind::Whitespace
            | TokenKind::Comment
            | TokenKind::LiteralString
            | TokenKind::BasicString
            | TokenKind::MlLiteralString
            | TokenKind::MlBasicString
            | TokenKind::Atom
            | TokenKind::Eof => {}
        }
        if brackets > MAX_DEPTH || dots >= MAX_DEPTH {
            return Some(token.span().start());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{by_tokens, is_shallow, too_deep};

    proptest! {
        #[test]
        fn lines_never_hide_what_the_tokens_show(text in "([\\[{]{0,9}[\\[\\]{}a.=,\"'# \n\r\\\\]{0,9}){0,9}") {
            prop_assert!(!is_shallow(&text) || by_tokens(&text).is_none());
        }
    }

    #[test]
    fn usual_files_need_no_tokens() {
        let registry = "[[registry]]\nlocation = \"a.b\"\n[[registry.mirror]]\nlocation = 'c'\n";
        assert!(is_shallow(&registry.repeat(1000)));
        assert!(is_shallow("[aliases]\n\"a\" = \"b.c/a\" # [[{\n"));
        assert!(!is_shallow(&"a = [[[\n".repeat(6)));
        assert!(!is_shallow(&"a = ['[[', ']]']\n".repeat(6)));
    }

    #[test]
    fn nesting_is_bounded() {
        let many = 100_000;
        let cases = [
            ("nothing", String::new(), None),
            (
                "a registry",
                "[[registry]]\nmirror = [{location = \"a.b\"}]".to_owned(),
                None,
            ),
            (
                "dots in a string",
                format!("a = \"{}\"", ".".repeat(many)),
                None,
            ),
            ("dots in a comment", format!("# {}", ".".repeat(many)), None),
            (
                "brackets in a text",
                format!("a = '''\n{}'''", "[".repeat(many)),
                None,
            ),
            (
                "many floats",
                format!("a = [{}]", "1.5, ".repeat(many)),
                None,
            ),
            (
                "16 arrays",
                format!("a = {}{}", "[".repeat(16), "]".repeat(16)),
                None,
            ),
            (
                "17 arrays",
                format!("a = {}{}", "[".repeat(17), "]".repeat(17)),
                Some(20),
            ),
            ("arrays", format!("a = {}", "[".repeat(many)), Some(20)),
            (
                "inline tables",
                format!("a = {}", "{a=".repeat(many)),
                Some(4 + 16 * 3),
            ),
            ("key of 16 parts", format!("a{} = 1", ".a".repeat(15)), None),
            (
                "key of 17 parts",
                format!("a{} = 1", ".a".repeat(16)),
                Some(31),
            ),
            (
                "quoted parts",
                format!("a{} = 1", " . \"\"".repeat(many)),
                Some(2 + 15 * 5),
            ),
            (
                "table header",
                format!("[[a{}]]", ".a".repeat(many)),
                Some(33),
            ),
        ];
        for (case, text, expected) in cases {
            assert_eq!(too_deep(&text), expected, "{case}");
        }
    }
}
