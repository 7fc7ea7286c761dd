//! The only place that writes to standard output and standard error.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::Value;

use crate::error::HostError;
use crate::redact;

/// Version of the shapes of JSON documents: another one when a key vanishes or changes its meaning.
const SCHEMA: u32 = 1;

/// Whether something could not be written to standard output.
static OUTPUT_LOST: AtomicBool = AtomicBool::new(false);

/// Prints data on standard output, messages on standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reporter {
    pub(crate) json: bool,
    quiet: bool,
}

impl Reporter {
    pub(crate) fn new(json: bool, quiet: bool) -> Reporter {
        Reporter { json, quiet }
    }

    /// Whether something could not be written to standard output; an error was shown.
    pub(crate) fn lost_output() -> bool {
        OUTPUT_LOST.load(Ordering::Relaxed)
    }

    /// Whether only errors are shown.
    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Text for standard output. Data in it must have gone through
    /// [`redact::safe_text`].
    pub(crate) fn text(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| {
            if !text.ends_with('\n') {
                out.write_all(b"\n")?;
            }
            out.flush()
        });
        // The reader went away (`| head`): nothing more to do, and no fault.
        if let Err(error) = written
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            OUTPUT_LOST.store(true, Ordering::Relaxed);
            self.problem(&format!("error: cannot write to standard output: {error}"));
        }
    }

    /// The one JSON document of a command. An object names the version of its shape; a list of them
    /// stays a list.
    pub(crate) fn document(self, value: &impl Serialize) -> Result<(), HostError> {
        let document = serde_json::to_value(value).map_err(HostError::failed)?;
        self.text(&format!("{:#}", versioned(document)));
        Ok(())
    }

    /// A view: as the one JSON document, or as text. Data in the text must have gone through
    /// [`redact::safe_text`].
    pub(crate) fn print<V: Serialize>(
        self,
        view: &V,
        text: impl FnOnce(&V) -> String,
    ) -> Result<(), HostError> {
        if self.json {
            return self.document(view);
        }
        self.text(&text(view));
        Ok(())
    }

    /// A message for the person on standard error, unless they asked for quiet.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            self.problem(text);
        }
    }

    /// A line on standard error, always. Live secrets are masked.
    pub(crate) fn problem(self, text: &str) {
        let text = redact::mask(text);
        super::bars::above(|| {
            let mut err = std::io::stderr().lock();
            let _ = writeln!(err, "{text}");
        });
    }

    /// An error: message, problems by field and hint on standard error; with `--json` the same as
    /// the document.
    pub(crate) fn error(self, error: &HostError) {
        self.problem(&format!("error: {}", redact::safe_text(&error.message)));
        // A single problem is the message itself.
        for problem in error.problems.iter().filter(|_| error.problems.len() > 1) {
            let hint =
                problem.hint.as_deref().map_or_else(String::new, |hint| format!(" ({hint})"));
            self.problem(&redact::safe_text(&format!(
                "  {}: {}{hint}",
                problem.field, problem.message
            )));
        }
        if let Some(hint) = &error.hint {
            self.problem(&format!("hint: {}", redact::safe_text(hint)));
        }
        if self.json {
            self.json_error(error);
        }
    }

    /// An error as the document of a command.
    pub(crate) fn json_error(self, error: &HostError) {
        let mut body = serde_json::json!({
            "kind": error.kind.as_str(),
            "message": redact::mask(&error.message),
            "hint": error.hint.as_deref().map(redact::mask),
        });
        if !error.problems.is_empty() {
            body["problems"] = serde_json::json!(error.problems);
        }
        self.text(&format!("{:#}", versioned(serde_json::json!({ "error": body }))));
    }
}

/// Adds the version of its shape to a document that is an object.
fn versioned(mut document: Value) -> Value {
    if let Value::Object(keys) = &mut document {
        keys.entry("schema").or_insert(SCHEMA.into());
    }
    document
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_names_the_version_of_its_shape_and_a_list_stays_one() {
        assert_eq!(versioned(json!({ "ok": true })), json!({ "ok": true, "schema": 1 }));
        assert_eq!(versioned(json!([{ "ok": true }])), json!([{ "ok": true }]));
    }
}
