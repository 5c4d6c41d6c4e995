//! The discovery of the API server.

use std::fmt::Write;

use test_cluster::ApiServer;

use crate::support::{Cluster, NAMESPACE, NGINX, Node, Outcome, base64, login, owned};

pub(crate) const KUBECONFIG: &str = "var/lib/kubelet/kubeconfig";

/// A cluster with a login for the mirror, whose server is built by `builder`.
pub(crate) fn cluster(builder: test_cluster::Builder) -> Cluster {
    let cluster = Cluster::of(builder);
    cluster.put(login("pull", "mirror.example", "user:hunter2"));
    cluster
}

/// A kubeconfig with these lines in its current cluster, and a user that must never be
/// used.
pub(crate) fn kubeconfig(cluster_fields: &[String]) -> String {
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

pub(crate) fn server(cluster: &Cluster) -> String {
    format!("server: {}", cluster.server.url())
}

pub(crate) fn authority_data(cluster: &Cluster) -> String {
    let pem = base64(&cluster.server.ca_pem());
    format!("certificate-authority-data: {pem}")
}

/// A pull on a node that finds the cluster only by that kubeconfig.
pub(crate) fn pull_with_kubeconfig(cluster: &Cluster, text: &str) -> Outcome {
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
fn a_ca_that_is_given_twice_is_refused_as_client_go_refuses_it() {
    let cluster = cluster(ApiServer::builder());
    let authority = "certificate-authority: /missing.crt".to_owned();
    let text = kubeconfig(&[server(&cluster), authority, authority_data(&cluster)]);
    pull_with_kubeconfig(&cluster, &text).fails_with(&["certificate-authority-data", "remove one"]);
    assert_eq!(cluster.server.connections(), 0);
}

#[test]
fn unused_parts_of_a_kubeconfig_may_be_invalid() {
    let cluster = cluster(ApiServer::builder());
    let good = kubeconfig(&[server(&cluster), authority_data(&cluster)]);
    for text in [
        good.replace("kind: Config\n", ""),
        good.replace(
            "contexts:\n",
            "contexts:\n- null\n- {name: other, context: 5}\n",
        ),
        good.replace(
            "clusters:\n",
            "clusters:\n- {name: other, cluster: {server: [n0de]}}\n",
        ),
        format!("{good}---\n{{ [ n0de"),
        format!("{good}preferences: n0de\n"),
        format!("{good}users: null\n"),
    ] {
        pull_with_kubeconfig(&cluster, &text).answers(&owned(NGINX));
    }
}

#[test]
fn an_invalid_port_is_an_error_and_no_other_port_is_used() {
    let cluster = cluster(ApiServer::builder());
    for port in ["6443x", "x", "-1", "65536"] {
        let bad = format!("https://127.0.0.1:{port}");
        let text = kubeconfig(&[format!("server: {bad}"), authority_data(&cluster)]);
        let said = format!("{port:?} is not a port");
        pull_with_kubeconfig(&cluster, &text).fails_with(&[&bad, &said, KUBECONFIG]);
        let node = Node::with_mirror();
        let provider = node.provider(&cluster).flag("--api-server", &bad);
        let outcome = provider.pull(NGINX);
        outcome.fails_with(&[&bad, &said, "--api-server"]);
    }
    assert_eq!(cluster.server.connections(), 0);
}

#[test]
fn the_user_of_a_kubeconfig_is_never_used() {
    let cluster = cluster(ApiServer::builder());
    let text = kubeconfig(&[server(&cluster), authority_data(&cluster)]);

    let outcome = pull_with_kubeconfig(&cluster, &text);

    outcome.answers(&owned(NGINX));
    outcome.never_prints(&["n0de"]);
    for request in cluster.server.requests() {
        assert_eq!(request.token.as_ref(), Some(&cluster.token));
        let authorization = request.headers.iter();
        let count = authorization
            .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
            .count();
        assert_eq!(count, 1);
    }
    assert_eq!(cluster.server.requests().len(), 1);
}

#[test]
fn flags_override_the_kubeconfig() {
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
    let Some(cluster) = Cluster::with_login_on_ipv6() else {
        return;
    };
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
fn the_kubeconfig_of_the_kubelet_that_runs_the_plugin_is_found() {
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
        // The server and the reason for it are logged.
        assert!(outcome.stderr.contains(KUBECONFIG), "{outcome}");
        let address = cluster.server.address().to_string();
        assert!(outcome.stderr.contains(&address), "{outcome}");
    }
}

#[test]
fn a_relative_kubeconfig_of_kubelet_is_relative_to_kubelets_working_directory() {
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
fn an_environment_file_overrides_kubelets_kubeconfig_and_flags_override_both() {
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

/// Asserts that a pull with that text as the kubeconfig fails with these words.
#[track_caller]
fn is_refused(text: &str, words: &str) {
    let node = Node::with_mirror();
    node.write(KUBECONFIG, text);
    let cluster = Cluster::new();
    let provider = node.provider_without_cluster().token(&cluster.token);
    let outcome = provider
        .flag("--kubeconfig", node.path(KUBECONFIG))
        .flag("--timeout", "10m")
        .pull(NGINX);
    outcome.fails_with(&[KUBECONFIG, words]);
    outcome.never_prints(&["n0de"]);
}

#[test]
fn a_file_that_is_not_a_kubeconfig_is_refused_without_its_content() {
    let good = kubeconfig(&["server: https://127.0.0.1:9".to_owned()]);
    let kubelet_configuration = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\
         clusterDomain: n0de\nserverTLSBootstrap: true\n";
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    for (text, words) in [
        (kubelet_configuration.to_owned(), "its kind is not Config"),
        (String::new(), "no current-context"),
        ("n0de".to_owned(), "malformed or oversized YAML"),
        ("- n0de".to_owned(), "malformed or oversized YAML"),
        (format!("n0de: [\n{good}"), "malformed or oversized YAML"),
        (
            with("kind: Config", "kind: Secret"),
            "its kind is not Config",
        ),
        (with("current-context: here\n", ""), "no current-context"),
        (
            with("current-context: here", "current-context: gone"),
            "no context",
        ),
        (with("name: right", "name: gone"), "no cluster"),
        (with("    server: https", "    address: https"), "no server"),
        (
            with("    server: https://127.0.0.1:9", "    server: [n0de]"),
            "its server is not a string",
        ),
        (
            with(
                "    server: https",
                "    certificate-authority-data: '*n0de*'\n    server: https",
            ),
            "certificate-authority-data is not base64",
        ),
    ] {
        is_refused(&text, words);
    }
}

#[test]
fn a_kubeconfig_of_aliases_without_end_is_refused() {
    // The aliases expand to a thousand million nodes.
    let mut bomb = "kind: Config\na0: &a0 [n0de]\n".to_owned();
    for level in 1..10 {
        let aliases = format!("*a{},", level - 1).repeat(10);
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    is_refused(&bomb, "malformed or oversized YAML");
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
    for (text, words) in [
        ("", "holds no usable CA certificate"),
        ("hello", "holds no usable CA certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "holds no usable CA certificate",
        ),
    ] {
        node.write("ca.crt", text);
        let provider = provider
            .clone()
            .flag("--certificate-authority", node.path("ca.crt"));
        provider.pull(NGINX).fails_with(&["ca.crt", words]);
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
        outcome.fails_with(&["--api-server", "is not https://HOST[:PORT][/PATH]"]);
    }
    assert_eq!(cluster.server.connections(), 0);
}
