//! Login sources other than the Secrets of the pod's namespace: shared Secrets, and only
//! the node's own logins. Also images without a mirror.

use serde_json::json;
use test_cluster::Fault;

use crate::selection::chosen;
use crate::support::{
    ACCOUNT, Cluster, EMPTY, NAMESPACE, NGINX, Node, docker_config, login, owned,
};

const SOURCE: &str = "mirror.example/library/nginx";
const SHARED: &str = "logins";

/// A cluster with Secrets in the namespace `logins`, of which the pod's account may get
/// those in `may_get`.
fn sharing(secrets: &[(&str, &str)], may_get: &[&str]) -> Cluster {
    let cluster = Cluster::new();
    for (name, user) in secrets {
        let secret = login(name, "mirror.example", user);
        cluster.server.put_secret(SHARED, secret);
    }
    for name in may_get {
        let account = (NAMESPACE, ACCOUNT);
        cluster.server.grant_elsewhere(account, SHARED, name);
    }
    cluster
}

fn paths(cluster: &Cluster) -> Vec<String> {
    let requests = cluster.server.requests();
    requests.into_iter().map(|request| request.path).collect()
}

#[test]
fn a_shared_secret_serves_pods_of_every_namespace_that_may_get_it() {
    let cluster = sharing(&[("mirror", "shared:p")], &["mirror"]);
    let node = Node::with_mirror();

    let outcome = node
        .provider(&cluster)
        .flag("--shared-secret", "logins/mirror")
        .pull(NGINX);

    outcome.answers(&owned(NGINX));
    assert_eq!(chosen(&node, SOURCE).as_deref(), Some("shared:p"));
    let secrets = format!("/api/v1/namespaces/{NAMESPACE}/secrets");
    let shared = "/api/v1/namespaces/logins/secrets/mirror".to_owned();
    assert_eq!(paths(&cluster), [secrets, shared]);
    assert_eq!(cluster.server.connections(), 1);
}

#[test]
fn a_shared_secret_that_the_pod_may_not_get_is_a_warning_with_the_remedy() {
    let cluster = sharing(&[("a", "a:p"), ("b", "b:p")], &["b"]);
    let node = Node::with_mirror();
    let outcome = node
        .provider(&cluster)
        .flag("--shared-secret", "logins/a")
        .another("--shared-secret", "logins/b")
        .another("--shared-secret", "logins/missing")
        .pull(NGINX);

    outcome.answers(&owned(NGINX));
    outcome.warns_with(&[
        "kubectl -n logins create role",
        "--serviceaccount=team-a:builder",
    ]);
    assert_eq!(chosen(&node, SOURCE).as_deref(), Some("b:p"));
}

#[test]
fn the_namespaces_secrets_precede_shared_ones_and_these_the_nodes_logins() {
    let global = docker_config(&[("mirror.example/library/nginx", "node:p")]);
    let sharing = || sharing(&[("z", "shared:p"), ("a", "first:p")], &["a", "z"]);
    let chosen_by = |cluster: &Cluster| {
        let node = Node::with_mirror().and_global_auth(&global);
        let outcome = node
            .provider(cluster)
            .flag("--shared-secret", "logins/a")
            .another("--shared-secret", "logins/z")
            .pull(NGINX);
        outcome.answers(&owned(NGINX));
        chosen(&node, SOURCE)
    };
    let with_own = sharing();
    with_own.put(login("a", "mirror.example", "own:p"));
    assert_eq!(chosen_by(&with_own).as_deref(), Some("own:p"));
    // Of two equal ones, the one that is named first is used.
    assert_eq!(chosen_by(&sharing()).as_deref(), Some("first:p"));
}

#[test]
fn a_failing_api_server_fails_the_run_for_shared_secrets_too() {
    let cluster = sharing(&[("mirror", "shared:p")], &["mirror"]);
    let node = Node::with_mirror();
    cluster.server.fault(Fault::status(401));

    let outcome = node
        .provider(&cluster)
        .flag("--secrets", "never")
        .flag("--shared-secret", "logins/mirror")
        .pull(NGINX);

    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("logins/mirror"), "{outcome}");
}

#[test]
fn shared_secrets_are_named_by_namespace_and_name() {
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    for name in [
        "mirror",
        "a/b/c",
        "../x/mirror",
        "A/mirror",
        "logins/",
        "/mirror",
    ] {
        let provider = node.provider(&cluster).flag("--shared-secret", name);
        let outcome = provider.pull(NGINX);
        assert_eq!(outcome.code, Some(2), "{name}: {outcome}");
    }
    assert_eq!(cluster.server.requests().len(), 0);
}

#[test]
fn a_pod_that_may_not_list_secrets_fails_or_has_none_or_is_served_without() {
    let global = docker_config(&[("mirror.example", "node:p")]);
    for (policy, code, requests, user) in [
        ("required", Some(1), 1, None),
        ("if-allowed", Some(0), 1, Some("node:p")),
        ("never", Some(0), 0, Some("node:p")),
    ] {
        let node = Node::with_mirror().and_global_auth(&global);
        let cluster = Cluster::with([login("own", "mirror.example", "own:p")]);
        cluster.server.revoke(NAMESPACE, ACCOUNT);

        let outcome = node
            .provider(&cluster)
            .flag("--secrets", policy)
            .pull(NGINX);

        assert_eq!(outcome.code, code, "{policy}: {outcome}");
        assert_eq!(cluster.server.requests().len(), requests, "{policy}");
        assert_eq!(chosen(&node, SOURCE).as_deref(), user, "{policy}");
        if code == Some(0) {
            outcome.answers(EMPTY);
        }
    }
}

#[test]
fn a_token_that_is_not_accepted_is_a_failure_even_with_secrets_if_allowed() {
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    let provider = node.provider(&cluster).flag("--secrets", "if-allowed");
    cluster.server.fault(Fault::status(401));

    let outcome = provider.pull(NGINX);

    assert_eq!(outcome.code, Some(1), "{outcome}");
}

#[test]
fn an_image_without_a_mirror_gets_its_login_if_enabled() {
    let image = "registry.example/team/app";
    for registries in [
        "",
        "unqualified-search-registries = [\"docker.io\"]\n",
        "[[registry]]\nlocation = \"registry.example\"\n",
    ] {
        let node = Node::with_registries(registries);
        let cluster = Cluster::with([login("own", "registry.example", "own:p")]);
        let provider = node.provider(&cluster);

        provider.pull(image).answers(EMPTY);
        assert!(node.auth_file(image).is_none(), "{registries:?}");

        let outcome = provider.switch("--unmirrored").pull(image);
        outcome.answers(&owned(image));
        let file = node.auth_file(image).unwrap();
        assert!(file["auths"][image].is_object(), "{file}");
    }
}

#[test]
fn blocked_images_get_no_login_even_without_a_mirror() {
    let node =
        Node::with_registries("[[registry]]\nlocation = \"registry.example\"\nblocked = true\n");
    let cluster = Cluster::with([login("own", "registry.example", "own:p")]);

    let outcome = node
        .provider(&cluster)
        .switch("--unmirrored")
        .pull("registry.example/app");

    outcome.answers(EMPTY);
    assert_eq!(cluster.server.requests().len(), 0);
}

#[test]
fn config_adds_the_patterns_of_images_without_a_mirror() {
    let node = Node::with_registries("");
    let provider = node.provider_without_cluster().without("--auth-dir");
    let arguments = ["config", "--audience", "a", "--unmirrored"];
    let with_pattern = [&arguments[..], &["--match-image", "registry.example/team"]].concat();
    let refused = [&arguments[..], &["--match-image", "mirror[0-9].example"]].concat();

    assert_eq!(provider.run_with(&arguments).code, Some(1));
    assert_eq!(provider.run_with(&refused).code, Some(2));
    let outcome = provider.run_with(&with_pattern);

    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stdout.contains("- \"registry.example/team\""),
        "{outcome}"
    );
    assert!(outcome.stdout.contains("--unmirrored"), "{outcome}");
}

#[test]
fn explain_reads_shared_secrets_from_files_too() {
    let node = Node::with_mirror();
    let secret = |namespace: &str, user: &str| {
        let config = docker_config(&[("mirror.example", user)]);
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "mirror", "namespace": namespace},
            "stringData": {".dockerconfigjson": config},
        })
    };
    let file = [secret("logins", "shared:p"), secret("other", "other:p")];
    node.write(
        "secrets.json",
        json!({"kind": "List", "items": file}).to_string(),
    );
    let path = node.path("secrets.json").display().to_string();
    let explain = ["explain", NGINX, "-n", NAMESPACE, "--secrets", &path];
    let provider = node.provider_without_cluster();

    let without = provider.run_with(&explain);
    let with = provider.run_with(&[&explain[..], &["--shared-secret", "logins/mirror"]].concat());

    assert!(!without.stdout.contains("user \"shared\""), "{without}");
    assert!(
        with.stdout.contains("shared secret \"logins/mirror\""),
        "{with}"
    );
    assert!(with.stdout.contains("user \"shared\""), "{with}");
    assert!(!with.stdout.contains("of namespace \"logins\""), "{with}");
    assert!(with.stdout.contains("of namespace \"other\""), "{with}");
}
