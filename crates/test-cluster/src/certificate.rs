//! The certificates of a server: its own CA, and a serving certificate that is valid, or
//! invalid in one chosen way.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

// The names of a real API server's certificate that apply to a loopback address.
const NAMES: [&str; 6] = [
    "127.0.0.1",
    "::1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
];

/// What is wrong with the serving certificate, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateKind {
    /// Signed by the server's CA, for `127.0.0.1`, `::1`, `localhost`, `kubernetes`,
    /// `kubernetes.default` and `kubernetes.default.svc`.
    #[default]
    Valid,
    /// Signed by a CA of the same name that
    /// [`ApiServer::ca_pem`](crate::ApiServer::ca_pem) does not return.
    OtherCa,
    /// Expired in 2021.
    Expired,
    /// Only for `some-other.example`.
    WrongName,
    /// Its own CA, as `openssl req -x509` makes it; [`ApiServer::ca_pem`] returns it.
    ///
    /// [`ApiServer::ca_pem`]: crate::ApiServer::ca_pem
    OwnCa,
    /// Signed by a CA that expired in 2021.
    ExpiredCa,
    /// Signed by the server's CA, with `CA:TRUE`.
    CaOfCa,
    /// For any purpose instead of serving.
    AnyPurpose,
    /// With a serial number of 40 octets.
    LongSerial,
    /// Begins in 1969.
    Before1970,
}

/// A serving certificate with its key, and the CA that clients trust.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) ca_pem: String,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Makes a CA and a certificate of that kind.
    pub(crate) fn issue(kind: CertificateKind) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let (ca_pem, certificate) = match kind {
            CertificateKind::OwnCa => {
                let certificate = serving(kind)?.self_signed(&key)?;
                (certificate.pem(), certificate)
            }
            CertificateKind::OtherCa => {
                let (ca_pem, _) = authority(kind)?;
                let (_, other) = authority(kind)?;
                (ca_pem, serving(kind)?.signed_by(&key, &other)?)
            }
            CertificateKind::Valid
            | CertificateKind::Expired
            | CertificateKind::WrongName
            | CertificateKind::ExpiredCa
            | CertificateKind::CaOfCa
            | CertificateKind::AnyPurpose
            | CertificateKind::LongSerial
            | CertificateKind::Before1970 => {
                let (ca_pem, authority) = authority(kind)?;
                (ca_pem, serving(kind)?.signed_by(&key, &authority)?)
            }
        };
        Ok(Self {
            ca_pem,
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

fn authority(kind: CertificateKind) -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "kubernetes");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    if kind == CertificateKind::ExpiredCa {
        params.not_after = date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

fn serving(kind: CertificateKind) -> Result<CertificateParams, rcgen::Error> {
    let names: &[&str] = match kind {
        CertificateKind::WrongName => &["some-other.example"],
        CertificateKind::Valid
        | CertificateKind::OtherCa
        | CertificateKind::Expired
        | CertificateKind::OwnCa
        | CertificateKind::ExpiredCa
        | CertificateKind::CaOfCa
        | CertificateKind::AnyPurpose
        | CertificateKind::LongSerial
        | CertificateKind::Before1970 => &NAMES,
    };
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.not_before = date_time_ymd(2020, 1, 1);
    let ca = IsCa::Ca(BasicConstraints::Unconstrained);
    match kind {
        CertificateKind::OwnCa => {
            params.is_ca = ca;
            params.extended_key_usages.clear();
            params.key_usages.clear();
        }
        CertificateKind::Expired => params.not_after = date_time_ymd(2021, 1, 1),
        CertificateKind::CaOfCa => params.is_ca = ca,
        CertificateKind::AnyPurpose => {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
        }
        CertificateKind::LongSerial => params.serial_number = Some(vec![0x41; 40].into()),
        CertificateKind::Before1970 => params.not_before = date_time_ymd(1969, 12, 31),
        CertificateKind::Valid
        | CertificateKind::OtherCa
        | CertificateKind::WrongName
        | CertificateKind::ExpiredCa => {}
    }
    Ok(params)
}
