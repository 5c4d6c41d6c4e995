//! Go's `crypto/x509` rules for a certificate that webpki does not check: for webpki a
//! trust anchor is only a name with a key.

use rustls_pki_types::{CertificateDer, UnixTime};
use x509_cert::certificate::{CertificateInner, Raw, Version};
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_SERVER_AUTH};
use x509_cert::der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_512, ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_521_R_1,
};
use x509_cert::der::{Decode, ErrorKind, Reader, SliceReader, Tag};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, ExtendedKeyUsage, InhibitAnyPolicy, KeyUsage, NameConstraints,
    PolicyConstraints, PolicyMappings, SubjectAltName, SubjectKeyIdentifier,
};

use super::distinguished_name::shown;

/// The most characters of a certificate's name that a message quotes.
const MAX_NAME: usize = 128;
/// The smallest RSA key that ring supports.
const MIN_RSA_BITS: usize = 2048;

/// The purposes with which Go accepts a certificate of a server's chain.
pub(super) const SERVING: [ObjectIdentifier; 2] = [ANY_EXTENDED_KEY_USAGE, ID_KP_SERVER_AUTH];

/// The extensions that Go supports, so that they may be critical.
const KNOWN: [ObjectIdentifier; 13] = [
    AuthorityInfoAccessSyntax::OID,
    AuthorityKeyIdentifier::OID,
    BasicConstraints::OID,
    CertificatePolicies::OID,
    CrlDistributionPoints::OID,
    ExtendedKeyUsage::OID,
    InhibitAnyPolicy::OID,
    KeyUsage::OID,
    NameConstraints::OID,
    PolicyConstraints::OID,
    PolicyMappings::OID,
    SubjectAltName::OID,
    SubjectKeyIdentifier::OID,
];

/// Why a certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// It is not a certificate of RFC 5280.
    #[error("it cannot be decoded")]
    Malformed,
    /// Its dates are not those of RFC 5280, or before 1970.
    #[error("its dates cannot be decoded; those before 1970 are not supported")]
    Dates,
    /// Its serial number is below zero.
    #[error("its serial number is negative")]
    NegativeSerial,
    /// It is not valid yet.
    #[error("it is not valid before {0}")]
    NotYetValid(String),
    /// It has expired.
    #[error("it expired on {0}")]
    Expired(String),
    /// A certificate among the trusted CAs is not a CA certificate.
    #[error("it is not a CA's: it has no basicConstraints with CA:TRUE")]
    NotCa,
    /// A CA that may not sign certificates.
    #[error("its keyUsage lacks keyCertSign")]
    NoCertSign,
    /// It may only be used for clients, code or mail.
    #[error("its extendedKeyUsage lacks serverAuth")]
    Purpose,
    /// It has a critical extension that is not supported.
    #[error("its critical extension {0} is not supported")]
    Extension(String),
    /// Its key is too short.
    #[error("its RSA key has {0} bits, at least {MIN_RSA_BITS} are needed")]
    ShortRsa(usize),
    /// Its key is on a curve that ring does not support.
    #[error("its key is on the curve P-521, only P-256 and P-384 are supported")]
    P521,
    /// Its signature is of a kind that ring does not support.
    #[error("it is signed by ECDSA with SHA-512, only SHA-256 and SHA-384 are supported")]
    EcdsaSha512,
    /// No root has its issuer's name.
    #[error("it is signed by {0:?}, which is not among the trusted CA certificates")]
    UnknownIssuer(String),
    /// A CA's certificate, sent by a server.
    #[error(
        "it is a CA's (basicConstraints with CA:TRUE), and neither itself among the trusted ones \
         nor signed by one of them that has no name constraints"
    )]
    CaAsServer,
    /// Its issuer's key did not sign it.
    #[error("it is signed by another key than that of the trusted {0:?}")]
    OtherKey(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// A parsed certificate. Its serial number may be longer than the 20 octets of RFC 5280,
/// as in Go.
pub(super) struct Parsed(CertificateInner<Raw>);

impl Parsed {
    pub(super) fn new(der: &CertificateDer<'_>) -> Result<Self, CertificateProblem> {
        let certificate = CertificateInner::from_der(der).map_err(|error| {
            let times = [Tag::UtcTime, Tag::GeneralizedTime];
            let is_of_time = times
                .map(|tag| ErrorKind::Value { tag })
                .contains(&error.kind());
            if is_of_time {
                CertificateProblem::Dates
            } else {
                CertificateProblem::Malformed
            }
        })?;
        let serial = certificate.tbs_certificate().serial_number().as_bytes();
        if serial.first().is_some_and(|first| first.leading_ones() > 0) {
            return Err(CertificateProblem::NegativeSerial);
        }
        Ok(Self(certificate))
    }

    /// Whether it has the name of the other's issuer, and no name constraints, which
    /// only webpki checks.
    pub(super) fn may_be_issuer_of(&self, other: &Self) -> Result<bool, CertificateProblem> {
        let issuer = other.0.tbs_certificate().issuer();
        let is_named = self.0.tbs_certificate().subject() == issuer;
        Ok(is_named && self.extension::<NameConstraints>()?.is_none())
    }

    /// The subject, as in RFC 4514.
    pub(super) fn subject(&self) -> String {
        shortened(&shown(self.0.tbs_certificate().subject()))
    }

    /// The issuer, as in RFC 4514.
    pub(super) fn issuer(&self) -> String {
        shortened(&shown(self.0.tbs_certificate().issuer()))
    }

    /// Whether Go accepts it as the issuer of another certificate.
    ///
    /// # Errors
    /// The reason of Go's `CheckSignatureFrom` and `Verify` to refuse it.
    pub(super) fn may_be_issuer(&self, now: UnixTime) -> Result<(), CertificateProblem> {
        let tbs = self.0.tbs_certificate();
        let constraints = self.extension::<BasicConstraints>()?;
        let is_ca = match constraints {
            Some(constraints) => constraints.ca,
            None => tbs.version() != Version::V3,
        };
        if !is_ca {
            return Err(CertificateProblem::NotCa);
        }
        if self
            .extension::<KeyUsage>()?
            .is_some_and(|usage| !usage.key_cert_sign())
        {
            return Err(CertificateProblem::NoCertSign);
        }
        self.may_be_used(now)
    }

    /// Whether Go accepts it as the certificate of a server that is trusted itself.
    ///
    /// # Errors
    /// The reason of Go's `Verify` to refuse it.
    pub(super) fn may_be_used(&self, now: UnixTime) -> Result<(), CertificateProblem> {
        let tbs = self.0.tbs_certificate();
        self.is_in_time(now)?;
        let purposes = self.extension::<ExtendedKeyUsage>()?;
        let serves = |purpose: &ObjectIdentifier| SERVING.contains(purpose);
        if purposes.is_some_and(|ExtendedKeyUsage(purposes)| !purposes.iter().any(serves)) {
            return Err(CertificateProblem::Purpose);
        }
        let mut extensions = tbs.extensions().into_iter().flatten();
        match extensions.find(|extension| extension.critical && !KNOWN.contains(&extension.extn_id))
        {
            Some(extension) => Err(CertificateProblem::Extension(extension.extn_id.to_string())),
            None => Ok(()),
        }
    }

    pub(super) fn is_in_time(&self, now: UnixTime) -> Result<(), CertificateProblem> {
        let validity = self.0.tbs_certificate().validity();
        let (from, until) = (validity.not_before, validity.not_after);
        if now.as_secs() < from.to_unix_duration().as_secs() {
            return Err(CertificateProblem::NotYetValid(from.to_string()));
        }
        if now.as_secs() > until.to_unix_duration().as_secs() {
            return Err(CertificateProblem::Expired(until.to_string()));
        }
        Ok(())
    }

    /// Whether ring supports the key and the signature.
    ///
    /// # Errors
    /// What it does not support.
    pub(super) fn is_supported(&self) -> Result<(), CertificateProblem> {
        let key = self.0.tbs_certificate().subject_public_key_info();
        if key.algorithm.oid == ID_EC_PUBLIC_KEY {
            let curve = key.algorithm.parameters.as_ref();
            let curve = curve.and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
            if curve == Some(SECP_521_R_1) {
                return Err(CertificateProblem::P521);
            }
        }
        if key.algorithm.oid == RSA_ENCRYPTION {
            let bits = rsa_bits(key.subject_public_key.raw_bytes());
            let bits = bits.ok_or(CertificateProblem::Malformed)?;
            if bits < MIN_RSA_BITS {
                return Err(CertificateProblem::ShortRsa(bits));
            }
        }
        if self.0.signature_algorithm().oid == ECDSA_WITH_SHA_512 {
            return Err(CertificateProblem::EcdsaSha512);
        }
        Ok(())
    }

    fn extension<T: for<'a> Decode<'a> + AssociatedOid>(
        &self,
    ) -> Result<Option<T>, CertificateProblem> {
        let found = self.0.tbs_certificate().get_extension::<T>();
        let found = found.map_err(|_error| CertificateProblem::Malformed)?;
        Ok(found.map(|(_critical, extension)| extension))
    }
}

/// What the signature of a certificate is about.
pub(super) struct Signed<'a> {
    /// The certificate without its signature.
    pub(super) content: &'a [u8],
    /// The value of the signature's algorithm.
    pub(super) algorithm: &'a [u8],
    /// The signature.
    pub(super) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn new(der: &'a CertificateDer<'_>) -> Option<Self> {
        let parts = SliceReader::new(der).ok()?.sequence(|parts| {
            let content = parts.tlv_bytes()?;
            let algorithm = AnyRef::decode(parts)?;
            let signature = BitStringRef::decode(parts)?;
            Ok::<_, x509_cert::der::Error>((content, algorithm, signature))
        });
        let (content, algorithm, signature) = parts.ok()?;
        Some(Self {
            content,
            algorithm: algorithm.value(),
            signature: signature.as_bytes()?,
        })
    }
}

fn rsa_bits(key: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(key).ok()?;
    let modulus = reader.sequence(|fields| {
        let modulus = UintRef::decode(fields)?;
        let _exponent = UintRef::decode(fields)?;
        Ok::<_, x509_cert::der::Error>(modulus)
    });
    let modulus = modulus.ok()?.as_bytes();
    let unused = modulus.first()?.leading_zeros();
    Some(modulus.len() * 8 - usize::try_from(unused).ok()?)
}

fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}
