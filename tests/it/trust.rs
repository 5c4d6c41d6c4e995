//! The API server is verified before it gets the token.

use std::time::Duration;

use test_cluster::{ApiServer, CertificateKind, ConnectionFault, Fault, TlsVersion};

use crate::cluster::{
    KUBECONFIG, authority_data, cluster, kubeconfig, pull_with_kubeconfig, server,
};
use crate::support::{ACCOUNT, NAMESPACE, NGINX, Node, base64, owned};

#[test]
fn a_kubeconfig_may_have_the_name_in_the_certificate() {
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
    assert_eq!(cluster.server.requests().len(), 0);
}

#[test]
fn a_ca_by_flag_overrides_the_kubeconfigs() {
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
        ("too old", ApiServer::builder()),
    ] {
        let cluster = cluster(builder);
        if name == "too old" {
            let fault = Fault::from(ConnectionFault::TlsTooOld);
            cluster.server.fault(fault.forever());
        }
        let node = Node::with_mirror();
        node.leave_auth_file(NGINX);
        let earlier = node.auth_file(NGINX);

        let outcome = node.provider(&cluster).pull(NGINX);

        assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
        outcome.fails_with(&["TLS", &cluster.server.address().to_string()]);
        // This is not retried, since that would not help.
        assert!(
            outcome.elapsed < Duration::from_secs(15),
            "{name}: {outcome}"
        );
        assert!(cluster.server.requests().is_empty(), "{name}");
        assert_eq!(node.auth_file(NGINX), earlier, "{name}");
    }
}

#[test]
fn a_certificate_that_is_its_own_ca_is_trusted() {
    let cluster = cluster(ApiServer::builder().certificate(CertificateKind::OwnCa));
    let node = Node::with_mirror();
    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));
    let text = kubeconfig(&[server(&cluster), authority_data(&cluster)]);
    pull_with_kubeconfig(&cluster, &text).answers(&owned(NGINX));

    let other = ApiServer::start();
    node.write("ca.crt", other.ca_pem());
    let provider = node.provider(&cluster);
    let provider = provider.flag("--certificate-authority", node.path("ca.crt"));
    let outcome = provider.pull(NGINX);
    outcome.fails_with(&["CN=kube-apiserver", "CA:TRUE", "--certificate-authority"]);
}

#[test]
fn unusual_certificates_that_go_accepts_are_accepted() {
    for kind in [
        CertificateKind::CaOfCa,
        CertificateKind::AnyPurpose,
        CertificateKind::LongSerial,
    ] {
        let cluster = cluster(ApiServer::builder().certificate(kind));
        let outcome = Node::with_mirror().provider(&cluster).pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{kind:?}: {outcome}");
        outcome.answers(&owned(NGINX));
    }
}

#[test]
fn a_refusal_names_the_certificate_and_the_reason() {
    for (kind, words) in [
        (
            CertificateKind::ExpiredCa,
            ["CA's", "CN=kubernetes", "expired on 2021-01-01"],
        ),
        (
            CertificateKind::Expired,
            ["server's", "CN=kube-apiserver", "expired on 2021-01-01"],
        ),
        (
            CertificateKind::OtherCa,
            ["server's", "CN=kubernetes", "another key"],
        ),
        (
            CertificateKind::WrongName,
            ["TLS", "some-other.example", "127.0.0.1"],
        ),
        (CertificateKind::Before1970, ["server's", "dates", "1970"]),
    ] {
        let cluster = cluster(ApiServer::builder().certificate(kind));
        let outcome = Node::with_mirror().provider(&cluster).pull(NGINX);
        outcome.fails_with(&words);
        assert!(cluster.server.requests().is_empty(), "{kind:?}");
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
        assert_eq!(cluster.server.requests().len(), 0);
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
fn both_current_versions_of_tls_are_supported() {
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
