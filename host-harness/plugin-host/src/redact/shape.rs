//! Tokens by their shape: for those that no process here has ever seen.

use std::collections::BTreeMap;
use std::ops::Range;

/// A run of characters from this length on is a token if it looks random.
const RANDOM_FROM: usize = 40;
/// Least bits of information per character of what looks random. Identifiers made of words have about
/// four.
const RANDOM_BITS: f64 = 4.5;

/// Where the text holds something that has a token's shape: a session id or refresh token with its
/// vendor's prefix, a JSON Web Token, or a long random run. Ids of records, requests and errors are
/// shorter, digests are hexadecimal.
pub(super) fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut found = runs(text, |c| c.is_ascii_alphanumeric() || "._~+/=-!".contains(c));
    found.retain(|run| has_known_prefix(&text[run.clone()]));
    let narrow = runs(text, |c| c.is_ascii_alphanumeric() || "_~+=-!".contains(c));
    found.extend(narrow.into_iter().filter(|run| looks_random(&text[run.clone()])));
    found
}

fn runs(text: &str, belongs: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut from = None;
    for (at, c) in text.char_indices() {
        match (belongs(c), from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                runs.push(start..at);
                from = None;
            }
            _ => {}
        }
    }
    runs.extend(from.map(|start| start..text.len()));
    runs
}

fn has_known_prefix(run: &str) -> bool {
    // Something may stand in front of it, as in `token=…` or `/…`.
    let starts = |prefix: &str, least: usize| {
        run.match_indices(prefix).any(|(at, _)| {
            let fresh = !run[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            fresh && run.len() - at >= least
        })
    };
    let session = run
        .split_once('!')
        .is_some_and(|(org, rest)| org.len() >= 15 && rest.len() >= 12 && starts("00D", 28));
    session || starts("5Aep", 20) || (starts("eyJ", 20) && run.contains('.'))
}

fn looks_random(run: &str) -> bool {
    let has = |class: fn(&char) -> bool| run.chars().any(|c| class(&c));
    run.len() >= RANDOM_FROM
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_digit)
        && bits(run) >= RANDOM_BITS
}

/// Shannon entropy per character.
fn bits(run: &str) -> f64 {
    let mut counts: BTreeMap<char, u32> = BTreeMap::new();
    for c in run.chars() {
        *counts.entry(c).or_default() += 1;
    }
    let length = run.chars().count() as f64;
    let share = |count: &u32| f64::from(*count) / length;
    counts.values().map(|count| -share(count) * share(count).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_by_their_shape_and_ids_and_digests_are_left_alone() {
        for token in [
            "00D5g000004abcd!AQEAQKXBWzpAZ.rBq8aVw_6yT3nQm2",
            "5Aep861TSESvWeug_xvFHRBTTbf_4HKFmQ",
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk8Lm",
        ] {
            for text in [format!("x {token} y"), format!("token={token}"), format!("\"{token}\"")] {
                let found = tokens(&text);
                assert!(found.iter().any(|run| text[run.clone()].contains(token)), "{text}");
            }
        }
        for harmless in [
            "0055g00000ABCDEFGH",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            "/services/data/v66.0/query/01gd0000001rbSTAAY-2000?columns=Id,UserType",
            "PermissionsManagePrivateConnectionsOfTheOrg2",
            "ErrorId 1234567890-123456 (-1234567890)",
            "the connector does not accept its settings",
        ] {
            assert_eq!(tokens(harmless), [], "{harmless}");
        }
    }
}
