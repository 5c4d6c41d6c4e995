//! TLS: certificates that are right or wrong, versions, names, sessions.

use std::{io, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, RootCertStore,
    SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
    version,
};
use test_cluster::{ApiServer, CertificateKind, TlsVersion};

use crate::support::{Client, config};

#[test]
fn a_valid_certificate_has_the_names_of_an_api_server() {
    let server = ApiServer::start();
    let config = config(&server.ca_pem());
    for name in [
        "127.0.0.1",
        "::1",
        "localhost",
        "kubernetes",
        "kubernetes.default.svc",
    ] {
        let client = Client::connect_with(&config, server.address(), name);
        assert!(client.is_ok(), "{name}");
    }
}

#[test]
fn a_client_with_another_authority_refuses_the_server() {
    let server = ApiServer::start();
    let elsewhere = config(&ApiServer::start().ca_pem());
    let refused = Client::connect_with(&elsewhere, server.address(), "127.0.0.1");
    assert!(certificate_error(refused).is_some());
}

#[test]
fn a_wrong_certificate_is_wrong_in_one_way() {
    let refused = |kind| {
        let server = ApiServer::builder().certificate(kind).start();
        certificate_error(Client::connect(&server))
    };
    let other_ca = refused(CertificateKind::OtherCa);
    assert!(
        matches!(
            other_ca,
            Some(CertificateError::BadSignature | CertificateError::UnknownIssuer)
        ),
        "{other_ca:?}"
    );
    let expired = refused(CertificateKind::Expired);
    assert!(
        matches!(expired, Some(CertificateError::ExpiredContext { .. })),
        "{expired:?}"
    );
    let wrong_name = refused(CertificateKind::WrongName);
    assert!(
        matches!(
            wrong_name,
            Some(CertificateError::NotValidForNameContext { .. })
        ),
        "{wrong_name:?}"
    );
}

#[test]
fn a_certificate_for_another_name_is_good_for_that_name() {
    let server = ApiServer::builder()
        .certificate(CertificateKind::WrongName)
        .start();
    let config = config(&server.ca_pem());
    let client = Client::connect_with(&config, server.address(), "some-other.example");
    assert!(client.is_ok());
}

#[test]
fn versions_of_tls_are_as_asked() {
    let connects = |tls, versions: &[&'static SupportedProtocolVersion]| {
        let server = ApiServer::builder().tls(tls).start();
        let config = config_with(&server, versions, &[]);
        Client::connect_with(&config, server.address(), "127.0.0.1").is_ok()
    };
    let (only12, only13) = ([&version::TLS12], [&version::TLS13]);
    assert!(connects(TlsVersion::Both, &only12) && connects(TlsVersion::Both, &only13));
    assert!(connects(TlsVersion::Only12, &only12) && !connects(TlsVersion::Only12, &only13));
    assert!(!connects(TlsVersion::Only13, &only12) && connects(TlsVersion::Only13, &only13));
    assert!(!connects(TlsVersion::TooOld, &only12) && !connects(TlsVersion::TooOld, &only13));
}

#[test]
fn a_server_that_is_too_old_sends_an_alert() {
    let server = ApiServer::builder().tls(TlsVersion::TooOld).start();
    let alert = tls_error(Client::connect(&server));
    let expected = Error::AlertReceived(AlertDescription::ProtocolVersion);
    assert_eq!(alert, Some(expected));
}

#[test]
fn http_1_1_is_chosen_even_if_the_client_prefers_2() {
    let server = ApiServer::start();
    let config = config_with(&server, &[&version::TLS13], &[b"h2", b"http/1.1"]);
    let client = Client::connect_with(&config, server.address(), "127.0.0.1").unwrap();
    assert_eq!(client.protocol(), Some(&b"http/1.1"[..]));
}

#[test]
fn a_server_listens_on_ipv6_too() {
    let server = ApiServer::builder().ipv6().start();
    assert!(
        server.url().starts_with("https://[::1]:"),
        "{}",
        server.url()
    );
    let config = config(&server.ca_pem());
    let mut client = Client::connect_with(&config, server.address(), "::1").unwrap();
    assert_eq!(client.get("/version").status(), 200);
}

fn config_with(
    server: &ApiServer,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

fn certificate_error(result: io::Result<Client>) -> Option<CertificateError> {
    let Some(Error::InvalidCertificate(error)) = tls_error(result) else {
        return None;
    };
    Some(error)
}

fn tls_error(result: io::Result<Client>) -> Option<Error> {
    let error = result.err()?.into_inner()?;
    error.downcast_ref::<Error>().cloned()
}
