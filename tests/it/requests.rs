//! Which requests are served, and which are refused.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Cluster, NAMESPACE, NGINX, Node, Provider, Request, login, owned, token_with_claims,
};

const SECRET: &str = "sEcReT-tOkEn";

/// A node on which a good request would be served.
fn ready() -> (Node, Cluster, Provider) {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    (node, cluster, provider)
}

#[test]
fn fields_of_a_later_kubelet_are_ignored() {
    let (_node, cluster, provider) = ready();
    let request = Request::new(NGINX)
        .token(&cluster.token)
        .field("podNamespace", json!({"deep": [1, 2, {"a": null}]}))
        .field("IMAGE", json!(7));
    provider.serve(&request).answers(&owned(NGINX));
}

#[test]
fn a_request_may_be_indented_and_end_with_a_new_line() {
    let (_node, cluster, provider) = ready();
    let request = Request::new(NGINX).token(&cluster.token).to_string();
    let indented = request.replace(',', ",\n\t").replace(':', ": ");
    // The image and the token contain no such text, so they do not change.
    let indented = indented.replace("io: ", "io:") + "\n\n";
    provider.run(indented.as_bytes()).answers(&owned(NGINX));
}

#[test]
fn a_malformed_request_is_refused_with_its_reason_and_without_the_token() {
    let (node, cluster, provider) = ready();
    let good = Request::new(NGINX).token(&format!("{SECRET}.{SECRET}.{SECRET}"));
    let with = |field: &str, value| good.clone().field(field, value).to_string();
    let without = |field: &str| good.clone().without(field).to_string();
    let mut half = good.to_string();
    half.truncate(half.len() - 10);
    for (name, input, words) in [
        ("nothing", String::new(), ["stdin", "empty"]),
        ("white space", " \n\t ".to_owned(), ["stdin", "empty"]),
        (
            "other kind",
            with("kind", json!("CredentialProviderResponse")),
            ["kind", "CredentialProviderResponse"],
        ),
        ("no kind", without("kind"), ["kind", ""]),
        (
            "other version",
            with(
                "apiVersion",
                json!("credentialprovider.kubelet.k8s.io/v1beta1"),
            ),
            ["apiVersion", "v1beta1"],
        ),
        ("no version", without("apiVersion"), ["apiVersion", ""]),
        ("empty image", with("image", json!("")), ["image", "\"\""]),
        ("no image", without("image"), ["image", "\"\""]),
        (
            "upper case",
            with("image", json!("quay.io/Org/App")),
            ["image", "quay.io/Org/App"],
        ),
        (
            "path traversal",
            with("image", json!("../../etc/passwd")),
            ["image", "../../etc/passwd"],
        ),
        (
            "line break",
            with("image", json!("nginx\nERROR forged")),
            ["image", "nginx\\nERROR forged"],
        ),
        ("broken JSON", half, ["JSON", "line 1 column"]),
        (
            "text",
            format!("{SECRET} is not JSON"),
            ["JSON", "line 1 column"],
        ),
        ("a string", format!("\"{SECRET}\""), ["JSON", ""]),
        ("null", "null".to_owned(), ["JSON", ""]),
        (
            "token is a number",
            with("serviceAccountToken", json!(5)),
            ["JSON", "type"],
        ),
        (
            "token is an object",
            with("serviceAccountToken", json!({"token": SECRET})),
            ["JSON", "type"],
        ),
        (
            "token is a list",
            with("serviceAccountToken", json!([SECRET])),
            ["JSON", "type"],
        ),
        (
            "image is a number",
            with("image", json!(5)),
            ["JSON", "type"],
        ),
        (
            "annotations are a text",
            with("serviceAccountAnnotations", json!(SECRET)),
            ["JSON", "type"],
        ),
        (
            "deep",
            format!("{{\"x\":{}", "[".repeat(100_000)),
            ["JSON", "line 1"],
        ),
        (
            "two requests",
            format!("{good}{good}"),
            ["JSON", "line 1 column"],
        ),
    ] {
        let outcome = provider.run(input.as_bytes());
        assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
        outcome.fails_with(&words);
        outcome.never_prints(&[SECRET]);
    }
    assert_eq!(node.auth_dir_names(), [""; 0]);
    assert_eq!(cluster.server.connections(), 0);
}

#[test]
fn an_array_is_refused() {
    let (_node, cluster, provider) = ready();
    let fields = [
        "CredentialProviderRequest",
        "credentialprovider.kubelet.k8s.io/v1",
        NGINX,
        &cluster.token,
    ];
    provider
        .run(json!(fields).to_string().as_bytes())
        .fails_with(&["JSON"]);
    let outcome = provider.run(json!([SECRET]).to_string().as_bytes());
    outcome.fails_with(&["JSON"]);
    outcome.never_prints(&[SECRET]);
}

#[test]
fn bytes_that_are_not_utf_8_are_refused() {
    let (_node, _cluster, provider) = ready();
    for bytes in [&b"\xff\xfe{\0}\0"[..], b"{\"kind\":\"\xc3\x28\"}", &[0; 64]] {
        provider.run(bytes).fails_with(&["JSON"]);
    }
}

#[test]
fn a_request_has_at_most_a_mebibyte() {
    let (_node, cluster, provider) = ready();
    let text = Request::new(NGINX).token(&cluster.token).to_string();
    let limit = 1024 * 1024;
    let exactly = text.clone() + &" ".repeat(limit - text.len());
    provider.run(exactly.as_bytes()).answers(&owned(NGINX));

    let more = exactly + " ";
    provider.run(more.as_bytes()).fails_with(&["1048576"]);
    let much_more = vec![b' '; 64 * limit];
    provider.run(&much_more).fails_with(&["1048576"]);
}

#[test]
fn a_stdin_that_stays_open_does_not_outlast_the_deadline() {
    let (_node, _cluster, provider) = ready();
    let outcome = provider
        .flag("--timeout", "500ms")
        .pull_with_open_stdin(NGINX);
    outcome.fails_with(&["stdin", "500ms"]);
    assert!(outcome.elapsed < Duration::from_secs(10), "{outcome}");
}

#[test]
fn a_token_that_names_no_usable_namespace_is_refused_and_not_quoted() {
    let (node, cluster, provider) = ready();
    let in_namespace = |name: &str| {
        token_with_claims(&json!({"kubernetes.io": {"namespace": name}, "jti": SECRET}))
    };
    let claims = |claims| token_with_claims(&claims);
    for (name, token, words) in [
        ("opaque", SECRET.to_owned(), ["JSON Web Token", "1"]),
        (
            "two parts",
            format!("{SECRET}.{SECRET}"),
            ["JSON Web Token", "2"],
        ),
        (
            "not base64",
            format!("{SECRET}.*{SECRET}*.x"),
            ["base64", ""],
        ),
        (
            "not JSON",
            "e30.c0VjUmVULXRPa0Vu.x".to_owned(),
            ["JSON", "line 1"],
        ),
        (
            "a line break",
            format!("{SECRET}\n"),
            ["JSON Web Token", "1"],
        ),
        (
            "no claim",
            claims(json!({"sub": SECRET})),
            ["namespace", "kubernetes.io"],
        ),
        (
            "no namespace",
            claims(json!({"kubernetes.io": {"pod": SECRET}})),
            ["", ""],
        ),
        (
            "wrong type",
            claims(json!({"kubernetes.io": {"namespace": [SECRET]}})),
            ["JSON", ""],
        ),
        ("empty", in_namespace(""), ["namespace", "DNS-1123"]),
        ("upward", in_namespace("../../x"), ["namespace", "DNS-1123"]),
        ("dots", in_namespace(".."), ["namespace", "DNS-1123"]),
        ("slash", in_namespace("a/b"), ["namespace", "DNS-1123"]),
        (
            "upper case",
            in_namespace("Team"),
            ["namespace", "DNS-1123"],
        ),
        ("query", in_namespace("a?b=c"), ["namespace", "DNS-1123"]),
        ("NUL", in_namespace("a\0b"), ["namespace", "DNS-1123"]),
        (
            "line break",
            in_namespace("a\nb"),
            ["namespace", "DNS-1123"],
        ),
        (
            "a dash first",
            in_namespace("-a"),
            ["namespace", "DNS-1123"],
        ),
        (
            "too long",
            in_namespace(&"a".repeat(64)),
            ["namespace", "DNS-1123"],
        ),
    ] {
        let outcome = provider.serve(&Request::new(NGINX).token(&token));
        assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
        outcome.fails_with(&words);
        outcome.never_prints(&[SECRET, "c0VjUmVULXRPa0Vu", &token]);
    }
    assert_eq!(node.auth_dir_names(), [""; 0]);
    assert_eq!(cluster.server.connections(), 0);
}

#[test]
fn a_namespace_may_have_63_characters_and_digits_and_dashes() {
    let (node, cluster, provider) = ready();
    let long = "9-".repeat(31) + "9";
    for namespace in ["x", "0", &long] {
        cluster.server.grant(namespace, "builder");
        let secret = login("pull", "mirror.example", "user:hunter2");
        cluster.server.put_secret(namespace, secret);
        let token = cluster.server.token(namespace, "builder");
        provider
            .clone()
            .token(&token)
            .pull(NGINX)
            .answers(&owned(NGINX));
        let prefix = format!("{namespace}-7e59ad64");
        let names = node.auth_dir_names();
        assert!(
            names.iter().any(|name| name.starts_with(&prefix)),
            "{names:?}"
        );
    }
}

#[test]
fn the_signature_of_a_token_is_not_checked() {
    let (node, cluster, provider) = ready();
    let token = token_with_claims(&json!({"kubernetes.io": {"namespace": NAMESPACE}}));
    let outcome = provider.token(&token).pull(NGINX);
    outcome.fails_with(&["audience"]);
    assert_eq!(cluster.server.requests()[0].token, Some(token));
    assert_eq!(node.auth_file(NGINX), None);
}
