//! Who may do what, and what the other paths answer.

use serde_json::{Value, json};
use test_cluster::{ApiServer, Secret};

use crate::support::{Client, LIST, cluster};

const REVIEW: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

#[test]
fn nothing_is_granted_by_default() {
    let server = ApiServer::start();
    let token = server.token("default", "default");
    let mut client = Client::connect(&server).unwrap().token(&token);
    assert_eq!(client.get(LIST).status(), 403);

    server.grant("default", "other");
    assert_eq!(client.get(LIST).status(), 403);
    server.grant("default", "default");
    assert_eq!(client.get(LIST).status(), 200);
    server.revoke("default", "default");
    assert_eq!(client.get(LIST).status(), 403);
}

#[test]
fn a_get_by_name_is_granted_for_those_names_alone() {
    let server = ApiServer::start();
    server.put_secret("default", Secret::opaque("mine", "k", "v"));
    server.grant_get("default", "default", &["mine", "missing"]);
    let token = server.token("default", "default");
    let mut client = Client::connect(&server).unwrap().token(&token);
    let mut get = |path: &str| {
        let answer = client.get(&format!("/api/v1/namespaces/default/secrets{path}"));
        (answer.status(), answer.json()["message"].clone())
    };

    assert_eq!(get("/mine"), (200, Value::Null));
    assert_eq!(
        get("/missing"),
        (404, json!("secrets \"missing\" not found"))
    );
    assert_eq!(get("").0, 403);
    let message = "secrets \"theirs\" is forbidden: User \"system:serviceaccount:default:default\" \
        cannot get resource \"secrets\" in API group \"\" in the namespace \"default\"";
    assert_eq!(get("/theirs"), (403, json!(message)));
}

#[test]
fn a_review_tells_what_is_granted() {
    let (server, mut client) = cluster();
    server.grant_get("default", "default", &["mine"]);
    let cases = [
        (
            json!({"namespace": "default", "verb": "list", "resource": "secrets"}),
            true,
        ),
        (
            json!({"namespace": "default", "verb": "get", "resource": "secrets", "name": "x"}),
            true,
        ),
        (
            json!({"namespace": "default", "verb": "watch", "resource": "secrets"}),
            false,
        ),
        (
            json!({"namespace": "default", "verb": "list", "resource": "pods"}),
            false,
        ),
        (
            json!({"namespace": "other", "verb": "list", "resource": "secrets"}),
            false,
        ),
        (json!({"verb": "list", "resource": "secrets"}), false),
    ];
    for (attributes, allowed) in cases {
        let review = json!({
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "spec": {"resourceAttributes": attributes},
        });
        client.send("POST", REVIEW, &review.to_string());
        let answer = client.read_answer().unwrap();
        let json = answer.json();
        assert_eq!(answer.status(), 201, "{attributes}");
        assert_eq!(json["status"]["allowed"], allowed, "{attributes}");
        assert_eq!(json["spec"]["resourceAttributes"], attributes);
        assert_eq!(json["kind"], "SelfSubjectAccessReview");
    }
}

#[test]
fn nodes_may_request_tokens_for_the_audiences_that_are_granted() {
    let (server, mut client) = cluster();
    server.grant_review("default", "default");
    server.grant_audience("https://kubernetes.default.svc");
    let mut ask = |path: &str, groups: Value, audience: &str, verb: &str| {
        let review = json!({"spec": {
            "user": "system:node:one",
            "groups": groups,
            "resourceAttributes": {
                "namespace": "other", "verb": verb, "resource": audience, "name": "app",
            },
        }});
        client.send("POST", path, &review.to_string());
        client.read_answer().unwrap().json()["status"]["allowed"].clone()
    };
    let verb = "request-serviceaccounts-token-audience";
    let others = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let audience = "https://kubernetes.default.svc";
    for (path, groups, audience, verb, allowed) in [
        (others, json!(["system:nodes"]), audience, verb, true),
        (
            others,
            json!(["system:authenticated"]),
            audience,
            verb,
            false,
        ),
        (
            others,
            json!(["system:nodes"]),
            "https://other",
            verb,
            false,
        ),
        (others, json!(["system:nodes"]), audience, "get", false),
        // Its own groups count, and not those that it names.
        (REVIEW, json!(["system:nodes"]), audience, verb, false),
    ] {
        assert_eq!(
            ask(path, groups, audience, verb),
            allowed,
            "{path} {audience} {verb}"
        );
    }
}

#[test]
fn a_reviewer_learns_what_others_may_do() {
    const REVIEW: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let (server, mut client) = cluster();
    server.grant("other", "app");
    let mut ask = |user: &str| {
        let review = json!({"spec": {
            "user": user,
            "groups": ["system:authenticated"],
            "resourceAttributes": {"namespace": "other", "verb": "list", "resource": "secrets"},
        }});
        client.send("POST", REVIEW, &review.to_string());
        let answer = client.read_answer().unwrap();
        (answer.status(), answer.json())
    };
    assert_eq!(ask("system:serviceaccount:other:app").0, 403);

    server.grant_review("default", "default");
    for (user, allowed) in [
        ("system:serviceaccount:other:app", true),
        ("system:serviceaccount:other:default", false),
        ("system:serviceaccount:default:default", false),
        ("admin", false),
    ] {
        let (status, review) = ask(user);
        assert_eq!(status, 201, "{user}");
        assert_eq!(review["kind"], "SubjectAccessReview");
        assert_eq!(review["spec"]["user"], user);
        assert_eq!(review["status"]["allowed"], allowed, "{user}");
    }
}

#[test]
fn a_review_needs_a_user() {
    let server = ApiServer::start();
    let mut client = Client::connect(&server).unwrap();
    client.send("POST", REVIEW, "{}");
    let answer = client.read_answer().unwrap();
    let message = "selfsubjectaccessreviews.authorization.k8s.io is forbidden: User \
        \"system:anonymous\" cannot create resource \"selfsubjectaccessreviews\" in API group \
        \"authorization.k8s.io\" at the cluster scope";
    assert_eq!(answer.json()["message"], message);
}

#[test]
fn everybody_may_read_the_version() {
    let server = ApiServer::start();
    let mut client = Client::connect(&server).unwrap();
    assert_eq!(client.get("/version").json()["minor"], "36");

    let forbidden = client.get("/metrics").json();
    let message = "forbidden: User \"system:anonymous\" cannot get path \"/metrics\"";
    assert_eq!(forbidden["message"], message);
    assert_eq!(forbidden["details"], json!({}));
}

#[test]
fn a_path_prefix_comes_before_everything() {
    let server = ApiServer::builder()
        .path_prefix("/k8s/clusters/c-1/")
        .start();
    server.grant("default", "default");
    let token = server.token("default", "default");
    let mut client = Client::connect(&server).unwrap().token(&token);

    assert!(
        server.url().ends_with("/k8s/clusters/c-1"),
        "{}",
        server.url()
    );
    assert_eq!(client.get(LIST).status(), 404);
    assert_eq!(
        client.get(&format!("/k8s/clusters/c-1{LIST}")).status(),
        200
    );
}
