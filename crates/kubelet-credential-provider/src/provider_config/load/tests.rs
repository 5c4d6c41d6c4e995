#![expect(clippy::disallowed_methods, reason = "lays out a directory to be read")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use secret::Secret;

use super::*;

const ECR: &str = "\
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: ecr-credential-provider
    matchImages: [\"*.dkr.ecr.*.amazonaws.com\"]
    defaultCacheDuration: 12h
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    args: [get-credentials]
    env:
      - name: AWS_PROFILE
        value: hunter2
    tokenAttributes:
      serviceAccountTokenAudience: sts.amazonaws.com
      cacheType: ServiceAccount
      requireServiceAccount: yes
      requiredServiceAccountAnnotationKeys: [eks.amazonaws.com/ecr-role-arn]
      optionalServiceAccountAnnotationKeys: [domain.io/Other]
";

fn problems(text: &str) -> Vec<String> {
    let document = parse(text.as_bytes()).unwrap();
    document.problems.iter().map(ToString::to_string).collect()
}

/// The good file with one change.
fn with(old: &str, new: &str) -> String {
    assert!(ECR.contains(old), "{old}");
    ECR.replacen(old, new, 1)
}

#[test]
fn a_good_file_is_decoded_whole() {
    let document = parse(ECR.as_bytes()).unwrap();
    assert_eq!(document.problems, []);
    let [provider] = document.config.providers.as_slice() else {
        panic!("{document:?}");
    };
    assert_eq!(provider.name, "ecr-credential-provider");
    assert_eq!(provider.match_images, ["*.dkr.ecr.*.amazonaws.com"]);
    assert_eq!(provider.default_cache_duration.as_deref(), Some("12h"));
    assert_eq!(provider.args, ["get-credentials"]);
    assert_eq!(provider.env[0].name, "AWS_PROFILE");
    assert_eq!(provider.env[0].value, Secret::from("hunter2"));
    assert_eq!(provider.line, 4);
    assert!(!format!("{document:?}").contains("hunter2"));
    let attributes = provider.token_attributes.as_ref().unwrap();
    assert_eq!(
        attributes.service_account_token_audience,
        "sts.amazonaws.com"
    );
    assert_eq!(attributes.require_service_account, Some(true));
}

#[test]
fn json_and_yaml_give_the_same_configuration() {
    let json = r#"{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "CredentialProviderConfig",
        "providers": [{"name": "a\u0062", "matchImages": ["a.\/b"], "defaultCacheDuration": "0s",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1beta1", "args": null}]}"#;
    let document = parse(json.as_bytes()).unwrap();
    assert_eq!(document.problems, []);
    assert!(document.is_json);
    assert_eq!(document.config.providers[0].name, "ab");
    assert_eq!(document.config.providers[0].match_images, ["a./b"]);
    assert_eq!(document.config.providers[0].line, 2);
    let key = &document.root.entries()[2];
    assert_eq!(json.get(key.key_span.clone()), Some("\"providers\""));
}

#[test]
fn strings_of_json_are_read_as_go_reads_them() {
    for (name, expected) in [
        (&b"a\xff"[..], "a\u{fffd}"),
        (br"\ud800", "\u{fffd}"),
        (br"\ud83d\ude00", "\u{1f600}"),
    ] {
        let text = [&b" {\"providers\": [{\"name\": \""[..], name, b"\"}]}"].concat();
        let document = parse(&text).unwrap();
        assert_eq!(document.config.providers[0].name, expected);
    }
    for text in [&b"{\"providers\": []}\xff"[..], b"\xff{}"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn aliases_and_merge_keys_are_followed() {
    let text = "\
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
- name: one
  matchImages: &images [a.test]
  <<: &rest {defaultCacheDuration: 0s, apiVersion: credentialprovider.kubelet.k8s.io/v1}
- {<<: *rest, name: two, args: *images, matchImages: [b.test]}
";
    let document = parse(text.as_bytes()).unwrap();
    assert_eq!(document.problems, []);
    let two = &document.config.providers[1];
    assert_eq!(two.args, ["a.test"]);
    assert_eq!(two.default_cache_duration.as_deref(), Some("0s"));
    assert!(document.root.get("providers").unwrap().items()[1].has_shared());

    // In strict mode, go-yaml refuses a key that a merge key gives too.
    let twice = text.replace("args: *images,", "args: *images, defaultCacheDuration: 1s,");
    assert_eq!(
        problems(&twice),
        ["line 7: providers[1]: field \"defaultCacheDuration\" is given twice"]
    );
}

#[track_caller]
fn check<const N: usize>(cases: [(&str, String, Vec<&str>); N]) {
    for (name, text, expected) in cases {
        assert_eq!(problems(&text), expected, "{name}");
    }
}

#[test]
fn kubelet_refuses_files_that_are_not_a_configuration() {
    check([
        (
            "empty",
            String::new(),
            vec![
                "line 1: kind: is required: CredentialProviderConfig",
                "line 1: apiVersion: is required: kubelet.config.k8s.io/v1, kubelet.config.k8s.io/v1beta1, kubelet.config.k8s.io/v1alpha1",
                "line 1: providers: at least one provider is required",
            ],
        ),
        (
            "a list",
            "- a".to_owned(),
            vec![
                "line 1: kind: is required: CredentialProviderConfig",
                "line 1: apiVersion: is required: kubelet.config.k8s.io/v1, kubelet.config.k8s.io/v1beta1, kubelet.config.k8s.io/v1alpha1",
                "line 1: is a list, expected an object",
                "line 1: providers: at least one provider is required",
            ],
        ),
        (
            "kind",
            with("kind: Cred", "kind: Bad"),
            vec!["line 2: kind: \"BadentialProviderConfig\" is not CredentialProviderConfig"],
        ),
        (
            "no providers",
            ECR.split_once("  - name").unwrap().0.to_owned(),
            vec!["line 3: providers: at least one provider is required"],
        ),
        (
            "unknown field",
            with("args:", "arguments:"),
            vec!["line 8: providers[0]: unknown field \"arguments\""],
        ),
        (
            "unknown field, by case",
            with(
                "    defaultCacheDuration: 12h",
                "    DefaultCacheDuration: 12h",
            ),
            vec![
                "line 4: providers[0].defaultCacheDuration: is required",
                "line 6: providers[0]: unknown field \"DefaultCacheDuration\"",
            ],
        ),
        (
            "a field twice",
            with("    args:", "    name: other\n    args:"),
            vec!["line 8: providers[0]: field \"name\" is given twice"],
        ),
    ]);
}

#[test]
fn kubelet_refuses_values_of_another_type() {
    check([
        (
            "not a string",
            with("name: ecr-credential-provider", "name: yes"),
            vec!["line 4: providers[0].name: is a boolean, expected a string: put it in quotes"],
        ),
        (
            "a number",
            with(
                "[get-credentials]",
                "[-v, 5, 0x1f, 1e3, .5, 1_000, \"5\", 1.2.3]",
            ),
            vec![
                "line 8: providers[0].args[1]: is a number, expected a string: put it in quotes",
                "line 8: providers[0].args[2]: is a number, expected a string: put it in quotes",
                "line 8: providers[0].args[3]: is a number, expected a string: put it in quotes",
                "line 8: providers[0].args[4]: is a number, expected a string: put it in quotes",
                "line 8: providers[0].args[5]: is a number, expected a string: put it in quotes",
            ],
        ),
        (
            "an object",
            with("[get-credentials]", "{a: hunter2}"),
            vec!["line 8: providers[0].args: is an object, expected a list"],
        ),
        (
            "a secret",
            with("value: hunter2", "value: [hunter2]\n        hunter: 2"),
            vec![
                "line 11: providers[0].env[0].value: is a list, expected a string",
                "line 12: providers[0].env[0]: unknown field \"hunter\"",
            ],
        ),
    ]);
}

#[test]
fn kubelet_refuses_bad_providers() {
    check([
        (
            "a name with a slash",
            with("ecr-credential-provider", "\"../ecr\""),
            vec![
                "line 4: providers[0].name: \"../ecr\" is not the name of an executable: no \"/\", no space",
            ],
        ),
        (
            "a name with a space",
            with("ecr-credential-provider", "e cr"),
            vec![
                "line 4: providers[0].name: \"e cr\" is not the name of an executable: no \"/\", no space",
            ],
        ),
        (
            "dots",
            with("ecr-credential-provider", "'..'"),
            vec![
                "line 4: providers[0].name: \"..\" is not the name of an executable: no \"/\", no space",
            ],
        ),
        (
            "provider version",
            with("/v1\n    args", "/v2\n    args"),
            vec![
                "line 7: providers[0].apiVersion: \"credentialprovider.kubelet.k8s.io/v2\" is not one of credentialprovider.kubelet.k8s.io/v1, credentialprovider.kubelet.k8s.io/v1beta1, credentialprovider.kubelet.k8s.io/v1alpha1",
                "line 13: providers[0].tokenAttributes: need a provider of apiVersion credentialprovider.kubelet.k8s.io/v1",
            ],
        ),
        (
            "tokens in an old file",
            with(
                "kubelet.config.k8s.io/v1\n",
                "kubelet.config.k8s.io/v1beta1\n",
            ),
            vec!["line 12: providers[0]: unknown field \"tokenAttributes\""],
        ),
        (
            "no images",
            with("[\"*.dkr.ecr.*.amazonaws.com\"]", "[]"),
            vec!["line 5: providers[0].matchImages: at least one pattern is required"],
        ),
        (
            "bad image",
            with(
                "\"*.dkr.ecr.*.amazonaws.com\"",
                "a.test, \"b test\", c.test:x",
            ),
            vec![
                "line 5: providers[0].matchImages[1]: \"b test\" has a character in its host that is not allowed there",
                "line 5: providers[0].matchImages[2]: \"c.test:x\" has no number after the colon of its host",
            ],
        ),
        (
            "negative duration",
            with("12h", "-1s"),
            vec!["line 6: providers[0].defaultCacheDuration: must not be negative"],
        ),
        (
            "no duration",
            with("12h", "a day"),
            vec![
                "line 6: providers[0].defaultCacheDuration: is not a duration such as 500ms, 45s, 1m30s or 24h",
            ],
        ),
        (
            "a bare number as duration",
            with("12h", "12"),
            vec![
                "line 6: providers[0].defaultCacheDuration: is a number, expected a string: put it in quotes",
            ],
        ),
    ]);
}

#[test]
fn kubelet_refuses_bad_token_attributes() {
    check([
        (
            "audience",
            with("sts.amazonaws.com", "''"),
            vec!["line 13: providers[0].tokenAttributes.serviceAccountTokenAudience: is required"],
        ),
        (
            "service account missing",
            with("      requireServiceAccount: yes\n", ""),
            vec!["line 13: providers[0].tokenAttributes.requireServiceAccount: is required"],
        ),
        (
            "service account in quotes",
            with("yes", "\"true\""),
            vec![
                "line 15: providers[0].tokenAttributes.requireServiceAccount: is a string, expected a boolean",
            ],
        ),
        (
            "annotations without service account",
            with("yes", "no"),
            vec![
                "line 16: providers[0].tokenAttributes.requiredServiceAccountAnnotationKeys: need requireServiceAccount: true",
            ],
        ),
        (
            "cache type missing",
            with("      cacheType: ServiceAccount\n", ""),
            vec![
                "line 13: providers[0].tokenAttributes.cacheType: is required: Token or ServiceAccount",
            ],
        ),
        (
            "cache type",
            with("cacheType: ServiceAccount", "cacheType: token"),
            vec![
                "line 14: providers[0].tokenAttributes.cacheType: \"token\" is neither Token nor ServiceAccount",
            ],
        ),
        (
            "annotation keys",
            with(
                "[domain.io/Other]",
                "[-a, b, b, eks.amazonaws.com/ecr-role-arn]",
            ),
            vec![
                "line 16: providers[0].tokenAttributes.requiredServiceAccountAnnotationKeys: \"eks.amazonaws.com/ecr-role-arn\" is both required and optional",
                "line 17: providers[0].tokenAttributes.optionalServiceAccountAnnotationKeys: \"-a\" is not the name of an annotation",
                "line 17: providers[0].tokenAttributes.optionalServiceAccountAnnotationKeys: \"b\" is given twice",
            ],
        ),
        (
            "two of a name",
            format!(
                "{ECR}  - name: ecr-credential-provider\n    matchImages: [a.test]\n    defaultCacheDuration: 0s\n    apiVersion: credentialprovider.kubelet.k8s.io/v1\n"
            ),
            vec!["line 18: providers[1].name: \"ecr-credential-provider\" is given twice"],
        ),
        (
            "a second document",
            format!("{ECR}---\n}} no YAML: ["),
            vec![],
        ),
    ]);
}

#[test]
fn errors_of_unreadable_files_name_the_place_and_quote_nothing() {
    let level = |level: i32| {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        format!("a{level}: &a{level} [{alias}]\n")
    };
    let levels: Vec<_> = (1..30).map(level).collect();
    let bomb = format!(
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}",
        levels.concat()
    );
    for (name, text, said) in [
        ("yaml", "kind: a\nname: hunter2: x", "line 2 column"),
        ("unclosed", "a: [hunter2", "line 1 column"),
        ("unknown alias", "a: *hunter2", "anchor"),
        (
            "itself",
            "a: &a [*a]",
            "an alias without an anchor before it",
        ),
        ("key", "? [hunter2]\n: a", "key that is not a string"),
        ("tab", "a: [b]\n\t# hunter2\nc: d", "line 2 column 1"),
        ("tag", "a: !!null hunter2", "not of the type its tag names"),
        ("bomb", &bomb, "too many values from aliases"),
        ("deep", &"[".repeat(10_000), "line 1 column"),
        (
            "json",
            "{\"hunter2\": }",
            "malformed JSON at line 1 column 13",
        ),
        (
            "json with a comment",
            "{\"a\": 1} # hunter2",
            "malformed JSON",
        ),
        (
            "deep json",
            &format!("{{\"a\": {}1{}}}", "[".repeat(100), "]".repeat(100)),
            "nested too deep",
        ),
        (
            "very deep json",
            &format!("{{\"a\":{}", "[".repeat(100_000)),
            "malformed JSON",
        ),
    ] {
        let started = Instant::now();
        let error = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said), "{name}: {error}");
        assert!(
            !error.contains("hunter2") && !error.contains('\n'),
            "{name}: {error}"
        );
        assert!(started.elapsed() < Duration::from_secs(5), "{name}");
    }
    assert!(matches!(parse(b"a: \xff"), Err(ParseError::Encoding)));
}

#[test]
fn yaml_in_utf_16_is_read_as_in_utf_8() {
    let text = "kind: CredentialProviderConfig\nproviders: [{name: ''}]\n";
    let marked = format!("\u{feff}{text}");
    let utf16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let [of_utf8, of_utf16] = [text.as_bytes(), &utf16].map(|bytes| parse(bytes).unwrap());
    assert_eq!(of_utf16.text, text);
    assert_ne!(of_utf8.problems.len(), 0);
    assert_eq!(of_utf16.problems, of_utf8.problems);
}

#[test]
fn a_directory_is_read_as_kubelet_does() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    assert!(matches!(
        load(directory.path()),
        Err(LoadError::Empty { .. })
    ));
    let missing = load(&directory.path().join("missing")).unwrap_err();
    assert!(matches!(missing, LoadError::Read { .. }), "{missing}");
    write("b.yml", ECR);
    write("a.yaml", &ECR.replace("ecr-", "acr-"));
    write("c.json.bak", "no");
    write("d.txt", "no");
    write("yaml", "no");
    fs::create_dir(directory.path().join("e.yaml")).unwrap();
    write(".yaml", &ECR.replace("ecr-", "gcr-"));
    let names = |files: &[File]| -> Vec<_> {
        let names = files
            .iter()
            .flat_map(|file| &file.document.config.providers);
        names.map(|provider| provider.name.clone()).collect()
    };
    let files = load(directory.path()).unwrap();
    let expected = ["gcr", "acr", "ecr"].map(|name| format!("{name}-credential-provider"));
    assert_eq!(names(&files), expected);
    assert!(files.iter().all(|file| file.document.problems.is_empty()));

    write(
        "c.json",
        "{\"apiVersion\":\"kubelet.config.k8s.io/v1\",\"kind\":\"CredentialProviderConfig\",\"providers\":[{\"name\":\"acr-credential-provider\",\"matchImages\":[\"a\"],\"defaultCacheDuration\":\"0\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\"}]}",
    );
    let files = load(directory.path()).unwrap();
    let problems: Vec<_> = files
        .iter()
        .map(|file| file.document.problems.len())
        .collect();
    assert_eq!(problems, [0, 0, 0, 1]);

    let large = vec![b' '; MAX_BYTES + 1];
    fs::write(directory.path().join("f.yaml"), large).unwrap();
    assert!(matches!(
        load(directory.path()),
        Err(LoadError::Read { .. })
    ));
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "[-a:{}\\[\\]\"'&*<|>#~ \n]{0,60}") {
        drop(parse(text.as_bytes()));
    }

    #[test]
    fn every_span_is_a_valid_part_of_the_text(text in "[-a:{}\\[\\]\"'|>#é \n]{0,40}") {
        fn check(node: &Node, text: &str) {
            assert!(text.get(node.span.clone()).is_some());
            node.items().iter().for_each(|item| check(item, text));
            for entry in node.entries() {
                assert!(text.get(entry.key_span.clone()).is_some());
                check(&entry.value, text);
            }
        }
        if let Ok(document) = parse(text.as_bytes()) {
            check(&document.root, &document.text);
        }
    }
}
