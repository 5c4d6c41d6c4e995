//! Kubeconfigs and server URLs in all forms that client-go reads.

use test_cluster::ApiServer;

use crate::cluster::{KUBECONFIG, authority_data, cluster, kubeconfig, server};
use crate::support::{Cluster, NGINX, Node, Outcome, owned};

fn pull(cluster: &Cluster, kubeconfig: &[u8]) -> Outcome {
    let node = Node::with_mirror();
    node.write(KUBECONFIG, kubeconfig);
    let provider = node.provider_without_cluster().token(&cluster.token);
    let provider = provider.flag("--kubeconfig", node.path(KUBECONFIG));
    provider.pull(NGINX)
}

#[test]
fn utf_16_and_every_line_break_of_yaml_1_1_are_read() {
    let cluster = cluster(ApiServer::builder());
    let text = kubeconfig(&[server(&cluster), authority_data(&cluster)]);
    let marked = format!("\u{feff}{text}");
    let utf16 = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let line_breaks = ["\r", "\r\n", "\u{85}", "\u{2028}"];
    let broken = line_breaks.map(|line_break| text.replace('\n', line_break).into_bytes());
    for text in broken.into_iter().chain([utf16]) {
        pull(&cluster, &text).answers(&owned(NGINX));
    }
    pull(&cluster, b"\xff\xfea").fails_with(&[KUBECONFIG, "UTF-16"]);
}

#[test]
fn an_ipv6_address_may_have_a_zone() {
    let Some(cluster) = Cluster::with_login_on_ipv6() else {
        return;
    };
    let url = format!("server: 'https://[::1%251]:{}'", cluster.port());
    let text = kubeconfig(&[url, authority_data(&cluster)]);
    pull(&cluster, text.as_bytes()).answers(&owned(NGINX));
}

#[test]
fn a_host_that_cannot_be_converted_to_ascii_is_an_error_with_the_remedy() {
    let cluster = cluster(ApiServer::builder());
    let text = kubeconfig(&["server: 'https://bu\u{308}cher.example'".to_owned()]);
    pull(&cluster, text.as_bytes()).fails_with(&["API server", "ASCII", "xn--"]);
    let proxy = "proxy-url: http://user:hunter2@bu\u{308}cher.example".to_owned();
    let text = kubeconfig(&[server(&cluster), proxy]);
    let outcome = pull(&cluster, text.as_bytes());
    outcome.fails_with(&["proxy-url", "ASCII", "xn--"]);
    outcome.never_prints(&["hunter2"]);
}
