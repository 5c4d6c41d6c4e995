//! Probable mistakes in an entry that can be used.

use std::fmt;

use secret::Secret;

use super::{Credential, Field, RawEntry, Wire};

/// A probable mistake in an entry that can be used. The login is sent as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mistake {
    /// The user name ends in a line break or a blank.
    UsernameEnd,
    /// The password ends in a line break or a blank.
    PasswordEnd,
    /// `auth` is another login than `username` and `password`.
    Contradiction,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UsernameEnd => "its user name ends in a line break or blank, which is sent too",
            Self::PasswordEnd => "its password ends in a line break or blank, which is sent too",
            Self::Contradiction => {
                "its \"auth\" is another login than its \"username\" and \"password\", and is used"
            }
        })
    }
}

impl RawEntry<'_> {
    /// The probable mistakes; empty if the entry cannot be used at all.
    pub fn mistakes(self) -> Vec<Mistake> {
        let Ok(login) = self.credential() else {
            return Vec::new();
        };
        let ends_blank = |text: &[u8]| text.last().is_some_and(u8::is_ascii_whitespace);
        let found = [
            (ends_blank(&login.username), Mistake::UsernameEnd),
            (ends_blank(login.password.expose()), Mistake::PasswordEnd),
            (self.contradicts(&login), Mistake::Contradiction),
        ];
        let found = found.into_iter().filter(|(is_there, _)| *is_there);
        found.map(|(_, mistake)| mistake).collect()
    }

    /// Whether `username` or `password` exists and differs from the login.
    fn contradicts(self, login: &Credential) -> bool {
        let differs = |field: &Field<'_>, of_login: &[u8]| match field {
            Field::Text(text) => !text.is_empty() && text.as_bytes() != of_login,
            Field::Absent | Field::Wrong => false,
        };
        Wire::read(self.value).is_ok_and(|wire| {
            let Credential {
                username, password, ..
            } = login;
            differs(&wire.username, username) || differs(&wire.password, Secret::expose(password))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Reader, tests::auth};
    use super::*;
    use crate::go_json::Text;

    #[test]
    fn probable_mistakes_are_found() {
        let both = |auth: &str, fields: &str| auth.replace('}', &format!(",{fields}}}"));
        let plain = auth(b"user:pass");
        for (name, entry, expected) in [
            ("none", plain.clone(), &[][..]),
            ("user", auth(b"user\n:pass"), &[Mistake::UsernameEnd]),
            ("password", auth(b"user:pass\n"), &[Mistake::PasswordEnd]),
            ("Windows", auth(b"user:pass\r\n"), &[Mistake::PasswordEnd]),
            ("blank", auth(b"user:pass "), &[Mistake::PasswordEnd]),
            (
                "both",
                auth(b"user :pass\t"),
                &[Mistake::UsernameEnd, Mistake::PasswordEnd],
            ),
            ("blank within", auth(b"us er: pa ss"), &[]),
            ("NULs", auth(b"user:pass\n\0"), &[Mistake::PasswordEnd]),
            (
                "the same twice",
                both(&plain, r#""username":"user","password":"pass""#),
                &[],
            ),
            (
                "nothing beside",
                both(&plain, r#""username":"","password":null"#),
                &[],
            ),
            (
                "not text",
                both(&plain, r#""username":[],"password":5"#),
                &[],
            ),
            (
                "another user",
                both(&plain, r#""username":"x""#),
                &[Mistake::Contradiction],
            ),
            (
                "another password",
                both(&plain, r#""username":"user","PASSWORD":"x""#),
                &[Mistake::Contradiction],
            ),
            (
                "unusable",
                r#"{"auth":"!","username":"x\n"}"#.to_owned(),
                &[],
            ),
        ] {
            let text = Text::of_json(entry.as_bytes());
            let value = serde_json::from_str(&text).unwrap();
            for reader in [Reader::Kubelet, Reader::ContainersImage] {
                assert_eq!(RawEntry::new(value, reader).mistakes(), expected, "{name}");
            }
        }
        let entry = r#"{"username":"user","password":"pass\n"}"#;
        let value = serde_json::from_str(entry).unwrap();
        let mistakes = RawEntry::new(value, Reader::Kubelet).mistakes();
        assert_eq!(mistakes, [Mistake::PasswordEnd]);
    }
}
