//! A value that must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text: shown as `[secret]`, not serializable, wiped when dropped.
///
/// ```
/// let secret = connector_api::Secret::new("correct horse");
/// assert_eq!(format!("{secret:?}"), "[secret]");
/// assert_eq!(secret.expose(), "correct horse");
/// ```
///
/// ```compile_fail
/// let text = connector_api::Secret::new("correct horse").to_string(); // no Display
/// ```
///
/// ```compile_fail
/// let json = serde_json::to_string(&connector_api::Secret::new("correct horse")); // no Serialize
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text itself; to be called only where a request or a sealed record is built.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
