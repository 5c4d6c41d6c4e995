//! The output of `explain`. Its input is tested in `explain_input`, its agreement with
//! the provider in `agreement`.

use serde_json::{Value, json};
use test_cluster::Secret;

use crate::support::{
    Cluster, EMPTY, NAMESPACE, NGINX, Node, Outcome, base64, docker_config, login,
};

const SOURCE: &str = "mirror.example/library/nginx";
pub(crate) const PASSWORD: &str = "hunter2-s3cr3t";

/// A Secret as kubectl prints it, with a docker config.
pub(crate) fn secret(name: &str, config: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": "1", "labels": {"a": "b"}},
        "data": {".dockerconfigjson": base64(config)},
    })
}

pub(crate) fn login_secret(name: &str, key: &str, user: &str) -> Value {
    secret(
        name,
        &docker_config(&[(key, &format!("{user}:{PASSWORD}"))]),
    )
}

pub(crate) fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}).to_string()
}

/// Runs `explain nginx` on that node, with these Secrets on stdin.
pub(crate) fn explain(node: &Node, format: &str, secrets: &str) -> Outcome {
    let arguments = [
        "explain",
        "nginx",
        "-n",
        NAMESPACE,
        "--secrets",
        "-",
        "-o",
        format,
    ];
    let provider = node.provider_without_cluster();
    provider.run_with_stdin(&arguments, secrets.as_bytes())
}

#[track_caller]
pub(crate) fn explained(node: &Node, secrets: &str) -> Value {
    let outcome = explain(node, "json", secrets);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(outcome.stderr, "", "{outcome}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// An origin in the JSON, written as in the text.
pub(crate) fn origin(origin: &Value) -> String {
    let text = |field: &str| origin[field].as_str().unwrap_or_default();
    match text("kind") {
        "secret" => format!("secret {:?}", text("name")),
        "globalAuthFile" => format!("global auth file {:?}", text("path")),
        other => panic!("{other}"),
    }
}

/// The reason of a remark in the JSON, written as in the text.
pub(crate) fn reason(remark: &Value) -> String {
    let reason = remark["reason"].as_str().unwrap();
    match remark["key"].as_str() {
        Some(key) => format!("entry {key:?}: {reason}"),
        None => reason.to_owned(),
    }
}

#[test]
fn the_json_is_exactly_this() {
    let node =
        Node::with_mirrors(&["mirror.example", "other.example", "third.example"]).and_global_auth(
            &docker_config(&[("*.example", "node:p"), ("mirror.example", "node:p")]),
        );
    let mut broken = secret("broken", "{\"auths\":{\"third.example\":{\"auth\":1}}}");
    broken["type"] = json!("kubernetes.io/dockerconfigjson");
    let tls = json!({"kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "tls"}});
    let secrets = list(&[
        login_secret("pull", "mirror.example", "robot"),
        login_secret("near", "MIRROR.example:5000", "robot"),
        login_secret("far", "far.example", "robot"),
        broken,
        tls,
    ]);
    let global = node.path("var/lib/kubelet/config.json");
    let conf = node.path("etc/containers/registries.conf");
    let of = |name: &str| json!({"kind": "secret", "namespace": NAMESPACE, "name": name});
    let of_node = json!({"kind": "globalAuthFile", "path": global});
    let source = |name: &str, kind: &str, credential: Value, not_used: Value| {
        json!({
            "name": format!("{name}/library/nginx"), "kind": kind, "pull": "all", "insecure": false,
            "blocked": false, "credential": credential, "notUsed": not_used, "notUsedLeftOut": 0,
        })
    };
    let by_glob = json!({"origin": of_node, "key": "*.example", "username": "node"});
    let loser = |key: &str, reason: &str| json!({"origin": of_node, "key": key, "reason": reason});
    let counts_less = "is of a source with less precedence: the namespace's Secrets come first, then shared Secrets, then the node's own, then node providers";
    let setting =
        |name: &str, value: Value| json!({"name": name, "values": [value], "from": "flag"});
    let mut result = explained(&node, &secrets);
    let settings = result.as_object_mut().unwrap().remove("settings").unwrap();
    let settings = settings.as_array().unwrap();
    assert!(
        settings.contains(&setting("global-auth-file", json!(global))),
        "{settings:?}"
    );
    let expected = json!({
        "version": 1,
        "namespace": NAMESPACE,
        "serviceAccounts": [],
        "images": [{
            "image": NGINX,
            "verdict": {
                "outcome": "login",
                "text": format!("pulls from the mirror {SOURCE} with the login of secret \"pull\""),
            },
            "registry": {
                "prefix": "docker.io", "location": "docker.io", "blocked": false,
                "file": conf, "line": 1,
            },
            "sources": [
                source(
                    "mirror.example",
                    "mirror",
                    json!({"origin": of("pull"), "key": "mirror.example", "username": "robot"}),
                    json!([loser("*.example", counts_less), loser("mirror.example", counts_less)]),
                ),
                source("other.example", "mirror", by_glob.clone(), json!([])),
                source("third.example", "mirror", by_glob, json!([])),
                source("docker.io", "primary", json!(null), json!([])),
            ],
            "unusable": [],
            "failingPulls": null,
            "candidates": [],
            "authFile": {
                "path": node.auth_path(NGINX),
                "content": {"auths": {
                    "*.example": {"auth": "***"},
                    "mirror.example": {"auth": "***"},
                    "mirror.example/library/nginx": {"auth": "***"},
                    "other.example/library/nginx": {"auth": "***"},
                    "third.example/library/nginx": {"auth": "***"},
                }},
                "reason": null,
            },
            "kubelet": {
                "emptyLogin": true,
                "reason": "a credential of the pod is used, so other service accounts must prove that they may use the image",
            },
        }],
        "skipped": [
            {"origin": of("broken"), "key": "third.example", "reason": "\"auth\" is not a string"},
            {"origin": of("tls"), "key": null, "reason": "of type \"kubernetes.io/tls\", which holds no registry logins"},
        ],
        "mistakes": [],
        "unmatched": [
            {
                "origin": of("near"), "key": "MIRROR.example:5000", "nearly": SOURCE,
                "reason": "upper and lower case differ; it is for port 5000, the source without a port",
            },
            {"origin": of("far"), "key": "far.example", "nearly": null, "reason": null},
        ],
        "unmatchedLeftOut": 0,
    });
    assert_eq!(result, expected);
    assert!(!node.path("etc/crio").exists());
}

#[test]
fn the_text_shows_the_used_entry_and_why_the_others_are_not_used() {
    let node = Node::with_mirror().and_global_auth(
        &json!({"auths": {"mirror.example": {"auth": base64(&format!("node:{PASSWORD}")), "email": "a@b"}}}).to_string(),
    );
    let secrets = list(&[
        login_secret("z", "mirror.example", "robot"),
        login_secret("a", "mirror.example", "x"),
        login_secret("b", "*.example", "x"),
        login_secret("c", "https://mirror.example", "x"),
        login_secret("d", "elsewhere.example", "x"),
        secret("e", PASSWORD),
    ]);
    let outcome = explain(&node, "text", &secrets);
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (Some(0), ""),
        "{outcome}"
    );
    for words in [
        &["1.", SOURCE, "mirror"][..],
        &[
            "used",
            "secret \"z\"",
            "key \"mirror.example\"",
            "user \"robot\"",
        ],
        &["not used", "secret \"a\"", "sorts earlier"],
        &["not used", "secret \"b\"", "glob"],
        &["not used", "secret \"c\"", "sorts earlier"],
        &[
            "not used",
            "global auth file",
            "come first, then shared Secrets",
        ],
        &["2.", NGINX, "primary"],
        &["no login"],
        &["secret \"d\"", "elsewhere.example"],
        &["secret \"e\"", "malformed JSON"],
        &[node.auth_path(NGINX).to_str().unwrap()],
        &[SOURCE, "{"],
        &["\"email\": \"a@b\""],
        &["\"auth\": \"***\""],
        &["empty login", NGINX],
    ] {
        let says = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(outcome.stdout.lines().any(says), "{words:?}: {outcome}");
    }
    let plain = base64(&format!("robot:{PASSWORD}"));
    outcome.never_prints(&[PASSWORD, &plain, &base64(&format!("node:{PASSWORD}"))]);
}

#[test]
fn the_text_explains_the_response_to_kubelet() {
    let ours = list(&[login_secret("pull", "mirror.example", "robot")]);
    let global = docker_config(&[("mirror.example", "node:p")]);
    for (name, global, switch, secrets, said) in [
        (
            "own",
            "{}",
            None,
            ours.as_str(),
            "an empty login for docker.io/library/nginx",
        ),
        (
            "turned off",
            "{}",
            Some("--no-empty-login"),
            &ours,
            "\"auth\": {}: --no-empty-login",
        ),
        (
            "the node's",
            &global,
            None,
            &list(&[]),
            "\"auth\": {}: only the node's own",
        ),
        (
            "none",
            "{}",
            None,
            &list(&[]),
            "\"auth\": {}: there is no auth file",
        ),
    ] {
        let node = Node::with_mirror().and_global_auth(global);
        let mut provider = node.provider_without_cluster();
        if let Some(switch) = switch {
            provider = provider.switch(switch);
        }
        let arguments = ["explain", "nginx", "-n", NAMESPACE, "--secrets", "-"];
        let outcome = provider.run_with_stdin(&arguments, secrets.as_bytes());
        assert!(outcome.stdout.contains(said), "{name}: {outcome}");
    }
}

#[test]
fn where_no_login_could_help_the_text_has_the_reason() {
    let blocked = "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n";
    let itself = "[[registry]]\nlocation = \"docker.io\"\n";
    let secrets = list(&[login_secret("pull", "docker.io", "robot")]);
    for (node, said) in [
        (
            Node::with_registries(""),
            "no registry in registries.conf matches",
        ),
        (Node::with_registries(blocked), "blocks everything"),
        (
            Node::with_registries(itself),
            "nothing but the image itself",
        ),
    ] {
        let outcome = explain(&node, "text", &secrets);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let line = outcome
            .stdout
            .lines()
            .find(|line| line.contains("not written"));
        assert!(
            line.is_some_and(|line| line.contains(said)),
            "{said}: {outcome}"
        );
    }
}

#[test]
fn a_blocked_source_is_shown_as_blocked_and_its_mirror_gets_its_login() {
    let node = Node::with_registries(
        "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n\
         [[registry.mirror]]\nlocation = \"mirror.example\"\n",
    );
    let secrets = list(&[login_secret("pull", "*.*", "robot")]);
    let conf = node.path("etc/containers/registries.conf");
    let text = explain(&node, "text", &secrets).stdout;
    let blocked = format!(
        "- {NGINX} (primary, all) blocked by docker.io ({}:1)",
        conf.display()
    );
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert!(lines.contains(&&*blocked), "{text}");
    assert_eq!(text.matches("key \"*.*\"").count(), 1, "{text}");
    let explained = explained(&node, &secrets);
    let sources = &explained["images"][0]["sources"];
    assert_eq!(sources[0]["name"], SOURCE);
    assert_eq!(sources[0]["blocked"], false);
    assert_eq!(sources[0]["credential"]["username"], "robot");
    assert_eq!(sources[1]["name"], NGINX);
    assert_eq!(sources[1]["credential"], json!(null));
    let by = json!({"prefix": "docker.io", "file": conf, "line": 1});
    assert_eq!(sources[1]["blockedBy"], by);
}

#[test]
fn pulls_that_fail_are_named_with_file_and_line() {
    let node = Node::with_registries(
        "[[registry]]\nlocation = \"docker.io\"\n\
         [[registry.mirror]]\nlocation = \"mirror.example\"\n\
         [[registry.mirror]]\nlocation = \"index.docker.io\"\n",
    );
    let secrets = list(&[login_secret("pull", "mirror.example", "robot")]);
    let conf = node.path("etc/containers/registries.conf");
    let text = explain(&node, "text", &secrets).stdout;
    for expected in [
        "every pull of this image fails",
        &format!(
            "- index.docker.io (mirror, all) unusable ({}:6): ",
            conf.display()
        ),
        "key \"mirror.example\"",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let explained = explained(&node, &secrets);
    assert_eq!(explained["images"][0]["failingPulls"], "all");
    assert_eq!(explained["images"][0]["unusable"][0]["line"], 6);
    assert_eq!(explained["skipped"], json!([]));
}

#[test]
fn a_credential_helper_of_the_node_is_a_reason() {
    let global = json!({
        "auths": {"mirror.example": {"auth": base64("node:p")}},
        "credHelpers": {"mirror.example": "ecr-login"},
    });
    let node = Node::with_mirror().and_global_auth(&global.to_string());
    let outcome = explain(&node, "text", &list(&[]));
    let says = |line: &str| line.contains("not used") && line.contains("credential helper");
    assert!(outcome.stdout.lines().any(says), "{outcome}");
    assert!(outcome.stdout.contains("no login"), "{outcome}");
}

#[test]
fn with_a_token_the_api_server_is_asked_as_the_provider_asks() {
    let node = Node::with_mirror();
    let cluster = Cluster::with([
        login("pull", "mirror.example", &format!("robot:{PASSWORD}")),
        Secret::docker_config_json("broken", "{"),
    ]);
    // This is the output format of kubectl create token.
    node.write("token", format!("{}\n", cluster.token));
    let token = node.path("token");
    let arguments = [
        "explain",
        "nginx",
        "-n",
        NAMESPACE,
        "--token-file",
        token.to_str().unwrap(),
    ];
    let provider = node.provider(&cluster);
    let outcome = provider.run_with(&[&arguments[..], &["-o", "json"]].concat());
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let explained: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let credential = &explained["images"][0]["sources"][0]["credential"];
    assert_eq!(credential["username"], "robot");
    assert_eq!(explained["skipped"][0]["origin"]["name"], "broken");
    let text = provider.run_with(&arguments);
    for outcome in [&outcome, &text] {
        outcome.never_prints(&[
            PASSWORD,
            &cluster.token,
            &base64(&format!("robot:{PASSWORD}")),
        ]);
    }
    assert!(!node.path("etc/crio").exists());
    let asked = || {
        let requests = cluster.server.requests().into_iter();
        let asked = requests.map(|request| (request.path, request.query, request.token));
        cluster.server.clear_requests();
        asked.collect::<Vec<_>>()
    };
    let asked_by_explain = asked();
    provider.pull(NGINX);
    let asked_by_pull = asked();
    assert_eq!(
        asked_by_explain,
        [&asked_by_pull[..], &asked_by_pull].concat()
    );
}

#[test]
fn an_existing_auth_file_is_not_removed() {
    let node = Node::with_mirror();
    node.leave_auth_file(NGINX);
    for secrets in [
        list(&[]),
        list(&[login_secret("pull", "mirror.example", "x")]),
    ] {
        explained(&node, &secrets);
        assert_eq!(node.auth_file(NGINX), Some(Node::earlier_auth_file()));
        assert_eq!(node.auth_dir_names().len(), 1);
    }
    // The provider would have removed it.
    let outcome = node.provider(&Cluster::new()).pull(NGINX);
    outcome.answers(EMPTY);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn names_cannot_forge_lines_or_move_the_cursor() {
    let name = "x\nforged \u{1b}[2J\u{202e}\u{9b}2J";
    let key = "mirror.example/library\nforged \u{1b}[2J";
    let secrets = list(&[
        login_secret(name, "mirror.example", "robot\u{1b}[2J\nforged"),
        login_secret("y", key, "x"),
        secret("z\nforged", "{"),
    ]);
    let node = Node::with_mirror();
    for format in ["text", "json"] {
        let outcome = explain(&node, format, &secrets);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!outcome.stdout.contains(hostile), "{outcome}");
        let mut lines = outcome.stdout.lines();
        assert!(
            !lines.any(|line| line.trim_start().starts_with("forged")),
            "{outcome}"
        );
    }
}
