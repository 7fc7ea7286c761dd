//! Random identifiers and the few digests OAuth needs.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const TOKEN: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// `length` letters and digits.
pub(crate) fn alphanumeric(length: usize) -> String {
    pick(ALPHANUMERIC, length)
}

/// `length` characters of the alphabet session ids use.
pub(crate) fn token_characters(length: usize) -> String {
    pick(TOKEN, length)
}

/// `length` lower-case hexadecimal digits.
pub(crate) fn hex(length: usize) -> String {
    pick(b"0123456789abcdef", length)
}

fn pick(alphabet: &[u8], length: usize) -> String {
    let mut text = String::with_capacity(length);
    let mut pool = [0_u8; 64];
    while text.len() < length {
        fill(&mut pool);
        // Bytes at or above the largest multiple of the alphabet would make its first
        // characters likelier, so they are thrown away.
        let usable = 256 - 256 % alphabet.len();
        for byte in pool.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < usable) {
            if text.len() == length {
                break;
            }
            text.push(char::from(alphabet[byte % alphabet.len()]));
        }
    }
    text
}

fn fill(pool: &mut [u8]) {
    if let Err(error) = getrandom::fill(pool) {
        panic!("the system has no random numbers: {error}");
    }
}

/// The S256 code challenge of a code verifier (RFC 7636, section 4.2).
pub(crate) fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Base64 of HMAC-SHA256 (RFC 2104), as the token answer's `signature` is made.
pub(crate) fn signature(key: &str, message: &str) -> String {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key.as_bytes()));
    } else {
        block[..key.len()].copy_from_slice(key.as_bytes());
    }
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(message.as_bytes())
        .finalize();
    let outer =
        Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize();
    STANDARD.encode(outer)
}

/// Eight hexadecimal digits that change when `text` does; the value inside an `ETag`.
pub(crate) fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_agrees_with_the_published_hmac_vector() {
        // RFC 4231, test case 2.
        let expected = [
            0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95,
            0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9,
            0x64, 0xec, 0x38, 0x43,
        ];
        assert_eq!(signature("Jefe", "what do ya want for nothing?"), STANDARD.encode(expected));
    }

    #[test]
    fn the_challenge_agrees_with_the_published_pkce_vector() {
        // RFC 7636, appendix B.
        assert_eq!(
            s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn identifiers_have_the_asked_length_and_alphabet() {
        let text = alphanumeric(200);
        assert_eq!(text.len(), 200);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(text, alphanumeric(200));
    }
}
