#![expect(clippy::disallowed_methods, reason = "lays out the files of a node")]

use std::fs;

use super::well_known::WELL_KNOWN;
use super::*;

const CA: &str = "certificate-authority-data: UEVN";

/// A node with these files below its root.
fn node(files: &[(&str, &str)]) -> (tempfile::TempDir, Settings) {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let settings = Settings {
        api_server: None,
        kubeconfig: None,
        certificate_authority: None,
        tls_server_name: None,
        insecure_skip_tls_verify: false,
        env_file: root.path().join("etc/kubernetes/apiserver-url.env"),
        kubelet_kubeconfig: None,
        proxy: ProxySettings::default(),
        root: root.path().to_owned(),
    };
    (root, settings)
}

fn kubeconfig(server: &str, more: &str) -> String {
    format!(
        "kind: Config\ncurrent-context: x\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\nclusters:\n- name: c\n  cluster:\n    server: {server}\n    {more}\n"
    )
}

fn found(settings: &Settings) -> (String, String, Trust) {
    let endpoint = discover(settings).unwrap();
    let server = endpoint.server.to_string();
    let name = endpoint.server_name.to_str().into_owned();
    (
        server.trim_end_matches('/').to_owned(),
        name,
        endpoint.trust,
    )
}

#[test]
fn each_distributions_kubeconfig_is_found_where_it_keeps_it() {
    for row in &WELL_KNOWN {
        for path in row.kubeconfigs {
            let (root, settings) = node(&[(path, &kubeconfig("https://api:6443", CA))]);
            let (server, name, trust) = found(&settings);
            assert_eq!(
                (server.as_str(), name.as_str()),
                ("https://api:6443", "api"),
                "{}",
                row.names
            );
            let expected = CaSource::Inline(root.path().join(path), b"PEM".to_vec());
            assert_eq!(trust, Trust::Ca(expected), "{}", row.names);
        }
    }
}

#[test]
fn each_distributions_ca_is_found_where_it_keeps_it() {
    for row in &WELL_KNOWN {
        for path in row.certificate_authorities {
            let (root, mut settings) = node(&[(path, "PEM")]);
            settings.api_server = Some("https://api:6443".to_owned());
            let expected = Trust::Ca(CaSource::File(root.path().join(path)));
            assert_eq!(found(&settings).2, expected, "{}", row.names);
        }
    }
}

#[test]
fn the_table_is_the_specifications() {
    let paths: Vec<&str> = WELL_KNOWN
        .iter()
        .flat_map(|row| row.kubeconfigs)
        .copied()
        .collect();
    let expected = [
        "etc/kubernetes/kubelet.conf",
        "var/lib/kubelet/kubeconfig",
        "var/lib/microshift/resources/kubelet/kubeconfig",
        "var/lib/kubelet/kubeconfig",
        "var/lib/rancher/k3s/agent/kubelet.kubeconfig",
        "var/lib/rancher/rke2/agent/kubelet.kubeconfig",
        "var/snap/microk8s/current/credentials/kubelet.config",
        "var/lib/k0s/kubelet.conf",
        "etc/kubernetes/kubeconfig-kubelet",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn the_first_hit_wins() {
    let env = "KUBERNETES_SERVICE_HOST='api-int.example'\nKUBERNETES_SERVICE_PORT=\"6443\"\n";
    let (root, mut settings) = node(&[
        (
            "etc/kubernetes/kubelet.conf",
            &kubeconfig("https://table:6443", CA),
        ),
        ("etc/kubernetes/apiserver-url.env", env),
        ("kubelet.conf", &kubeconfig("https://kubelet:6443", CA)),
        (
            "named.conf",
            &kubeconfig("https://named:6443/k8s/c-1/", "tls-server-name: inside"),
        ),
    ]);
    let without_env_file = Settings {
        env_file: root.path().join("none"),
        kubelet_kubeconfig: Some(root.path().join("kubelet.conf")),
        ..settings.clone()
    };
    assert_eq!(found(&without_env_file).0, "https://kubelet:6443");
    settings
        .kubelet_kubeconfig
        .clone_from(&without_env_file.kubelet_kubeconfig);
    assert_eq!(found(&settings).0, "https://api-int.example:6443");
    settings.kubeconfig = Some(root.path().join("named.conf"));
    let (server, name, _) = found(&settings);
    assert_eq!(
        (server.as_str(), name.as_str()),
        ("https://named:6443/k8s/c-1", "inside")
    );
    settings.api_server = Some("https://[2001:db8::1]:8443".to_owned());
    let (server, name, _) = found(&settings);
    assert_eq!(
        (server.as_str(), name.as_str()),
        ("https://[2001:db8::1]:8443", "2001:db8::1")
    );
    settings.tls_server_name = Some("flag".to_owned());
    assert_eq!(found(&settings).1, "flag");
}

#[test]
fn with_nothing_found_it_is_localhost_verified_as_kubernetes() {
    let (_root, settings) = node(&[]);
    let expected = (
        "https://localhost:6443".to_owned(),
        "kubernetes.default.svc".to_owned(),
        Trust::System,
    );
    assert_eq!(found(&settings), expected);
}

#[test]
fn openshifts_kubelet_configuration_is_no_kubeconfig() {
    let (_root, settings) = node(&[
        (
            "etc/kubernetes/kubelet.conf",
            "kind: KubeletConfiguration\nserver: https://wrong",
        ),
        ("etc/kubernetes/kubelet-ca.crt", "a client CA"),
        (
            "var/lib/kubelet/kubeconfig",
            &kubeconfig("https://right:6443", CA),
        ),
    ]);
    assert_eq!(found(&settings).0, "https://right:6443");
}

#[test]
fn trust_comes_from_flags_then_the_kubeconfig_then_the_table() {
    let (root, mut settings) = node(&[
        ("etc/kubernetes/pki/ca.crt", "PEM"),
        (
            "named.conf",
            &kubeconfig("https://named", "insecure-skip-tls-verify: true"),
        ),
    ]);
    settings.kubeconfig = Some(root.path().join("named.conf"));
    let table = Trust::Ca(CaSource::File(
        root.path().join("etc/kubernetes/pki/ca.crt"),
    ));
    assert_eq!(
        found(&settings).2,
        table,
        "and never what a kubeconfig says of not verifying"
    );
    settings.certificate_authority = Some(PathBuf::from("/flag.crt"));
    assert_eq!(
        found(&settings).2,
        Trust::Ca(CaSource::File(PathBuf::from("/flag.crt")))
    );
    settings.insecure_skip_tls_verify = true;
    assert_eq!(found(&settings).2, Trust::Nothing);
}

#[test]
fn only_https_servers_are_asked() {
    for server in [
        "http://api",
        "https://",
        "https://user:hunter2@api",
        "ftp://api",
        "https://a b",
        "https://api?x",
    ] {
        let (_root, mut settings) = node(&[]);
        settings.api_server = Some(server.to_owned());
        assert!(
            matches!(discover(&settings), Err(DiscoverError::Server { .. })),
            "{server}"
        );
    }
    let (_root, mut settings) = node(&[]);
    settings.api_server = Some("api.example:6443".to_owned());
    assert_eq!(found(&settings).0, "https://api.example:6443");
}
