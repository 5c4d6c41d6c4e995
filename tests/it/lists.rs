//! The requests to the API server, and lists in pages.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use provider::api_server::{ATTEMPT, Client, Endpoint, Trust, for_each_secret};
use provider::deadline::Deadline;
use provider::service_account::ServiceAccount;
use rustls_pki_types::ServerName;
use secret::Secret as Token;
use serde_json::json;
use test_cluster::{AnswerFault, ApiServer, Fault, RecordedRequest, Secret};

use crate::support::{
    ACCOUNT, Cluster, EMPTY, NAMESPACE, NGINX, Node, base64, docker_config, login, owned,
};

/// The common types that never hold a registry login.
const SELECTOR: &str = "type!=Opaque,type!=kubernetes.io/service-account-token,\
    type!=kubernetes.io/tls,type!=kubernetes.io/basic-auth,type!=kubernetes.io/ssh-auth,\
    type!=bootstrap.kubernetes.io/token,type!=helm.sh/release.v1";

/// Whether each request continues a list.
fn continued(cluster: &Cluster) -> Vec<bool> {
    let requests = cluster.server.requests();
    let of = |request: &RecordedRequest| {
        assert_eq!(request.parameter("fieldSelector"), Some(SELECTOR));
        request.parameter("continue").is_some()
    };
    requests.iter().map(of).collect()
}

#[test]
fn both_types_are_listed_by_one_request_with_the_pods_token() {
    let cluster = Cluster::with([login("pull", "one.example", "user:hunter2")]);
    let old = json!({"two.example": {"auth": base64("old:hunter2")}}).to_string();
    cluster.put(Secret::dockercfg("older", &old));
    let node = Node::with_mirrors(&["one.example", "two.example"]);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(file["auths"].as_object().unwrap().len(), 2);
    let requests = cluster.server.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!(request.method, "GET");
    assert_eq!(
        request.path,
        format!("/api/v1/namespaces/{NAMESPACE}/secrets")
    );
    assert_eq!(request.parameter("fieldSelector"), Some(SELECTOR));
    let limit: usize = request.parameter("limit").unwrap().parse().unwrap();
    assert!(limit > 500);
    assert_eq!(request.query.len(), 2, "{request:?}");
    assert_eq!(request.token.as_ref(), Some(&cluster.token));
    assert_eq!(request.header("accept"), Some("application/json"));
    let agent = format!("crio-credential-provider/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), Some(agent.as_str()));
    assert_eq!(request.status, Some(200));
    assert_eq!(request.body.len(), 0);
    assert_eq!(cluster.server.connections(), 1);
}

#[test]
fn other_types_and_other_namespaces_are_ignored() {
    let config = docker_config(&[("mirror.example", "user:hunter2")]);
    let cluster = Cluster::with([Secret::opaque("opaque", ".dockerconfigjson", &config)]);
    let data = BTreeMap::from([(".dockerconfigjson".to_owned(), config.clone().into_bytes())]);
    // The selector does not exclude this type.
    cluster.put(Secret::raw_data("foreign", "example.com/login", data));
    let elsewhere = Secret::docker_config_json("pull", &config);
    cluster.server.put_secret("team-b", elsewhere);
    let node = Node::with_mirror();

    node.provider(&cluster).pull(NGINX).answers(EMPTY);

    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn the_secrets_of_every_page_are_used() {
    for sparse in [false, true] {
        let builder = ApiServer::builder().max_page(2).sparse_pages(sparse);
        let cluster = Cluster::of(builder);
        for number in 0..5 {
            let other = login(&format!("b-{number}"), "elsewhere.example", "u:p");
            cluster.put(other);
            cluster.put(Secret::opaque(&format!("c-{number}"), "k", "v"));
        }
        cluster.put(login("a-first", "one.example", "first:hunter2"));
        cluster.put(login("z-last", "two.example", "last:hunter2"));
        let old = json!({"three.example": {"auth": base64("old:hunter2")}}).to_string();
        cluster.put(Secret::dockercfg("z-older", &old));
        let node = Node::with_mirrors(&["one.example", "two.example", "three.example"]);

        node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

        let expected = json!({"auths": {
            "one.example/library/nginx": {"auth": base64("first:hunter2")},
            "two.example/library/nginx": {"auth": base64("last:hunter2")},
            "three.example/library/nginx": {"auth": base64("old:hunter2")},
        }});
        assert_eq!(node.auth_file(NGINX), Some(expected), "sparse: {sparse}");
        assert_eq!(cluster.server.connections(), 1, "sparse: {sparse}");
        let continued = continued(&cluster).contains(&true);
        assert!(continued, "sparse: {sparse}");
    }
}

#[test]
fn a_list_whose_continue_token_expired_starts_again() {
    let cluster = Cluster::of(ApiServer::builder().max_page(1));
    for name in ["a", "b", "c"] {
        cluster.put(login(name, &format!("{name}.example"), "user:hunter2"));
    }
    cluster.server.fault(AnswerFault::ExpiredContinue);
    let node = Node::with_mirrors(&["a.example", "b.example", "c.example"]);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    assert_eq!(continued(&cluster), [false, true, false, true, true]);
    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(file["auths"].as_object().unwrap().len(), 3);
}

#[test]
fn a_list_that_expires_for_ever_is_an_error_in_the_end() {
    let cluster = Cluster::of(ApiServer::builder().max_page(1));
    cluster.put(login("a", "mirror.example", "user:hunter2"));
    cluster.put(login("b", "mirror.example", "user:hunter2"));
    let fault = Fault::from(AnswerFault::ExpiredContinue).forever();
    cluster.server.fault(fault);
    let node = Node::with_mirror();
    node.leave_auth_file(NGINX);
    let earlier = node.auth_file(NGINX);

    let outcome = node.provider(&cluster).flag("--timeout", "5s").pull(NGINX);

    outcome.fails_with(&[NAMESPACE]);
    assert_eq!(node.auth_file(NGINX), earlier);
}

#[test]
fn a_secret_beyond_the_limit_is_an_error() {
    let cluster = Cluster::with_login();
    let padding = "x".repeat(9 * 1024 * 1024);
    let huge = json!({"kind": "SecretList", "items": [{"metadata": {"name": padding}}]});
    cluster.server.fault(AnswerFault::Custom {
        code: 200,
        content_type: "application/json".to_owned(),
        body: huge.to_string().into_bytes(),
    });
    let node = Node::with_mirror();

    let outcome = node.provider(&cluster).pull(NGINX);

    outcome.fails_with(&["more than 4194304 bytes", NAMESPACE]);
    assert_eq!(cluster.server.requests().len(), 1);
}

#[test]
fn a_page_that_is_too_large_is_requested_in_smaller_ones() {
    let cluster = Cluster::with_login();
    let item = json!({"type": "example.com/release", "data": {"x": "x".repeat(1_000_000)}});
    let huge = json!({"kind": "SecretList", "items": vec![item; 40]});
    cluster.server.fault(AnswerFault::Custom {
        code: 200,
        content_type: "application/json".to_owned(),
        body: huge.to_string().into_bytes(),
    });
    let node = Node::with_mirror();

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let requests = cluster.server.requests();
    let limit = |request: &RecordedRequest| {
        request
            .parameter("limit")
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    assert!(limit(&requests[1]) < limit(&requests[0]), "{requests:?}");
    assert_eq!(requests.len(), 2);
}

#[test]
fn secrets_of_foreign_types_take_neither_memory_nor_many_requests() {
    let content = "x".repeat(10 * 1024);
    let cluster = Cluster::with_login();
    for number in 0..5000 {
        let data = BTreeMap::from([("content".to_owned(), content.clone().into_bytes())]);
        let name = format!("release-{number:04}");
        cluster.put(Secret::raw_data(&name, "example.com/release", data));
    }
    // The limit counts all writable memory. A page of these Secrets is 28 MB.
    let script = r#"ulimit -d 4096 && exec "$PROVIDER""#;
    let node = Node::with_mirror();

    let outcome = node.provider(&cluster).pull_in_script(script, &[], NGINX);

    outcome.answers(&owned(NGINX));
    assert_eq!(cluster.server.requests().len(), 3);
}

#[test]
fn the_time_in_which_the_secrets_are_used_is_not_the_servers() {
    let cluster = Cluster::new();
    // More than the buffers of the connection hold, so that most of it is read late.
    let large = json!({"auths": {"mirror.example": {"password": "x".repeat(1_000_000)}}});
    for number in 0..10 {
        let name = format!("s-{number}");
        cluster.put(Secret::docker_config_json(&name, &large.to_string()));
    }
    let endpoint = Endpoint {
        server: cluster.server.url().parse().unwrap(),
        server_name: ServerName::try_from("localhost").unwrap(),
        trust: Trust::Nothing,
        proxy: None,
        why: String::new(),
        is_default: false,
    };
    let token = Token::from(cluster.token.as_str());
    let account = ServiceAccount::from_token(&token).unwrap();
    let client = Client::new(&endpoint, token, Deadline::new(Duration::from_secs(45))).unwrap();
    let mut used = 0;

    let read = for_each_secret(&client, &account, None, |secret| {
        assert!(secret.is_ok());
        if used == 0 {
            // Longer than an attempt may wait for the server.
            thread::sleep(ATTEMPT + Duration::from_secs(1));
        }
        used += 1;
        Ok(())
    });

    read.unwrap();
    assert_eq!(used, 10);
    assert_eq!(cluster.server.requests().len(), 1);
}

#[test]
fn a_namespace_of_a_thousand_secrets_is_read_to_the_end() {
    let cluster = Cluster::new();
    for number in 0..1001 {
        let name = format!("s-{number:04}");
        cluster.put(login(&name, "mirror.example", &format!("user-{number}:p")));
    }
    let node = Node::with_mirror();

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let entry = json!({"auth": base64("user-1000:p")});
    let expected = json!({"auths": {"mirror.example/library/nginx": entry}});
    assert_eq!(node.auth_file(NGINX), Some(expected));
    assert_eq!(cluster.server.requests().len(), 1);
}

#[test]
fn a_service_account_that_may_only_get_is_refused() {
    let cluster = Cluster::with_login();
    cluster.server.revoke(NAMESPACE, ACCOUNT);
    cluster.server.grant_get(NAMESPACE, ACCOUNT, &["pull"]);

    let outcome = Node::with_mirror().provider(&cluster).pull(NGINX);

    outcome.fails_with(&["list", "secrets", NAMESPACE, ACCOUNT]);
    assert_eq!(cluster.server.requests().len(), 1);
}
