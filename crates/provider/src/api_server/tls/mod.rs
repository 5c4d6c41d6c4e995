//! CA certificates, and the TLS client built from them.
//!
//! Verification is on unless the administrator turned it off by flag. The token is sent
//! after the handshake, so never before the certificate is verified.

mod certificate;
mod distinguished_name;
mod verifier;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedCipherSuite};
use rustls_native_certs::load_native_certs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use secret::{ReadError, read_file};

use self::verifier::Verifier;

pub use certificate::CertificateProblem;
pub use verifier::Refused;

/// The largest CA bundle that is read: 8 MiB.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Where CA certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaSource {
    /// A PEM file.
    File(PathBuf),
    /// PEM inside another file, whose path is for messages.
    Inline(PathBuf, Vec<u8>),
}

impl CaSource {
    /// The file.
    fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Inline(path, _) => path,
        }
    }
}

/// How the server's certificate is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// With these CA certificates only.
    Ca(CaSource),
    /// With the system's roots.
    System,
    /// Not at all: `--insecure-skip-tls-verify`.
    Nothing,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("anybody"),
            Self::System => f.write_str("the system's roots"),
            Self::Ca(source) => write!(f, "the CA in {}", source.path().display()),
        }
    }
}

/// A client certificate with its key, which `Debug` does not show.
#[derive(Debug)]
pub struct Identity {
    /// The certificate, and the intermediates up to its CA.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

/// Why there are no trusted certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA file cannot be read.
    #[error("read CA certificates {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: ReadError,
    },
    /// It has no usable certificate.
    #[error("{path:?} holds no usable CA certificate in PEM")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The system has no root certificates.
    #[error("the system has no root certificates: name a CA with --certificate-authority")]
    NoSystemRoots,
    /// The TLS library refuses its own settings.
    #[error("set up TLS")]
    Setup(#[source] rustls::Error),
}

/// Builds the TLS client for one kind of trust, with a client certificate if there is an
/// `identity`.
///
/// # Errors
/// [`TlsError`] if no certificate could ever be verified, or the key does not belong to
/// the client certificate.
pub(crate) fn client_config(
    trust: &Trust,
    identity: Option<Identity>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut provider = ring::default_provider();
    // The order of Go's crypto/tls: many processors have instructions for SHA-256, and
    // few for SHA-384.
    provider
        .cipher_suites
        .sort_by_key(|suite| !is_of_sha256(suite));
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    let trusting = |certificates: Vec<_>| {
        let algorithms = provider.signature_verification_algorithms;
        Verifier::new(certificates.into_iter(), algorithms)
    };
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Ca(source) => {
            let verifier = trusting(certificates(source)?);
            let path = source.path().to_owned();
            Arc::new(
                Some(verifier)
                    .filter(|roots| !roots.is_empty())
                    .ok_or(TlsError::NoCertificate { path })?,
            )
        }
        Trust::System => {
            let verifier = trusting(load_native_certs().certs);
            Arc::new(
                Some(verifier)
                    .filter(|roots| !roots.is_empty())
                    .ok_or(TlsError::NoSystemRoots)?,
            )
        }
        Trust::Nothing => Arc::new(AcceptAnyone(provider.clone())),
    };
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { chain, key }) => builder
            .with_client_auth_cert(chain, key)
            .map_err(TlsError::Setup)?,
    };
    // A run has one connection, so there is no session to resume.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn is_of_sha256(suite: &SupportedCipherSuite) -> bool {
    suite
        .suite()
        .as_str()
        .is_some_and(|name| name.ends_with("_SHA256"))
}

fn certificates(source: &CaSource) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    // A malformed certificate does not affect the others of a bundle.
    let parse = |pem: &[u8]| CertificateDer::pem_slice_iter(pem).flatten().collect();
    match source {
        CaSource::Inline(_, pem) => Ok(parse(pem)),
        CaSource::File(path) => {
            let read = |source| TlsError::Read {
                path: path.clone(),
                source,
            };
            Ok(parse(&read_file(path, MAX_BYTES).map_err(read)?))
        }
    }
}

/// Accepts every certificate, for `--insecure-skip-tls-verify`. It is still checked that
/// the server has the key.
#[derive(Debug)]
struct AcceptAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
