use super::*;
use crate::go_json::Text;

type Login = (String, String, Option<String>);

fn credential(entry: &str, reader: Reader) -> Result<Login, EntryError> {
    let text = Text::of_json(entry.as_bytes());
    let value = serde_json::from_str(&text).unwrap();
    let text = |secret: Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
    let found = RawEntry::new(value, reader).credential()?;
    Ok((
        found.username_lossy().into_owned(),
        text(found.password),
        found.identity_token.as_deref().map(str::to_owned),
    ))
}

pub(super) fn auth(login: &[u8]) -> String {
    format!(r#"{{"auth":"{}"}}"#, BASE64.encode(login))
}

#[test]
fn a_login_is_auth_for_both_readers() {
    for (name, entry, expected) in [
        ("auth", auth(b"user:pass"), ("user", "pass")),
        ("trailing NULs", auth(b"user:pass\0\0"), ("user", "pass")),
        ("colon in the password", auth(b"user:p:w"), ("user", "p:w")),
        ("empty password", auth(b"user:"), ("user", "")),
        (
            "bits after the end",
            r#"{"auth":"dTpwdx=="}"#.to_owned(),
            ("u", "pw"),
        ),
        (
            "wrapped",
            r#"{"auth":"dXNlcjpw\r\nYXNz\n"}"#.to_owned(),
            ("user", "pass"),
        ),
        (
            "wrapped padding",
            r#"{"auth":"dTpwdw=\n="}"#.to_owned(),
            ("u", "pw"),
        ),
        (
            "auth wins",
            r#"{"username":"x","password":"y","auth":"dXNlcjpwYXNz"}"#.to_owned(),
            ("user", "pass"),
        ),
        (
            "beside fields that are not used",
            r#"{"Auth":"dXNlcjpwYXNz","EMAIL":5,"username":[],"password":{},"x":1e999}"#.to_owned(),
            ("user", "pass"),
        ),
        (
            "the last one, but for null",
            r#"{"auth":"eDp5","AUTH":"dXNlcjpwYXNz","auth":null}"#.to_owned(),
            ("user", "pass"),
        ),
        ("escaped", r#"{"auth":"dTp\u0077"}"#.to_owned(), ("u", "p")),
    ] {
        let (user, password) = expected;
        let expected = Ok((user.to_owned(), password.to_owned(), None));
        for reader in [Reader::Kubelet, Reader::ContainersImage] {
            assert_eq!(credential(&entry, reader), expected, "{name} {reader:?}");
        }
    }
}

#[test]
fn a_secret_may_have_user_name_and_password() {
    for (name, entry, expected) in [
        (
            "fields",
            r#"{"username":"user","password":"pass"}"#,
            ("user", "pass"),
        ),
        (
            "empty auth",
            r#"{"auth":"","username":"user","password":"pass"}"#,
            ("user", "pass"),
        ),
        (
            "null auth",
            r#"{"auth":null,"username":"user","password":"pass"}"#,
            ("user", "pass"),
        ),
        (
            "escaped",
            r#"{"username":"\u0075ser","password":"p\"s"}"#,
            ("user", "p\"s"),
        ),
        (
            "a lone surrogate",
            r#"{"username":"a\ud83d","password":"p"}"#,
            ("a\u{fffd}", "p"),
        ),
        (
            "folded",
            "{\"u\u{17f}ername\":\"u\",\"PASSWORD\":\"p\"}",
            ("u", "p"),
        ),
        ("no password", r#"{"username":"user"}"#, ("user", "")),
    ] {
        let (user, password) = expected;
        let expected = Ok((user.to_owned(), password.to_owned(), None));
        assert_eq!(credential(entry, Reader::Kubelet), expected, "{name}");
        let of_file = credential(entry, Reader::ContainersImage);
        assert_eq!(of_file, Err(EntryError::NoAuth), "{name}");
    }
}

#[test]
fn the_readers_differ_in_padding_and_nuls() {
    let unpadded = r#"{"auth":"dTpwdw"}"#;
    let login = |password: &str| Ok(("u".to_owned(), password.to_owned(), None));
    assert_eq!(credential(unpadded, Reader::Kubelet), login("pw"));
    let of_file = credential(unpadded, Reader::ContainersImage);
    assert_eq!(of_file, Err(EntryError::Base64));

    let nuls = auth(b"u:\0p\0w\0");
    assert_eq!(credential(&nuls, Reader::Kubelet), login("\0p\0w"));
    assert_eq!(credential(&nuls, Reader::ContainersImage), login("p\0w"));
    for reader in [Reader::Kubelet, Reader::ContainersImage] {
        assert_eq!(credential(&auth(b"u:\0\0"), reader), login(""));
    }
}

#[test]
fn a_login_need_not_be_utf8() {
    let entry = auth(b"\xe4:\xff");
    let value = serde_json::from_str(&entry).unwrap();
    let found = RawEntry::new(value, Reader::Kubelet).credential().unwrap();
    assert_eq!(found.username, b"\xe4");
    assert_eq!(found.password.expose(), b"\xff");
    assert_eq!(*found.auth(), BASE64.encode(b"\xe4:\xff"));
}

#[test]
fn an_identity_token_is_carried_along() {
    let entry = "{\"auth\":\"dTpw\",\"identityto\u{212a}en\":\"xyz\"}";
    let expected = Ok(("u".to_owned(), "p".to_owned(), Some("xyz".to_owned())));
    assert_eq!(credential(entry, Reader::Kubelet), expected);
    assert_eq!(credential(entry, Reader::ContainersImage), expected);

    let entry = r#"{"auth":"dTpw","identitytoken":5}"#;
    let expected = Ok(("u".to_owned(), "p".to_owned(), None));
    assert_eq!(credential(entry, Reader::Kubelet), expected);
    let of_file = credential(entry, Reader::ContainersImage);
    assert_eq!(of_file, Err(EntryError::NotAString("identitytoken")));
    let value = serde_json::from_str(entry).unwrap();
    assert!(!RawEntry::new(value, Reader::ContainersImage).is_decodable());
}

#[test]
fn an_entry_that_cannot_be_used_is_an_error_with_the_reason() {
    for (name, entry, expected) in [
        ("empty", "{}", EntryError::NoLogin),
        ("null", "null", EntryError::NoLogin),
        (
            "token alone",
            r#"{"identitytoken":"xyz"}"#,
            EntryError::NoLogin,
        ),
        ("base64", r#"{"auth":"*"}"#, EntryError::Base64),
        (
            "blank at the end",
            r#"{"auth":"dTpw "}"#,
            EntryError::Base64,
        ),
        (
            "half its padding",
            r#"{"auth":"dTpwdw="}"#,
            EntryError::Base64,
        ),
        (
            "too much padding",
            r#"{"auth":"dTpw="}"#,
            EntryError::Base64,
        ),
        (
            "URL alphabet",
            r#"{"auth":"dTrDv8O_Pz5-"}"#,
            EntryError::Base64,
        ),
        ("no colon", r#"{"auth":"dXNlcg=="}"#, EntryError::NoColon),
        ("nothing", r#"{"auth":"\n"}"#, EntryError::NoColon),
        ("no user", r#"{"auth":"OnBhc3M="}"#, EntryError::NoUsername),
        (
            "password alone",
            r#"{"password":"p"}"#,
            EntryError::NoUsername,
        ),
        (
            "colon",
            r#"{"username":"a:b","password":"p"}"#,
            EntryError::ColonInUsername,
        ),
    ] {
        assert_eq!(credential(entry, Reader::Kubelet), Err(expected), "{name}");
    }
    for (entry, field) in [
        (r#"{"auth":1}"#, "auth"),
        (r#"{"auth":["hunter2"]}"#, "auth"),
        (r#"{"auth":{"hunter2":1},"auth":"dTpw"}"#, "auth"),
        (r#"{"username":5,"password":"hunter2"}"#, "username"),
        (r#"{"username":"hunter2","password":5}"#, "password"),
    ] {
        let expected = Err(EntryError::NotAString(field));
        assert_eq!(credential(entry, Reader::Kubelet), expected, "{entry}");
    }
    for entry in [r#""hunter2""#, r#"["hunter2"]"#] {
        let error = credential(entry, Reader::Kubelet).unwrap_err();
        assert!(matches!(error, EntryError::Decode(_)), "{entry}: {error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{entry}");
    }
}
