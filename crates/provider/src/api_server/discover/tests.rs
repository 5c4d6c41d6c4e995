#![expect(clippy::disallowed_methods, reason = "lays out the files of a node")]

use std::fs;

use serde::Deserialize;

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
fn the_table_is_complete_and_in_order() {
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
fn openshifts_kubelet_configuration_is_not_a_kubeconfig() {
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
        "a kubeconfig never turns verification off"
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
    let (_root, mut settings) = node(&[]);
    for server in [
        "http://api",
        "http://user:hunter2@api",
        "https://user:hunter2@api",
        "https://api?x",
        "https://",
        "ftp://api",
        "https://a b",
        "https://[fd00::5",
        "https://a/%zz",
        "https://a/\t",
        "api/path",
        "",
    ] {
        settings.api_server = Some(server.to_owned());
        let error = discover(&settings).unwrap_err();
        assert!(matches!(error, DiscoverError::Server { .. }), "{server}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    for (server, expected) in [
        ("api.example:6443", "https://api.example:6443"),
        ("HTTPS://api", "https://api"),
        ("https://api:", "https://api"),
        ("api/", "https://api"),
        (
            "https://api/b c/<x>%2F\u{fc}",
            "https://api/b%20c/%3Cx%3E%2F%C3%BC",
        ),
    ] {
        settings.api_server = Some(server.to_owned());
        assert_eq!(found(&settings).0, expected, "{server}");
    }
}

#[test]
fn an_invalid_port_is_an_error_wherever_it_is_given() {
    for port in ["6443x", "x", "-1", "65536", "0"] {
        let server = format!("https://api:{port}");
        let text = kubeconfig(&server, CA);
        let env = format!("KUBERNETES_SERVICE_HOST=api\nKUBERNETES_SERVICE_PORT={port}\n");
        let (root, by_flag) = node(&[("k.yaml", &text), ("env", &env)]);
        let by_kubeconfig = Settings {
            kubeconfig: Some(root.path().join("k.yaml")),
            ..by_flag.clone()
        };
        let by_env_file = Settings {
            env_file: root.path().join("env"),
            ..by_flag.clone()
        };
        let by_flag = Settings {
            api_server: Some(server),
            ..by_flag
        };
        for settings in [by_flag, by_kubeconfig, by_env_file] {
            let error = anyhow::Error::new(discover(&settings).unwrap_err());
            let line = format!("{error:#}");
            assert!(line.contains("not a port from 1 to 65535"), "{line}");
        }
    }
}

/// The result of client-go for a kubeconfig.
#[derive(Deserialize)]
struct Case {
    name: String,
    text: String,
    beside: Vec<String>,
    go: Option<Go>,
}

#[derive(Deserialize)]
struct Go {
    url: String,
    ca_file: String,
    ca_data: String,
    tls_server_name: String,
    proxy: Option<String>,
}

/// What client-go refuses although it is not used here: users, preferences, other
/// contexts and clusters, and a CA file, which is read later.
const PASSED_OVER: [&str; 10] = [
    "users a map",
    "preferences a text",
    "another context is a text",
    "its own user has no certificate file",
    "another cluster with bad CA data",
    "another cluster with a number as server",
    "two users of one name",
    "two other contexts of one name",
    "CA file missing",
    // Extensions of another cluster.
    "random 15",
];
/// What client-go accepts, and fails with when it connects.
const REFUSED: [&str; 6] = [
    "server https://api.node.example:0",
    "server https://api.node.example:65536",
    "server https://api.node.example:99999",
    "server http://api.node.example:8080",
    "proxy-url http://",
    // An invalid address.
    "random 23",
];

#[test]
fn a_kubeconfig_gives_the_server_that_client_go_uses() {
    let text = include_str!("../../../tests/data/vectors/kubeconfig.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    for case in &cases {
        let name = case.name.as_str();
        let mut files = vec![("k.yaml", case.text.as_str())];
        files.extend(case.beside.iter().map(|path| (path.as_str(), "PEM")));
        let (root, mut settings) = node(&files);
        settings.kubeconfig = Some(root.path().join("k.yaml"));
        let found = discover(&settings);
        let Some(go) = case.go.as_ref().filter(|_| !REFUSED.contains(&name)) else {
            assert_eq!(found.is_ok(), PASSED_OVER.contains(&name), "{name}");
            continue;
        };
        let endpoint = found.unwrap();
        let (scheme, address) = go.url.split_once("://").unwrap();
        let address = address.rsplit('@').next().unwrap();
        let address = address.split('?').next().unwrap();
        let address = address.trim_end_matches(['/', ':']);
        let server = endpoint.server.to_string();
        assert_eq!(
            server.trim_end_matches('/'),
            format!("https://{address}"),
            "{name}"
        );
        if !go.tls_server_name.is_empty() {
            assert_eq!(endpoint.server_name.to_str(), go.tls_server_name, "{name}");
        }
        let none = ProxySettings::default();
        let through = proxy::choose(go.proxy.as_deref(), &none, "api", "443");
        assert_eq!(endpoint.proxy, through.unwrap(), "{name}");
        let expected = match (go.ca_data.as_str(), go.ca_file.as_str()) {
            ("", "") => Trust::System,
            ("", file) => {
                let file = root.path().join(file.trim_start_matches("DIR/"));
                Trust::Ca(CaSource::File(file))
            }
            (data, _) => {
                let path = settings.kubeconfig.unwrap();
                Trust::Ca(CaSource::Inline(path, data.as_bytes().to_vec()))
            }
        };
        // client-go ignores a CA for http.
        let trust = canonical(endpoint.trust);
        assert!(scheme == "http" || trust == expected, "{name}: {trust:?}");
    }
}

/// Trust in a file by its canonical path.
fn canonical(trust: Trust) -> Trust {
    match trust {
        Trust::Ca(CaSource::File(path)) => {
            Trust::Ca(CaSource::File(fs::canonicalize(path).unwrap()))
        }
        other @ (Trust::Ca(_) | Trust::System | Trust::Nothing) => other,
    }
}
