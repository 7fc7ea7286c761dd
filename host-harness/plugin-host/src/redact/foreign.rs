//! Texts from outside: of a connector, a server or a proxy. Whatever of them becomes an error, a
//! reason or a record of the log passes here.

use super::{known_in, masked, shape};

/// Most characters that are kept of such a text.
const MOST_CHARS: usize = 300;

/// The text as it may be shown and stored: live secrets and whatever has the shape of a token are
/// masked, and no more than 300 characters are kept.
pub fn foreign(text: &str) -> String {
    let mut places = known_in(text);
    places.extend(shape::tokens(text));
    let masked = masked(text, places);
    match masked.char_indices().nth(MOST_CHARS) {
        None => masked.into_owned(),
        Some((end, _)) => format!("{}…", &masked[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_loses_unknown_tokens_and_its_end_and_a_plain_one_nothing() {
        let token = "5Aep861TSESvWeug_xvFHRBTTbf_4HKFmQ";
        assert_eq!(
            foreign(&format!("expired refresh token {token}")),
            "expired refresh token [secret]"
        );
        assert_eq!(foreign(&"é".repeat(400)).chars().count(), MOST_CHARS + 1);
        let plain = "the object `Account` is not supported (request 4aB-99)";
        assert_eq!(foreign(plain), plain);
    }
}
