//! Faults that change an answer after it was made.

use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::{Action, listed};
use crate::http::{Delivery, Response};

const FORM: &str = "application/x-www-form-urlencoded;charset=UTF-8";

/// Applies the part of `action` that happens to a finished answer. Answers `false` where it found
/// nothing to change.
pub(crate) fn alter(action: &Action, response: &mut Response) -> bool {
    match action {
        Action::EmptyList
        | Action::CutList { .. }
        | Action::Doubles { .. }
        | Action::DropColumn { .. }
        | Action::Spoil { .. }
        | Action::Reorder => return listed::alter(action, response),
        Action::WithStatus { code } => response.status = *code,
        Action::TwoGzipMembers => response.compress_in_two(),
        Action::CloseBeforeAnswer => response.delivery = Delivery::CloseBeforeAnswer,
        Action::CloseAfter { bytes, chunked } => {
            response.delivery = Delivery::CloseAfter { bytes: *bytes, content_length: !chunked };
        }
        Action::Reset { bytes } => response.delivery = Delivery::Reset { bytes: *bytes },
        Action::Stall { bytes } => response.delivery = Delivery::Stall { after: *bytes },
        Action::Drip { bytes, pause_ms } => {
            response.delivery =
                Delivery::Drip { bytes: *bytes, pause: Duration::from_millis(*pause_ms) };
        }
        Action::TruncateBody { bytes } => response.body.truncate(*bytes),
        Action::Bom => {
            response.body.splice(0..0, *b"\xef\xbb\xbf");
        }
        Action::ExtraKeys => add_keys(&mut response.body),
        Action::CorruptGzip { offset } => {
            response.compress();
            let last = response.body.len().saturating_sub(1);
            if let Some(byte) = response.body.get_mut((*offset).min(last)) {
                *byte ^= 0x10;
            }
        }
        Action::SetJson { pointer, value } => {
            change(&mut response.body, |body| set(body, pointer, value.clone()));
        }
        Action::RemoveJson { pointer } => change(&mut response.body, |body| remove(body, pointer)),
        Action::FormBody => write_as_form(response),
        Action::SetHeader { name, value } => response.set(name, value),
        Action::FalseEncoding => response.set("Content-Encoding", "gzip"),
        _ => {}
    }
    true
}

/// Changes a body that is JSON.
fn change(body: &mut Vec<u8>, change: impl FnOnce(&mut Value)) {
    if let Ok(mut value) = serde_json::from_slice(body) {
        change(&mut value);
        *body = value.to_string().into_bytes();
    }
}

fn set(body: &mut Value, pointer: &str, value: Value) {
    if let Some(old) = body.pointer_mut(pointer) {
        *old = value;
    } else if let Some((parent, key)) = pointer.rsplit_once('/')
        && let Some(Value::Object(parent)) = body.pointer_mut(parent)
    {
        parent.insert(unescape(key), value);
    }
}

fn remove(body: &mut Value, pointer: &str) {
    if let Some((parent, key)) = pointer.rsplit_once('/')
        && let Some(Value::Object(parent)) = body.pointer_mut(parent)
    {
        parent.remove(&unescape(key));
    }
}

/// A reference token as RFC 6901 escapes it.
fn unescape(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

fn write_as_form(response: &mut Response) {
    let Ok(Value::Object(pairs)) = serde_json::from_slice(&response.body) else { return };
    let mut form = Serializer::new(String::new());
    for (name, value) in &pairs {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        form.append_pair(name, &text);
    }
    response.body = form.finish().into_bytes();
    response.set("Content-Type", FORM);
}

fn add_keys(body: &mut Vec<u8>) {
    if body.first() == Some(&b'{') {
        let comma: &[u8] = if body.get(1) == Some(&b'}') { b"" } else { b"," };
        let keys =
            [&br#""futureKey":{"nested":[1,null,"two"]},"anotherFutureKey":null"#[..], comma]
                .concat();
        body.splice(1..1, keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn altered(action: Action, text: &str) -> String {
        let mut response = Response::json(200, text);
        alter(&action, &mut response);
        String::from_utf8(response.body).expect("text")
    }

    #[test]
    fn a_member_is_replaced_added_or_left_out() {
        let set = |pointer: &str| Action::SetJson { pointer: pointer.into(), value: 1.into() };
        assert_eq!(altered(set("/a"), r#"{"a":"b"}"#), r#"{"a":1}"#);
        assert_eq!(altered(set("/a/1/c~1d"), r#"{"a":[0,{}]}"#), r#"{"a":[0,{"c/d":1}]}"#);
        assert_eq!(altered(set("/a/b/c"), r#"{"a":{}}"#), r#"{"a":{}}"#);
        assert_eq!(altered(set("/a"), "no JSON"), "no JSON");
        let remove = Action::RemoveJson { pointer: "/a".into() };
        assert_eq!(altered(remove, r#"{"a":"b","c":1}"#), r#"{"c":1}"#);
    }

    #[test]
    fn an_object_can_be_written_as_a_form() {
        assert_eq!(altered(Action::FormBody, r#"{"a":"b c","d":1}"#), "a=b+c&d=1");
    }

    #[test]
    fn extra_keys_leave_the_body_valid_json() {
        for text in [r#"{"a":1}"#, "{}"] {
            let mut response = Response::json(200, text);
            alter(&Action::ExtraKeys, &mut response);
            let value: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
            assert!(value.get("futureKey").is_some());
        }
    }
}
