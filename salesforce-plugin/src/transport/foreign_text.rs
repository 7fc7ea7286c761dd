//! A text from outside, as it may become part of an error, a reason or a log line.

/// Characters that are kept.
const MOST_SHOWN: usize = 300;
/// Characters that are looked at.
const MOST_READ: usize = 2_000;

/// Words of an org, a proxy or the network: masked, on one line, at most 300 characters. Made only by a
/// `Masker`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ForeignText(String);

impl ForeignText {
    pub(super) fn new(raw: &str, mask: impl FnOnce(&str) -> String) -> ForeignText {
        let one_line = |c: char| if c.is_control() { ' ' } else { c };
        let mut chars = raw.chars();
        let mut text: String = chars.by_ref().take(MOST_READ).map(one_line).collect();
        if chars.next().is_some() {
            // Half a secret at the end would not be recognized.
            text.truncate(text.rfind(char::is_whitespace).unwrap_or(0));
        }
        let masked = mask(&text);
        let mut shown: String = masked.chars().filter(|c| !is_invisible(*c)).collect();
        if let Some((end, _)) = shown.char_indices().nth(MOST_SHOWN) {
            shown.truncate(end);
        }
        ForeignText(shown.trim().to_owned())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for ForeignText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Characters that show nothing, or change the direction of what follows.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use crate::transport::masker::Masker;

    #[test]
    fn a_text_from_outside_is_one_line_of_at_most_300_characters() {
        let text =
            Masker::default().text(&format!("a\nb\u{1b}[31m\u{202e}c {}", "word ".repeat(900)));
        assert!(text.to_string().starts_with("a b [31mc word"), "{text}");
        assert!((290..=300).contains(&text.to_string().chars().count()), "{text}");
        assert!(Masker::default().text(&"x".repeat(9_000)).is_empty());
    }

    #[test]
    fn a_secret_that_is_cut_off_at_the_end_is_not_shown_in_part() {
        let masker = Masker::default();
        masker.remember("canary-0123456789-canary");
        let text = masker.text(&format!("{}canary-0123456789-canary", "\u{200b}".repeat(1_990)));
        assert!(!text.to_string().contains("canary"), "{text}");
    }
}
