//! The spellings in which a secret could appear in a text.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Every character but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A secret from this length on is recognised by either half.
const HALVED_FROM: usize = 24;

/// The spellings as they stand in a text, letter by letter: plain, percent-encoded, as a form sends
/// it, escaped for JSON, base64 and hexadecimal.
pub fn forms(secret: &str) -> Vec<String> {
    let percent = utf8_percent_encode(secret, RESERVED).to_string();
    let json = serde_json::to_string(secret).unwrap_or_default();
    vec![
        secret.to_owned(),
        percent.replace("%20", "+"),
        percent,
        json.trim_matches('"').replace('/', "\\/"),
        json.trim_matches('"').to_owned(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        hex::encode(secret),
    ]
}

/// More spellings, to be compared after [`folded`]: base64 of a longer text around the secret, and
/// halves.
pub(super) fn inner_forms(secret: &str) -> Vec<String> {
    let mut inner: Vec<String> = (0..3)
        .flat_map(|shift| {
            [shifted(&STANDARD_NO_PAD, secret, shift), shifted(&URL_SAFE_NO_PAD, secret, shift)]
        })
        .collect();
    for form in forms(secret).into_iter().take(3) {
        if secret.len() >= HALVED_FROM {
            let (first, second) = form.split_at(form.floor_char_boundary(form.len() / 2));
            inner.extend([first.to_owned(), second.to_owned()]);
        }
    }
    inner
}

/// What of the base64 of a text does not depend on what stands around the secret in it.
fn shifted(engine: &impl Engine, secret: &str, shift: usize) -> String {
    let bytes: Vec<u8> = std::iter::repeat_n(0, shift).chain(secret.bytes()).collect();
    let mut text = engine.encode(&bytes);
    if !bytes.len().is_multiple_of(3) {
        text.pop();
    }
    text.split_off([0, 2, 3][shift].min(text.len()))
}

/// A text without what may be put between two characters of a secret, in lower case; and for each of
/// its bytes where in the text its character begins and ends.
pub(super) fn folded(text: &str) -> (String, Vec<(usize, usize)>) {
    let mut folded = String::with_capacity(text.len());
    let mut places = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices().filter(|(_, c)| !is_separator(*c)) {
        let before = folded.len();
        folded.push(c.to_ascii_lowercase());
        places.extend(std::iter::repeat_n((at, at + c.len_utf8()), folded.len() - before));
    }
    (folded, places)
}

/// Spaces, quotes, backslashes and characters that are not seen.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '"' | '\'' | '`' | '\\'
            | '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
        )
}
