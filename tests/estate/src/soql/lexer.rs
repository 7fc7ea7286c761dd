//! Splits query text into tokens.

use crate::clock;
use crate::error::ApiError;
use crate::soql::ast::Position;

/// A token and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) at: Position,
    pub(crate) end: Position,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// A name or keyword.
    Word,
    /// A quoted text, unescaped.
    Text(String),
    /// A number.
    Number(f64),
    /// A date, in days.
    Date(i64),
    /// An instant, in milliseconds.
    Instant(i64),
    /// An operator or bracket.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

const SYMBOLS: &[&str] = &["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", ":"];

/// All tokens, with [`TokenKind::End`] last.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, ApiError> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = if byte.is_ascii_alphabetic() || byte == b'_' {
            (TokenKind::Word, run(bytes, at, |b| b.is_ascii_alphanumeric() || b == b'_'))
        } else if byte == b'\'' {
            quoted(text, at)?
        } else if byte.is_ascii_digit()
            || ((byte == b'-' || byte == b'+') && digit_at(bytes, at + 1))
        {
            number_or_date(text, at)?
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| text[at..].starts_with(**symbol))
        {
            (TokenKind::Symbol(symbol), at + symbol.len())
        } else {
            let character = text[at..].chars().next().unwrap_or('?');
            let (row, column) = row_and_column(text, at);
            return Err(ApiError::malformed(format!(
                "line {row}:{} no viable alternative at character '{character}'",
                column - 1
            )));
        };
        tokens.push(Token { kind, at, end });
        at = end;
    }
    tokens.push(Token { kind: TokenKind::End, at: text.len(), end: text.len() });
    Ok(tokens)
}

/// Row and column of a position, both from 1.
pub(crate) fn row_and_column(text: &str, at: Position) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let row = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (row, column)
}

fn run(bytes: &[u8], from: usize, accept: impl Fn(u8) -> bool) -> usize {
    from + bytes[from..].iter().take_while(|&&byte| accept(byte)).count()
}

fn digit_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_digit)
}

fn quoted(text: &str, start: usize) -> Result<(TokenKind, usize), ApiError> {
    let mut value = String::new();
    let mut characters = text[start + 1..].char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' => return Ok((TokenKind::Text(value), start + 1 + at + 1)),
            '\\' => {
                let escaped = characters.next().map(|(_, escaped)| escaped);
                let unescaped = match escaped {
                    Some('n' | 'N') => '\n',
                    Some('r' | 'R') => '\r',
                    Some('t' | 'T') => '\t',
                    Some('b' | 'B') => '\u{8}',
                    Some('f' | 'F') => '\u{c}',
                    Some(kept @ ('"' | '\'' | '\\')) => kept,
                    // A pattern keeps its backslash, so that `\_` and `\%` can be told from wild cards.
                    Some(wild @ ('_' | '%')) => {
                        value.push('\\');
                        wild
                    }
                    Some('u') => {
                        let digits: String =
                            characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                        u32::from_str_radix(&digits, 16)
                            .ok()
                            .and_then(char::from_u32)
                            .ok_or_else(|| illegal_escape(&digits))?
                    }
                    Some(other) => return Err(illegal_escape(&other.to_string())),
                    None => break,
                };
                value.push(unescaped);
            }
            _ => value.push(character),
        }
    }
    let (row, column) = row_and_column(text, text.len());
    Err(ApiError::malformed(format!(
        "line {row}:{} mismatched character '<EOF>' expecting '''",
        column - 1
    )))
}

fn illegal_escape(escape: &str) -> ApiError {
    ApiError::malformed(format!("Invalid string literal: illegal escape sequence '\\{escape}'"))
}

fn number_or_date(text: &str, start: usize) -> Result<(TokenKind, usize), ApiError> {
    let bytes = text.as_bytes();
    let is_date = bytes.len() >= start + 10
        && bytes[start..start + 4].iter().all(u8::is_ascii_digit)
        && bytes[start + 4] == b'-'
        && bytes[start + 7] == b'-';
    if is_date {
        let end = run(bytes, start, |b| {
            b.is_ascii_digit() || matches!(b, b'-' | b'+' | b':' | b'.' | b'T' | b'Z' | b't' | b'z')
        });
        let literal = &text[start..end];
        return match date_or_instant(literal) {
            Some(kind) => Ok((kind, end)),
            None => Err(ApiError::malformed(format!("unexpected token: '{literal}'"))),
        };
    }
    let mut end = run(bytes, start + 1, |b| b.is_ascii_digit());
    if bytes.get(end) == Some(&b'.') && digit_at(bytes, end + 1) {
        end = run(bytes, end + 1, |b| b.is_ascii_digit());
    }
    if matches!(bytes.get(end), Some(b'e' | b'E'))
        && (digit_at(bytes, end + 1)
            || (matches!(bytes.get(end + 1), Some(b'+' | b'-')) && digit_at(bytes, end + 2)))
    {
        end = run(bytes, end + 2, |b| b.is_ascii_digit());
    }
    let literal = &text[start..end];
    match literal.parse() {
        Ok(number) => Ok((TokenKind::Number(number), end)),
        Err(_) => Err(ApiError::malformed(format!("unexpected token: '{literal}'"))),
    }
}

fn date_or_instant(literal: &str) -> Option<TokenKind> {
    let mut parts = literal[..10].splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    let days = clock::days(year, month, day)?;
    if literal.len() == 10 {
        return Some(TokenKind::Date(days));
    }
    // The rest is what RFC 3339 reads, apart from offsets without a colon.
    let mut text = literal.to_ascii_uppercase();
    let zone_at = text[11..].find(['+', '-', 'Z'])? + 11;
    let zone = text.split_off(zone_at);
    let zone = if zone.len() == 5 { format!("{}:{}", &zone[..3], &zone[3..]) } else { zone };
    let instant = chrono::DateTime::parse_from_rfc3339(&(text + &zone)).ok()?;
    Some(TokenKind::Instant(instant.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokens(text).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn texts_are_unescaped() {
        assert_eq!(
            kinds(r"'O\'Brien \\ \n \u00e9'")[0],
            TokenKind::Text("O'Brien \\ \n é".to_owned())
        );
    }

    #[test]
    fn instants_are_read_with_any_offset() {
        for text in
            ["2026-05-01T02:00:00+02:00", "2026-05-01T00:00:00Z", "2026-05-01T00:00:00.000+0000"]
        {
            assert_eq!(kinds(text)[0], TokenKind::Instant(1_777_593_600_000), "{text}");
        }
        assert_eq!(kinds("2026-05-01")[0], TokenKind::Date(20_574));
    }

    #[test]
    fn numbers_may_have_a_sign_a_fraction_and_an_exponent() {
        assert_eq!(
            kinds("-1.5 2e3 7"),
            [
                TokenKind::Number(-1.5),
                TokenKind::Number(2_000.0),
                TokenKind::Number(7.0),
                TokenKind::End
            ]
        );
    }

    #[test]
    fn a_foreign_character_is_named_with_its_place() {
        let error = tokens("SELECT Id FROM User WHERE Id = \"x\"").unwrap_err();
        assert_eq!(error.message, "line 1:31 no viable alternative at character '\"'");
        let error = tokens("SELECT Id FROM User WHERE Name = 'x").unwrap_err();
        assert_eq!(error.message, "line 1:35 mismatched character '<EOF>' expecting '''");
    }
}
