//! Pseudonyms: a keyed hash in place of what says who a person is.
//!
//! The key is made once for each connector and stays among its secrets, so that a person keeps one
//! pseudonym from run to run, and nobody without the key can try names against it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use connector_api::{Error, ErrorKind, Host, Secret};
use ring::hmac;

/// The secret that holds the key.
const KEY: &str = "pseudonym_key";
/// Bytes of the hash that are kept: enough that no two people meet.
const KEPT: usize = 16;

/// Makes pseudonyms by HMAC-SHA-256.
pub(crate) struct Pseudonyms(hmac::Key);

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// With this connector's key, which is made the first time.
    ///
    /// # Errors
    /// When the key can be neither read nor stored; nothing may be read then.
    pub(crate) fn open(host: &Host) -> Result<Pseudonyms, Error> {
        let broken = |reason: &str| {
            Error::new(ErrorKind::OTHER, format_args!("the key of the pseudonyms {reason}"))
                .with_hint("remove the secret `pseudonym_key` to make a new one; people then get new pseudonyms")
        };
        if let Some(stored) = host.secret_get(KEY)? {
            let key = BASE64.decode(stored.expose()).map_err(|_| broken("cannot be read"))?;
            if key.len() < 32 {
                return Err(broken("is too short"));
            }
            return Ok(Pseudonyms::with_key(&key));
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| broken("cannot be made"))?;
        host.secret_put(KEY, Some(&Secret::new(BASE64.encode(key))))?;
        Ok(Pseudonyms::with_key(&key))
    }

    fn with_key(key: &[u8]) -> Pseudonyms {
        Pseudonyms(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The pseudonym of a text; upper and lower case are the same person.
    pub(crate) fn of(&self, text: &str) -> String {
        let tag = hmac::sign(&self.0, text.trim().to_lowercase().as_bytes());
        BASE64.encode(&tag.as_ref()[..KEPT])
    }

    /// A column of texts, each replaced; null and empty stay.
    pub(crate) fn column(&self, column: &ArrayRef) -> ArrayRef {
        let Some(texts) = column.as_string_opt::<i32>() else { return Arc::clone(column) };
        let replaced: StringArray = (0..texts.len())
            .map(|row| {
                texts
                    .is_valid(row)
                    .then(|| texts.value(row))
                    .map(|text| if text.is_empty() { String::new() } else { self.of(text) })
            })
            .collect();
        Arc::new(replaced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_keeps_a_pseudonym_that_depends_on_the_key() {
        let (one, two) = (Pseudonyms::with_key(&[1; 32]), Pseudonyms::with_key(&[2; 32]));
        assert_eq!(one.of("ada@example.com"), one.of("ADA@example.com "));
        assert_ne!(one.of("ada@example.com"), one.of("bob@example.com"));
        assert_ne!(one.of("ada@example.com"), two.of("ada@example.com"));
        assert_eq!(one.of("ada@example.com").len(), 22);
    }

    #[test]
    fn the_hash_is_hmac_sha_256() {
        // RFC 4231, test case 2.
        let pseudonyms = Pseudonyms::with_key(b"Jefe");
        let expected = [
            0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95,
            0x75, 0xc7,
        ];
        assert_eq!(pseudonyms.of("what do ya want for nothing?"), BASE64.encode(expected));
    }

    #[test]
    fn null_and_empty_stay_as_they_are() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some("Ada"), None, Some("")]));
        let replaced = Pseudonyms::with_key(&[1; 32]).column(&column);
        let replaced = replaced.as_string::<i32>();
        assert!(replaced.value(0) != "Ada" && replaced.is_null(1) && replaced.value(2).is_empty());
    }
}
