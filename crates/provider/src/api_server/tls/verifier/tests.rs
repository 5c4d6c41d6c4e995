use std::slice::from_ref;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;

use super::*;

const SERVER: &str = "kube-apiserver";

type Der = CertificateDer<'static>;
type Change = fn(&mut CertificateParams);

/// A CA as kubeadm makes it.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// A server's certificate for `localhost`.
fn server() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, SERVER);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A root and a server's certificate that it signed.
fn chain(root: &CertificateParams, server: &CertificateParams) -> (Der, Der) {
    let key = KeyPair::generate().unwrap();
    let der = root.self_signed(&key).unwrap().der().clone();
    let issuer = Issuer::from_params(root, &key);
    let server = server.signed_by(&KeyPair::generate().unwrap(), &issuer);
    (der, server.unwrap().der().clone())
}

fn verify(roots: &[Der], server: &Der) -> Result<(), String> {
    verify_chain(roots, &[], server)
}

fn verify_chain(roots: &[Der], intermediates: &[Der], server: &Der) -> Result<(), String> {
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let verifier = Verifier::new(roots.iter().cloned(), algorithms);
    let name = ServerName::try_from("localhost").unwrap();
    let outcome = verifier.verify_server_cert(server, intermediates, &name, &[], UnixTime::now());
    outcome
        .map(|_| ())
        .map_err(|error| match Refused::of(&error) {
            Some(refused) => format!("{refused}: {}", refused.problem),
            None => error.to_string(),
        })
}

fn critical(oid: &[u64]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, vec![5, 0]);
    extension.set_criticality(true);
    extension
}

#[test]
fn a_root_that_go_refuses_is_refused_with_the_reason() {
    let cases: [(&str, Change, &str); 9] = [
        ("good", |_| {}, ""),
        ("no usage", |root| root.key_usages.clear(), ""),
        (
            "for any purpose",
            |root| {
                root.extended_key_usages = vec![
                    ExtendedKeyUsagePurpose::ClientAuth,
                    ExtendedKeyUsagePurpose::Any,
                ];
            },
            "",
        ),
        (
            "expired",
            |root| root.not_after = date_time_ymd(2021, 2, 3),
            "it expired on 2021-02-03T00:00:00Z",
        ),
        (
            "not yet valid",
            |root| root.not_before = date_time_ymd(2100, 1, 1),
            "it is not valid before 2100-01-01T00:00:00Z",
        ),
        (
            "not a CA",
            |root| root.is_ca = IsCa::NoCa,
            "basicConstraints",
        ),
        (
            "CA:FALSE",
            |root| root.is_ca = IsCa::ExplicitNoCa,
            "basicConstraints",
        ),
        (
            "for other signatures",
            |root| root.key_usages = vec![KeyUsagePurpose::DigitalSignature],
            "keyCertSign",
        ),
        (
            "for clients",
            |root| root.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            "serverAuth",
        ),
    ];
    let mut odd = authority();
    odd.custom_extensions = vec![critical(&[1, 2, 3, 4])];
    let odd = ("critical", odd, "critical extension 1.2.3.4");
    let cases = cases.map(|(name, change, said)| {
        let mut root = authority();
        change(&mut root);
        (name, root, said)
    });
    for (name, root, said) in cases.into_iter().chain([odd]) {
        let (root, server) = chain(&root, &server());
        let verified = verify(&[root], &server);
        if said.is_empty() {
            assert_eq!(verified, Ok(()), "{name}");
            continue;
        }
        let error = verified.unwrap_err();
        let expected = "the CA's certificate \"CN=root";
        assert!(
            error.starts_with(expected) && error.contains(said),
            "{name}: {error}"
        );
    }
}

#[test]
fn an_intermediate_that_may_not_sign_certificates_is_refused() {
    let (params, key) = (authority(), KeyPair::generate().unwrap());
    let root = params.self_signed(&key).unwrap().der().clone();
    let root_issuer = Issuer::from_params(&params, &key);
    for (usages, expected) in [
        (vec![KeyUsagePurpose::KeyCertSign], Ok(())),
        (vec![], Ok(())),
        (vec![KeyUsagePurpose::DigitalSignature], Err("keyCertSign")),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = authority();
        params
            .distinguished_name
            .push(DnType::CommonName, "between");
        params.key_usages = usages;
        let intermediate = params.signed_by(&key, &root_issuer).unwrap();
        let issuer = Issuer::from_params(&params, &key);
        let server = server().signed_by(&KeyPair::generate().unwrap(), &issuer);
        let (server, chain) = (server.unwrap().der().clone(), [intermediate.der().clone()]);
        let verified = verify_chain(from_ref(&root), &chain, &server);
        match expected {
            Ok(()) => assert_eq!(verified, Ok(())),
            Err(said) => {
                let error = verified.unwrap_err();
                let whose = "the intermediate certificate \"CN=between";
                assert!(error.starts_with(whose) && error.contains(said), "{error}");
            }
        }
    }
}

#[test]
fn a_renewed_root_with_the_same_key_serves_beside_the_old_one() {
    let key = KeyPair::generate().unwrap();
    let mut old = authority();
    old.not_after = date_time_ymd(2021, 1, 1);
    let server = server().signed_by(
        &KeyPair::generate().unwrap(),
        &Issuer::from_params(&authority(), &key),
    );
    let server = server.unwrap().der().clone();
    let old = old.self_signed(&key).unwrap().der().clone();
    let new = authority().self_signed(&key).unwrap().der().clone();
    assert_eq!(verify(&[old.clone(), new.clone()], &server), Ok(()));
    assert_eq!(verify(&[new, old], &server), Ok(()));
}

#[test]
fn a_server_that_is_trusted_itself_needs_no_ca() {
    let pem = include_bytes!("../../../../tests/data/certificates/openssl-req-x509.pem");
    let openssl = Der::from_pem_slice(pem).unwrap();
    assert_eq!(verify(from_ref(&openssl), &openssl), Ok(()));
    let (root, signed) = chain(&authority(), &server());
    assert_eq!(verify(from_ref(&signed), &signed), Ok(()), "not its own CA");
    let error = verify(&[root], &openssl).unwrap_err();
    assert!(
        error.contains("CN=kube-apiserver") && error.contains("CA:TRUE"),
        "{error}"
    );

    let cases: [(Change, &str); 3] = [
        (
            |own| own.not_after = date_time_ymd(2021, 1, 1),
            "it expired on 2021-01-01",
        ),
        (
            |own| own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            "serverAuth",
        ),
        (
            |own| own.custom_extensions = vec![critical(&[1, 2, 3])],
            "1.2.3",
        ),
    ];
    for (change, said) in cases {
        let mut own = server();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut own);
        let own = own.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let error = verify(&[own.der().clone()], own.der()).unwrap_err();
        assert!(
            error.starts_with("the server's") && error.contains(said),
            "{error}"
        );
    }
}

#[test]
fn a_cas_certificate_may_be_a_servers_if_a_trusted_ca_signed_it() {
    let mut ca = server();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (root, signed) = chain(&authority(), &ca);
    assert_eq!(verify(from_ref(&root), &signed), Ok(()));
    let (other, _) = chain(&authority(), &ca);
    assert_eq!(verify(&[other.clone(), root], &signed), Ok(()));
    let cases: [(Change, Change, &str); 4] = [
        (
            |root| {
                root.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName("localhost".to_owned())],
                    excluded_subtrees: vec![],
                });
            },
            |_| {},
            "name constraints",
        ),
        (
            |root| root.is_ca = IsCa::NoCa,
            |_| {},
            "CA's certificate \"CN=root",
        ),
        (
            |_| {},
            |server| server.not_after = date_time_ymd(2021, 1, 1),
            "expired",
        ),
        (
            |_| {},
            |server| server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            "serverAuth",
        ),
    ];
    for (of_root, of_server, said) in cases {
        let (mut root, mut server) = (authority(), ca.clone());
        of_root(&mut root);
        of_server(&mut server);
        let (root, server) = chain(&root, &server);
        let error = verify(&[root], &server).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    let error = verify(&[other], &signed).unwrap_err();
    assert!(error.contains("CA:TRUE"), "{error}");
}

#[test]
fn a_certificate_for_any_purpose_is_a_servers_too() {
    let any: Change = |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    let (mut root, mut server) = (authority(), server());
    any(&mut server);
    let (der, signed) = chain(&root, &server);
    assert_eq!(verify(&[der], &signed), Ok(()));
    any(&mut root);
    let (der, signed) = chain(&root, &server);
    assert_eq!(verify(&[der], &signed), Ok(()));
}

#[test]
fn a_serial_number_may_be_long_but_not_negative() {
    let (mut root, mut server) = (authority(), server());
    let long = vec![0x41; 40];
    root.serial_number = Some(long.clone().into());
    server.serial_number = Some(long.clone().into());
    let (root, server) = chain(&root, &server);
    assert_eq!(verify(&[root], &server), Ok(()));
    let at = server.windows(long.len()).position(|part| part == long);
    let mut negative = server.to_vec();
    negative[at.unwrap()] = 0xc1;
    let negative = Der::from(negative);
    let error = verify(from_ref(&negative), &negative).unwrap_err();
    assert!(error.contains("negative"), "{error}");
}

#[test]
fn dates_before_1970_are_not_supported_and_named() {
    let before: Change = |params| params.not_before = date_time_ymd(1969, 12, 31);
    for (of_root, of_server, whose) in [
        (before, (|_| {}) as Change, "the CA's"),
        (|_| {}, before, "the server's"),
    ] {
        let (mut root, mut server) = (authority(), server());
        of_root(&mut root);
        of_server(&mut server);
        let (root, server) = chain(&root, &server);
        let error = verify(&[root], &server).unwrap_err();
        assert!(
            error.starts_with(whose) && error.contains("1970"),
            "{error}"
        );
    }
}

#[test]
fn the_error_for_an_incomplete_chain_names_its_last_certificate() {
    let (root, good) = chain(&authority(), &server());
    let (other, _) = chain(&authority(), &server());
    let error = verify(&[other], &good).unwrap_err();
    assert!(
        error.contains("another key than that of the trusted \"CN=root"),
        "{error}"
    );
    let mut elsewhere = authority();
    elsewhere.distinguished_name = rcgen::DistinguishedName::new();
    elsewhere
        .distinguished_name
        .push(DnType::CommonName, "elsewhere");
    let (elsewhere, _) = chain(&elsewhere, &server());
    let error = verify(&[elsewhere], &good).unwrap_err();
    assert!(error.contains("signed by \"CN=root"), "{error}");
    let mut expired = server();
    expired.not_after = date_time_ymd(2021, 1, 1);
    let (root_of_expired, expired) = chain(&authority(), &expired);
    let error = verify(&[root_of_expired], &expired).unwrap_err();
    assert!(
        error.contains("CN=kube-apiserver") && error.contains("expired on"),
        "{error}"
    );
    let mut client = server();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let (root_of_client, client) = chain(&authority(), &client);
    let error = verify(&[root_of_client], &client).unwrap_err();
    assert!(error.contains("serverAuth"), "{error}");
    let mut name = server();
    name.subject_alt_names.clear();
    let (root_of_name, nameless) = chain(&authority(), &name);
    let error = verify(&[root_of_name, root], &nameless).unwrap_err();
    assert!(error.contains("localhost"), "{error}");
}

#[test]
fn keys_and_signatures_that_ring_does_not_support_are_named() {
    for (pem, said) in [
        (
            &include_bytes!("../../../../tests/data/certificates/p521.pem")[..],
            "P-521",
        ),
        (
            include_bytes!("../../../../tests/data/certificates/rsa1024.pem"),
            "RSA key has 1024 bits",
        ),
        (
            include_bytes!("../../../../tests/data/certificates/sha512.pem"),
            "SHA-512",
        ),
    ] {
        let all: Vec<_> = Der::pem_slice_iter(pem).map(Result::unwrap).collect();
        let error = verify(&all[1..], &all[0]).unwrap_err();
        assert!(error.contains(said), "{said}: {error}");
    }
}
