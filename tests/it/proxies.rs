//! Proxies between the node and the API server, used as by client-go.

use test_cluster::ApiServer;

use crate::support::{Cluster, NGINX, Node, Provider, RecordingProxy, all_at_once, base64, owned};

const SERVER: &str = "https://api.example.test:6443";
const TARGET: &str = "api.example.test:6443";

/// A provider whose API server has a name that only the proxy can reach.
fn provider(node: &Node, cluster: &Cluster) -> Provider {
    node.provider(cluster)
        .flag("--api-server", SERVER)
        .flag("--tls-server-name", "localhost")
}

/// The cluster's kubeconfig with a proxy.
fn kubeconfig(cluster: &Cluster, proxy: &str) -> String {
    let text = cluster.server.kubeconfig();
    text.replacen(
        "    server:",
        &format!("    proxy-url: {proxy}\n    server:"),
        1,
    )
}

fn pull_with_kubeconfig(node: &Node, cluster: &Cluster, text: &str) -> Provider {
    node.write("kubeconfig", text);
    let provider = node.provider_without_cluster().token(&cluster.token);
    provider.flag("--kubeconfig", node.path("kubeconfig"))
}

#[test]
fn a_proxy_of_the_environment_is_used() {
    for variable in ["HTTPS_PROXY", "https_proxy"] {
        let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
        let proxy = RecordingProxy::to(cluster.server.address());

        let outcome = provider(&node, &cluster)
            .env(variable, proxy.url())
            .pull(NGINX);

        outcome.answers(&owned(NGINX));
        assert_eq!(proxy.targets(), [TARGET], "one connection: {variable}");
        assert!(!proxy.heads()[0].contains(&cluster.token));
        assert_eq!(cluster.server.requests().len(), 1);
    }
}

#[test]
fn the_upper_case_variable_takes_precedence() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let proxy = RecordingProxy::to(cluster.server.address());
    let other = RecordingProxy::to(cluster.server.address());

    let outcome = provider(&node, &cluster)
        .env("https_proxy", other.url())
        .env("HTTPS_PROXY", proxy.url())
        .pull(NGINX);

    outcome.answers(&owned(NGINX));
    assert_eq!((proxy.targets().len(), other.targets().len()), (1, 0));
}

#[test]
fn proxies_for_other_schemes_are_ignored() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let proxy = RecordingProxy::to(cluster.server.address());
    let mut provider = provider(&node, &cluster).flag("--timeout", "600ms");
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        provider = provider.env(variable, proxy.url());
    }

    provider.pull(NGINX).fails_with(&["api.example.test"]);

    assert_eq!(proxy.targets(), [""; 0]);
}

#[test]
fn no_proxy_is_read_as_go_reads_it() {
    let cases = [
        ("", SERVER, true),
        ("other.test", SERVER, true),
        ("ample.test", SERVER, true),
        ("api.example.test:443", SERVER, true),
        (".api.example.test", SERVER, true),
        ("10.0.0.0/8", SERVER, true),
        ("192.0.2.0/24", "https://198.51.100.7:6443", true),
        ("192.0.2.7:443", "https://192.0.2.7:6443", true),
        (
            "api.example.test:6443",
            "https://api.example.test:06443",
            true,
        ),
        ("api.test", "https://äpi.test", true),
        ("bücher.example", "https://xn--bcher-kva.example", false),
        ("xn--bcher-kva.example", "https://BÜCHER.example", false),
        (
            "api.example.test:06443",
            "https://api.example.test:06443",
            false,
        ),
        ("*", SERVER, false),
        ("example.test", SERVER, false),
        (".example.test", SERVER, false),
        ("*.example.test", SERVER, false),
        ("API.Example.TEST", SERVER, false),
        (" a.test , api.example.test ", SERVER, false),
        ("api.example.test:6443", SERVER, false),
    ];
    let variables = ["NO_PROXY", "no_proxy"];
    let cases = cases.map(|case| variables.map(|variable| (variable, case)));
    all_at_once(
        &cases.concat(),
        |&(variable, (no_proxy, server, proxied))| {
            let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
            let proxy = RecordingProxy::to(cluster.server.address());
            let timeout = if proxied { "1m" } else { "500ms" };
            let provider = provider(&node, &cluster)
                .flag("--api-server", server)
                .flag("--timeout", timeout)
                .env("HTTPS_PROXY", proxy.url())
                .env(variable, no_proxy);

            let outcome = provider.pull(NGINX);

            // Without the proxy the name does not resolve.
            let code = i32::from(!proxied);
            assert_eq!(outcome.code, Some(code), "{no_proxy}: {outcome}");
            let seen = proxy.targets().len();
            assert_eq!(seen, usize::from(proxied), "{no_proxy}");
        },
    );
}

#[test]
fn this_machine_is_never_reached_through_a_proxy_of_the_environment() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let proxy = RecordingProxy::to(cluster.server.address());
    let port = cluster.port();
    for host in ["127.0.0.1", "localhost"] {
        let outcome = node
            .provider(&cluster)
            .flag("--api-server", format!("https://{host}:{port}"))
            .env("HTTPS_PROXY", proxy.url())
            .pull(NGINX);
        outcome.answers(&owned(NGINX));
    }
    assert_eq!(proxy.targets(), [""; 0]);
}

#[test]
fn the_kubeconfigs_proxy_overrides_the_environment() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let proxy = RecordingProxy::to(cluster.server.address());
    let other = RecordingProxy::to(cluster.server.address());
    let text = kubeconfig(&cluster, &proxy.url());

    let outcome = pull_with_kubeconfig(&node, &cluster, &text)
        .env("HTTPS_PROXY", other.url())
        .env("NO_PROXY", "*")
        .pull(NGINX);

    outcome.answers(&owned(NGINX));
    assert_eq!(proxy.targets(), [cluster.server.address().to_string()]);
    assert_eq!(other.targets(), [""; 0]);
}

#[test]
fn a_proxys_login_goes_to_the_proxy_and_into_no_log() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let proxy = RecordingProxy::to(cluster.server.address());

    let outcome = provider(&node, &cluster)
        .env("HTTPS_PROXY", proxy.url_with_login("pr0xy-user:pr0xy-pass"))
        .flag("--log-level", "trace")
        .pull(NGINX);

    outcome.answers(&owned(NGINX));
    outcome.never_prints(&["pr0xy-pass"]);
    let head = proxy.heads().remove(0).to_ascii_lowercase();
    let authorization = base64("pr0xy-user:pr0xy-pass").to_ascii_lowercase();
    assert!(
        head.contains(&format!("proxy-authorization: basic {authorization}")),
        "{head}"
    );
}

#[test]
fn a_proxy_does_not_weaken_the_verification() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let other = ApiServer::start();
    let proxy = RecordingProxy::to(other.address());

    let outcome = provider(&node, &cluster)
        .env("HTTPS_PROXY", proxy.url())
        .pull(NGINX);

    outcome.fails_with(&["TLS", TARGET]);
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_dead_proxy_is_not_bypassed() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let text = kubeconfig(&cluster, "http://127.0.0.1:9");

    let provider = pull_with_kubeconfig(&node, &cluster, &text).flag("--timeout", "1s");

    provider.pull(NGINX).fails_with(&[
        &cluster.server.address().to_string(),
        "through proxy 127.0.0.1:9 (the kubeconfig's proxy-url)",
    ]);
    assert_eq!(cluster.server.connections(), 0);
}

#[test]
fn failures_through_a_proxy_name_it_and_its_origin() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    let provider = provider(&node, &cluster)
        .flag("--api-server", "https://10.96.0.1:443")
        .flag("--timeout", "500ms");
    for (variables, said) in [
        (
            [
                ("HTTPS_PROXY", "http://u:pr0xy-pass@127.0.0.1:9"),
                ("NO_PROXY", "10.0.0.0/12"),
            ],
            "through proxy 127.0.0.1:9 (HTTPS_PROXY; NO_PROXY does not cover 10.96.0.1)",
        ),
        (
            [("HTTPS_PROXY", ""), ("https_proxy", "127.0.0.1:9")],
            "through proxy 127.0.0.1:9 (https_proxy; NO_PROXY is not set)",
        ),
    ] {
        let set = variables
            .into_iter()
            .fold(provider.clone(), |provider, (name, value)| {
                provider.env(name, value)
            });
        let outcome = set.pull(NGINX);
        outcome.fails_with(&[said]);
        outcome.never_prints(&["pr0xy-pass"]);
    }
}

#[test]
fn a_proxy_that_is_not_a_url_is_an_error_that_does_not_quote_it() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    for url in [
        "http://",
        "ftp://u:pr0xy-pass@x:1",
        "http://u:pr0xy-pass@ x",
    ] {
        let outcome = provider(&node, &cluster)
            .env("HTTPS_PROXY", url)
            .pull(NGINX);
        outcome.fails_with(&["HTTPS_PROXY"]);
        outcome.never_prints(&["pr0xy-pass"]);
        let text = kubeconfig(&cluster, &format!("'{url}'"));
        let outcome = pull_with_kubeconfig(&node, &cluster, &text).pull(NGINX);
        outcome.fails_with(&["proxy-url"]);
        outcome.never_prints(&["pr0xy-pass"]);
    }
    assert_eq!(cluster.server.connections(), 0);
}
