//! Removes what may be a secret from a provider's stderr, so that it may be logged.

/// The length from which a word may be a token.
const MAX_WORD: usize = 16;
const REDACTED: &str = "[redacted]";
/// Words after which a secret of any length may follow.
const ANNOUNCING: [&str; 7] = [
    "password", "passwd", "secret", "token", "auth", "bearer", "key",
];

/// The text without anything that may be a secret: `secrets`, long words, and what
/// follows a word such as "password". If the beginning was cut (`is_cut`), the first word
/// is incomplete, and is left out.
pub(super) fn redacted(text: &[u8], is_cut: bool, secrets: &[&[u8]]) -> String {
    let mut text = String::from_utf8_lossy(text).into_owned();
    if is_cut {
        let rest = text.split_once(|c: char| c.is_whitespace());
        text = rest.map_or_else(String::new, |(_, rest)| rest.to_owned());
    }
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(&*String::from_utf8_lossy(secret), REDACTED);
    }
    let mut shown = String::new();
    let mut is_announced = false;
    for part in text.split_inclusive(|c| !is_of_word(c)) {
        let word = part.trim_end_matches(|c| !is_of_word(c));
        let after = part.strip_prefix(word).unwrap_or_default();
        let is_secret = word.len() >= MAX_WORD || is_announced && !word.is_empty();
        shown.push_str(if is_secret { REDACTED } else { word });
        shown.push_str(after);
        let lower = word.to_lowercase();
        let announces = ANNOUNCING.iter().any(|name| lower.contains(name));
        let goes_on = word.is_empty() || is_scheme(&lower) || !ends_value(after);
        is_announced = announces || (is_announced && goes_on);
    }
    shown.trim_end().to_owned()
}

/// Whether a character belongs to a word: letters, digits and the characters of base64.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "+/_-".contains(c)
}

/// Whether what follows a word ends the value that the word is part of: a password may
/// contain other punctuation.
fn ends_value(after: &str) -> bool {
    after.is_empty() || after.contains(|c: char| c.is_whitespace() || "\"'".contains(c))
}

/// Whether a word is an authentication scheme, as between `Authorization:` and the login.
fn is_scheme(word: &str) -> bool {
    word == "basic" || word == "is"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn possible_secrets_are_not_shown() {
        for (text, is_cut, expected) in [
            (
                "cannot reach ecr: no route\n",
                false,
                "cannot reach ecr: no route",
            ),
            (
                "got eyJhbGciOiJSUzI1NiJ9.e30.x\n",
                false,
                "got [redacted].e30.x",
            ),
            ("user known here", false, "user [redacted] here"),
            (
                "password=hunter2 user=u",
                false,
                "password=[redacted] user=u",
            ),
            (
                "password=p@ss,word!x user=u",
                false,
                "password=[redacted]@[redacted],[redacted]![redacted] user=u",
            ),
            (
                "\"Password\": \"hunter2\"",
                false,
                "\"Password\": \"[redacted]\"",
            ),
            (
                "Authorization: Basic dTpw",
                false,
                "Authorization: [redacted] [redacted]",
            ),
            ("end-of-a-token then more", true, "then more"),
            ("end-of-a-token", true, ""),
        ] {
            let shown = redacted(text.as_bytes(), is_cut, &[b"known", b""]);
            assert_eq!(shown, expected, "{text}");
        }
        assert_eq!(redacted(b"a\xff", false, &[]), "a\u{fffd}");
    }
}
