use super::*;

fn credential(entry: &str) -> Result<(String, String, Option<String>), EntryError> {
    let text = format!(r#"{{"key":{entry}}}"#);
    let config = DockerConfig::parse(text.as_bytes(), Format::DockerCfg).unwrap();
    let text = |secret: Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
    config.auths.unwrap()[0].1.credential().map(|found| {
        (
            found.username,
            text(found.password),
            found.identity_token.map(text),
        )
    })
}

#[test]
fn a_login_is_auth_or_else_user_name_and_password() {
    let auth = |login: &[u8]| format!(r#"{{"auth":"{}"}}"#, BASE64.encode(login));
    for (name, entry, expected) in [
        ("auth", auth(b"user:pass"), ("user", "pass")),
        (
            "unpadded",
            auth(b"user:pass").replace('=', ""),
            ("user", "pass"),
        ),
        ("trailing NULs", auth(b"user:pass\0\0"), ("user", "pass")),
        ("colon in the password", auth(b"user:p:w"), ("user", "p:w")),
        ("empty password", auth(b"user:"), ("user", "")),
        (
            "wrapped",
            r#"{"auth":"dXNlcjpw\r\nYXNz\n"}"#.to_owned(),
            ("user", "pass"),
        ),
        (
            "fields",
            r#"{"username":"user","password":"pass"}"#.to_owned(),
            ("user", "pass"),
        ),
        (
            "empty auth",
            r#"{"auth":"","username":"user","password":"pass"}"#.to_owned(),
            ("user", "pass"),
        ),
        (
            "null auth",
            r#"{"auth":null,"username":"user","password":"pass"}"#.to_owned(),
            ("user", "pass"),
        ),
        (
            "auth wins",
            r#"{"username":"x","password":"y","auth":"dXNlcjpwYXNz"}"#.to_owned(),
            ("user", "pass"),
        ),
        (
            "as Go reads it",
            r#"{"Auth":"dXNlcjpwYXNz","EMAIL":5}"#.to_owned(),
            ("user", "pass"),
        ),
        (
            "escaped",
            r#"{"username":"\u0075ser","password":"p\"s"}"#.to_owned(),
            ("user", "p\"s"),
        ),
    ] {
        let (user, password) = expected;
        let expected = Ok((user.to_owned(), password.to_owned(), None));
        assert_eq!(credential(&entry), expected, "{name}");
    }
}

#[test]
fn an_identity_token_is_carried_along() {
    assert_eq!(
        credential(r#"{"auth":"dXNlcjpwYXNz","identitytoken":"xyz"}"#),
        Ok(("user".to_owned(), "pass".to_owned(), Some("xyz".to_owned())))
    );
}

#[test]
fn an_entry_that_cannot_be_used_says_why() {
    for (name, entry, expected) in [
        ("empty", "{}", EntryError::NoLogin),
        (
            "token alone",
            r#"{"identitytoken":"xyz"}"#,
            EntryError::NoLogin,
        ),
        ("base64", r#"{"auth":"*"}"#, EntryError::Base64),
        ("no colon", r#"{"auth":"dXNlcg=="}"#, EntryError::NoColon),
        ("no user", r#"{"auth":"OnBhc3M="}"#, EntryError::NoUsername),
        (
            "password alone",
            r#"{"password":"p"}"#,
            EntryError::NoUsername,
        ),
        ("binary user", r#"{"auth":"/zpw"}"#, EntryError::NoUsername),
        (
            "colon",
            r#"{"username":"a:b","password":"p"}"#,
            EntryError::ColonInUsername,
        ),
    ] {
        assert_eq!(credential(entry), Err(expected), "{name}");
    }
    for entry in [
        r#"{"auth":1}"#,
        r#"{"auth":["hunter2"]}"#,
        r#""hunter2""#,
        "[]",
        "null",
    ] {
        let error = credential(entry).unwrap_err();
        assert!(matches!(error, EntryError::Decode(_)), "{entry}: {error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{entry}");
    }
}

#[test]
fn the_last_of_equal_keys_counts() {
    let text = br#"{"auths":{"a":{"auth":"x"},"b":{},"a":{"auth":"y"}}}"#;
    let config = DockerConfig::parse(text, Format::DockerConfigJson).unwrap();
    let found: Vec<_> = config
        .auths
        .unwrap()
        .iter()
        .map(|(key, entry)| (key.to_string(), entry.expose().get()))
        .collect();
    assert_eq!(
        found,
        [("b".to_owned(), "{}"), ("a".to_owned(), r#"{"auth":"y"}"#)]
    );
}

#[test]
fn what_is_no_docker_config_is_refused() {
    for (name, text, format) in [
        ("empty", "", Format::DockerConfigJson),
        ("array", "[]", Format::DockerConfigJson),
        (
            "auths is a list",
            r#"{"auths":[]}"#,
            Format::DockerConfigJson,
        ),
        ("not JSON", "{", Format::DockerCfg),
        ("trailing", "{} {}", Format::DockerCfg),
    ] {
        assert!(
            DockerConfig::parse(text.as_bytes(), format).is_err(),
            "{name}"
        );
    }
    for none in ["{}", r#"{"auths":null}"#, r#"{"quay.io":{}}"#] {
        let config = DockerConfig::parse(none.as_bytes(), Format::DockerConfigJson).unwrap();
        assert!(config.auths.is_none(), "{none}");
    }
    let deep = format!("{{\"auths\":{}", "[".repeat(100_000));
    assert!(DockerConfig::parse(deep.as_bytes(), Format::DockerConfigJson).is_err());
}

#[test]
fn debug_shows_no_field_of_the_text() {
    let text = br#"{"auths":{"a":{"auth":"hunter2"}},"HttpHeaders":{"Authorization":"hunter2"}}"#;
    let config = DockerConfig::parse(text, Format::DockerConfigJson).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
