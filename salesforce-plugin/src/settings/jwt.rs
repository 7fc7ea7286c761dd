//! The assertion of the JWT bearer grant, signed RS256.
//!
//! # Source
//! RFC 7523; Salesforce Help, "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration".

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connector_api::Secret;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use crate::settings::org_url::OrgHost;

/// As long as Salesforce allows clocks to differ.
const LIFE_S: u64 = 3 * 60;
const PRODUCTION: &str = "https://login.salesforce.com";
const SANDBOX: &str = "https://test.salesforce.com";

/// An RSA key.
pub(crate) struct SigningKey(RsaKeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[signing key]")
    }
}

impl SigningKey {
    /// Reads a key from PEM: PKCS#8 or PKCS#1, not encrypted.
    ///
    /// # Errors
    /// Why it cannot be used; never anything of the key.
    pub(crate) fn from_pem(pem: &Secret) -> Result<SigningKey, String> {
        if pem.expose().contains("ENCRYPTED") {
            return Err("the private key is encrypted: store it without a passphrase".into());
        }
        let key = match PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            Ok(_) => return Err("the private key is not an RSA key".into()),
            Err(_) => {
                return Err(
                    "the private key is not PEM: it has no `-----BEGIN PRIVATE KEY-----`".into()
                );
            }
        };
        key.map(SigningKey).map_err(|reason| {
            format!("the private key is not an RSA key of 2,048 to 4,096 bits ({reason})")
        })
    }

    /// Reads a key from a file.
    ///
    /// # Errors
    /// As [`SigningKey::from_pem`], and when the file cannot be read.
    pub(crate) fn from_file(path: &str) -> Result<SigningKey, String> {
        let pem = std::fs::read_to_string(path)
            .map_err(|error| format!("the private key file `{path}` cannot be read: {error}"))?;
        SigningKey::from_pem(&Secret::new(pem))
    }

    /// An assertion that `client_id` acts for `username`, valid from `now_s` on for three minutes.
    ///
    /// # Errors
    /// When signing fails.
    pub(crate) fn assertion(
        &self,
        client_id: &str,
        username: &str,
        audience: &str,
        now_s: u64,
    ) -> Result<Secret, String> {
        let claims = serde_json::json!({
            "iss": client_id, "sub": username, "aud": audience, "exp": now_s + LIFE_S,
        });
        let mut text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| "the private key cannot sign".to_owned())?;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(Secret::new(text))
    }
}

/// What may stand as `aud` for a login host, the likeliest first: host names do not always tell a
/// sandbox from a production org.
pub(crate) fn audiences(login_host: &OrgHost) -> Vec<String> {
    let host = login_host.as_str();
    let sandbox = host == crate::settings::org_host::TEST_HOST
        || host.contains("--")
        || [".sandbox.my.", ".scratch.my."].iter().any(|part| host.contains(part))
        || (host.starts_with("cs") && host.matches('.').count() == 2);
    let generic = if sandbox { [SANDBOX, PRODUCTION] } else { [PRODUCTION, SANDBOX] };
    let mut all: Vec<String> = generic.map(Into::into).into();
    if !login_host.is_generic() {
        all.push(format!("https://{host}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    const PKCS8: &str = include_str!("../../tests/data/rsa_pkcs8.pem");
    const PKCS1: &str = include_str!("../../tests/data/rsa_pkcs1.pem");

    fn key(pem: &str) -> Result<SigningKey, String> {
        SigningKey::from_pem(&Secret::new(pem))
    }

    #[test]
    fn both_forms_of_the_key_sign_what_its_public_half_verifies() {
        let public = key(PKCS8).unwrap().0.public().as_ref().to_vec();
        for pem in [PKCS8, PKCS1] {
            let assertion = key(pem)
                .unwrap()
                .assertion("3MVG9key", "reader@acme.example", PRODUCTION, 1_000)
                .unwrap();
            let (signed, signature) = assertion.expose().rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public);
            public.verify(signed.as_bytes(), &signature).unwrap();
            assert!(public.verify(b"something else", &signature).is_err());

            let (header, claims) = signed.split_once('.').unwrap();
            let json = |part: &str| -> serde_json::Value {
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
            };
            assert_eq!(json(header)["alg"], "RS256");
            assert_eq!(
                json(claims),
                serde_json::json!({"iss": "3MVG9key", "sub": "reader@acme.example", "aud": PRODUCTION, "exp": 1_180})
            );
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_is_refused_without_showing_it() {
        let canary = "Y2FuYXJ5Y2FuYXJ5";
        for pem in [
            "".to_owned(),
            canary.to_owned(),
            format!("-----BEGIN PRIVATE KEY-----\n{canary}\n-----END PRIVATE KEY-----\n"),
            format!("-----BEGIN EC PRIVATE KEY-----\n{canary}\n-----END EC PRIVATE KEY-----\n"),
            format!(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{canary}\n-----END ENCRYPTED PRIVATE KEY-----\n"
            ),
        ] {
            let reason = key(&pem).unwrap_err();
            assert!(!reason.contains(canary), "{reason}");
        }
        assert_eq!(format!("{:?}", key(PKCS8).unwrap()), "[signing key]");
    }

    #[test]
    fn the_audience_follows_the_kind_of_org_and_has_others_to_fall_back_on() {
        let first = |host: &str| audiences(&OrgHost::new(host).unwrap())[0].clone();
        assert_eq!(first("login.salesforce.com"), PRODUCTION);
        assert_eq!(first("acme.my.salesforce.com"), PRODUCTION);
        assert_eq!(first("acme-dev-ed.develop.my.salesforce.com"), PRODUCTION);
        assert_eq!(first("test.salesforce.com"), SANDBOX);
        assert_eq!(first("acme--uat.sandbox.my.salesforce.com"), SANDBOX);
        assert_eq!(first("acme--uat.my.salesforce.com"), SANDBOX);
        assert_eq!(first("cs91.salesforce.com"), SANDBOX);
        let all = audiences(&OrgHost::new("acme.my.salesforce.com").unwrap());
        assert_eq!(all, [PRODUCTION, SANDBOX, "https://acme.my.salesforce.com"]);
    }
}
