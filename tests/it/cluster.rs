//! The way to the API server, and whether it is the right one (SPEC section 4).

use std::fmt::Write;
use std::time::Duration;

use test_cluster::{ApiServer, CertificateKind, Fault, TlsVersion};

use crate::support::{ACCOUNT, Cluster, NAMESPACE, NGINX, Node, Outcome, base64, login, owned};

const KUBECONFIG: &str = "var/lib/kubelet/kubeconfig";

/// A cluster with a login for the mirror, whose server differs in some way.
fn cluster(builder: test_cluster::Builder) -> Cluster {
    let cluster = Cluster::of(builder);
    cluster.put(login("pull", "mirror.example", "user:hunter2"));
    cluster
}

/// A kubeconfig with these lines in its current cluster, and a user that must
/// never be used.
fn kubeconfig(cluster_fields: &[String]) -> String {
    let fields = cluster_fields.join("\n    ");
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         contexts:\n\
         - name: elsewhere\n  context: {{cluster: wrong, user: node}}\n\
         - name: here\n  context: {{cluster: right, user: node}}\n\
         clusters:\n\
         - name: wrong\n  cluster: {{server: 'https://127.0.0.1:9'}}\n\
         - name: right\n  cluster:\n    {fields}\n\
         users:\n\
         - name: node\n  user:\n    token: n0de-t0ken\n    username: n0de\n    password: n0de-passw0rd\n    \
         client-certificate: missing.crt\n    client-key: missing.key\n    \
         exec: {{apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, args: [-c, 'touch executed'], interactiveMode: Never}}\n"
    )
}

fn server(cluster: &Cluster) -> String {
    format!("server: {}", cluster.server.url())
}

fn authority_data(cluster: &Cluster) -> String {
    let pem = base64(&cluster.server.ca_pem());
    format!("certificate-authority-data: {pem}")
}

/// A pull on a node that knows the cluster by that kubeconfig alone.
fn pull_with_kubeconfig(cluster: &Cluster, text: &str) -> Outcome {
    let node = Node::with_mirror();
    node.write(KUBECONFIG, text);
    node.write("var/lib/kubelet/pki/ca.crt", cluster.server.ca_pem());
    let provider = node.provider_without_cluster().token(&cluster.token);
    let outcome = provider
        .flag("--kubeconfig", node.path(KUBECONFIG))
        .pull(NGINX);
    assert!(!node.path("executed").exists());
    outcome
}

#[test]
fn a_kubeconfig_with_data_serves() {
    let cluster = cluster(ApiServer::builder());
    let outcome = pull_with_kubeconfig(&cluster, &cluster.server.kubeconfig());
    outcome.answers(&owned(NGINX));
}

#[test]
fn a_ca_file_in_a_kubeconfig_is_relative_to_it() {
    let cluster = cluster(ApiServer::builder());
    let authority = "certificate-authority: pki/ca.crt".to_owned();
    let text = kubeconfig(&[server(&cluster), authority]);
    pull_with_kubeconfig(&cluster, &text).answers(&owned(NGINX));
}

#[test]
fn data_counts_more_than_a_ca_file() {
    let cluster = cluster(ApiServer::builder());
    let authority = "certificate-authority: /missing.crt".to_owned();
    let text = kubeconfig(&[server(&cluster), authority, authority_data(&cluster)]);
    pull_with_kubeconfig(&cluster, &text).answers(&owned(NGINX));
}

#[test]
fn the_user_of_a_kubeconfig_is_never_used() {
    let cluster = cluster(ApiServer::builder());
    let text = kubeconfig(&[server(&cluster), authority_data(&cluster)]);

    let outcome = pull_with_kubeconfig(&cluster, &text);

    outcome.answers(&owned(NGINX));
    outcome.never_says(&["n0de"]);
    for request in cluster.server.requests() {
        assert_eq!(request.token.as_ref(), Some(&cluster.token));
        let authorization = request.headers.iter();
        let count = authorization
            .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
            .count();
        assert_eq!(count, 1);
    }
    assert_eq!(cluster.server.requests().len(), 2);
}

#[test]
fn a_kubeconfig_may_name_what_the_certificate_is_for() {
    let cluster = cluster(ApiServer::builder().certificate(CertificateKind::WrongName));
    let name = "tls-server-name: some-other.example".to_owned();
    let text = kubeconfig(&[server(&cluster), authority_data(&cluster), name]);

    pull_with_kubeconfig(&cluster, &text).answers(&owned(NGINX));

    let sni = cluster.server.requests()[0].sni.clone();
    assert_eq!(sni.as_deref(), Some("some-other.example"));
}

#[test]
fn the_name_of_the_certificate_is_a_flag_too() {
    let cluster = cluster(ApiServer::builder().certificate(CertificateKind::WrongName));
    let node = Node::with_mirror();
    let provider = node.provider(&cluster);
    let right = provider
        .clone()
        .flag("--tls-server-name", "some-other.example");
    right.pull(NGINX).answers(&owned(NGINX));

    cluster.server.clear_requests();
    let wrong = provider.flag("--tls-server-name", "another.example");
    wrong.pull(NGINX).fails_with(&["another.example"]);
    assert!(cluster.server.requests().is_empty());
}

#[test]
fn flags_count_more_than_the_kubeconfig() {
    let cluster = cluster(ApiServer::builder());
    let node = Node::with_mirror();
    let unusable = "server: https://127.0.0.1:9".to_owned();
    let authority = "certificate-authority: /missing.crt".to_owned();
    node.write(KUBECONFIG, kubeconfig(&[unusable, authority]));
    let provider = node.provider(&cluster);
    let outcome = provider
        .flag("--kubeconfig", node.path(KUBECONFIG))
        .pull(NGINX);
    outcome.answers(&owned(NGINX));
}

#[test]
fn a_ca_by_flag_counts_more_than_the_kubeconfigs() {
    let right = cluster(ApiServer::builder());
    let other = ApiServer::start();
    for (of_flag, of_kubeconfig, trusted) in [
        (right.server.ca_pem(), other.ca_pem(), true),
        (other.ca_pem(), right.server.ca_pem(), false),
    ] {
        let node = Node::with_mirror();
        let data = format!("certificate-authority-data: {}", base64(&of_kubeconfig));
        node.write(KUBECONFIG, kubeconfig(&[server(&right), data]));
        node.write("ca.crt", of_flag);
        let provider = node.provider_without_cluster().token(&right.token);
        let outcome = provider
            .flag("--kubeconfig", node.path(KUBECONFIG))
            .flag("--certificate-authority", node.path("ca.crt"))
            .pull(NGINX);
        assert_eq!(outcome.code, Some(i32::from(!trusted)), "{outcome}");
    }
}

#[test]
fn the_path_of_a_servers_url_is_kept() {
    let cluster = cluster(ApiServer::builder().path_prefix("/k8s/clusters/c-1"));
    let text = kubeconfig(&[server(&cluster), authority_data(&cluster)]);
    pull_with_kubeconfig(&cluster, &text).answers(&owned(NGINX));
    let node = Node::with_mirror();
    let provider = node.provider(&cluster);
    for url in [cluster.server.url(), cluster.server.url() + "/"] {
        cluster.server.clear_requests();
        provider
            .clone()
            .flag("--api-server", url)
            .pull(NGINX)
            .answers(&owned(NGINX));
        let expected = format!("/k8s/clusters/c-1/api/v1/namespaces/{NAMESPACE}/secrets");
        assert_eq!(cluster.server.requests()[0].path, expected);
    }
}

#[test]
fn an_environment_file_names_the_server() {
    let cluster = cluster(ApiServer::builder());
    let port = cluster.port();
    for text in [
        format!("KUBERNETES_SERVICE_HOST=127.0.0.1\nKUBERNETES_SERVICE_PORT={port}\n"),
        format!("KUBERNETES_SERVICE_HOST='127.0.0.1'\nKUBERNETES_SERVICE_PORT='{port}'\n"),
        format!("KUBERNETES_SERVICE_HOST=\"127.0.0.1\"\nKUBERNETES_SERVICE_PORT=\"{port}\""),
        format!(
            "# by an operator\n\nOTHER=x\nKUBERNETES_SERVICE_PORT={port}\r\n\
             KUBERNETES_SERVICE_HOST=localhost\r\n"
        ),
    ] {
        let node = Node::with_mirror();
        node.write("etc/kubernetes/apiserver-url.env", &text);
        let provider = node.provider(&cluster).without("--api-server");
        let outcome = provider.pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{text}: {outcome}");
        outcome.answers(&owned(NGINX));
    }
}

#[test]
fn an_ipv6_address_is_put_in_brackets() {
    let Ok(server) = ApiServer::builder().ipv6().try_start() else {
        // This machine has no IPv6.
        return;
    };
    server.grant(NAMESPACE, ACCOUNT);
    let token = server.token(NAMESPACE, ACCOUNT);
    server.put_secret(NAMESPACE, login("pull", "mirror.example", "user:hunter2"));
    let cluster = Cluster { server, token };
    let port = cluster.port();
    for host in ["::1", "'::1'", "[::1]"] {
        let node = Node::with_mirror();
        let text = format!("KUBERNETES_SERVICE_HOST={host}\nKUBERNETES_SERVICE_PORT={port}\n");
        node.write("etc/kubernetes/apiserver-url.env", text);
        let provider = node.provider(&cluster).without("--api-server");
        provider.pull(NGINX).answers(&owned(NGINX));
    }
    Node::with_mirror()
        .provider(&cluster)
        .pull(NGINX)
        .answers(&owned(NGINX));
    let host = format!("[::1]:{port}");
    let requests = cluster.server.requests();
    let hosts = requests.iter().flat_map(|request| &request.headers);
    let mut hosts = hosts.filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    assert!(hosts.all(|(_, value)| *value == host));
}

#[test]
fn an_environment_file_that_names_nothing_usable_is_an_error() {
    for text in [
        "",
        "KUBERNETES_SERVICE_PORT=6443\n",
        "KUBERNETES_SERVICE_HOST=127.0.0.1\nKUBERNETES_SERVICE_PORT=https\n",
        "KUBERNETES_SERVICE_HOST=a b\nKUBERNETES_SERVICE_PORT=6443\n",
    ] {
        let node = Node::with_mirror();
        node.write("etc/kubernetes/apiserver-url.env", text);
        let cluster = Cluster::new();
        let provider = node.provider(&cluster).without("--api-server");
        provider.pull(NGINX).fails_with(&["apiserver-url.env"]);
    }
}

#[test]
fn the_kubeconfig_of_the_kubelet_that_runs_us_is_found() {
    let cluster = cluster(ApiServer::builder());
    let node = Node::with_mirror();
    node.write(KUBECONFIG, cluster.server.kubeconfig());
    let absolute = node.path(KUBECONFIG);
    let absolute = absolute.to_str().unwrap();
    let joined = format!("--kubeconfig={absolute}");
    for arguments in [
        &[joined.as_str()][..],
        &["--v=2", "--kubeconfig", absolute, "--node-ip=127.0.0.1"],
        &["--kubeconfig=/missing", &joined],
    ] {
        let script = "\"$PROVIDER\"; exit $?";
        let provider = node.provider_without_cluster().token(&cluster.token);
        let arguments = [&["kubelet"], arguments].concat();

        let outcome = provider.pull_in_script(script, &arguments, NGINX);

        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome}");
        outcome.answers(&owned(NGINX));
        // Which server, and why, is logged.
        assert!(outcome.stderr.contains(KUBECONFIG), "{outcome}");
        let address = cluster.server.address().to_string();
        assert!(outcome.stderr.contains(&address), "{outcome}");
    }
}

#[test]
fn a_relative_kubeconfig_of_the_kubelet_is_meant_from_its_working_directory() {
    let cluster = cluster(ApiServer::builder());
    let node = Node::with_mirror();
    node.write(KUBECONFIG, cluster.server.kubeconfig());
    let script = "\"$PROVIDER\"; exit $?";
    let provider = node.provider_without_cluster().token(&cluster.token);
    let provider = provider.flag("--timeout", "5s");
    let arguments = ["kubelet", "--kubeconfig", KUBECONFIG];
    let outcome = provider.pull_in_script(script, &arguments, NGINX);
    outcome.answers(&owned(NGINX));
}

#[test]
fn an_environment_file_counts_more_than_kubelets_kubeconfig_and_less_than_flags() {
    let cluster = cluster(ApiServer::builder());
    let node = Node::with_mirror();
    let other = ApiServer::start();
    node.write(KUBECONFIG, other.kubeconfig());
    let text = format!(
        "KUBERNETES_SERVICE_HOST=127.0.0.1\nKUBERNETES_SERVICE_PORT={}\n",
        cluster.port()
    );
    node.write("etc/kubernetes/apiserver-url.env", text);
    let kubelet = format!("--kubeconfig={}", node.path(KUBECONFIG).display());
    let script = "\"$PROVIDER\"; exit $?";
    let provider = node.provider(&cluster).without("--api-server");

    let outcome = provider.pull_in_script(script, &["kubelet", &kubelet], NGINX);

    outcome.answers(&owned(NGINX));
    assert_eq!(other.connections(), 0);

    node.write(
        "etc/kubernetes/apiserver-url.env",
        "KUBERNETES_SERVICE_HOST=127.0.0.1\nKUBERNETES_SERVICE_PORT=9\n",
    );
    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));
    node.write(KUBECONFIG, cluster.server.kubeconfig());
    let provider = node.provider_without_cluster().token(&cluster.token);
    let by_kubeconfig = provider.flag("--kubeconfig", node.path(KUBECONFIG));
    by_kubeconfig.pull(NGINX).answers(&owned(NGINX));
}

/// A pull on a node with that text for a kubeconfig, which fails.
fn unusable(text: &str) -> Outcome {
    let node = Node::with_mirror();
    node.write(KUBECONFIG, text);
    let cluster = Cluster::new();
    let provider = node.provider_without_cluster().token(&cluster.token);
    let outcome = provider
        .flag("--kubeconfig", node.path(KUBECONFIG))
        .flag("--timeout", "10m")
        .pull(NGINX);
    outcome.fails_with(&[KUBECONFIG]);
    outcome.never_says(&["n0de"]);
    outcome
}

#[test]
fn what_is_no_kubeconfig_is_refused_without_its_content() {
    let kubelet_configuration = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\
         clusterDomain: n0de\nserverTLSBootstrap: true\n";
    unusable(kubelet_configuration).fails_with(&["kind"]);
    let good = kubeconfig(&["server: https://127.0.0.1:9".to_owned()]);
    for (name, text) in [
        ("empty", String::new()),
        ("text", "n0de".to_owned()),
        ("a list", "- n0de".to_owned()),
        ("broken", format!("{good}\n\t n0de: [")),
        ("no kind", good.replace("kind: Config\n", "")),
        ("other kind", good.replace("kind: Config", "kind: Secret")),
        ("no context", good.replace("current-context: here\n", "")),
        (
            "lost context",
            good.replace("current-context: here", "current-context: gone"),
        ),
        ("lost cluster", good.replace("name: right", "name: gone")),
        ("no server", good.replace("server: https", "address: https")),
        (
            "server of a wrong type",
            good.replace("server: https://127.0.0.1:9", "server: [n0de]"),
        ),
        (
            "CA that is no base64",
            good.replace(
                "    server: https",
                "    certificate-authority-data: '*n0de*'\n    server: https",
            ),
        ),
    ] {
        let outcome = unusable(&text);
        assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
    }
}

#[test]
fn a_kubeconfig_of_aliases_without_end_is_refused() {
    // Aliases that grow a thousand million times.
    let mut bomb = "kind: Config\na0: &a0 [n0de]\n".to_owned();
    for level in 1..10 {
        let aliases = format!("*a{},", level - 1).repeat(10);
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    unusable(&bomb);
}

#[test]
fn a_missing_kubeconfig_or_ca_is_an_error_that_names_it() {
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    let missing = node.path("missing");
    let provider = node.provider(&cluster);
    for flag in ["--kubeconfig", "--certificate-authority"] {
        let outcome = provider.clone().flag(flag, &missing).pull(NGINX);
        outcome.fails_with(&[missing.to_str().unwrap()]);
    }
    for (text, name) in [
        ("", "empty"),
        ("hello", "text"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "PEM",
        ),
    ] {
        node.write("ca.crt", text);
        let provider = provider
            .clone()
            .flag("--certificate-authority", node.path("ca.crt"));
        let outcome = provider.pull(NGINX);
        assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
        outcome.fails_with(&["ca.crt"]);
    }
    assert_eq!(cluster.server.connections(), 0);
}

#[test]
fn a_server_that_is_not_https_is_refused() {
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    let address = cluster.server.address();
    for url in [
        format!("http://{address}"),
        format!("ftp://{address}"),
        "https://".to_owned(),
        "https:///api".to_owned(),
        format!("https://user:pass@{address}"),
        "https://a b".to_owned(),
        format!("https://{address}/?x=y"),
    ] {
        let provider = node.provider(&cluster).flag("--api-server", &url);
        let outcome = provider.flag("--timeout", "5s").pull(NGINX);
        assert_eq!(outcome.code, Some(1), "{url}: {outcome}");
        outcome.fails_with(&["https"]);
    }
    assert_eq!(cluster.server.connections(), 0);
}

#[test]
fn a_server_that_cannot_be_verified_never_sees_the_token() {
    for (name, builder) in [
        (
            "other CA",
            ApiServer::builder().certificate(CertificateKind::OtherCa),
        ),
        (
            "expired",
            ApiServer::builder().certificate(CertificateKind::Expired),
        ),
        (
            "wrong name",
            ApiServer::builder().certificate(CertificateKind::WrongName),
        ),
        ("too old", ApiServer::builder().tls(TlsVersion::TooOld)),
    ] {
        let cluster = cluster(builder);
        let node = Node::with_mirror();
        node.leave_auth_file(NGINX);
        let earlier = node.auth_file(NGINX);

        let outcome = node.provider(&cluster).pull(NGINX);

        assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
        outcome.fails_with(&["TLS", &cluster.server.address().to_string()]);
        // Not tried again until the deadline: that would not help.
        assert!(
            outcome.elapsed < Duration::from_secs(15),
            "{name}: {outcome}"
        );
        assert!(cluster.server.requests().is_empty(), "{name}");
        assert_eq!(node.auth_file(NGINX), earlier, "{name}");
    }
}

#[test]
fn a_kubeconfig_cannot_turn_verification_off() {
    let builder = ApiServer::builder().certificate(CertificateKind::OtherCa);
    let cluster = cluster(builder);
    let insecure = "insecure-skip-tls-verify: true".to_owned();
    for fields in [
        vec![server(&cluster), authority_data(&cluster), insecure.clone()],
        vec![server(&cluster), insecure],
    ] {
        let outcome = pull_with_kubeconfig(&cluster, &kubeconfig(&fields));
        outcome.fails_with(&[&cluster.server.address().to_string()]);
        outcome.warns_with(&["insecure-skip-tls-verify"]);
        assert!(cluster.server.requests().is_empty());
    }
}

#[test]
fn verification_can_be_turned_off_by_flag_with_a_warning() {
    for certificate in [
        CertificateKind::OtherCa,
        CertificateKind::Expired,
        CertificateKind::WrongName,
    ] {
        let cluster = cluster(ApiServer::builder().certificate(certificate));
        let node = Node::with_mirror();
        let provider = node.provider(&cluster).switch("--insecure-skip-tls-verify");
        let outcome = provider.pull(NGINX);
        outcome.answers(&owned(NGINX));
        outcome.warns_with(&["insecure-skip-tls-verify"]);
    }
}

#[test]
fn both_current_versions_of_tls_are_spoken() {
    for version in [TlsVersion::Only12, TlsVersion::Only13] {
        let cluster = cluster(ApiServer::builder().tls(version));
        let node = Node::with_mirror();
        node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));
    }
}

#[test]
fn a_redirect_is_not_followed() {
    for code in [301, 302, 303, 307, 308] {
        let cluster = cluster(ApiServer::builder());
        let elsewhere = ApiServer::start();
        elsewhere.grant(NAMESPACE, ACCOUNT);
        let location = format!("{}/api/v1/namespaces/{NAMESPACE}/secrets", elsewhere.url());
        cluster
            .server
            .fault(Fault::redirect(code, &location).forever());
        let node = Node::with_mirror();
        node.leave_auth_file(NGINX);

        let outcome = node.provider(&cluster).pull(NGINX);

        outcome.fails_with(&["redirect", &code.to_string()]);
        assert_eq!(cluster.server.requests().len(), 1, "{code}");
        assert_eq!(elsewhere.connections(), 0, "{code}");
        assert!(node.auth_file(NGINX).is_some(), "{code}");
    }
}

#[test]
fn a_redirect_within_the_server_is_not_followed_either() {
    let cluster = cluster(ApiServer::builder());
    cluster.server.fault(Fault::redirect(302, "/login"));
    let node = Node::with_mirror();
    node.provider(&cluster)
        .pull(NGINX)
        .fails_with(&["redirect"]);
    assert_eq!(cluster.server.requests().len(), 1);
    assert_eq!(node.auth_file(NGINX), None);
}
