//! Faults that change an answer after it was made.

use std::time::Duration;

use super::Action;
use crate::http::{Delivery, Response};

/// Applies the part of `action` that happens to a finished answer.
pub(crate) fn alter(action: &Action, response: &mut Response) {
    match action {
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
        Action::FalseEncoding => response.set("Content-Encoding", "gzip"),
        _ => {}
    }
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
