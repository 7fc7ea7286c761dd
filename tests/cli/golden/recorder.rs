//! Runs commands with `--json` and holds each document against its golden file.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::compare::{Difference, Reworded};
use super::mask::Mask;
use crate::host::{Host, Ran};
use crate::workshop::workspace;

/// The folder of all golden files.
pub(super) fn folder() -> PathBuf {
    workspace().join("tests/fixtures/golden")
}

/// Texts that were reworded since the golden files were made.
const REWORDED: &str = "reworded.json";

/// One story and the folder of its golden files.
pub(super) struct Recorder<'h> {
    host: &'h Host,
    mask: Mask,
    story: &'static str,
    cases: BTreeSet<String>,
    wrong: Vec<String>,
    reworded: BTreeSet<Reworded>,
}

impl<'h> Recorder<'h> {
    pub(super) fn new(host: &'h Host, story: &'static str) -> Recorder<'h> {
        Recorder {
            host,
            mask: Mask::of(host),
            story,
            cases: BTreeSet::new(),
            wrong: Vec::new(),
            reworded: BTreeSet::new(),
        }
    }

    /// Masks one more text, such as an address of this run.
    pub(super) fn masking(mut self, text: &str, name: &str) -> Recorder<'h> {
        self.mask.text(text, name);
        self
    }

    /// Runs a command, whose document is compared with the golden file of that name.
    pub(super) fn case(&mut self, name: &str, arguments: &[&str]) -> Value {
        self.case_with_input(name, arguments, "")
    }

    pub(super) fn case_with_input(&mut self, name: &str, arguments: &[&str], input: &str) -> Value {
        let ran = self.host.run_with_input(&[&["--json"], arguments].concat(), input);
        self.hold(name, arguments, &ran)
    }

    fn hold(&mut self, name: &str, arguments: &[&str], ran: &Ran) -> Value {
        let document: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{name}: not one JSON document ({error}): {ran:#?}"));
        let now = self.mask.masked(&json!({
            "arguments": arguments, "code": ran.code, "document": document,
        }));
        assert!(self.cases.insert(name.to_owned()), "two cases are named {name}");
        let file = folder().join(self.story).join(format!("{name}.json"));
        if !file.exists() && std::env::var_os("GOLDEN_RECORD").is_some() {
            fs::create_dir_all(file.parent().expect("a folder")).expect("the folder");
            let text = serde_json::to_string_pretty(&now).expect("JSON");
            fs::write(&file, text + "\n").expect("the golden file");
        }
        let golden =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let golden: Value = serde_json::from_str(&golden).expect("a golden file is JSON");
        let difference = Difference::between(&golden, &now);
        let wrong = difference.broken.into_iter().take(20);
        self.wrong.extend(wrong.map(|line| format!("{}/{name}: {line}", self.story)));
        self.reworded.extend(difference.reworded);
        document
    }

    /// Every golden file was compared, none differs, and every reworded text is in the list.
    pub(super) fn finish(mut self) {
        let files = fs::read_dir(folder().join(self.story)).expect("golden files");
        for file in files {
            let name = file.expect("a file").file_name().into_string().expect("a name");
            if !self.cases.contains(name.trim_end_matches(".json")) {
                self.wrong.push(format!("{}/{name} belongs to no case", self.story));
            }
        }
        let listed = reworded();
        for text in self.reworded.iter().filter(|text| !listed.contains(text)) {
            let entry = serde_json::to_string(text).expect("JSON");
            self.wrong.push(format!("not in {REWORDED}: {entry}"));
        }
        assert!(self.wrong.is_empty(), "\n{}\n", self.wrong.join("\n"));
    }
}

/// The list of reworded texts.
pub(super) fn reworded() -> Vec<Reworded> {
    let text = fs::read_to_string(folder().join(REWORDED)).expect("the list of reworded texts");
    serde_json::from_str(&text).expect("the list is JSON")
}
