//! The certificate authority made at start, and the certificates it issues by server name.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::sync::lock;

/// What is right or wrong with the certificates the org shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateKind {
    /// A client that trusts the org's authority accepts them.
    #[default]
    Valid,
    /// Their time is over.
    Expired,
    /// Their time has not come.
    NotYetValid,
    /// They are for another host.
    WrongName,
    /// They are signed by themselves.
    SelfSigned,
    /// They are signed by an authority nobody was told about.
    UnknownAuthority,
}

/// Which versions of TLS the org speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Modern,
    /// 1.2 and nothing else.
    Only12,
    /// 1.3 and nothing else.
    Only13,
    /// 1.1 and nothing else: it answers a client's greeting with that version and gets no
    /// further.
    Only11,
}

/// Issues certificates for the org's host names.
pub(crate) struct Authority {
    pem: String,
    kind: CertificateKind,
    now: DateTime<Utc>,
    issuer: Issuer<'static, KeyPair>,
    issued: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    serves: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Authority {
    /// A new authority that issues certificates for the names `serves` says yes to, valid around
    /// `now`.
    pub(crate) fn new(
        kind: CertificateKind,
        now: DateTime<Utc>,
        serves: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<Self, rcgen::Error> {
        let (pem, mut issuer) = root(now)?;
        if kind == CertificateKind::UnknownAuthority {
            issuer = root(now)?.1;
        }
        Ok(Self { pem, kind, now, issuer, issued: Mutex::default(), serves: Box::new(serves) })
    }

    /// The authority's certificate, for the client's trust store.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// TLS settings that choose the certificate by server name.
    pub(crate) fn server_config(
        self: &Arc<Self>,
        versions: TlsVersions,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        use rustls::version::{TLS12, TLS13};

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = match versions {
            TlsVersions::Only12 => &[&TLS12],
            TlsVersions::Only13 => &[&TLS13],
            // Connections of 1.1 end before these settings are used.
            TlsVersions::Modern | TlsVersions::Only11 => &[&TLS13, &TLS12],
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn certificate(&self, host: &str) -> Result<Arc<CertifiedKey>, Box<dyn std::error::Error>> {
        let mut issued = lock(&self.issued);
        if let Some(certificate) = issued.get(host) {
            return Ok(Arc::clone(certificate));
        }
        let certificate = Arc::new(self.issue(host)?);
        issued.insert(host.to_owned(), Arc::clone(&certificate));
        Ok(certificate)
    }

    fn issue(&self, host: &str) -> Result<CertifiedKey, Box<dyn std::error::Error>> {
        let name =
            if self.kind == CertificateKind::WrongName { "wrong-name.example" } else { host };
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let now = self.now;
        let (from, until) = match self.kind {
            CertificateKind::Expired => (-60, -30),
            CertificateKind::NotYetValid => (30, 60),
            _ => (-2, 45),
        };
        set_validity(&mut params, now + TimeDelta::days(from), now + TimeDelta::days(until));
        let certificate = match self.kind {
            CertificateKind::SelfSigned => params.self_signed(&key)?,
            _ => params.signed_by(&key, &self.issuer)?,
        };
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = rustls::crypto::ring::sign::any_ecdsa_type(&private)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], signing))
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name()?.to_ascii_lowercase();
        if !(self.serves)(&host) {
            return None;
        }
        self.certificate(&host).ok()
    }
}

fn root(now: DateTime<Utc>) -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Simulated Salesforce org");
    params.distinguished_name.push(DnType::CommonName, "Simulated Salesforce org root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now - TimeDelta::days(70), now + TimeDelta::days(800));
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

pub(crate) fn set_validity(
    params: &mut CertificateParams,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) {
    // Month and day of a calendar date fit into a byte.
    params.not_before = date_time_ymd(from.year(), from.month() as u8, from.day() as u8);
    params.not_after = date_time_ymd(until.year(), until.month() as u8, until.day() as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_certificate_is_issued_per_host_and_kept() {
        let authority =
            Authority::new(CertificateKind::Valid, Utc::now(), |_| true).expect("an authority");
        let first = authority.certificate("acme.my.salesforce.com").expect("a certificate");
        let again = authority.certificate("acme.my.salesforce.com").expect("a certificate");
        let other = authority.certificate("login.salesforce.com").expect("a certificate");
        assert!(Arc::ptr_eq(&first, &again));
        assert_ne!(first.cert, other.cert);
        assert!(authority.pem().starts_with("-----BEGIN CERTIFICATE-----"));
    }
}
