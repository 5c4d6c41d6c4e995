//! The manifests and packages agree with each other and with the program, and what
//! they configure works.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the project's own text files"
)]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    ACCOUNT, Cluster, NAMESPACE, NGINX, Node, Request, base64, login, owned, yaml,
};
use test_cluster::Secret;

const NAME: &str = "crio-credential-provider";

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    let file = project().join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML file.
fn documents(path: &str) -> Vec<Value> {
    yaml(&text(path))
}

/// The one document of that kind in a YAML file.
fn document(path: &str, kind: &str) -> Value {
    let mut found = documents(path);
    found.retain(|document| document["kind"] == kind);
    assert_eq!(found.len(), 1, "{kind} in {path}");
    found.remove(0)
}

/// Every file below a folder of the project with that extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![project().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

#[test]
fn every_kustomization_names_existing_files() {
    for file in files("deploy", "yaml") {
        if !file.ends_with("kustomization.yaml") {
            continue;
        }
        let folder = file.parent().unwrap();
        let kustomization = document(file.to_str().unwrap(), "Kustomization");
        for resource in kustomization["resources"].as_array().unwrap() {
            let resource = folder.join(resource.as_str().unwrap());
            let there = resource.is_file() || resource.join("kustomization.yaml").is_file();
            assert!(there, "{} of {}", resource.display(), file.display());
        }
    }
}

#[test]
fn nodes_may_request_the_audience_that_kubelet_requests() {
    let config = document(
        "deploy/credential-providers.yaml",
        "CredentialProviderConfig",
    );
    let audience = &config["providers"][0]["tokenAttributes"]["serviceAccountTokenAudience"];
    let role = document("deploy/cluster/node-rbac.yaml", "ClusterRole");
    let expected = json!([{
        "apiGroups": [""],
        "resources": [audience],
        "verbs": ["request-serviceaccounts-token-audience"],
    }]);
    assert_eq!(role["rules"], expected);
    let binding = document("deploy/cluster/node-rbac.yaml", "ClusterRoleBinding");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["name"], "system:nodes");
}

#[test]
fn kubelet_is_configured_to_run_this_program() {
    let config = document(
        "deploy/credential-providers.yaml",
        "CredentialProviderConfig",
    );
    assert_eq!(config["apiVersion"], "kubelet.config.k8s.io/v1");
    let provider = &config["providers"][0];
    assert_eq!(provider["name"], NAME);
    assert_eq!(provider["name"], env!("CARGO_PKG_NAME"));
    assert_eq!(
        provider["apiVersion"],
        "credentialprovider.kubelet.k8s.io/v1"
    );
    assert_eq!(provider["defaultCacheDuration"], "0s");
    assert_eq!(provider["tokenAttributes"]["cacheType"], "Token");
    assert_eq!(provider["tokenAttributes"]["requireServiceAccount"], true);
}

#[test]
fn a_namespace_grants_the_right_to_list_secrets_and_no_other() {
    let path = "deploy/namespace/rbac.yaml";
    let role = document(path, "Role");
    let expected = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]);
    assert_eq!(role["rules"], expected);
    let binding = document(path, "RoleBinding");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    let account = document(path, "ServiceAccount");
    let subject = json!([{"kind": "ServiceAccount", "name": account["metadata"]["name"]}]);
    assert_eq!(binding["subjects"], subject);
    let pod = document("deploy/example/pod.yaml", "Pod");
    assert_eq!(
        pod["spec"]["serviceAccountName"],
        account["metadata"]["name"]
    );
}

#[test]
fn a_namespace_with_named_secrets_grants_the_right_to_read_these_and_works() {
    let path = "deploy/namespace-named/rbac.yaml";
    let account = document(path, "ServiceAccount");
    let annotations = account["metadata"]["annotations"].clone();
    let (key, names) = annotations.as_object().unwrap().iter().next().unwrap();
    let names: Vec<_> = names.as_str().unwrap().split(',').map(str::trim).collect();
    let role = document(path, "Role");
    let expected = json!([{
        "apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": ["get"],
    }]);
    assert_eq!(role["rules"], expected);
    let binding = document(path, "RoleBinding");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    let subject = json!([{"kind": "ServiceAccount", "name": account["metadata"]["name"]}]);
    assert_eq!(binding["subjects"], subject);
    let config = document(
        "deploy/credential-providers.yaml",
        "CredentialProviderConfig",
    );
    let handed_over =
        &config["providers"][0]["tokenAttributes"]["optionalServiceAccountAnnotationKeys"];
    assert_eq!(*handed_over, json!([key]));

    let node = Node::with_registries(&text("deploy/registries.conf"));
    let secret = login(names[0], "mirror.example.com", "team-a:p");
    let cluster = Cluster::with([secret]);
    cluster.server.revoke(NAMESPACE, ACCOUNT);
    cluster.server.grant_get(NAMESPACE, ACCOUNT, &names);
    let request = Request::new(NGINX)
        .token(&cluster.token)
        .field("serviceAccountAnnotations", annotations);

    let outcome = node.provider(&cluster).serve(&request);

    outcome.answers(&owned(NGINX));
    outcome.is_quiet();
}

#[test]
fn the_example_leads_to_its_login_in_the_auth_file() {
    let node = Node::with_registries(&text("deploy/registries.conf"));
    let secret = document("deploy/example/secret.yaml", "Secret");
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    let config = secret["stringData"][".dockerconfigjson"].as_str().unwrap();
    let cluster = Cluster::with([Secret::docker_config_json("mirror", config)]);
    let pod = document("deploy/example/pod.yaml", "Pod");
    let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
    // kubelet drops the tag.
    let (image, _tag) = image.rsplit_once(':').unwrap();

    let outcome = node.provider(&cluster).pull(image);

    outcome.answers(&owned(image));
    outcome.is_quiet();
    let entry = json!({"auth": base64("team-a:change-me")});
    let expected = json!({"auths": {"mirror.example.com/docker/library/nginx": entry}});
    assert_eq!(node.auth_file(image), Some(expected));
    let example = document("deploy/example/kustomization.yaml", "Kustomization");
    assert_eq!(example["namespace"], NAMESPACE);
}

#[test]
fn the_packages_have_the_version_of_the_crate() {
    let version = env!("CARGO_PKG_VERSION").replacen('-', "~", 1);
    let spec = text("packaging/crio-credential-provider.spec");
    assert!(spec.contains(&format!("\nVersion: {version}\n")));
    assert!(spec.contains(&format!(" - {version}-1\n")));
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(spec.contains(&format!("BuildRequires: cargo >= {rust}\n")));
    let installer = document("deploy/node-installer/kustomization.yaml", "Kustomization");
    assert_eq!(installer["images"][0]["newTag"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn everything_installs_into_the_directory_in_kubelets_flags() {
    let directory = "libexec/kubelet-image-credential-provider-plugins";
    let installer = document("deploy/node-installer/daemonset.yaml", "DaemonSet");
    let volume = &installer["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(volume["hostPath"]["path"], format!("/usr/{directory}"));
    for path in [
        "Makefile",
        "packaging/install",
        "README.md",
        "deploy/README.md",
    ] {
        assert!(text(path).contains(directory), "{path}");
    }
    let spec = text("packaging/crio-credential-provider.spec");
    assert!(spec.contains("%{_libexecdir}/kubelet-image-credential-provider-plugins"));
}

#[test]
fn every_manifest_is_yaml_of_a_kind() {
    let mut manifests = files("deploy", "yaml");
    manifests.extend(files("test", "yml"));
    for file in manifests {
        for document in documents(file.to_str().unwrap()) {
            for field in ["apiVersion", "kind"] {
                assert!(document[field].is_string(), "{field} in {}", file.display());
            }
        }
    }
}

#[test]
fn the_tests_on_a_real_node_pull_images_that_their_registries_have() {
    let node = Node::with_registries(&text("test/registries.conf"));
    let pushed = [
        "localhost:5000/library/e2e-one",
        "localhost:5000/library/e2e-two",
        "localhost:5000/library/e2e-three",
        "localhost:5001/library/e2e-one",
    ];
    let mut found = Vec::new();
    for name in ["pod", "three-images-pod", "static-pod"] {
        let pod = document(&format!("test/cluster/{name}.yml"), "Pod");
        for container in pod["spec"]["containers"].as_array().unwrap() {
            let image = container["image"].as_str().unwrap();
            found.push(first_source(&node, image));
        }
    }
    found.push(first_source(&node, "remapped.example/app/e2e-one:1"));
    found.sort();
    found.dedup();
    let mut pushed = pushed.to_vec();
    pushed.sort_unstable();
    assert_eq!(found, pushed);
}

/// The first pull source of an image.
fn first_source(node: &Node, image: &str) -> String {
    let outcome = node
        .provider_without_cluster()
        .run_with(&["resolve", "-o", "json", image]);
    let images: Value = serde_json::from_str(&outcome.stdout).unwrap();
    images["images"][0]["sources"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn links_in_the_documents_have_existing_targets() {
    let mut documents = files("docs", "md");
    documents.extend(files("deploy", "md"));
    documents.extend(files("test", "md"));
    documents.extend(
        [
            "README.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "MAINTAINERS.md",
        ]
        .map(|name| project().join(name)),
    );
    for file in documents {
        let folder = file.parent().unwrap();
        for link in links(&fs::read_to_string(&file).unwrap()) {
            let there = folder.join(&link).exists();
            assert!(there, "{link} in {}", file.display());
        }
    }
}

/// The targets of Markdown links into this project, without their anchors.
fn links(text: &str) -> Vec<String> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let path = |target: &str| target.split('#').next().unwrap_or_default().to_owned();
    let local = |target: &&str| !target.contains("://") && !target.starts_with('#');
    targets.filter(local).map(path).collect()
}
