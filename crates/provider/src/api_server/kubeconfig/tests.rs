use super::*;

const GOOD: &str = r"
apiVersion: v1
kind: Config
current-context: here
preferences: {}
contexts:
- name: other
  context: {cluster: b, user: u}
- name: here
  context: {cluster: a, user: u, namespace: x}
clusters:
- name: b
  cluster: {server: https://b}
- name: a
  cluster:
    server: https://[2001:db8::1]:6443/k8s/clusters/c-1
    certificate-authority-data: UEVN
    tls-server-name: api.internal
    proxy-url: http://proxy:3128
    insecure-skip-tls-verify: true
    extensions: [{name: x, extension: {a: 1}}]
users:
- name: u
  user: {token: hunter2, client-key-data: [hunter2]}
";

fn parse(text: &str) -> Result<Kubeconfig, KubeconfigError> {
    let path = Path::new("/etc/kubernetes/kubelet.conf");
    Kubeconfig::parse(path, text.as_bytes())
}

#[test]
fn the_cluster_of_the_current_context_is_read() {
    let path = PathBuf::from("/etc/kubernetes/kubelet.conf");
    let expected = Kubeconfig {
        server: "https://[2001:db8::1]:6443/k8s/clusters/c-1".to_owned(),
        ca: Some(CaSource::Inline(path.clone(), b"PEM".to_vec())),
        tls_server_name: Some("api.internal".to_owned()),
        proxy_url: Some("http://proxy:3128".to_owned()),
        asks_to_skip_verification: true,
        path,
    };
    assert_eq!(parse(GOOD).unwrap(), expected);
}

#[test]
fn the_encoding_and_the_line_breaks_are_those_of_yaml_1_1() {
    let path = Path::new("/etc/kubernetes/kubelet.conf");
    let expected = parse(GOOD).unwrap();
    let marked = format!("\u{feff}{GOOD}");
    let utf16 = |of_unit: fn(u16) -> [u8; 2]| marked.encode_utf16().flat_map(of_unit).collect();
    let broken = ["\r", "\r\n", "\u{85}", "\u{2028}", "\u{2029}"];
    let broken = broken.map(|line_break| GOOD.replace('\n', line_break).into_bytes());
    let encoded: [Vec<u8>; 2] = [utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)];
    for text in broken.iter().chain(&encoded) {
        assert_eq!(Kubeconfig::parse(path, text).unwrap(), expected, "{text:?}");
    }
    for text in [&b"\xff\xfea"[..], b"a: \xff"] {
        let problem = Kubeconfig::parse(path, text).unwrap_err().problem;
        assert!(matches!(problem, KubeconfigProblem::Encoding), "{problem}");
    }
}

#[test]
fn a_ca_file_is_relative_to_the_kubeconfig() {
    for (given, expected) in [
        ("pki/ca.crt", "/etc/kubernetes/pki/ca.crt"),
        ("/pki/ca.crt", "/pki/ca.crt"),
    ] {
        let text = GOOD.replace(
            "certificate-authority-data: UEVN",
            &format!("certificate-authority: {given}"),
        );
        let ca = parse(&text).unwrap().ca;
        assert_eq!(ca, Some(CaSource::File(PathBuf::from(expected))));
    }
}

#[test]
fn a_context_without_a_cluster_name_uses_the_cluster_without_a_name() {
    let unnamed = |cluster: &str, name: &str| {
        let text = GOOD.replace("cluster: a, ", cluster);
        parse(&text.replace("- name: a\n  cluster", name)).map(|read| read.server)
    };
    let server = parse(GOOD).unwrap().server;
    for cluster in ["", "cluster: '', ", "cluster: null, "] {
        for name in ["- cluster", "- name: ''\n  cluster", "- name: ~\n  cluster"] {
            assert_eq!(unnamed(cluster, name).unwrap(), server, "{cluster} {name}");
        }
        unnamed(cluster, "- name: 5\n  cluster").unwrap_err();
        unnamed(cluster, "- name: a\n  cluster").unwrap_err();
    }
    unnamed("cluster: a, ", "- cluster").unwrap_err();
}

#[test]
fn the_error_for_an_unusable_kubeconfig_gives_the_reason_and_quotes_nothing() {
    let kubelet_configuration =
        "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\nclusters: 5\n";
    for (text, said) in [
        ("", "no current-context"),
        ("hello", "malformed or oversized YAML at line 1"),
        (kubelet_configuration, "its kind is not Config"),
        ("a: b", "no current-context"),
        ("- hunter2", "malformed or oversized YAML at line 1"),
    ] {
        assert_refused(text, said);
    }
}

#[test]
fn one_mistake_in_a_kubeconfig_is_named_and_nothing_is_quoted() {
    let server = "https://[2001:db8::1]:6443/k8s/clusters/c-1";
    for (good, bad, said) in [
        (server, "[hunter2]", "its server is not a string"),
        (server, "''", "no server"),
        ("context: here", "context: gone", "no context"),
        ("- name: a\n", "- name: z\n", "no cluster"),
        ("- name: b\n  c", "- name: a\n  c", "more than one cluster"),
        (
            "contexts:",
            "contexts: hunter2\nx:",
            "contexts is not a list",
        ),
        ("verify: true", "verify: 'true'", "is not true or false"),
        (
            "proxy-url",
            "certificate-authority: a\n    proxy-url",
            "remove one",
        ),
        ("UEVN", "'*'", "not base64"),
    ] {
        assert_eq!(GOOD.matches(good).count(), 1, "{good}");
        assert_refused(&GOOD.replace(good, bad), said);
    }
}

fn assert_refused(text: &str, said: &str) {
    let line = format!("{:#}", anyhow::Error::new(parse(text).unwrap_err()));
    assert!(line.contains(said), "{text}: {line}");
    let quotes = line.contains("hunter2") || line.contains('\n');
    assert!(!quotes, "{text}: {line}");
}
