//! What may be shown: live secrets are masked, control characters and bidi controls are spelt out.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use parking_lot::RwLock;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

/// Shorter values are not masked: they would match by chance everywhere.
pub const SHORTEST: usize = 6;
/// Most values that are remembered; the oldest go first.
const MOST: u64 = 512;
const MASK: &str = "[secret]";

/// Forms of secrets, the longest first: a secret that is part of another must not leave the other's
/// rest visible. Each with the number of its remembering.
static LIVE: RwLock<Vec<(u64, Zeroizing<String>)>> = RwLock::new(Vec::new());

/// Remembers a secret of this process, in the forms it could appear in, so that [`mask`] finds it.
pub fn remember(secret: &str) {
    if secret.len() < SHORTEST {
        return;
    }
    let mut live = LIVE.write();
    let newest = live.iter().map(|(number, _)| *number).max().unwrap_or(0) + 1;
    for form in forms(secret) {
        match live.iter_mut().find(|(_, known)| **known == form) {
            Some((number, _)) => *number = newest,
            None if form.len() >= SHORTEST => live.push((newest, Zeroizing::new(form))),
            None => {}
        }
    }
    live.retain(|(number, _)| number + MOST > newest);
    live.sort_by_key(|(_, form)| std::cmp::Reverse(form.len()));
}

/// Every character but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The forms in which a secret could appear.
pub fn forms(secret: &str) -> [String; 6] {
    let percent = utf8_percent_encode(secret, RESERVED).to_string();
    let json = serde_json::to_string(secret).unwrap_or_default();
    [
        secret.to_owned(),
        percent,
        json.trim_matches('"').to_owned(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ]
}

/// The text with every live secret masked.
pub fn mask(text: &str) -> Cow<'_, str> {
    let live = LIVE.read();
    let mut text = Cow::Borrowed(text);
    for (_, secret) in live.iter() {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), MASK));
        }
    }
    text
}

/// The text on one line, harmless to a terminal: control characters (newlines and tabs too), line
/// separators and characters that change the direction of text are spelt as escapes.
pub fn safe_text(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_unsafe(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061C}' // Arabic letter mark
            | '\u{200E}' | '\u{200F}' // marks
            | '\u{2028}' | '\u{2029}' // line and paragraph separator
            | '\u{202A}'..='\u{202E}' // embeddings and overrides
            | '\u{2066}'..='\u{2069}' // isolates
            | '\u{FEFF}'
        )
}

/// Masked and on one line: what goes to a log or a terminal.
pub fn shown(text: &str) -> String {
    safe_text(&mask(text)).into_owned()
}

/// Whether the text is a URL with a user name or password in it.
pub fn has_url_credentials(text: &str) -> bool {
    url_user_info(text).is_some()
}

/// Remembers the password of a URL, as it stands and decoded.
pub fn remember_url_password(url: &str) {
    if let Some((_, password)) = url_user_info(url).and_then(|user| user.split_once(':')) {
        remember(password);
        remember(&percent_decode_str(password).decode_utf8_lossy());
    }
}

fn url_user_info(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_secret_is_masked_in_every_form_it_can_take() {
        let secret = "s3cr/t+\"canary\" 42";
        remember(secret);
        for form in forms(secret) {
            let shown = mask(&format!("before {form} after")).into_owned();
            assert_eq!(shown, "before [secret] after");
        }
    }

    #[test]
    fn a_secret_inside_a_longer_one_leaves_nothing_of_either() {
        remember("inner-canary");
        remember("outer-inner-canary-rest");
        assert_eq!(mask("x outer-inner-canary-rest y"), "x [secret] y");
    }

    #[test]
    fn the_password_of_a_proxy_is_masked_encoded_and_decoded() {
        remember_url_password("http://user:pa%40ss-canary@proxy.example:8080/");
        assert_eq!(mask("pa%40ss-canary pa@ss-canary"), "[secret] [secret]");
    }

    #[test]
    fn terminal_escapes_newlines_and_bidi_controls_are_spelt_out() {
        let name = "a\u{1b}[31mred\n\r\t\u{202e}live\u{2066}x\u{9b}";
        assert_eq!(safe_text(name), "a\\u{1b}[31mred\\n\\r\\t\\u{202e}live\\u{2066}x\\u{9b}");
        assert_eq!(safe_text("Zoë O'Neil 社"), "Zoë O'Neil 社");
    }

    #[test]
    fn urls_with_credentials_are_told_from_those_without() {
        assert!(has_url_credentials("http://user:pass@proxy:8080"));
        assert!(has_url_credentials("http://user@proxy"));
        assert!(!has_url_credentials("http://proxy:8080/a@b"));
        assert!(!has_url_credentials("someone@example.com"));
    }
}
