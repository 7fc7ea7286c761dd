//! What may be shown: live secrets are masked, control characters and bidi controls are written as escapes.

mod foreign;
mod shape;
mod spelling;

use std::borrow::Cow;
use std::ops::Range;

use parking_lot::RwLock;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

pub use foreign::foreign;
pub use spelling::forms;

/// Shorter values are masked only where they are a whole word: they match by chance everywhere.
pub const SHORTEST: usize = 6;
/// Shorter values are not masked.
const SHORTEST_WORD: usize = 3;
/// Shorter spellings are compared letter by letter only.
const SHORTEST_FOLDED: usize = 12;
/// Most values that are remembered; the oldest go first.
const MOST: u64 = 512;
const MASK: &str = "[secret]";

/// How a spelling is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// As it is, as a whole word.
    Word,
    /// As it is.
    Exact,
    /// Without case and separators, on both sides.
    Folded,
}

/// A spelling of a secret.
struct Known {
    /// The number of the secret's remembering.
    number: u64,
    compared: Compared,
    text: Zeroizing<String>,
}

static LIVE: RwLock<Vec<Known>> = RwLock::new(Vec::new());

/// Remembers a secret of this process, in the spellings it could appear in, so that [`mask`] finds
/// it. Of a JSON document, the secrets in it are remembered one by one too.
pub fn remember(secret: &str) {
    if secret.len() < SHORTEST_WORD {
        return;
    }
    let mut live = LIVE.write();
    let newest = live.iter().map(|known| known.number).max().unwrap_or(0) + 1;
    let inner = serde_json::from_str(secret).map(|value| secrets_in(&value)).unwrap_or_default();
    for secret in inner.iter().map(|inner| inner.as_str()).chain([secret]) {
        for (compared, form) in spellings(secret) {
            match live.iter_mut().find(|known| known.compared == compared && *known.text == form) {
                Some(known) => known.number = newest,
                None => live.push(Known { number: newest, compared, text: Zeroizing::new(form) }),
            }
        }
    }
    live.retain(|known| known.number + MOST > newest);
}

fn spellings(secret: &str) -> Vec<(Compared, String)> {
    if secret.len() < SHORTEST {
        return vec![(Compared::Word, secret.to_owned())];
    }
    let exact = spelling::forms(secret);
    let folded = exact.iter().cloned().chain(spelling::inner_forms(secret));
    let folded = folded.map(|form| spelling::folded(&form).0);
    let folded: Vec<_> = folded
        .filter(|form| form.len() >= SHORTEST_FOLDED)
        .map(|form| (Compared::Folded, form))
        .collect();
    exact.into_iter().map(|form| (Compared::Exact, form)).chain(folded).collect()
}

/// The texts in a JSON document that are secrets by the name of their key and by how they look.
fn secrets_in(value: &serde_json::Value) -> Vec<Zeroizing<String>> {
    const NAMES: [&str; 7] =
        ["token", "secret", "password", "key", "verifier", "code", "assertion"];
    let mut found = Vec::new();
    let Some(object) = value.as_object() else { return found };
    for (name, value) in object {
        let named = NAMES.iter().any(|part| name.to_ascii_lowercase().contains(part));
        match value.as_str() {
            Some(text) if named && text.len() >= SHORTEST_FOLDED && has_no_word_only(text) => {
                found.push(Zeroizing::new(text.to_owned()));
            }
            _ => found.extend(secrets_in(value)),
        }
    }
    found
}

/// Whether the text is more than a word in lower case, such as the name of an error.
fn has_no_word_only(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// The text with every live secret masked.
pub fn mask(text: &str) -> Cow<'_, str> {
    masked(text, known_in(text))
}

/// Where the text holds a live secret.
fn known_in(text: &str) -> Vec<Range<usize>> {
    let live = LIVE.read();
    let mut found = Vec::new();
    let mut folded: Option<(String, Vec<(usize, usize)>)> = None;
    for known in live.iter() {
        match known.compared {
            Compared::Word => {
                found.extend(all(text, &known.text).filter(|range| is_word(text, range)));
            }
            Compared::Exact => found.extend(all(text, &known.text)),
            Compared::Folded => {
                let (folded, places) = folded.get_or_insert_with(|| spelling::folded(text));
                let in_text = |range: Range<usize>| {
                    Some(places.get(range.start)?.0..places.get(range.end - 1)?.1)
                };
                found.extend(all(folded, &known.text).filter_map(in_text));
            }
        }
    }
    found
}

fn all(text: &str, part: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices(part).map(|(at, part)| at..at + part.len())
}

fn is_word(text: &str, range: &Range<usize>) -> bool {
    !text[..range.start].ends_with(char::is_alphanumeric)
        && !text[range.end..].starts_with(char::is_alphanumeric)
}

/// The text with those places masked.
fn masked(text: &str, mut places: Vec<Range<usize>>) -> Cow<'_, str> {
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    places.sort_by_key(|range| range.start);
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for range in places {
        if range.start >= done {
            masked.push_str(&text[done..range.start]);
            masked.push_str(MASK);
        }
        done = done.max(range.end);
    }
    masked.push_str(&text[done..]);
    Cow::Owned(masked)
}

/// The text on one line, harmless to a terminal: control characters (newlines and tabs too), line
/// separators and characters that change the direction of text are written as escapes.
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

/// Remembers the password of a URL, as written and decoded.
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

    /// A secret in each way in which a hostile answer could hide it.
    fn hidden(secret: &str) -> Vec<(&'static str, String)> {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        let with = |between: &str| {
            let parts: Vec<String> = secret.chars().map(String::from).collect();
            parts.join(between)
        };
        let percent = forms(secret)[2].clone();
        let mut hidden = vec![
            ("plain", secret.to_owned()),
            ("percent", percent.clone()),
            ("percent, lower case", percent.to_lowercase()),
            ("form", forms(secret)[1].clone()),
            ("hex", hex::encode(secret)),
            ("hex, upper case", hex::encode_upper(secret)),
            ("json", serde_json::to_string(secret).unwrap()),
            ("upper case", secret.to_uppercase()),
            ("spaces", with(" ")),
            ("quotes", with("\"")),
            ("invisible", with("\u{200b}")),
            ("first half", secret[..secret.len() / 2].to_owned()),
            ("second half", secret[secret.len() / 2..].to_owned()),
        ];
        for before in ["", "a", "ab"] {
            hidden.push(("base64", STANDARD.encode(format!("{before}{secret}zz"))));
            hidden.push(("base64, URL-safe", URL_SAFE.encode(format!("{before}{secret}z"))));
        }
        hidden
    }

    #[test]
    fn a_live_secret_is_masked_however_it_is_spelt_which_an_unknown_one_is_not() {
        let (known, unknown) =
            ("Kn0wn/canary value+9Q_with.more", "Other-s3cret thing/77_Zz+qqLmPx");
        remember(known);
        for (way, text) in hidden(known) {
            let shown = mask(&format!("before {text} after")).into_owned();
            assert!(shown.contains(MASK), "{way}: {shown}");
            let left = shown.chars().filter(|c| c.is_ascii_alphanumeric()).count();
            assert!(left <= "beforesecretafter".len() + 6, "{way}: {shown}");
        }
        for (way, text) in hidden(unknown) {
            assert_eq!(mask(&text), text, "the control, {way}");
        }
    }

    #[test]
    fn the_tokens_in_a_stored_grant_are_masked_one_by_one_and_its_names_are_not() {
        remember(
            r#"{"access_token":"00Dcanary!access1","host":"acme.my.example.com","ended":"invalid_grant",
                "pending":{"code_verifier":"Ver1fier-canary-value"},"error_code":"invalid_grant_type"}"#,
        );
        assert_eq!(mask("a 00Dcanary!access1 b"), "a [secret] b");
        assert_eq!(mask("a Ver1fier-canary-value b"), "a [secret] b");
        for kept in ["acme.my.example.com", "invalid_grant_type", "invalid_grant"] {
            assert_eq!(mask(kept), kept);
        }
    }

    #[test]
    fn a_short_secret_is_masked_as_a_word_and_inside_a_url() {
        remember("hq7x");
        assert_eq!(mask("http://user:hq7x@proxy hq7x"), "http://user:[secret]@proxy [secret]");
        assert_eq!(mask("hq7xyz"), "hq7xyz");
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
