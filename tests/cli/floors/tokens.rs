//! The tokens of a Rust source that say what it uses: words and punctuation, without comments and
//! literals, and without what is compiled for tests alone.

/// Splits a source into tokens; `::` is one.
pub(super) fn tokens(source: &str) -> Vec<String> {
    let letters: Vec<char> = source.chars().collect();
    let at = |index: usize| letters.get(index).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut here = 0;
    while here < letters.len() {
        match (at(here), at(here + 1)) {
            ('/', '/') => here = line_end(&letters, here),
            ('/', '*') => here = comment_end(&letters, here),
            ('"', _) => here = string_end(&letters, here + 1),
            ('r', '"' | '#') if raw_string(&letters, here + 1) => {
                here = raw_string_end(&letters, here + 1);
            }
            ('b' | 'c', '"') => here = string_end(&letters, here + 2),
            ('b' | 'c', 'r') if raw_string(&letters, here + 2) => {
                here = raw_string_end(&letters, here + 2);
            }
            ('\'', '\\') => here = char_end(&letters, here + 2),
            ('\'', _) if at(here + 2) == '\'' => here += 3,
            (':', ':') => {
                tokens.push("::".to_owned());
                here += 2;
            }
            (letter, _) if letter.is_alphanumeric() || letter == '_' => {
                let start = here;
                while at(here).is_alphanumeric() || at(here) == '_' {
                    here += 1;
                }
                tokens.push(letters[start..here].iter().collect());
            }
            (letter, _) => {
                if !letter.is_whitespace() {
                    tokens.push(letter.to_string());
                }
                here += 1;
            }
        }
    }
    without_tests(&tokens)
}

fn line_end(letters: &[char], from: usize) -> usize {
    letters[from..].iter().position(|letter| *letter == '\n').map_or(letters.len(), |at| from + at)
}

fn comment_end(letters: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut here = from;
    while here < letters.len() {
        match letters.get(here..here + 2) {
            Some(['/', '*']) => depth += 1,
            Some(['*', '/']) => depth -= 1,
            _ => {
                here += 1;
                continue;
            }
        }
        here += 2;
        if depth == 0 {
            break;
        }
    }
    here
}

fn string_end(letters: &[char], from: usize) -> usize {
    let mut here = from;
    while here < letters.len() && letters[here] != '"' {
        here += if letters[here] == '\\' { 2 } else { 1 };
    }
    here + 1
}

fn char_end(letters: &[char], from: usize) -> usize {
    let rest = letters.get(from + 1..).unwrap_or_default();
    rest.iter().position(|letter| *letter == '\'').map_or(letters.len(), |at| from + at + 2)
}

fn raw_string(letters: &[char], from: usize) -> bool {
    let hashes = letters[from..].iter().take_while(|letter| **letter == '#').count();
    letters.get(from + hashes) == Some(&'"')
}

fn raw_string_end(letters: &[char], from: usize) -> usize {
    let hashes = letters[from..].iter().take_while(|letter| **letter == '#').count();
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let start = from + hashes + 1;
    let length = closing.len();
    letters[start..]
        .windows(length)
        .position(|window| window == closing)
        .map_or(letters.len(), |at| start + at + length)
}

/// The tokens without the items under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut here = 0;
    while here < tokens.len() {
        if tokens[here] == "#" && tokens.get(here + 1).is_some_and(|token| token == "[") {
            let end = block_end(tokens, here + 1);
            let attribute = &tokens[here..end];
            let has = |word: &str| attribute.iter().any(|token| token == word);
            if has("cfg") && has("test") && !has("not") && !has("any") {
                here = item_end(tokens, end);
                continue;
            }
            kept.extend_from_slice(attribute);
            here = end;
            continue;
        }
        kept.push(tokens[here].clone());
        here += 1;
    }
    kept
}

/// The index after the bracket that closes the one at `from`.
fn block_end(tokens: &[String], from: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(from) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth -= 1;
                if depth == 0 {
                    return index + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// The index after the item, field or statement that begins at `from`.
fn item_end(tokens: &[String], from: usize) -> usize {
    let mut here = from;
    // Its other attributes.
    while tokens.get(here).is_some_and(|token| token == "#") {
        here = block_end(tokens, here + 1);
    }
    let words = tokens[here..].iter().filter(|token| *token != "pub" && *token != "(");
    let to_semicolon = words
        .take(1)
        .any(|word| ["use", "const", "static", "type", "let"].contains(&word.as_str()));
    while let Some(token) = tokens.get(here) {
        match token.as_str() {
            ";" | "," => return here + 1,
            "}" => return here,
            "{" if !to_semicolon => return block_end(tokens, here),
            "(" | "[" | "{" => here = block_end(tokens, here),
            _ => here += 1,
        }
    }
    here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_literals_and_tests_are_left_out() {
        let source = r##"
            //! crate::a
            /* crate::b /* crate::c */ */
            #[cfg(test)] use crate::d::{e, f};
            const X: &str = "crate::g"; const Y: &str = r#"crate::h"#; const Z: char = '\'';
            #[cfg(test)] #[path = "x.rs"] mod tests { use crate::i; }
            fn life<'a>(x: &'a str, y: char) -> bool { y == '"' || y == 'x' }
            #[cfg(not(test))] use crate::j::k;
            struct S { #[cfg(test)] x: crate::l::M, y: u8 }
        "##;
        let text = tokens(source).join(" ");
        let used: Vec<&str> = text.split("crate :: ").skip(1).collect();
        assert_eq!(used, ["j :: k ; struct S { y : u8 }"], "{text}");
        assert!(text.contains("fn life < ' a >"), "{text}");
    }
}
