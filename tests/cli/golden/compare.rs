//! Compares a document with its golden file: keys may be added, nothing may vanish or change. Prose is
//! compared apart: it may change, in the list of differences.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Fields that are read by people.
const PROSE: [&str; 11] = [
    "message",
    "hint",
    "reason",
    "title",
    "predicate",
    "cautions",
    "conditions",
    "headline",
    "help",
    "description",
    "instructions",
];

/// A text of a document that was reworded.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Reworded {
    pub(super) field: String,
    pub(super) was: Option<String>,
    pub(super) is: Option<String>,
}

/// How a document differs from its golden file.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// One line for each value that vanished or changed.
    pub(super) broken: Vec<String>,
    pub(super) reworded: BTreeSet<Reworded>,
}

impl Difference {
    pub(super) fn between(golden: &Value, now: &Value) -> Difference {
        let mut difference = Difference::default();
        difference.compare("", None, golden, now);
        difference
    }

    fn compare(&mut self, path: &str, prose: Option<&str>, golden: &Value, now: &Value) {
        match (golden, now) {
            (Value::Object(before), Value::Object(after)) => {
                for (key, value) in before {
                    let path = format!("{path}/{key}");
                    let prose = prose.or_else(|| PROSE.into_iter().find(|prose| prose == key));
                    match after.get(key) {
                        Some(now) => self.compare(&path, prose, value, now),
                        None => self.broken.push(format!("{path} vanished")),
                    }
                }
            }
            (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
                for (index, (value, now)) in before.iter().zip(after).enumerate() {
                    self.compare(&format!("{path}/{index}"), prose, value, now);
                }
            }
            (Value::Array(before), Value::Array(after)) => self.broken.push(format!(
                "{path} had {} entries, has {}",
                before.len(),
                after.len()
            )),
            _ if golden == now => {}
            (Value::String(_) | Value::Null, Value::String(_) | Value::Null) => match prose {
                Some(field) => {
                    let text = |value: &Value| value.as_str().map(str::to_owned);
                    self.reworded.insert(Reworded {
                        field: field.to_owned(),
                        was: text(golden),
                        is: text(now),
                    });
                }
                None => self.broken.push(format!("{path} was {golden}, is {now}")),
            },
            _ => self.broken.push(format!("{path} was {golden}, is {now}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn broken(golden: &Value, now: &Value) -> Vec<String> {
        Difference::between(golden, now).broken
    }

    #[test]
    fn the_order_of_keys_and_new_keys_are_free() {
        let golden = json!({"a": 1, "b": [{"c": null}]});
        let now = json!({"b": [{"new": true, "c": null}], "a": 1});
        let difference = Difference::between(&golden, &now);
        assert!(difference.broken.is_empty() && difference.reworded.is_empty(), "{difference:?}");
    }

    #[test]
    fn what_vanished_or_changed_is_named_with_its_path() {
        let golden = json!({"a": [{"b": 1}], "c": "x", "n": null});
        assert_eq!(broken(&golden, &json!({"a": [{"b": 1}], "n": null})), ["/c vanished"]);
        assert_eq!(
            broken(&golden, &json!({"a": [{"b": "1"}], "c": "x", "n": null})),
            [r#"/a/0/b was 1, is "1""#]
        );
        assert_eq!(
            broken(&golden, &json!({"a": [], "c": "y", "n": 0})),
            ["/a had 1 entries, has 0", r#"/c was "x", is "y""#, "/n was null, is 0"]
        );
    }

    #[test]
    fn prose_may_be_reworded_but_its_figures_and_shape_stay() {
        let golden = json!({"conditions": [["it is old", true]], "message": "so many", "id": "m"});
        let now = json!({"conditions": [["old", true]], "message": "how many", "id": "m"});
        let difference = Difference::between(&golden, &now);
        assert!(difference.broken.is_empty(), "{difference:?}");
        let fields: Vec<_> = difference.reworded.iter().map(|text| text.field.as_str()).collect();
        assert_eq!(fields, ["conditions", "message"]);
        let now = json!({"conditions": [["it is old", false]], "message": 1, "id": "m"});
        assert_eq!(broken(&golden, &now).len(), 2);
    }
}
