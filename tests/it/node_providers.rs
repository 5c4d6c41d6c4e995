//! Logins of the node's own credential providers for mirrors.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{
    BIN_DIR, CONFIG, Cluster, EMPTY, NGINX, Node, Outcome, Provider, StandIn, answer, base64,
    cacheable_response, docker_config, login, owned, print,
};

pub(crate) const HOST: &str = "mirror.example";
pub(crate) const SOURCE: &str = "mirror.example/library/nginx";
pub(crate) const LOGIN: &str = "node:hunter2";

pub(crate) fn auth(login: &str) -> Value {
    json!({"auth": base64(login)})
}

/// The provider on that node, with all of kubelet's providers.
pub(crate) fn provider(node: &Node, cluster: &Cluster) -> Provider {
    node.provider(cluster).with_node_providers(node, "auto")
}

/// A node provider whose response with [`LOGIN`] is cached for an hour.
pub(crate) fn cacheable() -> StandIn {
    let response = cacheable_response("Registry", Some("1h"), &[(HOST, LOGIN)]);
    StandIn::new("ecr", &[HOST], &print(&response))
}

/// The auth file after a pull through `mirror` with these providers.
pub(crate) fn pulled(mirror: &str, providers: &[StandIn]) -> (Node, Outcome, Option<Value>) {
    let node = Node::with_mirrors(&[mirror]);
    node.configure_providers(providers);
    let outcome = provider(&node, &Cluster::new()).pull(NGINX);
    let file = node.auth_file(NGINX).map(|mut file| file["auths"].take());
    (node, outcome, file)
}

#[test]
fn a_provider_is_run_for_a_mirror_as_kubelet_runs_it() {
    let entry = "  args: [get, --verbose]\n  env: [{name: REGION, value: eu}]\n";
    let script = print(&answer(&[(HOST, "u:$REGION $KUBELETS $OURS")]));
    let script = script.replace("<<'ANSWER'", "<<ANSWER");
    let ours = StandIn::new("us", &["docker.io"], "").entry(
        "  env: [{name: OURS, value: set}, {name: CRIO_CREDENTIAL_PROVIDER_NESTED, value: \"\"}]\n",
    );
    let node = Node::with_mirror();
    node.configure_providers(&[StandIn::new("ecr", &[HOST], &script).entry(entry), ours]);
    fs::remove_file(node.path(BIN_DIR).join("us")).unwrap();
    symlink(
        env!("CARGO_BIN_EXE_crio-credential-provider"),
        node.path(BIN_DIR).join("us"),
    )
    .unwrap();

    let outcome = provider(&node, &Cluster::new())
        .env("KUBELETS", "kept")
        .env("OURS", "set")
        .env("PATH", "/usr/bin:/bin")
        .pull(NGINX);

    outcome.answers(EMPTY);
    outcome.is_quiet();
    let request = format!(
        r#"{{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"{SOURCE}"}}"#
    );
    let program = node.path(BIN_DIR).join("ecr");
    let program = program.display();
    assert_eq!(node.asked(), [format!("{program} get --verbose {request}")]);
    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(
        file,
        json!({"auths": {SOURCE: auth("u:eu kept ")}}),
        "{outcome}"
    );
}

#[test]
fn no_provider_is_run_unless_enabled() {
    for which in ["off", "acr", ""] {
        let node = Node::with_mirror();
        node.configure_providers(&[
            StandIn::with_login("ecr", HOST, HOST, LOGIN),
            StandIn::with_login("acr", "other.example", HOST, LOGIN),
        ]);
        let outcome = provider(&node, &Cluster::new())
            .flag("--node-providers", which)
            .pull(NGINX);
        outcome.answers(EMPTY);
        outcome.is_quiet();
        assert_eq!(node.asked(), [""; 0], "{which}");
        assert_eq!(node.auth_file(NGINX), None, "{which}");
    }
}

#[test]
fn a_named_provider_is_run_and_a_missing_one_is_reported() {
    let node = Node::with_mirror();
    node.configure_providers(&[
        StandIn::with_login("ecr", HOST, HOST, "ecr:p"),
        StandIn::with_login("acr", HOST, SOURCE, "acr:p"),
    ]);
    let outcome = provider(&node, &Cluster::new())
        .flag("--node-providers", "ecr,gar")
        .pull(NGINX);
    outcome.answers(EMPTY);
    outcome.warns_with(&["no provider \"gar\""]);
    assert_eq!(node.asked().len(), 1);
    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(file["auths"], json!({SOURCE: auth("ecr:p")}));
}

#[test]
fn a_provider_is_not_run_for_images_that_kubelet_asks_it_for() {
    let node = Node::with_registries(
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n",
    );
    let all = ["docker.io", HOST];
    node.configure_providers(&[StandIn::new("all", &all, &print(&answer(&[(HOST, LOGIN)])))]);
    provider(&node, &Cluster::new()).pull(NGINX).answers(EMPTY);
    assert_eq!(node.asked().len(), 1);
    assert!(node.asked()[0].contains(SOURCE));

    // The registry's own location is a pull source like others if it has another name.
    let node = Node::with_registries(
        "[[registry]]\nprefix = \"docker.io\"\nlocation = \"mirror.example\"\n",
    );
    node.configure_providers(&[StandIn::with_login("ecr", HOST, HOST, LOGIN)]);
    provider(&node, &Cluster::new()).pull(NGINX).answers(EMPTY);
    assert_eq!(node.asked().len(), 1);
}

#[test]
fn every_other_login_takes_precedence() {
    let stand_in = || StandIn::with_login("ecr", HOST, SOURCE, LOGIN);
    for (name, secret, global, expected, response) in [
        (
            "namespace",
            Some(login("pull", HOST, "u:p")),
            None,
            "u:p",
            owned(NGINX),
        ),
        (
            "global",
            None,
            Some(docker_config(&[(HOST, "g:p")])),
            "g:p",
            EMPTY.to_owned(),
        ),
        ("none", None, None, LOGIN, EMPTY.to_owned()),
    ] {
        let mut node = Node::with_mirror();
        if let Some(global) = global {
            node = node.and_global_auth(&global);
        }
        node.configure_providers(&[stand_in()]);
        let outcome = provider(&node, &Cluster::with(secret)).pull(NGINX);
        outcome.answers(&response);
        let file = node.auth_file(NGINX).unwrap();
        assert_eq!(file["auths"][SOURCE], auth(expected), "{name}");
    }
}

#[test]
fn no_provider_is_run_for_a_source_that_a_global_auth_file_serves() {
    let other = "other.example/library/nginx";
    let all = [SOURCE, other];
    let auths = |key: &str, login: Value| json!({"auths": {key: login}}).to_string();
    for (name, global, asked) in [
        ("login", auths(HOST, auth("g:p")), &[other][..]),
        ("glob", auths("*.example", auth("g:p")), &[]),
        (
            "helper",
            json!({"credHelpers": {HOST: "x"}}).to_string(),
            &[other],
        ),
        ("elsewhere", auths("third.example", auth("g:p")), &all),
        ("broken login", auths(HOST, json!({"auth": "!"})), &all),
        ("broken file", "{".to_owned(), &all),
        ("empty file", "{}".to_owned(), &all),
    ] {
        let node = Node::with_mirrors(&[HOST, "other.example"]).and_global_auth(&global);
        let answer = print(&answer(&[(HOST, LOGIN), ("other.example", LOGIN)]));
        node.configure_providers(&[StandIn::new("ecr", &["*.example"], &answer)]);

        provider(&node, &Cluster::new()).pull(NGINX).answers(EMPTY);

        let lines = node.asked();
        let images = all.iter().filter(|source| {
            let quoted = format!("\"{source}\"");
            lines.iter().any(|line| line.contains(&quoted))
        });
        assert_eq!(images.copied().collect::<Vec<_>>(), asked, "{name}");
        assert_eq!(lines.len(), asked.len(), "{name}");
        let file = node.auth_file(NGINX);
        for source in asked {
            let auths = &file.as_ref().unwrap()["auths"];
            assert_eq!(auths[source], auth(LOGIN), "{name}");
        }
    }
}

#[test]
fn providers_speak_the_version_of_their_entry() {
    let version = "credentialprovider.kubelet.k8s.io/v1beta1";
    let answer = answer(&[(HOST, LOGIN)]).replace("k8s.io/v1", "k8s.io/v1beta1");
    let stand_in = StandIn::new("old", &[HOST], &print(&answer)).api_version(version);
    let (node, _, file) = pulled(HOST, &[stand_in]);
    assert!(node.asked()[0].contains(version));
    assert_eq!(file, Some(json!({SOURCE: auth(LOGIN)})));
}

#[test]
fn kubelets_own_flags_locate_its_providers() {
    let node = Node::with_mirror();
    node.configure_providers(&[StandIn::with_login("ecr", HOST, HOST, LOGIN)]);
    let outcome = provider(&node, &Cluster::new())
        .without("--kubelet-provider-config")
        .without("--kubelet-bin-dir")
        .pull_in_script(
            "\"$PROVIDER\"; exit",
            &[
                "kubelet",
                &format!("--image-credential-provider-config={CONFIG}"),
                "--image-credential-provider-bin-dir",
                node.path(BIN_DIR).to_str().unwrap(),
            ],
            NGINX,
        );
    outcome.answers(EMPTY);
    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(file["auths"], json!({SOURCE: auth(LOGIN)}), "{outcome}");

    // k3s, MicroK8s and MicroShift contain kubelet.
    let cluster = Cluster::new();
    let hidden = provider(&node, &cluster).without("--kubelet-provider-config");
    let warnings = [
        (
            &hidden,
            "has no --image-credential-provider-config on",
            "set --kubelet-provider-config for",
        ),
        (
            &hidden.clone().without("--kubelet-bin-dir"),
            "has no --image-credential-provider-config and --image-credential-provider-bin-dir on",
            "set --kubelet-provider-config and --kubelet-bin-dir for",
        ),
    ];
    for (provider, missing, remedy) in warnings {
        let outcome = provider.pull(NGINX);
        outcome.answers(EMPTY);
        outcome.warns_with(&[missing, remedy]);
    }
}
