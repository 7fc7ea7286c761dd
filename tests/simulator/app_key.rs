//! The key an app signs its assertions with, and the certificate registered for it.

use std::fmt;

use chrono::{TimeDelta, Utc};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::ring::RSA_PKCS1_2048_8192_SHA256;
use webpki::{EndEntityCert, RawPublicKeyEntity};

use crate::authority::set_validity;

/// An RSA key pair of an app that authenticates with signed assertions, for tests.
///
/// The private keys are fixed ones, made for this purpose: TLS providers sign with RSA but
/// do not make RSA keys. The certificate around the public key is new each time.
#[derive(Clone)]
pub struct AppKey {
    private_key: String,
    certificate: String,
}

impl fmt::Debug for AppKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AppKey")
    }
}

impl AppKey {
    /// The key pair to register with an app.
    ///
    /// # Panics
    /// Never in a build whose tests pass: the key is part of it.
    #[must_use]
    pub fn test() -> Self {
        Self::of(include_str!("../fixtures/jwt/app-key.pem"))
    }

    /// Another key pair, to sign what the app's certificate does not verify.
    ///
    /// # Panics
    /// Never in a build whose tests pass: the key is part of it.
    #[must_use]
    pub fn other() -> Self {
        Self::of(include_str!("../fixtures/jwt/other-key.pem"))
    }

    /// The private key, PKCS #8 in PEM.
    pub fn private_key_pem(&self) -> &str {
        &self.private_key
    }

    /// The self-signed certificate to register with the app, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    fn of(private_key: &str) -> Self {
        match certificate(private_key) {
            Ok(certificate) => Self { private_key: private_key.to_owned(), certificate },
            Err(error) => panic!("the built-in key cannot be used: {error}"),
        }
    }
}

fn certificate(private_key: &str) -> Result<String, rcgen::Error> {
    let key = KeyPair::from_pem_and_sign_algo(private_key, &PKCS_RSA_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Simulated org test app");
    let now = Utc::now();
    set_validity(&mut params, now - TimeDelta::days(2), now + TimeDelta::days(800));
    Ok(params.self_signed(&key)?.pem())
}

/// What verifies an app's assertions: a certificate, or a bare public key.
#[derive(Debug, Clone)]
pub(crate) enum Verifier {
    Certificate(CertificateDer<'static>),
    PublicKey(SubjectPublicKeyInfoDer<'static>),
}

impl Verifier {
    /// Reads `CERTIFICATE` or `PUBLIC KEY` PEM text.
    pub(crate) fn from_pem(pem: &str) -> Option<Self> {
        let verifier = CertificateDer::from_pem_slice(pem.as_bytes())
            .map(Self::Certificate)
            .or_else(|_| {
                SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map(Self::PublicKey)
            })
            .ok()?;
        let readable = match &verifier {
            Self::Certificate(der) => EndEntityCert::try_from(der).is_ok(),
            Self::PublicKey(der) => RawPublicKeyEntity::try_from(der).is_ok(),
        };
        readable.then_some(verifier)
    }

    /// Whether `signature` is the key's RS256 signature of `message`.
    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Certificate(der) => EndEntityCert::try_from(der).and_then(|certificate| {
                certificate.verify_signature(RSA_PKCS1_2048_8192_SHA256, message, signature)
            }),
            Self::PublicKey(der) => RawPublicKeyEntity::try_from(der).and_then(|key| {
                key.verify_signature(RSA_PKCS1_2048_8192_SHA256, message, signature)
            }),
        };
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_can_be_read_and_nonsense_cannot() {
        assert!(Verifier::from_pem(AppKey::test().certificate_pem()).is_some());
        assert!(Verifier::from_pem(AppKey::test().private_key_pem()).is_none());
        assert!(Verifier::from_pem("nonsense").is_none());
        assert_eq!(format!("{:?}", AppKey::other()), "AppKey");
    }
}
