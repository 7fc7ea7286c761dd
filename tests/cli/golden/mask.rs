//! Masks what differs from run to run: paths, addresses, sizes, durations, digests.

use serde_json::Value;

use crate::host::Host;

/// Fields whose figures depend on the machine, and on which of two readings of a dataset came first.
const MEASURED: [&str; 4] = ["api_calls", "duration_ms", "store_bytes", "bytes"];

/// A pool whose figures count the requests so far, which differ as `api_calls` does.
const COUNTS_REQUESTS: &str = "DailyApiRequests";

/// Texts of this run and the words that replace them.
pub(super) struct Mask(Vec<(String, String)>);

impl Mask {
    pub(super) fn of(host: &Host) -> Mask {
        let folder = host.path("").display().to_string();
        Mask(vec![(folder.trim_end_matches('/').to_owned(), "<folder>".into())])
    }

    pub(super) fn text(&mut self, text: &str, name: &str) {
        self.0.push((text.to_owned(), format!("<{name}>")));
    }

    pub(super) fn masked(&self, value: &Value) -> Value {
        match value {
            Value::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| match value {
                        Value::Number(_) if MEASURED.contains(&key.as_str()) => {
                            (key.clone(), Value::from("<measured>"))
                        }
                        Value::Array(requests) if key == "requests" => {
                            // Datasets are read in parallel.
                            let mut requests: Vec<_> =
                                requests.iter().map(|request| self.masked(request)).collect();
                            requests.sort_by_key(Value::to_string);
                            requests.dedup();
                            (key.clone(), Value::Array(requests))
                        }
                        _ => (key.clone(), self.masked(value)),
                    })
                    .collect(),
            ),
            Value::Array(entries) => {
                let kept = entries.iter().filter(|entry| entry["key"] != COUNTS_REQUESTS);
                kept.map(|entry| self.masked(entry)).collect()
            }
            Value::String(text) => Value::from(self.masked_text(text)),
            _ => value.clone(),
        }
    }

    fn masked_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (secret, name) in &self.0 {
            text = text.replace(secret, name);
        }
        digests(&query_values(&text))
    }
}

/// The text without the values of an authorization link's query.
fn query_values(text: &str) -> String {
    let Some((address, query)) = text.split_once("/authorize?") else { return text.to_owned() };
    let names: Vec<_> = query.split('&').map(|pair| pair.split('=').next()).collect();
    let names: Vec<_> = names.into_iter().flatten().map(|name| format!("{name}=…")).collect();
    format!("{address}/authorize?{}", names.join("&"))
}

/// The text with `<digest>` for every run of 64 hexadecimal digits.
fn digests(text: &str) -> String {
    let mut masked = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(std::iter::once('\n')) {
        if letter.is_ascii_hexdigit() {
            word.push(letter);
            continue;
        }
        masked.push_str(if word.len() == 64 { "<digest>" } else { &word });
        word.clear();
        masked.push(letter);
    }
    masked.pop();
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_queries_are_masked_and_the_rest_stays() {
        let digest = "0a".repeat(32);
        assert_eq!(digests(&format!("sha256:{digest}, cafe")), "sha256:<digest>, cafe");
        assert_eq!(
            query_values("https://h/services/oauth2/authorize?state=x&scope=api"),
            "https://h/services/oauth2/authorize?state=…&scope=…"
        );
    }
}
