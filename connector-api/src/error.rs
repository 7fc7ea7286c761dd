//! Failures as they cross the boundary.

use std::fmt;

/// What the host should do about a failure. A number, so that an older host can carry a newer kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorKind(pub u32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl ErrorKind {
            $($(#[$doc])* pub const $name: ErrorKind = ErrorKind($number);)*

            /// The kind in one word, for logs and JSON.
            pub fn as_str(self) -> &'static str {
                match self.0 { $($number => $text,)* _ => "other" }
            }

            /// The kind of that word; [`ErrorKind::OTHER`] for a word of a newer contract.
            pub fn from_word(word: &str) -> ErrorKind {
                match word { $($text => ErrorKind($number),)* _ => ErrorKind::OTHER }
            }
        }
    };
}

kinds! {
    /// None of the others; the message is all there is.
    OTHER = 0, "other";
    /// The settings are wrong: an administrator must change them.
    CONFIG = 1, "config";
    /// The grant is missing, expired or refused: a person must authorize again.
    AUTH = 2, "auth";
    /// The host asked to stop.
    CANCELLED = 3, "cancelled";
    /// A passing fault (network, overload): the same call may work later.
    RETRYABLE = 4, "retryable";
    /// An allowance is used up; `retry_after_ms` says when it is worth trying again.
    RATE_LIMITED = 5, "rate_limited";
    /// The vendor's answer does not have the documented shape.
    SCHEMA = 6, "schema";
    /// The call does not fit the life cycle, e.g. `collect` while disabled.
    STATE = 7, "state";
    /// The operation or option is not known.
    UNSUPPORTED = 8, "unsupported";
    /// The connector panicked; the instance is unusable from here on.
    PANIC = 9, "panic";
    /// The connecting account may not see what was asked for.
    DENIED = 10, "denied";
}

impl fmt::Debug for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for ErrorKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for ErrorKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Ok(ErrorKind::from_word(&word))
    }
}

/// A failure: a kind for the host, a message and a hint for people.
///
/// The message says what happened to what and why: lower case, no full stop, objects in backticks,
/// no secrets. The hint is one sentence that says what to do next.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Error {
    /// What the host should do.
    pub kind: ErrorKind,
    /// What happened, to what, and why.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When trying again is worth it, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// A longer text helps nobody, and is kept and shown at many places.
const LONGEST_TEXT: usize = 4_096;

impl Error {
    /// An error of that kind.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Error {
        Error { kind, message: message.to_string(), hint: None, retry_after_ms: None }
    }

    /// An operation or option nobody knows.
    pub fn unsupported(message: impl fmt::Display) -> Error {
        Error::new(ErrorKind::UNSUPPORTED, message)
    }

    /// The host asked to stop.
    pub fn cancelled() -> Error {
        Error::new(ErrorKind::CANCELLED, "cancelled")
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl fmt::Display) -> Error {
        self.hint = Some(hint.to_string());
        self
    }

    /// The same error with the time after which trying again is worth it.
    #[must_use]
    pub fn with_retry_after_ms(mut self, ms: u64) -> Error {
        self.retry_after_ms = Some(ms);
        self
    }
}

impl Error {
    /// The same error, its texts cut where they are longer than 4 KiB.
    #[must_use]
    pub fn shortened(mut self) -> Error {
        for text in [Some(&mut self.message), self.hint.as_mut()].into_iter().flatten() {
            if text.len() > LONGEST_TEXT {
                text.truncate(text.floor_char_boundary(LONGEST_TEXT));
                text.push('…');
            }
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_is_cut_between_two_characters_and_a_usual_one_is_not() {
        let long = Error::new(ErrorKind::OTHER, "é".repeat(1 << 20)).with_hint("x".repeat(5_000));
        let short = long.shortened();
        assert_eq!(short.message.chars().count(), LONGEST_TEXT / 2 + 1);
        assert_eq!(short.hint.unwrap().chars().count(), LONGEST_TEXT + 1);
        assert_eq!(Error::cancelled().shortened().message, "cancelled");
    }
}
