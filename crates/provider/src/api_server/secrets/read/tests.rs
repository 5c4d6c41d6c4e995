use super::*;

/// The body of a recorded response, after the request and the headers.
fn body(recording: &str) -> &[u8] {
    let start = recording.find("\n{").unwrap();
    recording.get(start..).unwrap().as_bytes()
}

fn read(page: &[u8]) -> (Vec<(String, String)>, Result<PageEnd, SecretsError>) {
    let mut found = Vec::new();
    let end = read_page(page, &mut Buffer::default(), &mut |secret: Listed| {
        let Ok(secret) = secret else { return Ok(()) };
        let text = String::from_utf8(secret.docker_config.to_vec()).unwrap();
        found.push((secret.name, text));
        Ok(())
    });
    (found, end.unwrap())
}

#[test]
fn recorded_pages_are_read() {
    let recording = include_str!(
        "../../../../../test-cluster/tests/recordings/02c-list-compact-non-curl-ua.txt"
    );
    let (found, end) = read(body(recording));
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b-secret", "c-secret", "my-secret"]);
    assert!(
        found[2]
            .1
            .starts_with(r#"{"auths":{"http://localhost:5000""#)
    );
    assert_eq!(
        end.unwrap(),
        PageEnd {
            secrets: 3,
            continue_token: None
        }
    );

    let recording =
        include_str!("../../../../../test-cluster/tests/recordings/04-list-limit1-page1.txt");
    let (_, end) = read(body(recording));
    let token =
        include_str!("../../../../../test-cluster/tests/recordings/continue-token-page2.txt");
    assert_eq!(end.unwrap().continue_token.as_deref(), Some(token.trim()));

    let recording =
        include_str!("../../../../../test-cluster/tests/recordings/21-list-excluding-types.txt");
    let (found, end) = read(body(recording));
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["legacy", "mirror"],
        "and not the one of another type"
    );
    assert_eq!(end.unwrap().secrets, 3);

    let recording =
        include_str!("../../../../../test-cluster/tests/recordings/11-list-dockercfg.txt");
    assert_eq!(read(body(recording)).0.len(), 1);
}

#[test]
fn one_unusable_secret_leaves_the_others() {
    let typed = |fields: &str| format!(r#"{{"type":"kubernetes.io/dockerconfigjson"{fields}}}"#);
    let items = [
        "5".to_owned(),
        r#"{"type":7,"metadata":{"name":"odd"}}"#.to_owned(),
        r#"{"type":"Opaque","metadata":7}"#.to_owned(),
        r#"{"metadata":{"name":"untyped"},"data":{".dockerconfigjson":"e30="}}"#.to_owned(),
        typed(r#","metadata":{}"#),
        typed(r#","metadata":{"name":7}"#),
        typed(r#","metadata":{"name":"none"}"#),
        typed(r#","metadata":{"name":"null"},"data":null"#),
        typed(r#","metadata":{"name":"other"},"data":{"x":"eA=="}"#),
        typed(r#","metadata":{"name":"type"},"data":{".dockerconfigjson":{"hunter2":1}}"#),
        typed(r#","metadata":{"name":"base64"},"data":{".dockerconfigjson":"*"}"#),
        typed(r#","metadata":{"name":"good"},"data":{".dockerconfigjson":"e30="}"#),
    ];
    let items = items.join(",");
    let page = format!(r#"{{"items":[{items}],"kind":"SecretList"}}"#);
    let (mut found, mut unusable) = (Vec::new(), Vec::new());
    let visit = &mut |secret: Listed| {
        match secret {
            Ok(secret) => found.push(secret.name),
            Err(secret) => unusable.push(secret.name),
        }
        Ok(())
    };
    let end = read_page(page.as_bytes(), &mut Buffer::default(), visit);
    assert_eq!(end.unwrap().unwrap().secrets, 12);
    assert_eq!(found, ["good"]);
    // The first four have no name.
    let expected = ["", "", "", "", "none", "null", "other", "type", "base64"];
    assert_eq!(unusable, expected);
}

#[test]
fn text_that_is_not_a_list_of_secrets_is_refused() {
    for page in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"kind":"Status"}"#,
        r#"{"kind":"PodList","items":[]}"#,
        r#"{"kind":"SecretList","items":[]"#,
        r#"{"kind":"SecretList","items":[]}}"#,
        r#"{"kind":"SecretList","items":[] "metadata":{}}"#,
        r#"{"kind":"SecretList","items":{}"#,
        r#"{"kind":"SecretList","metadata":[]}"#,
    ] {
        let (_, end) = read(page.as_bytes());
        assert!(matches!(end, Err(SecretsError::NoList(_))), "{page}");
    }
    let not_utf8 = b"{\"kind\":\"SecretList\",\"items\":[{\"x\":\"\xff\"}]}";
    assert!(read(not_utf8).1.is_err());
    let deep = format!(r#"{{"kind":"SecretList","items":{}"#, "[".repeat(100_000));
    assert!(read(deep.as_bytes()).1.is_err());
}

#[test]
fn a_secret_that_was_asked_for_is_read_by_its_type() {
    let recording = include_str!("../../../../../test-cluster/tests/recordings/12-get-200.txt");
    let secret = read_named(body(recording), "my-secret").unwrap().unwrap();
    assert_eq!(secret.name, "my-secret");
    assert_eq!(secret.format, Format::DockerConfigJson);
    assert!(secret.docker_config.starts_with(br#"{"auths":"#));

    let long = "t".repeat(300);
    for (rest, expected) in [
        ("", "of type \"Opaque\", which holds no registry logins"),
        (
            r#","type":null"#,
            "of type \"Opaque\", which holds no registry logins",
        ),
        (
            &format!(r#","type":"{long}""#),
            &format!(
                "of type {:?}, which holds no registry logins",
                "t".repeat(253)
            ),
        ),
        (
            r#","type":"kubernetes.io/dockercfg""#,
            "a secret without a name",
        ),
        (
            r#","type":"kubernetes.io/dockercfg","metadata":{"name":"x"}"#,
            "no \".dockercfg\" in its data",
        ),
    ] {
        let body = format!(r#"{{"kind":"Secret"{rest}}}"#);
        let unusable = read_named(body.as_bytes(), "asked").unwrap().unwrap_err();
        assert_eq!(unusable.name, "asked", "{body}");
        assert_eq!(unusable.problem.to_string(), expected, "{body}");
    }
}

#[test]
fn an_answer_that_is_not_a_secret_is_refused_and_not_quoted() {
    for body in [
        "",
        "<html>",
        "[]",
        "{}",
        "null",
        r#"{"kind":"hunter2"}"#,
        r#"{"kind":{"hunter2":1}}"#,
        r#"{"kind":"Secret","type":{"hunter2":5}}"#,
    ] {
        let error = read_named(body.as_bytes(), "asked").unwrap_err();
        let error = anyhow::Error::new(error);
        let line = format!("{error:#} {error:?}");
        assert!(line.contains("not a Secret"), "{body}: {line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    let deep = format!(r#"{{"kind":"Secret","type":{}"#, "[".repeat(100_000));
    assert!(read_named(deep.as_bytes(), "asked").is_err());
}
