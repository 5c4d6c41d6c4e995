//! Pull Secrets that a service account or the node's administrator names: only those
//! are read, one by one, and a Role for those alone is enough.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use test_cluster::{AnswerFault, Secret};

use crate::selection::chosen;
use crate::support::{
    ACCOUNT, Cluster, EMPTY, NAMESPACE, NGINX, Node, Outcome, Provider, Request, docker_config,
    login, owned,
};

const ANNOTATION: &str = "credential-provider.crio.io/secrets";
const SOURCE: &str = "mirror.example/library/nginx";

/// A cluster whose pod may get the Secrets in `may_get`, and may not list Secrets.
fn cluster(secrets: impl IntoIterator<Item = Secret>, may_get: &[&str]) -> Cluster {
    let cluster = Cluster::with(secrets);
    cluster.server.revoke(NAMESPACE, ACCOUNT);
    cluster.server.grant_get(NAMESPACE, ACCOUNT, may_get);
    cluster
}

fn two() -> [Secret; 2] {
    [
        login("a", "mirror.example", "a:p"),
        login("b", "mirror.example", "b:p"),
    ]
}

fn pull_with(provider: &Provider, cluster: &Cluster, annotations: &Value) -> Outcome {
    let request = Request::new(NGINX)
        .token(&cluster.token)
        .field("serviceAccountAnnotations", annotations.clone());
    provider.serve(&request)
}

/// The pull of a pod whose service account has that annotation.
fn annotated(node: &Node, cluster: &Cluster, value: &str) -> Outcome {
    let provider = node.provider(cluster);
    pull_with(&provider, cluster, &json!({ANNOTATION: value}))
}

/// The names of the requested Secrets; `list` stands for a list.
fn asked(cluster: &Cluster) -> Vec<String> {
    let requests = cluster.server.requests();
    let folder = format!("/api/v1/namespaces/{NAMESPACE}/secrets");
    let of = |path: &str| match path.strip_prefix(&folder).unwrap() {
        "" => "list".to_owned(),
        name => name.trim_start_matches('/').to_owned(),
    };
    requests.iter().map(|request| of(&request.path)).collect()
}

#[test]
fn only_the_secrets_that_the_annotation_names_are_read_over_one_connection() {
    let node = Node::with_mirror();
    let cluster = cluster(two(), &["a", "b", "missing"]);
    cluster.put(login("c", "mirror.example/library", "c:p"));

    let outcome = annotated(&node, &cluster, " missing, a ,b,a,");

    outcome.answers(&owned(NGINX));
    outcome.warns_with(&["\"missing\"", "no such Secret"]);
    assert_eq!(asked(&cluster), ["missing", "a", "b"]);
    assert_eq!(cluster.server.connections(), 1);
    let requests = cluster.server.requests();
    assert!(requests.iter().all(|request| request.query.is_empty()));
    assert_eq!(chosen(&node, SOURCE).as_deref(), Some("a:p"));
}

#[test]
fn of_two_equal_secrets_the_first_named_is_used() {
    for (value, expected) in [("a,b", "a:p"), ("b,a", "b:p")] {
        let node = Node::with_mirror();
        let cluster = cluster(two(), &["a", "b"]);
        annotated(&node, &cluster, value).answers(&owned(NGINX));
        assert_eq!(chosen(&node, SOURCE).as_deref(), Some(expected), "{value}");
    }
    // A more specific key takes precedence over the order.
    let node = Node::with_mirror();
    let cluster = cluster(
        [
            login("first", "mirror.example", "host:p"),
            login("second", "mirror.example/library", "path:p"),
        ],
        &["first", "second"],
    );
    annotated(&node, &cluster, "first,second").answers(&owned(NGINX));
    assert_eq!(chosen(&node, SOURCE).as_deref(), Some("path:p"));
}

#[test]
fn both_types_of_secrets_are_read_by_name() {
    let node = Node::with_mirror();
    let old = json!({"mirror.example": {"username": "old", "password": "p"}});
    let cluster = cluster([Secret::dockercfg("old", &old.to_string())], &["old"]);

    annotated(&node, &cluster, "old").answers(&owned(NGINX));

    assert_eq!(chosen(&node, SOURCE).as_deref(), Some("old:p"));
}

#[test]
fn with_an_empty_annotation_only_the_nodes_own_logins_are_used() {
    for value in ["", " , "] {
        let global = docker_config(&[("mirror.example", "node:p")]);
        let node = Node::with_mirror().and_global_auth(&global);
        let cluster = cluster(two(), &[]);

        let outcome = annotated(&node, &cluster, value);

        outcome.answers(EMPTY);
        outcome.is_quiet();
        assert_eq!(asked(&cluster), [""; 0], "{value:?}");
        assert_eq!(cluster.server.connections(), 0, "{value:?}");
        assert_eq!(chosen(&node, SOURCE).as_deref(), Some("node:p"));
    }
}

#[test]
fn a_flag_or_its_variable_names_them_for_the_whole_node_and_the_annotation_wins() {
    let node = Node::with_mirror();
    let cluster = cluster(two(), &["a", "b"]);
    let by_flag = node
        .provider(&cluster)
        .flag("--secret-name", "b")
        .another("--secret-name", "a");
    let in_one = node.provider(&cluster).flag("--secret-name", "b, a");
    let empty = json!({});
    let first = json!({ANNOTATION: "a"});
    let other = json!({"example.com/secrets": "a"});
    for (name, provider, annotations, expected, user) in [
        ("flag", by_flag.clone(), &empty, &["b", "a"][..], "b:p"),
        (
            "variable",
            by_flag.clone().in_environment(),
            &other,
            &["b", "a"],
            "b:p",
        ),
        ("comma", in_one, &empty, &["b", "a"], "b:p"),
        ("annotation", by_flag.clone(), &first, &["a"], "a:p"),
        (
            "another annotation",
            by_flag
                .clone()
                .flag("--secrets-annotation", "example.com/secrets"),
            &other,
            &["a"],
            "a:p",
        ),
        (
            "no annotation",
            by_flag.flag("--secrets-annotation", ""),
            &first,
            &["b", "a"],
            "b:p",
        ),
    ] {
        cluster.server.clear_requests();
        pull_with(&provider, &cluster, annotations).answers(&owned(NGINX));
        assert_eq!(asked(&cluster), expected, "{name}");
        assert_eq!(chosen(&node, SOURCE).as_deref(), Some(user), "{name}");
    }
}

#[test]
fn without_annotation_and_flag_all_are_listed_as_before() {
    let node = Node::with_mirror();
    let cluster = Cluster::with(two());
    let provider = node.provider(&cluster).flag("--secret-name", "");

    let outcome = pull_with(&provider, &cluster, &json!({"example.com/x": "a"}));

    outcome.answers(&owned(NGINX));
    assert_eq!(asked(&cluster), ["list"]);
    assert_eq!(chosen(&node, SOURCE).as_deref(), Some("b:p"));
}

#[test]
fn an_invalid_name_is_skipped_with_a_warning_and_the_others_are_used() {
    let long = "x".repeat(254);
    for (name, said) in [
        ("../configmaps/x", "not the name of a Secret"),
        ("a%2f", "not the name of a Secret"),
        ("Upper", "not the name of a Secret"),
        ("x?watch=1", "not the name of a Secret"),
        (&long, "not the name of a Secret"),
        ("missing", "no such Secret"),
        (
            "opaque",
            "of type \"Opaque\", which holds no registry logins",
        ),
        ("broken", "no \".dockerconfigjson\" in its data"),
    ] {
        let node = Node::with_mirror();
        let config = docker_config(&[("mirror.example/library", "user:hunter2")]);
        let broken = Secret::raw_data("broken", "kubernetes.io/dockerconfigjson", BTreeMap::new());
        let cluster = cluster(
            [
                login("good", "mirror.example", "good:p"),
                Secret::opaque("opaque", ".dockerconfigjson", &config),
                broken,
            ],
            &["good", "opaque", "missing", "broken"],
        );

        let outcome = annotated(&node, &cluster, &format!("{name},good"));

        outcome.answers(&owned(NGINX));
        outcome.warns_with(&[&name.chars().take(200).collect::<String>(), said]);
        outcome.never_prints(&["hunter2"]);
        assert_eq!(chosen(&node, SOURCE).as_deref(), Some("good:p"), "{name}");
        let requests = cluster.server.requests();
        let folder = format!("/api/v1/namespaces/{NAMESPACE}/secrets/");
        assert!(
            requests.iter().all(|r| r.path.starts_with(&folder)),
            "{name}"
        );
    }
}

#[test]
fn secrets_that_may_not_be_read_are_an_error_with_the_role_to_create() {
    let node = Node::with_mirror();
    node.leave_auth_file(NGINX);
    let cluster = cluster(two(), &["b"]);

    let outcome = annotated(&node, &cluster, "b,a");

    outcome.fails_with(&[
        "service account \"builder\" may not get secrets b, a",
        "kubectl -n team-a create role image-pull-secrets --verb=get --resource=secrets --resource-name=b --resource-name=a",
        "--serviceaccount=team-a:builder",
    ]);
    assert_eq!(asked(&cluster), ["b", "a"]);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn a_token_that_is_not_accepted_names_its_audience() {
    let node = Node::with_mirror();
    let cluster = cluster(two(), &["a"]);
    let foreign = Cluster::new();
    let request = Request::new(NGINX)
        .token(&foreign.token)
        .field("serviceAccountAnnotations", json!({ANNOTATION: "a"}));

    let outcome = node.provider(&cluster).serve(&request);

    outcome.fails_with(&["serviceAccountTokenAudience"]);
}

#[test]
fn an_answer_that_is_not_an_api_servers_is_an_error() {
    let custom = |code: u16, body: &str| AnswerFault::Custom {
        code,
        content_type: "application/json".to_owned(),
        body: body.as_bytes().to_vec(),
    };
    for (fault, said) in [
        (custom(404, "404 page not found\n"), "404"),
        (custom(200, "<html>"), "is this the API server?"),
        (
            custom(200, "{\"kind\":\"SecretList\"}"),
            "is this the API server?",
        ),
        (
            custom(200, &" ".repeat(4 * 1024 * 1024 + 1)),
            "more than 4194304 bytes",
        ),
    ] {
        let node = Node::with_mirror();
        let cluster = cluster(two(), &["a"]);
        cluster.server.fault(fault);
        annotated(&node, &cluster, "a").fails_with(&["get secrets", NAMESPACE, said]);
        assert_eq!(node.auth_file(NGINX), None);
    }
}

#[test]
fn more_than_32_names_are_an_error_before_any_request() {
    let node = Node::with_mirror();
    let cluster = Cluster::with(two());
    let names: Vec<_> = (0..33).map(|number| format!("s{number}")).collect();
    let names = names.join(",");

    let outcome = annotated(&node, &cluster, &names);

    outcome.fails_with(&[ANNOTATION, "more than 32"]);
    let provider = node.provider(&cluster).flag("--secret-name", &names);
    provider
        .pull(NGINX)
        .fails_with(&["--secret-name", "more than 32"]);
    assert_eq!(cluster.server.connections(), 0);
    // These are not requested if the image has no mirror.
    let request = Request::new("quay.io/org/app")
        .token(&cluster.token)
        .field("serviceAccountAnnotations", json!({ANNOTATION: names}));
    node.provider(&cluster).serve(&request).answers(EMPTY);
}

#[test]
fn a_namespace_whose_named_secret_has_gone_loses_the_auth_file() {
    let node = Node::with_mirror();
    node.leave_auth_file(NGINX);
    let cluster = cluster([], &["a"]);

    annotated(&node, &cluster, "a").answers(EMPTY);

    assert_eq!(node.auth_file(NGINX), None);
}
