//! Sealing of single values.
//!
//! A value of the store as a whole is `1 | nonce (24 bytes) | ciphertext and tag`, its name is
//! authenticated with it. A value of a connector is `2 | generation (8 bytes) | nonce | ciphertext and
//! tag`; the connector's number, domain and client id, the value's name and the generation are
//! authenticated with it. The cipher is XChaCha20-Poly1305.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use connector_api::Secret;

use crate::error::{StoreError, StoreErrorKind};

/// Length of a sealing key in bytes.
pub(crate) const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;
/// Values of the store, and those of connectors until their generations were counted.
const UNCOUNTED: u8 = 1;
/// Values of connectors.
const COUNTED: u8 = 2;

/// What a value of a connector belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) connector_id: i64,
    pub(crate) domain: String,
    pub(crate) client_id: String,
}

/// The cipher with one sealing key.
pub(crate) struct Cipher(XChaCha20Poly1305);

impl Cipher {
    pub(crate) fn new(key: &[u8; KEY]) -> Cipher {
        Cipher(XChaCha20Poly1305::new(key.into()))
    }

    /// Seals a value of the store as a whole.
    pub(crate) fn seal(&self, name: &str, value: &str) -> Result<Vec<u8>, StoreError> {
        self.encrypt(vec![UNCOUNTED], &uncounted(0, name), name, value)
    }

    /// Seals a value as programs did that counted no generations.
    #[cfg(test)]
    pub(super) fn seal_as_before(&self, aad: &str, value: &str) -> Vec<u8> {
        self.encrypt(vec![UNCOUNTED], aad.as_bytes(), "", value).unwrap()
    }

    /// Opens a value of the store as a whole.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Result<Secret, StoreError> {
        self.open_uncounted(0, name, sealed)
    }

    /// Opens a value of a connector from before generations were counted.
    pub(crate) fn open_uncounted(
        &self,
        connector_id: i64,
        name: &str,
        sealed: &[u8],
    ) -> Result<Secret, StoreError> {
        match sealed.split_first() {
            Some((&UNCOUNTED, rest)) => self.decrypt(rest, &uncounted(connector_id, name), name),
            _ => Err(refused(name)),
        }
    }

    /// Seals a value of a connector.
    pub(crate) fn seal_counted(
        &self,
        binding: &Binding,
        name: &str,
        generation: u64,
        value: &str,
    ) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![COUNTED];
        bytes.extend_from_slice(&generation.to_be_bytes());
        self.encrypt(bytes, &counted(binding, name, generation), name, value)
    }

    /// Opens a value of a connector that must be of that generation.
    pub(crate) fn open_counted(
        &self,
        binding: &Binding,
        name: &str,
        generation: u64,
        sealed: &[u8],
    ) -> Result<Secret, StoreError> {
        let rest = sealed.strip_prefix(&[COUNTED]).ok_or_else(|| refused(name))?;
        let rest = rest.strip_prefix(&generation.to_be_bytes()).ok_or_else(|| refused(name))?;
        self.decrypt(rest, &counted(binding, name, generation), name)
    }

    fn encrypt(
        &self,
        mut head: Vec<u8>,
        aad: &[u8],
        name: &str,
        value: &str,
    ) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0_u8; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| StoreError::system(format_args!("no random bytes: {error}")))?;
        let sealed =
            self.0
                .encrypt(&XNonce::from(nonce), Payload { msg: value.as_bytes(), aad })
                .map_err(|_| StoreError::system(format_args!("`{name}` could not be sealed")))?;
        head.extend_from_slice(&nonce);
        head.extend_from_slice(&sealed);
        Ok(head)
    }

    fn decrypt(&self, rest: &[u8], aad: &[u8], name: &str) -> Result<Secret, StoreError> {
        if rest.len() < NONCE + TAG {
            return Err(refused(name));
        }
        let (nonce, body) = rest.split_at(NONCE);
        let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| refused(name))?;
        let payload = Payload { msg: body, aad };
        let plain = self.0.decrypt(&XNonce::from(nonce), payload).map_err(|_| refused(name))?;
        Ok(Secret::new(String::from_utf8(plain).map_err(|_| refused(name))?))
    }
}

/// Whether a value was sealed with its generation.
pub(super) fn is_counted(sealed: &[u8]) -> bool {
    sealed.first() == Some(&COUNTED)
}

/// The error for a value that does not open.
pub(super) fn refused(name: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Sealed,
        format_args!("the stored value `{name}` cannot be opened"),
    )
    .with_hint(
        "it was altered, put back from an earlier time, or sealed with another key: restore store \
         and key, or enter it again with `connectors edit`",
    )
}

fn uncounted(connector_id: i64, name: &str) -> Vec<u8> {
    format!("endpoint-server/{UNCOUNTED}/{connector_id}/{name}").into_bytes()
}

fn counted(binding: &Binding, name: &str, generation: u64) -> Vec<u8> {
    let mut bytes = format!("endpoint-server/{COUNTED}").into_bytes();
    bytes.extend_from_slice(&binding.connector_id.to_be_bytes());
    bytes.extend_from_slice(&generation.to_be_bytes());
    for text in [&binding.domain, &binding.client_id, name] {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}
