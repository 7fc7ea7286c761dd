//! One field's value, how it is written as JSON, and how values are ordered.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use crate::clock;
use crate::id::Id;

/// A value of one field of one record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    /// No value.
    Null,
    /// A check box.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a decimal point.
    Double(f64),
    /// Any text, picklist or URL.
    Text(Cow<'a, str>),
    /// Seconds since 1970 UTC.
    Instant(i64),
    /// Days since 1970-01-01.
    Date(i64),
    /// A record id.
    Id(Id),
    /// A compound value, already written as JSON.
    Compound(Cow<'a, str>),
}

impl Value<'_> {
    /// The same value, borrowed.
    pub(crate) fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(v) => Value::Bool(*v),
            Value::Int(v) => Value::Int(*v),
            Value::Double(v) => Value::Double(*v),
            Value::Text(v) => Value::Text(Cow::Borrowed(v)),
            Value::Instant(v) => Value::Instant(*v),
            Value::Date(v) => Value::Date(*v),
            Value::Id(v) => Value::Id(*v),
            Value::Compound(v) => Value::Compound(Cow::Borrowed(v)),
        }
    }

    /// The same value, owned.
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(v) => Value::Bool(v),
            Value::Int(v) => Value::Int(v),
            Value::Double(v) => Value::Double(v),
            Value::Text(v) => Value::Text(Cow::Owned(v.into_owned())),
            Value::Instant(v) => Value::Instant(v),
            Value::Date(v) => Value::Date(v),
            Value::Id(v) => Value::Id(v),
            Value::Compound(v) => Value::Compound(Cow::Owned(v.into_owned())),
        }
    }

    /// True for `Null` and, as on the platform, for the empty text.
    pub(crate) fn is_null(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// The number in it, for sums and comparisons.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Value::Int(v) => Some(*v as f64),
            Value::Double(v) => Some(*v),
            _ => None,
        }
    }

    /// Appends the value as JSON.
    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Int(v) => append(out, format_args!("{v}")),
            Value::Double(v) => append(out, format_args!("{v:?}")),
            Value::Text(text) => write_text(text, out),
            Value::Instant(seconds) => {
                out.push('"');
                clock::write_instant(*seconds, out);
                out.push('"');
            }
            Value::Date(days) => {
                out.push('"');
                clock::write_date(*days, out);
                out.push('"');
            }
            Value::Id(id) => {
                out.push('"');
                id.write(out);
                out.push('"');
            }
            Value::Compound(json) => out.push_str(json),
        }
    }
}

/// A value as a place in an order: nulls first, texts without regard to case.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Key {
    /// No value, or the empty text.
    Null,
    /// False before true.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// Seconds, or days for dates.
    Time(i64),
    /// Ids in the order of their characters.
    Id(Id),
    /// Text in lower case.
    Text(String),
}

impl Key {
    /// The key of a value.
    pub(crate) fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Null => Key::Null,
            Value::Bool(v) => Key::Bool(*v),
            Value::Int(v) => Key::Number(*v as f64),
            Value::Double(v) => Key::Number(*v),
            Value::Instant(v) | Value::Date(v) => Key::Time(*v),
            Value::Id(v) => Key::Id(*v),
            Value::Text(text) if text.is_empty() => Key::Null,
            Value::Text(text) | Value::Compound(text) => Key::Text(text.to_lowercase()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Key::Null => 0,
            Key::Bool(_) => 1,
            Key::Number(_) => 2,
            Key::Time(_) => 3,
            Key::Id(_) => 4,
            Key::Text(_) => 5,
        }
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Key::Bool(a), Key::Bool(b)) => a.cmp(b),
            (Key::Number(a), Key::Number(b)) => a.total_cmp(b),
            (Key::Time(a), Key::Time(b)) => a.cmp(b),
            (Key::Id(a), Key::Id(b)) => a.cmp(b),
            (Key::Text(a), Key::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// Appends formatted text.
pub(crate) fn append(out: &mut String, text: fmt::Arguments<'_>) {
    fmt::Write::write_fmt(out, text).expect("writing to a string cannot fail");
}

/// Appends `text` as a JSON string.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[clean_from..at]);
        if escape.is_empty() {
            append(out, format_args!("\\u{byte:04x}"));
        } else {
            out.push_str(escape);
        }
        clean_from = at + 1;
    }
    out.push_str(&text[clean_from..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfriendly_text_survives_json() {
        let text = "a\"b\\c\nd\te\r\u{1}f \u{202e}emoji 🦀 </script>";
        let mut json = String::new();
        write_text(text, &mut json);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn doubles_keep_their_point() {
        let mut json = String::new();
        Value::Double(2692.0).write_json(&mut json);
        assert_eq!(json, "2692.0");
    }
}
