//! One request, start to end.

use serde_json::json;

use crate::support::{
    Cluster, EMPTY, NAMESPACE, NGINX, Node, Request, base64, docker_config, login, owned,
};

#[test]
fn mirror_credentials_are_written_for_the_image() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();

    let outcome = node.provider(&cluster).pull(NGINX);

    outcome.answers(r#"{"docker.io/library/nginx":{"username":"","password":""}}"#);
    outcome.is_quiet();
    let name = "team-a-7e59ad64326bc321517fb6fc6586de5ee149178394d9edfa2a877176cdf6fad5.json";
    assert_eq!(node.auth_dir_names(), [name]);
    assert_eq!(node.mode("etc/crio/auth"), 0o700);
    assert_eq!(node.mode(format!("etc/crio/auth/{name}")), 0o600);
    assert_eq!(
        node.read(format!("etc/crio/auth/{name}")),
        r#"{"auths":{"mirror.example/library/nginx":{"auth":"dXNlcjpodW50ZXIy"}}}"#
    );
    let requests = cluster.server.requests();
    let seen: Vec<_> = requests.iter().map(|request| &request.path).collect();
    assert_eq!(seen, [&format!("/api/v1/namespaces/{NAMESPACE}/secrets")]);
    assert_eq!(cluster.server.connections(), 1);
}

#[test]
fn global_credentials_alone_leave_the_image_to_every_pod() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("mirror.example", "u:p")]));

    let outcome = node.provider(&Cluster::new()).pull(NGINX);

    outcome.answers(EMPTY);
    let expected = json!({"auths": {
        "mirror.example/library/nginx": {"auth": base64("u:p")},
        "mirror.example": {"auth": base64("u:p")},
    }});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn one_credential_of_the_namespace_among_global_ones_owns_the_image() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("mirror.example", "u:p")]));
    let cluster = Cluster::with([login("pull", "docker.io", "user:hunter2")]);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));
}

#[test]
fn a_namespaces_credential_that_loses_everywhere_owns_nothing() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("mirror.example", "u:p")]));
    let cluster = Cluster::with([login("pull", "elsewhere.example", "user:hunter2")]);

    node.provider(&cluster).pull(NGINX).answers(EMPTY);
}

#[test]
fn the_empty_login_can_be_turned_off() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    let variable = "CRIO_CREDENTIAL_PROVIDER_NO_EMPTY_LOGIN";
    for (name, provider, auth) in [
        ("by default", provider.clone(), owned(NGINX)),
        (
            "flag",
            provider.clone().switch("--no-empty-login"),
            EMPTY.to_owned(),
        ),
        (
            "variable true",
            provider.clone().env(variable, "true"),
            EMPTY.to_owned(),
        ),
        (
            "variable 1",
            provider.clone().env(variable, "1"),
            EMPTY.to_owned(),
        ),
        (
            "variable false",
            provider.clone().env(variable, "false"),
            owned(NGINX),
        ),
        ("variable empty", provider.env(variable, ""), owned(NGINX)),
    ] {
        let outcome = provider.pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{name}: {outcome}");
        outcome.answers(&auth);
        assert!(node.auth_file(NGINX).is_some(), "{name}");
    }
}

#[test]
fn an_image_is_found_by_each_of_its_names() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for name in [
        "docker.io/library/nginx",
        "nginx",
        "nginx:1.27",
        "library/nginx",
        "index.docker.io/library/nginx",
        &format!("nginx@{digest}"),
        &format!("docker.io/library/nginx:1.27@{digest}"),
    ] {
        let outcome = node.provider(&cluster).pull(name);
        outcome.answers(&owned(NGINX));
        assert_eq!(node.auth_dir_names().len(), 1, "{name}");
    }
}

#[test]
fn every_image_and_namespace_has_its_own_file() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    provider.pull("docker.io/library/nginx");
    provider.pull("docker.io/library/redis");
    cluster.server.grant("team-b", "builder");
    let other = cluster.server.token("team-b", "builder");
    let elsewhere = login("pull", "mirror.example", "user:other");
    cluster.server.put_secret("team-b", elsewhere);
    provider.token(&other).pull("docker.io/library/nginx");

    let file = |login| json!({"auths": {"mirror.example/library/nginx": {"auth": base64(login)}}});
    assert_eq!(node.auth_dir_names().len(), 3);
    assert_eq!(node.auth_file(NGINX), Some(file("user:hunter2")));
    let of_team_b = node.auth_dir_names().pop().unwrap();
    assert!(of_team_b.starts_with("team-b-7e59ad64326bc321517f"));
}

#[test]
fn without_a_token_there_is_a_warning_and_an_empty_response() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("mirror.example", "u:p")]));
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    let request = Request::new(NGINX);
    for request in [
        request.clone(),
        request.clone().token(""),
        request.field("serviceAccountToken", json!(null)),
    ] {
        let outcome = provider.serve(&request);
        outcome.answers(EMPTY);
        outcome.warns_with(&["serviceAccountToken"]);
    }
    assert_eq!(node.auth_dir_names(), [""; 0]);
    assert_eq!(cluster.server.connections(), 0);
}

#[test]
fn revoked_credentials_are_withdrawn() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    provider.pull(NGINX).answers(&owned(NGINX));
    cluster.server.delete_secret(NAMESPACE, "pull");

    provider.pull(NGINX).answers(EMPTY);

    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn changed_credentials_replace_the_earlier_ones() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    provider.pull(NGINX);
    cluster.put(login("pull", "mirror.example", "user:hunter3"));

    provider.pull(NGINX).answers(&owned(NGINX));

    let entry = json!({"auth": base64("user:hunter3")});
    let expected = json!({"auths": {"mirror.example/library/nginx": entry}});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn without_a_matching_credential_there_is_no_file_and_no_directory() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("quay.io", "u:p")]));
    let cluster = Cluster::with([login("pull", "elsewhere.example", "user:hunter2")]);

    node.provider(&cluster).pull(NGINX).answers(EMPTY);

    assert!(!node.path("etc/crio").exists());
}

#[test]
fn the_annotations_of_the_service_account_do_no_harm() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let request = Request::new(NGINX).token(&cluster.token).field(
        "serviceAccountAnnotations",
        json!({"a": "b", "domain.io/c": ""}),
    );
    node.provider(&cluster)
        .serve(&request)
        .answers(&owned(NGINX));
}
