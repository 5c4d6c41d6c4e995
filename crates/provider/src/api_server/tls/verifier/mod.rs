//! Verifies the API server's certificate as Go's `crypto/x509` does.
//!
//! webpki builds and checks the chain. Alone it would decide differently in four cases: it
//! checks only the name and key of a root, and not the key usage of an intermediate; it
//! refuses a certificate for any purpose; and it refuses a CA's certificate as a server's,
//! even if it is trusted itself, as `openssl req -x509` makes it, or signed by a trusted CA.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext, VerifiedPath, anchor_from_trusted_cert,
};

use crate::api_server::tls::certificate::{CertificateProblem, Parsed, SERVING, Signed};

/// Verifies servers by a set of trusted certificates.
#[derive(Debug)]
pub(super) struct Verifier {
    /// The trusted certificates that can be parsed.
    certificates: Vec<CertificateDer<'static>>,
    /// The same certificates for webpki, in the same order.
    anchors: Vec<TrustAnchor<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The certificate that is refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {whose} certificate {subject:?} is refused")]
pub struct Refused {
    whose: &'static str,
    subject: String,
    #[source]
    problem: CertificateProblem,
}

impl Refused {
    fn new(whose: &'static str, certificate: &Parsed, problem: CertificateProblem) -> Self {
        let subject = certificate.subject();
        Self {
            whose,
            subject,
            problem,
        }
    }

    /// The certificate for which a handshake failed, if there is one.
    pub(crate) fn of(error: &rustls::Error) -> Option<&Self> {
        let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(error))) = error
        else {
            return None;
        };
        let error: &(dyn StdError + 'static) = error.as_ref();
        error.downcast_ref()
    }
}

impl From<Refused> for rustls::Error {
    fn from(refused: Refused) -> Self {
        CertificateError::Other(OtherError(Arc::new(refused))).into()
    }
}

impl Verifier {
    /// Trusts these certificates; one that webpki cannot read does not affect the others.
    pub(super) fn new(
        certificates: impl Iterator<Item = CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let read = |der: CertificateDer<'static>| {
            let anchor = anchor_from_trusted_cert(&der).ok()?.to_owned();
            Some((der, anchor))
        };
        let (certificates, anchors) = certificates.filter_map(read).unzip();
        Self {
            certificates,
            anchors,
            algorithms,
        }
    }

    /// Whether there are no trusted certificates.
    pub(super) fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Verifies the chain of a server, without its name.
    fn verify_chain(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Refused> {
        // This also covers a server's own certificate that is trusted itself.
        if self.certificates.iter().any(|trusted| trusted == server) {
            return judge_server(server, now).map(|_server| ());
        }
        // Why the matching paths were refused; like Go, tries each of them.
        let refused = Mutex::new(None);
        let accept = |path: &VerifiedPath<'_>| {
            self.judge_path(path, now).map_err(|error| {
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                webpki::Error::UnknownIssuer
            })
        };
        let verified = EndEntityCert::try_from(server).and_then(|server| {
            let path = server.verify_for_usage(
                self.algorithms.all,
                &self.anchors,
                intermediates,
                now,
                Serving,
                None,
                Some(&accept),
            );
            path.map(|_path| ())
        });
        let Err(error) = verified else {
            return Ok(());
        };
        let refused = refused.into_inner().unwrap_or_else(PoisonError::into_inner);
        match refused {
            Some(refused) => Err(refused),
            None if error == webpki::Error::CaUsedAsEndEntity => self.verify_ca(server, now),
            None => Err(self.explain(&error, server, intermediates, now)),
        }
    }

    /// Verifies a server's certificate with `CA:TRUE`, at which Go does not look there. A
    /// trusted certificate must have signed it: chains are left to webpki.
    fn verify_ca(&self, server: &CertificateDer<'_>, now: UnixTime) -> Result<(), Refused> {
        let judged = judge_server(server, now)?;
        let mut outcome = Err(Refused::new(
            "server's",
            &judged,
            CertificateProblem::CaAsServer,
        ));
        for root in &self.certificates {
            let is_issuer = Parsed::new(root).and_then(|root| root.may_be_issuer_of(&judged));
            if outcome.is_err() && is_issuer == Ok(true) && self.has_signed(root, server) {
                outcome = judge_issuer("CA's", root, now);
            }
        }
        outcome
    }

    fn has_signed(&self, issuer: &CertificateDer<'_>, signed: &CertificateDer<'_>) -> bool {
        let (Ok(issuer), Some(signed)) = (EndEntityCert::try_from(issuer), Signed::new(signed))
        else {
            return false;
        };
        let mut algorithms = self.algorithms.all.iter();
        algorithms.any(|&algorithm| {
            let is_used = algorithm.signature_alg_id().as_ref() == signed.algorithm;
            let verified = || issuer.verify_signature(algorithm, signed.content, signed.signature);
            is_used && verified().is_ok()
        })
    }

    /// Checks what webpki does not: whether the intermediates may sign certificates, and
    /// everything of the root except its name and key.
    fn judge_path(&self, path: &VerifiedPath<'_>, now: UnixTime) -> Result<(), Refused> {
        for intermediate in path.intermediate_certificates() {
            judge_issuer("intermediate", &intermediate.der(), now)?;
        }
        let mut judged = Err(malformed("CA's"));
        for (certificate, anchor) in self.certificates.iter().zip(&self.anchors) {
            if anchor == path.anchor() && judged.is_err() {
                judged = judge_issuer("CA's", certificate, now);
            }
        }
        judged
    }

    /// Returns the certificate that webpki's error is about, and the reason.
    fn explain(
        &self,
        error: &webpki::Error,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Refused {
        let chain = [("server's", server)].into_iter();
        let chain = chain.chain(intermediates.iter().map(|der| ("intermediate", der)));
        let shown: Vec<_> = match chain
            .map(|(whose, der)| Ok((whose, parsed(whose, der)?)))
            .collect()
        {
            Ok(shown) => shown,
            Err(refused) => return refused,
        };
        let issuers: Vec<_> = shown.iter().map(|(_, shown)| shown.issuer()).collect();
        let roots = self
            .certificates
            .iter()
            .filter_map(|der| Parsed::new(der).ok());
        let roots = roots.filter(|root| issuers.contains(&root.subject()));
        let roots: Vec<_> = roots.map(|root| ("CA's", root)).collect();
        let all = || shown.iter().chain(&roots);
        for (whose, certificate) in all() {
            if let Err(problem) = certificate.is_supported() {
                return Refused::new(whose, certificate, problem);
            }
        }
        for (whose, certificate) in &shown {
            if let Err(problem) = certificate.is_in_time(now) {
                return Refused::new(whose, certificate, problem);
            }
        }
        let Some((whose, server)) = shown.first() else {
            return malformed("server's");
        };
        // The certificate whose issuer was not sent.
        let (top, top_of) = shown
            .last()
            .map_or((server, whose), |(whose, top)| (top, whose));
        let has_no_issuer = *error == webpki::Error::UnknownIssuer;
        if has_no_issuer || *error == webpki::Error::InvalidSignatureForPublicKey {
            let problem = if has_no_issuer && roots.is_empty() {
                CertificateProblem::UnknownIssuer(top.issuer())
            } else {
                CertificateProblem::OtherKey(top.issuer())
            };
            return Refused::new(top_of, top, problem);
        }
        let problem = if matches!(error, webpki::Error::RequiredEkuNotFoundContext(_)) {
            CertificateProblem::Purpose
        } else {
            CertificateProblem::Other(error.to_string())
        };
        Refused::new(whose, server, problem)
    }

    /// Adds the certificate if a signature cannot be verified because ring does not
    /// support the key.
    fn name_key(certificate: &CertificateDer<'_>, error: rustls::Error) -> rustls::Error {
        match Parsed::new(certificate).map(|server| (server.is_supported(), server)) {
            Ok((Err(problem), server)) => Refused::new("server's", &server, problem).into(),
            Ok((Ok(()), _)) | Err(_) => error,
        }
    }
}

/// Accepts what Go accepts in a server's chain (`checkChainForKeyUsage`): certificates
/// without purposes, for any, or for servers.
struct Serving;

impl ExtendedKeyUsageValidator for Serving {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut is_limited = false;
        for purpose in purposes {
            let purpose = purpose?;
            let mut accepted = SERVING.iter();
            if accepted.any(|oid| KeyPurposeId::new(oid.as_bytes()) == purpose) {
                return Ok(());
            }
            is_limited = true;
        }
        if is_limited {
            let required = KeyUsage::server_auth();
            let present = Vec::new();
            let context = RequiredEkuNotFoundContext { required, present };
            return Err(webpki::Error::RequiredEkuNotFoundContext(context));
        }
        Ok(())
    }
}

/// Checks what Go demands of a server's certificate whatever its issuer.
fn judge_server(server: &CertificateDer<'_>, now: UnixTime) -> Result<Parsed, Refused> {
    let server = parsed("server's", server)?;
    match server.may_be_used(now).and_then(|()| server.is_supported()) {
        Ok(()) => Ok(server),
        Err(problem) => Err(Refused::new("server's", &server, problem)),
    }
}

fn judge_issuer(
    whose: &'static str,
    issuer: &CertificateDer<'_>,
    now: UnixTime,
) -> Result<(), Refused> {
    let issuer = parsed(whose, issuer)?;
    issuer
        .may_be_issuer(now)
        .map_err(|problem| Refused::new(whose, &issuer, problem))
}

fn parsed(whose: &'static str, der: &CertificateDer<'_>) -> Result<Parsed, Refused> {
    Parsed::new(der).map_err(|problem| Refused {
        problem,
        ..malformed(whose)
    })
}

fn malformed(whose: &'static str) -> Refused {
    Refused {
        whose,
        subject: String::new(),
        problem: CertificateProblem::Malformed,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verify_chain(end_entity, intermediates, now)?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
            .map_err(|error| Self::name_key(certificate, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
            .map_err(|error| Self::name_key(certificate, error))
    }

    /// ring's schemes, and P-521 last: without it a server with such a key would end the
    /// handshake before it sends the certificate that the message must name.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        schemes.push(SignatureScheme::ECDSA_NISTP521_SHA512);
        schemes
    }
}

#[cfg(test)]
mod tests;
