//! Masks secrets in texts that come from outside.
//!
//! An org, or a proxy that reads along, can put what it was sent into its answers. So every secret that
//! goes out is remembered, and found again in eight spellings: plain; percent-encoded in either case;
//! with `+` for a space; in base64 at any offset and in either alphabet; in hex; with JSON escapes;
//! split by spaces, quotes or invisible characters; and either half of a long one. What has the shape
//! of a token is masked as well, whether it is known or not.

use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use connector_api::Secret;
use parking_lot::RwLock;

use crate::transport::foreign_text::{ForeignText, is_invisible};

const MASK: &str = "[secret]";
/// Secrets that are remembered; the oldest go first.
const MOST_KNOWN: usize = 64;
/// Shorter secrets are found as whole words only: anything else would match by chance.
const SHORTEST: usize = 6;
/// From this length on either half is masked too.
const SHORTEST_HALVED: usize = 16;
/// Letters and digits in a row from which on they may be a token.
const TOKEN_RUN: usize = 40;

/// The secrets of one connector, shared by everything that reads answers for it.
#[derive(Clone, Default)]
pub(crate) struct Masker(Arc<RwLock<Vec<Secret>>>);

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masker")
    }
}

impl Masker {
    /// Remembers a secret.
    pub(crate) fn remember(&self, secret: &str) {
        let mut known = self.0.write();
        if secret.is_empty() || known.iter().any(|one| one.expose() == secret) {
            return;
        }
        if known.len() >= MOST_KNOWN {
            known.remove(0);
        }
        known.push(Secret::new(secret));
    }

    /// Makes a text from outside safe to keep and to show.
    pub(crate) fn text(&self, raw: &str) -> ForeignText {
        ForeignText::new(raw, |text| self.mask(text))
    }

    /// The text with every secret masked.
    fn mask(&self, text: &str) -> String {
        let mut hidden = token_shapes(text);
        let folded = Folded::of(text);
        for secret in self.0.read().iter() {
            let secret = secret.expose();
            if secret.len() < SHORTEST {
                hidden.extend(whole_words(text, secret));
                continue;
            }
            for pattern in patterns(secret) {
                hidden.extend(folded.find(&pattern));
            }
        }
        replaced(text, hidden)
    }
}

/// The spellings of a secret, folded as texts are.
fn patterns(secret: &str) -> Vec<Vec<u8>> {
    let mut parts = vec![secret.as_bytes()];
    if secret.len() >= SHORTEST_HALVED {
        let middle = secret.floor_char_boundary(secret.len() / 2);
        parts.extend([&secret.as_bytes()[..middle], &secret.as_bytes()[middle..]]);
    }
    let mut patterns = Vec::new();
    for part in parts {
        patterns.push(fold_bytes(part));
        patterns.push(hex::encode(part).into_bytes());
        for offset in 0..3 {
            patterns.push(fold_bytes(base64_inside(part, offset).as_bytes()));
        }
    }
    patterns.retain(|pattern| pattern.len() >= SHORTEST);
    patterns
}

/// The characters of base64 that depend on `part` alone where `offset` bytes precede it.
fn base64_inside(part: &[u8], offset: usize) -> String {
    let padded = [&[0; 2][..offset], part].concat();
    let encoded = STANDARD_NO_PAD.encode(&padded);
    let first = (offset * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    encoded.get(first..last).unwrap_or_default().to_owned()
}

/// A text with everything taken out that a spelling can add, and where each byte came from.
struct Folded {
    bytes: Vec<u8>,
    from: Vec<Range<usize>>,
}

impl Folded {
    fn of(text: &str) -> Folded {
        let mut folded = Folded { bytes: Vec::new(), from: Vec::new() };
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let (unit, length) = escape(&text[at..]).unwrap_or((Unit::Char(c), c.len_utf8()));
            let from = at..at + length;
            match unit {
                Unit::Byte(byte) if !byte.is_ascii() => folded.push(byte, from),
                Unit::Byte(byte) => folded.push_char(char::from(byte), from),
                Unit::Char(c) => folded.push_char(c, from),
            }
            at += length;
        }
        folded
    }

    fn push_char(&mut self, c: char, from: Range<usize>) {
        if is_separator(c) {
            return;
        }
        for c in c.to_lowercase() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                self.push(byte, from.clone());
            }
        }
    }

    fn push(&mut self, byte: u8, from: Range<usize>) {
        if let Some(byte) = fold(byte) {
            self.bytes.push(byte);
            self.from.push(from);
        }
    }

    /// Where in the text a pattern is.
    fn find(&self, pattern: &[u8]) -> Vec<Range<usize>> {
        self.bytes
            .windows(pattern.len())
            .enumerate()
            .filter(|(_, window)| *window == pattern)
            .map(|(at, _)| self.from[at].start..self.from[at + pattern.len() - 1].end)
            .collect()
    }
}

/// The character of an escape.
enum Unit {
    /// Perhaps a part of a longer character.
    Byte(u8),
    Char(char),
}

/// A percent escape, however often it was encoded, or a JSON escape at the start of a text, and its
/// length.
fn escape(text: &str) -> Option<(Unit, usize)> {
    if let Some(rest) = text.strip_prefix('%') {
        let byte = |digits: Option<&str>| u8::from_str_radix(digits?, 16).ok().map(Unit::Byte);
        let again = rest.len() - rest.trim_start_matches("25").len();
        return match byte(rest.get(again..again + 2)) {
            Some(unit) => Some((unit, again + 3)),
            None => byte(rest.get(..2)).map(|unit| (unit, 3)),
        };
    }
    let rest = text.strip_prefix('\\')?;
    match rest.chars().next()? {
        'u' => {
            let value = u32::from_str_radix(rest.get(1..5)?, 16).ok()?;
            char::from_u32(value).map(|c| (Unit::Char(c), 6))
        }
        c @ ('"' | '\\' | '/') => Some((Unit::Char(c), 2)),
        _ => None,
    }
}

/// One alphabet of base64, and nothing that may stand for a space.
fn fold(byte: u8) -> Option<u8> {
    match byte {
        b'+' | b'-' => None,
        b'_' => Some(b'/'),
        byte => Some(byte),
    }
}

fn fold_bytes(bytes: &[u8]) -> Vec<u8> {
    Folded::of(&String::from_utf8_lossy(bytes)).bytes
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || is_invisible(c)
        || matches!(c, '"' | '\'' | '`' | '\\' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}')
}

fn whole_words(text: &str, word: &str) -> Vec<Range<usize>> {
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(word)
        .filter(|(at, _)| {
            !inside(text[..*at].chars().next_back())
                && !inside(text[at + word.len()..].chars().next())
        })
        .map(|(at, word)| at..at + word.len())
        .collect()
}

/// What has the shape of a token: sessions, refresh tokens, codes, JWTs, and long runs that no word,
/// id or path has.
fn token_shapes(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for run in runs(text, |c| c.is_ascii_alphanumeric() || "._~+/=!%-".contains(c)) {
        let part = &text[run.clone()];
        let starts = ["5Aep", "aPrx", "eyJ"]
            .iter()
            .filter_map(|start| part.find(start).filter(|at| part.len() - at >= 20));
        if let Some(at) = starts.chain(session_start(part)).min() {
            found.push(run.start + at..run.end);
        }
    }
    let path = text.contains("/services/") || text.contains("://");
    for run in
        runs(text, |c| c.is_ascii_alphanumeric() || "_~+=%-".contains(c) || (c == '/' && !path))
    {
        if looks_random(&text[run.clone()]) {
            found.push(run);
        }
    }
    found
}

/// Where a session id begins: `00D`, 12 or 15 more letters and digits, and an exclamation mark.
fn session_start(text: &str) -> Option<usize> {
    text.match_indices("00D").map(|(at, _)| at).find(|at| {
        let rest = &text[*at..];
        [15, 18].iter().any(|length| {
            rest.get(..*length).is_some_and(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))
                && rest.get(*length..).is_some_and(|end| {
                    (end.starts_with('!') || end.starts_with("%21")) && end.len() > 8
                })
        })
    })
}

fn runs(text: &str, is_part: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        match (is_part(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                runs.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    runs.extend(start.map(|from| from..text.len()));
    runs
}

/// Whether a run of characters is longer and more mixed than names, ids and numbers are.
fn looks_random(run: &str) -> bool {
    let count = |test: fn(&u8) -> bool| run.bytes().filter(test).count();
    let different = run.bytes().collect::<std::collections::BTreeSet<u8>>().len();
    run.len() >= TOKEN_RUN
        && count(u8::is_ascii_digit) >= 4
        && count(u8::is_ascii_alphabetic) >= 4
        && different >= 10
}

/// The text with these parts masked, those that touch each other as one.
fn replaced(text: &str, mut hidden: Vec<Range<usize>>) -> String {
    hidden.sort_by_key(|range| range.start);
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for range in hidden {
        if range.start > at || masked.is_empty() && range.start == 0 {
            masked.push_str(&text[at..range.start]);
            masked.push_str(MASK);
        }
        at = at.max(range.end);
    }
    masked.push_str(&text[at..]);
    masked
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    const SECRET: &str = "p4ss-wörd/with+marks_&=\"quotes\"";

    fn masked(secret: &str, text: &str) -> String {
        let masker = Masker::default();
        masker.remember(secret);
        masker.text(text).to_string()
    }

    fn percent(secret: &str, upper: bool) -> String {
        secret
            .bytes()
            .map(|byte| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") })
            .collect()
    }

    /// Every spelling of a secret that an answer can hold.
    fn spellings(secret: &str) -> Vec<String> {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let (first, second) = secret.split_at(secret.floor_char_boundary(secret.len() / 2));
        let mut spellings = vec![
            secret.to_owned(),
            secret.to_uppercase(),
            percent(secret, true),
            percent(secret, false),
            percent(secret, true).replace('%', "%25"),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            secret.replace('+', " "),
            hex.to_uppercase(),
            hex,
            serde_json::to_string(secret).unwrap(),
            secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
            secret.chars().map(|c| format!("{c} ")).collect(),
            secret.chars().map(|c| format!("{c}\u{200b}")).collect(),
            secret.chars().map(|c| format!("'{c}'\"")).collect(),
            first.to_owned(),
            second.to_owned(),
        ];
        for before in ["", "a", "bc"] {
            spellings.push(STANDARD.encode(format!("{before}{secret}tail")));
            spellings.push(URL_SAFE_NO_PAD.encode(format!("{before}{secret}tail")));
        }
        spellings
    }

    #[test]
    fn a_known_secret_is_masked_in_every_spelling() {
        for secret in [SECRET, "5Aep861ZrefreshToken._0123456789abcdefXYZ==", "aB3$x9 q+Z/w81_k-p"]
        {
            let half = secret.len() / 2;
            for spelling in spellings(secret) {
                let text = format!("echo of {spelling} at the end");
                let shown = masked(secret, &text);
                assert!(shown.contains(MASK), "{spelling}: {shown}");
                assert!(
                    !shown.contains(&secret[..secret.floor_char_boundary(half.min(8))]),
                    "{spelling}: {shown}"
                );
                assert!(shown.starts_with("echo of"), "{spelling}: {shown}");
                // The control: a masker that knows nothing lets it through.
                let unmasked = Masker::default().text(&text).to_string();
                assert!(unmasked.contains(MASK) || unmasked.len() >= shown.len(), "{unmasked}");
            }
        }
    }

    #[test]
    fn without_the_secret_known_its_spellings_are_seen() {
        let seen = spellings(SECRET)
            .iter()
            .filter(|spelling| !Masker::default().text(spelling).to_string().contains(MASK))
            .count();
        assert!(seen >= 10, "only {seen} spellings show that the masker is what hides them");
    }

    #[test]
    fn what_has_the_shape_of_a_token_is_masked_though_nobody_knows_it() {
        for token in [
            "00D000000000001!AQcAQH0dMHZfz972Szmpkb58urFRkgeBGsxL_QJWwYMfAbUeeG7c1E6LYUfiDUkWe6H34r1",
            "00D000000000001AAA!AQ.abcdefgh",
            "00D000000000001%21AQcAQH0dMHZfz972Szmpkb58urFR",
            "5Aep8614iLM.Dq661ePDmPEgaAW9Oh_L3JKkDpB4xReb54_pZebnUG0h6Sb4KUVDpNtWEofWM39yg==",
            "aPrxSampleCode.0123456789_abcdefghijklmnopqrstuvwxyz==",
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIzTVZHOSJ9.c2lnbmF0dXJl",
            "8D3F6E0C9B7A5D2E1F4C8B6A9D7E3F5C0B2A4D6E8F1C3B5A7D9E0F2C4B6A8D1E",
            "q7Zk0mC+/8vR1sXy/2TnWb4JdLh6Gf9EoPa3QuIi5rKx==",
        ] {
            let shown = Masker::default().text(&format!("the token {token}, see")).to_string();
            assert_eq!(shown, format!("the token {MASK}, see"), "{token}");
        }
    }

    #[test]
    fn ids_names_paths_and_numbers_are_shown() {
        for text in [
            "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (-1234567890)",
            "the record 005000000000001AAA of 00D000000000001EAA",
            "No such column 'PermissionsManageProfilesPermissionsetsAndMore' on entity 'User'",
            "/services/data/v66.0/jobs/query/750000000000001AAA/results?locator=MTAwMDA&maxRecords=50000",
            "https://acme--uat1234.sandbox.my.salesforce.com/services/oauth2/token",
            "TotalRequests Limit exceeded. (2026-11-24T10:00:00.000Z)",
            "request 4kq2vAfJm1aZ9sQpR1bXcA",
        ] {
            assert_eq!(Masker::default().text(text).to_string(), text);
        }
    }

    #[test]
    fn a_short_secret_is_masked_as_a_whole_word() {
        assert_eq!(masked("abc", "user:abc@proxy and abcd"), "user:[secret]@proxy and abcd");
        assert_eq!(masked("", "nothing"), "nothing");
    }

    #[test]
    fn text_beside_a_secret_stays() {
        assert_eq!(
            masked("canary-12345", "a canary-12345, canary-12345 b"),
            "a [secret], [secret] b"
        );
        assert_eq!(masked("canary-12345", "canary-12345"), "[secret]");
    }
}
