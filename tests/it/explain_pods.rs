//! `explain` for the pods of a manifest and for several images: the images, the namespace
//! and the node.

use serde_json::{Value, json};

use crate::explain::{PASSWORD, list, login_secret};
use crate::support::{
    ACCOUNT, Cluster, NAMESPACE, NGINX, Node, Outcome, Provider, docker_config, login,
};

const APP: &str = "quay.io/org/app";
const DEPLOYMENT: &str = "
apiVersion: v1
kind: Service
metadata: {name: app, namespace: elsewhere}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: team-a}
spec:
  template:
    spec:
      serviceAccountName: app
      initContainers:
      - {name: init, image: quay.io/org/app:1}
      containers:
      - name: main
        image: nginx:1.27
      - {name: sidecar, image: docker.io/library/nginx}
";

fn node() -> Node {
    Node::with_registries(
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n\
         [[registry]]\nlocation = \"quay.io\"\n[[registry.mirror]]\nlocation = \"mirror.example/quay\"\n",
    )
}

/// Writes Secrets and a manifest onto a node, and explains it from these files.
fn explain(node: &Node, manifest: &str, arguments: &[&str]) -> Outcome {
    let secrets = list(&[login_secret("pull", "mirror.example", "robot")]);
    node.write("secrets.json", secrets);
    node.write("pod.yaml", manifest);
    let provider = node.provider_without_cluster();
    let files = ["explain", "--pod", "pod.yaml", "--secrets", "secrets.json"];
    provider.run_with(&[&files[..], arguments].concat())
}

fn json(outcome: &Outcome) -> Value {
    assert_eq!(outcome.code, Some(0), "{outcome}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn images(explained: &Value) -> Vec<&str> {
    let images = explained["images"].as_array().unwrap().iter();
    images
        .map(|image| image["image"].as_str().unwrap())
        .collect()
}

#[test]
fn all_images_of_a_deployment_are_explained_in_its_namespace() {
    let node = node();
    let outcome = explain(&node, DEPLOYMENT, &["-ojson"]);
    let explained = json(&outcome);
    assert_eq!(images(&explained), [APP, NGINX]);
    assert_eq!(explained["namespace"], "team-a");
    assert_eq!(explained["serviceAccounts"], json!(["app"]));
    for image in explained["images"].as_array().unwrap() {
        assert_eq!(image["verdict"]["outcome"], "login", "{image}");
        let paths = image["authFile"]["content"]["auths"].as_object().unwrap();
        assert_eq!(paths.len(), 1, "{image}");
    }
    let text = explain(&node, DEPLOYMENT, &[]).stdout;
    let verdicts: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(": pulls from"))
        .collect();
    assert_eq!(verdicts.len(), 2, "{text}");
    assert!(verdicts[0].starts_with(&format!("{APP}: ")), "{text}");
    assert!(
        text.contains("for pods of service account app in namespace team-a"),
        "{text}"
    );
}

#[test]
fn a_manifest_comes_on_stdin_too_and_images_can_be_added() {
    let node = node();
    let secrets = list(&[login_secret("pull", "mirror.example", "robot")]);
    node.write("secrets.json", secrets);
    let pod = json!({"kind": "PodList", "items": [
        {"metadata": {"namespace": NAMESPACE}, "spec": {"containers": [{"image": "nginx"}]}},
    ]});
    let arguments = [
        "explain",
        "quay.io/x/y",
        "--pod=-",
        "--secrets",
        "secrets.json",
        "-ojson",
    ];
    let provider = node.provider_without_cluster();
    let outcome = provider.run_with_stdin(&arguments, pod.to_string().as_bytes());
    let explained = json(&outcome);
    assert_eq!(images(&explained), ["quay.io/x/y", NGINX]);
    assert_eq!(explained["serviceAccounts"], json!(["default"]));
    let both = ["explain", "--pod=-", "--secrets=-"];
    provider
        .run_with(&both)
        .fails_with(&["stdin can only be read once"]);
}

#[test]
fn an_unusable_manifest_is_refused_and_not_quoted() {
    let of_two =
        format!("{DEPLOYMENT}---\nkind: Pod\nmetadata: {{namespace: team-b}}\nspec: {{}}\n");
    for (name, manifest, arguments, said) in [
        ("empty", "", &[][..], "neither a list nor"),
        ("not YAML", "a: [hunter2-s3cr3t", &[], "line 1"),
        (
            "no pod",
            "kind: Service\npassword: hunter2-s3cr3t\n",
            &[],
            "neither a pod nor a workload",
        ),
        ("two namespaces", &of_two, &[], "team-a and team-b"),
        (
            "another -n",
            DEPLOYMENT,
            &["-n", "team-b"],
            "team-a, not in team-b",
        ),
        (
            "an image that does not parse",
            "kind: Pod\nspec: {containers: [{image: A B}]}\n",
            &[],
            "A B",
        ),
    ] {
        let outcome = explain(&node(), manifest, arguments);
        outcome.fails_with(&[said]);
        outcome.never_prints(&[PASSWORD]);
        assert_eq!(outcome.stderr.lines().count(), 1, "{name}: {outcome}");
    }
}

#[test]
fn the_api_server_is_asked_once_for_all_images() {
    let node = node();
    let cluster = Cluster::with([login(
        "pull",
        "mirror.example",
        &format!("robot:{PASSWORD}"),
    )]);
    node.write("token", &cluster.token);
    let explain = |images: &[&str]| {
        let arguments = ["explain", "--token-file", "token", "-ojson"];
        node.provider(&cluster)
            .run_with(&[&arguments[..], images].concat())
    };
    let outcome = explain(&["nginx", APP, "nginx:1", "gcr.io/none"]);
    let explained = json(&outcome);
    assert_eq!(images(&explained), [NGINX, APP, "gcr.io/none"]);
    // The namespace is that of the token.
    assert_eq!(explained["namespace"], NAMESPACE);
    assert_eq!(explained["images"][0]["verdict"]["outcome"], "login");
    assert_eq!(explained["images"][1]["verdict"]["outcome"], "login");
    assert_eq!(
        explained["images"][2]["verdict"]["outcome"],
        "nothing-to-do"
    );
    assert_eq!(cluster.server.requests().len(), 1, "{outcome}");
    outcome.never_prints(&[PASSWORD, &cluster.token]);
    cluster.server.clear_requests();
    explain(&["gcr.io/none"]);
    assert_eq!(cluster.server.requests().len(), 0);
}

#[test]
fn a_token_of_another_service_account_than_the_pods_is_refused() {
    let node = node();
    let cluster = Cluster::new();
    node.write("token", &cluster.token);
    node.write("pod.yaml", DEPLOYMENT);
    let own = DEPLOYMENT.replace(
        "serviceAccountName: app",
        &format!("serviceAccountName: {ACCOUNT}"),
    );
    let explain = || {
        let arguments = ["explain", "--pod", "pod.yaml", "--token-file", "token"];
        node.provider(&cluster).run_with(&arguments)
    };
    explain().fails_with(&["token file", &format!("{ACCOUNT:?}"), "\"app\""]);
    assert_eq!(cluster.server.requests().len(), 0);
    node.write("pod.yaml", own);
    assert_eq!(explain().code, Some(0));
}

/// The namespace is chosen as by kubectl: that of the current context, else `default`.
#[test]
fn the_namespace_is_that_of_the_current_context() {
    let node = node();
    node.write("secrets.json", list(&[]));
    let config = |namespace: &str| {
        format!(
            "current-context: c\ncontexts: [{{name: c, context: {{namespace: {namespace}}}}}]\n"
        )
    };
    node.write("home/.kube/config", config("of-home"));
    node.write("named", config("of-variable"));
    node.write("broken", "current-context: c\n");
    let run = |variables: &[(&str, String)]| {
        let mut provider = node.provider_without_cluster();
        for (name, value) in variables {
            provider = provider.env(name, value);
        }
        provider.run_with(&["explain", "nginx", "--secrets", "secrets.json", "-ojson"])
    };
    let at = |path: &str| node.path(path).to_str().unwrap().to_owned();
    let home = ("HOME", at("home"));
    let named = ("KUBECONFIG", format!("{}:{}", at("missing"), at("named")));
    for (variables, expected) in [
        (&[][..], "default"),
        (&[home.clone(), named], "of-variable"),
        (&[home.clone(), ("KUBECONFIG", at("missing"))], "default"),
        (&[home.clone(), ("KUBECONFIG", String::new())], "of-home"),
        (&[home], "of-home"),
    ] {
        assert_eq!(
            json(&run(variables))["namespace"],
            expected,
            "{variables:?}"
        );
    }
    run(&[("KUBECONFIG", at("broken"))]).fails_with(&["broken", "current-context", "-n"]);
}

/// In a debug pod the node is below another directory, and its files have the node's own
/// paths.
#[test]
fn below_another_root_paths_are_those_of_the_node() {
    let cluster = Cluster::with([login(
        "pull",
        "mirror.example",
        &format!("robot:{PASSWORD}"),
    )]);
    let node = Node::with_mirrors(&["mirror.example", "other.example"]).and_global_auth(
        &docker_config(&[("other.example", "node:p"), ("x.example\n", "u:p")]),
    );
    node.write("etc/kubernetes/pki/ca.crt", cluster.server.ca_pem());
    let url = cluster.server.url();
    node.write(
        "etc/kubernetes/kubelet.conf",
        format!(
            "clusters: [{{name: c, cluster: {{server: \"{url}\", certificate-authority: /etc/kubernetes/pki/ca.crt}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c}}}}]\ncurrent-context: c\n"
        ),
    );
    let elsewhere = Node::new();
    elsewhere.write("token", &cluster.token);
    let run = |format: &str| {
        let root = node.path("");
        let root = root.to_str().unwrap();
        let arguments = [
            "explain",
            "nginx",
            "--root",
            root,
            "--token-file",
            "token",
            "-o",
            format,
        ];
        Provider::new(elsewhere.path("")).run_with(&arguments)
    };
    let explained = json(&run("json"));
    let image = &explained["images"][0];
    assert_eq!(image["registry"]["file"], "/etc/containers/registries.conf");
    assert_eq!(image["sources"][0]["credential"]["username"], "robot");
    let origin = json!({"kind": "globalAuthFile", "path": "/var/lib/kubelet/config.json"});
    assert_eq!(image["sources"][1]["credential"]["origin"], origin);
    assert_eq!(explained["unmatched"][0]["origin"], origin);
    let path = image["authFile"]["path"].as_str().unwrap();
    assert!(path.starts_with("/etc/crio/auth/team-a-"), "{path}");
    let text = run("text").stdout;
    assert!(
        !text.contains(node.path("").to_str().unwrap().trim_end_matches('/')),
        "{text}"
    );
}
