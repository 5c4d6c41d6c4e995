//! The input of `explain`: what it reads and what it refuses.

use serde_json::{Value, json};
use test_cluster::{AnswerFault, ConnectionFault, Fault};

use crate::explain::{PASSWORD, explain, explained, list, login_secret, origin, reason, secret};
use crate::support::{ACCOUNT, Cluster, NAMESPACE, Node, base64, docker_config, token_with_claims};

/// The user name for the mirror, and the reasons of skipped entries.
#[track_caller]
fn user_and_skipped(secrets: &str) -> (Value, Vec<String>) {
    let explained = explained(&Node::with_mirror(), secrets);
    let skipped = explained["skipped"].as_array().unwrap().iter();
    let skipped = skipped.map(|one| format!("{}: {}", origin(&one["origin"]), reason(one)));
    (
        explained["images"][0]["sources"][0]["credential"]["username"].clone(),
        skipped.collect(),
    )
}

#[test]
fn secrets_are_read_in_every_form_that_kubectl_has() {
    let good = login_secret("good", "mirror.example", "good");
    let elsewhere = login_secret("other", "elsewhere.example", "x");
    let mut bare = good.clone();
    bare.as_object_mut().unwrap().remove("kind");
    let yaml = format!(
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata:\n  name: good\ndata:\n  .dockerconfigjson: {}\n",
        base64(&docker_config(&[("mirror.example", "good:p")]))
    );
    let in_list = yaml.replace('\n', "\n  ");
    let (head, data) = yaml.trim_end().rsplit_once(' ').unwrap();
    let (one, other) = data.split_at(data.len() / 2);
    let block = format!("{head} |\n    {one}\n    {other}\n");
    let string_data = "kind: Secret\ntype: kubernetes.io/dockercfg\nmetadata: {name: good}\nstringData:\n  .dockercfg: |\n    {\"mirror.example\":\n      {\"username\": \"good\", \"password\": \"p\"}}\n";
    for (name, text) in [
        ("List", list(&[elsewhere.clone(), good.clone()])),
        (
            "SecretList",
            json!({"kind": "SecretList", "items": [bare]}).to_string(),
        ),
        (
            "pretty",
            serde_json::to_string_pretty(&json!({"kind": "List", "items": [good]})).unwrap(),
        ),
        ("one", good.to_string()),
        ("several", format!("{elsewhere}\n{good}")),
        ("YAML", yaml.clone()),
        ("literal block", block),
        ("YAML list", format!("kind: List\nitems:\n- {in_list}")),
        (
            "YAML documents",
            format!("---\n{}---\n{yaml}---\n", yaml.replace("good", "z")),
        ),
        (
            "YAML, commented",
            format!("# from kubectl\n---\n{yaml}...\n"),
        ),
        ("flow YAML", format!("{{kind: List, items: [{good}]}}")),
        ("JSON in YAML", format!("{good}\n---\n{elsewhere}\n")),
        ("Windows", yaml.replace('\n', "\r\n")),
        ("stringData", string_data.to_owned()),
    ] {
        let (user, _) = user_and_skipped(&text);
        assert_eq!(user, json!("good"), "{name}: {text}");
    }
}

#[test]
fn files_are_read_together_and_the_last_secret_of_a_name_is_used() {
    let node = Node::with_mirror();
    node.write(
        "one.yaml",
        list(&[login_secret("pull", "mirror.example", "old")]),
    );
    node.write(
        "two.yaml",
        list(&[login_secret("pull", "mirror.example", "new")]),
    );
    let [one, two] = ["one.yaml", "two.yaml"].map(|name| node.path(name));
    let files = [
        "--secrets",
        one.to_str().unwrap(),
        "--secrets",
        two.to_str().unwrap(),
    ];
    let arguments = ["explain", "nginx", "-n", NAMESPACE, "-o", "json"];
    let provider = node.provider_without_cluster();
    let outcome = provider.run_with(&[&arguments[..], &files].concat());
    let explained: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        explained["images"][0]["sources"][0]["credential"]["username"],
        "new"
    );
    let skipped = &explained["skipped"][0];
    assert_eq!(origin(&skipped["origin"]), "secret \"pull\"");
    assert_eq!(reason(skipped), "given again later, and that one is used");
}

#[test]
fn string_data_overrides_data() {
    let mut secret = login_secret("pull", "mirror.example", "data");
    secret["stringData"] =
        json!({".dockerconfigjson": docker_config(&[("mirror.example", "string:p")])});
    assert_eq!(
        user_and_skipped(&list(&[secret.clone()])).0,
        json!("string")
    );
    secret["stringData"] = json!({"other": "x"});
    assert_eq!(user_and_skipped(&list(&[secret])).0, json!("data"));
}

#[test]
fn secrets_that_the_api_server_would_not_list_are_skipped_with_the_reason() {
    let with = |field: &str, value: Value| {
        let mut secret = login_secret("s", "mirror.example", "x");
        secret[field] = value;
        secret
    };
    let elsewhere = json!({"name": "s", "namespace": "team-b"});
    for (item, said) in [
        (
            with("metadata", elsewhere),
            "secret \"s\": of namespace \"team-b\"",
        ),
        (
            with("type", json!("Opaque")),
            "secret \"s\": of type \"Opaque\"",
        ),
        (
            with("type", Value::Null),
            "secret \"s\": of type \"Opaque\"",
        ),
        (
            with("kind", json!("ConfigMap")),
            "secret \"s\": not a Secret",
        ),
        (
            with("metadata", json!({})),
            "secret \"\": a secret without a name",
        ),
        (
            with("metadata", json!([PASSWORD])),
            "secret \"\": a secret without a name",
        ),
        (
            with("data", json!({})),
            "secret \"s\": no \".dockerconfigjson\" in its data",
        ),
        (
            with("data", json!([PASSWORD])),
            "secret \"s\": decode its data",
        ),
        (
            with("data", json!({".dockerconfigjson": PASSWORD})),
            "secret \"s\": \".dockerconfigjson\" is not base64",
        ),
        (
            with("stringData", json!(PASSWORD)),
            "secret \"s\": decode its data",
        ),
        (
            secret("s", "{}"),
            "secret \"s\": its docker config has no \"auths\"",
        ),
        (
            secret(
                "s",
                &format!(
                    "{{\"m.x\":{{\"auth\":\"{}\"}}}}",
                    base64(&format!("u:{PASSWORD}"))
                ),
            ),
            "secret \"s\": its docker config has no \"auths\": it has the layout of Secrets of type kubernetes.io/dockercfg",
        ),
        (json!(PASSWORD), "secret \"\": a secret without a name"),
    ] {
        let good = login_secret("good", "mirror.example", "good");
        let (user, skipped) = user_and_skipped(&list(&[item.clone(), good]));
        assert_eq!(user, json!("good"), "{item}");
        assert_eq!(skipped.len(), 1, "{item}: {skipped:?}");
        assert!(skipped[0].starts_with(said), "{item}: {skipped:?}");
        assert!(!skipped[0].contains(PASSWORD), "{item}: {skipped:?}");
    }
    // Other objects of a manifest.
    for pod in [
        json!({"kind": "Pod"}),
        json!({"kind": "Pod", "metadata": [PASSWORD]}),
    ] {
        let (_, skipped) = user_and_skipped(&pod.to_string());
        assert_eq!(skipped.len(), 1, "{pod}: {skipped:?}");
    }
    // A missing namespace means the requested one.
    let unqualified = with("metadata", json!({"name": "s"}));
    assert_eq!(
        user_and_skipped(&list(&[unqualified])),
        (json!("x"), vec![])
    );
}

#[test]
fn input_without_secrets_is_refused_in_one_line_that_quotes_nothing() {
    let node = Node::with_mirror();
    let secret = login_secret("pull", "mirror.example", "x").to_string();
    let yaml = format!("kind: Secret\nmetadata: {{name: {PASSWORD}}}\n");
    for (name, text, said) in [
        ("nothing", "", "neither"),
        ("a comment", "# hunter2\n", "neither"),
        ("a text", PASSWORD, "neither"),
        ("a list", &format!("[{secret}]"), "neither"),
        ("no kind", &format!("password: {PASSWORD}"), "neither"),
        (
            "items are a text",
            &format!("{{\"kind\":\"List\",\"items\":\"{PASSWORD}\"}}"),
            "neither",
        ),
        (
            "a second document",
            &format!("{secret}\n{{}}"),
            "document 2",
        ),
        ("cut JSON", secret.split_at(secret.len() - 3).0, "line 1"),
        ("cut YAML", &format!("{yaml}data: {{x: {PASSWORD}"), "line"),
        (
            "bad indentation",
            &format!("{yaml}data: {PASSWORD}\n  x: y\n"),
            "line 4",
        ),
        (
            "a key twice",
            &format!("{yaml}{PASSWORD}: 1\n{PASSWORD}: 2\n"),
            "line 4",
        ),
        (
            "an unknown alias",
            &format!("{yaml}data: *{PASSWORD}\n"),
            "line 3",
        ),
        ("tabs", &format!("{yaml}data:\n\t{PASSWORD}: x\n"), "line 4"),
        ("not UTF-8", "\u{fffd}", "neither"),
    ] {
        for format in ["text", "json"] {
            let outcome = explain(&node, format, text);
            outcome.fails_with(&["Secrets on stdin", said]);
            outcome.never_prints(&[PASSWORD]);
            assert_eq!(outcome.stderr.lines().count(), 1, "{name}: {outcome}");
        }
    }
    let arguments = ["explain", "nginx", "-n", NAMESPACE, "--secrets", "-"];
    let provider = node.provider_without_cluster();
    provider
        .run_with_stdin(&arguments, b"\xff")
        .fails_with(&["stdin", "UTF-8"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let node = Node::with_mirror();
    let run = |arguments: &[&str]| {
        let arguments = [&["explain", "nginx", "-n", NAMESPACE], arguments].concat();
        node.provider_without_cluster().run_with(&arguments)
    };
    run(&["--secrets", "/dev/zero"]).fails_with(&["/dev/zero", "larger than"]);
    for flag in ["--secrets", "--pod", "--token-file"] {
        for (file, reason) in [("missing", "No such file"), (".", "is a directory")] {
            run(&[flag, file]).is_wrong_usage(&[flag, file, reason]);
        }
    }
    node.write("broken.conf", "[[registry]]\n");
    run(&["--secrets", "-"]).fails_with(&["stdin"]);
    let broken = node
        .provider_without_cluster()
        .flag("--registries-conf", "broken.conf");
    broken
        .run_with(&["explain", "nginx", "-n", NAMESPACE, "--secrets", "-"])
        .fails_with(&["broken.conf:1"]);
    let bad_image = node.provider_without_cluster();
    bad_image
        .run_with(&["explain", "a b", "-n", NAMESPACE, "--secrets", "-"])
        .fails_with(&["image", "a b"]);
}

#[test]
fn wrong_usage_exits_with_two() {
    let node = Node::with_mirror();
    let namespace = ["-n", NAMESPACE];
    for arguments in [
        &["explain"][..],
        &["explain", "nginx"],
        &[&["explain", "nginx"], &namespace[..]].concat(),
        &[&["explain", "--secrets", "x"], &namespace[..]].concat(),
        &[
            &["explain", "nginx", "--secrets", "x", "--token-file", "y"],
            &namespace[..],
        ]
        .concat(),
        &["explain", "nginx", "--secrets", "x", "-n", "../x"],
        &["explain", "nginx", "--secrets", "x", "-n", ""],
        &[
            &["explain", "nginx", "--secrets", "x", "-o", "yaml"],
            &namespace[..],
        ]
        .concat(),
    ] {
        let outcome = node.provider_without_cluster().run_with(arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {outcome}");
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        assert!(
            outcome.stderr.starts_with("error: "),
            "{arguments:?}: {outcome}"
        );
    }
}

#[test]
fn a_terminal_is_not_waited_for() {
    let node = Node::with_mirror();
    let arguments = ["explain", "nginx", "-n", NAMESPACE, "--secrets", "-"];
    let (code, seen) = node.provider_without_cluster().run_on_terminal(&arguments);
    assert_eq!(code, Some(1), "{seen}");
    assert!(
        seen.contains("it is a terminal") && seen.lines().count() == 1,
        "{seen}"
    );
}

#[test]
fn an_unusable_token_is_refused_and_not_quoted() {
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    let explain = |token: &str| {
        node.write("token", token);
        let arguments = ["explain", "nginx", "-n", NAMESPACE, "--token-file", "token"];
        node.provider(&cluster).run_with(&arguments)
    };
    let foreign = token_with_claims(&json!({"kubernetes.io": {"namespace": "team-b"}}));
    for (token, said) in [
        (
            foreign.as_str(),
            "it is for namespace team-b, not for team-a",
        ),
        ("", "not a JSON Web Token"),
        (PASSWORD, "not a JSON Web Token"),
        (&token_with_claims(&json!({"sub": PASSWORD})), "no claim"),
    ] {
        let outcome = explain(token);
        outcome.fails_with(&["token", said]);
        outcome.never_prints(&[PASSWORD]);
        assert!(
            token.is_empty() || !outcome.stderr.contains(token),
            "{outcome}"
        );
    }
    assert_eq!(cluster.server.requests().len(), 0);
    cluster.server.revoke(NAMESPACE, ACCOUNT);
    explain(&cluster.token).fails_with(&["may not list secrets", "kubectl"]);
}

/// Runs `explain nginx` with these Secrets on stdin and these arguments. Returns the
/// Secret that is used, and the skipped ones.
fn used(secrets: &[Value], arguments: &[&str]) -> (Value, Value) {
    let node = Node::with_mirror();
    let all = ["explain", "nginx", "-n", NAMESPACE, "--secrets=-", "-ojson"];
    let provider = node.provider_without_cluster();
    let outcome =
        provider.run_with_stdin(&[&all[..], arguments].concat(), list(secrets).as_bytes());
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let explained: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let used = &explained["images"][0]["sources"][0]["credential"];
    let used = used.get("origin").map(|used| origin(used).into());
    let skipped = explained["skipped"].as_array().unwrap().iter();
    let skipped =
        skipped.map(|one| json!({"origin": origin(&one["origin"]), "reason": reason(one)}));
    (used.unwrap_or_default(), skipped.collect())
}

#[test]
fn only_named_secrets_are_used_in_their_order_and_problems_are_reported() {
    let mut opaque = login_secret("opaque", "mirror.example", "o");
    opaque["type"] = json!("Opaque");
    let secrets = [
        login_secret("a", "mirror.example", "a"),
        login_secret("b", "mirror.example", "b"),
        opaque,
    ];
    let key = "credential-provider.crio.io/secrets";
    let annotation = |names: &str| format!("{key}={names}");
    for (arguments, expected) in [
        (vec!["--annotation".to_owned(), annotation("a,b")], "a"),
        (vec!["--annotation".to_owned(), annotation("b,a")], "b"),
        (vec!["--secret-name=a,b".to_owned()], "a"),
        (
            vec![
                "--secret-name=b".to_owned(),
                format!("--annotation=x/y={key}"),
                format!("--annotation={key}=a"),
            ],
            "a",
        ),
        (
            vec![
                "--secrets-annotation=x/y".to_owned(),
                "--annotation=x/y=a".to_owned(),
            ],
            "a",
        ),
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let (used, skipped) = used(&secrets, &arguments);
        assert_eq!(used, format!("secret {expected:?}"), "{arguments:?}");
        assert_eq!(skipped, json!([]), "{arguments:?}");
    }

    let (nothing, skipped) = used(&secrets, &["--annotation", &annotation("opaque,c,A b")]);
    assert_eq!(nothing, Value::Null);
    let reasons: Vec<_> = skipped.as_array().unwrap().iter().collect();
    let expected = [
        ("A b", "not the name of a Secret"),
        (
            "opaque",
            "of type \"Opaque\", which holds no registry logins",
        ),
        ("c", "there is no such Secret in the namespace"),
    ];
    assert_eq!(reasons.len(), expected.len(), "{skipped}");
    for (found, (name, reason)) in reasons.iter().zip(expected) {
        assert_eq!(found["origin"], format!("secret {name:?}"), "{skipped}");
        assert!(
            found["reason"].as_str().unwrap().starts_with(reason),
            "{skipped}"
        );
    }
}

#[test]
fn an_annotation_without_a_name_is_wrong_usage() {
    for wrong in ["", "x", "=x"] {
        let node = Node::with_mirror();
        let arguments = [
            "explain",
            "nginx",
            "-n",
            NAMESPACE,
            "--secrets=-",
            "--annotation",
            wrong,
        ];
        let outcome = node.provider_without_cluster().run_with(&arguments);
        assert_eq!(outcome.code, Some(2), "{wrong}: {outcome}");
    }
}

/// A person at a terminal sees what the program waits for, and can try again.
#[test]
fn an_api_server_that_does_not_answer_is_asked_once() {
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    node.write("token", &cluster.token);
    for fault in [
        Fault::from(ConnectionFault::Refuse),
        Fault::status(503),
        Fault::from(AnswerFault::CutBeforeHeaders),
    ] {
        cluster.server.fault(fault);
        let arguments = ["explain", "nginx", "-n", NAMESPACE, "--token-file", "token"];
        let outcome = node.provider(&cluster).run_with(&arguments);
        outcome.fails_with(&["1 attempt", &cluster.server.url()]);
        let port = cluster.port().to_string();
        let first = outcome.stderr.lines().next().unwrap();
        assert!(
            first.contains("at most 20 s") && first.contains(&port),
            "{outcome}"
        );
        cluster.server.clear_faults();
    }
}
