//! What must be absent, or exactly so, for the promises of the README to hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the host lies in the workspace").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn the_top_level_is_what_the_readme_says() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "connector-api",
        "salesforce-plugin",
        "host-harness",
        "tests",
        "target",
    ];
    for entry in fs::read_dir(root()).expect("the workspace") {
        let name = entry.expect("an entry").file_name().into_string().expect("a readable name");
        let expected =
            known.contains(&name.as_str()) || name.starts_with("LICENSE-") || name.starts_with('.');
        assert!(expected, "`{name}` has no place at the top level");
    }
}

#[test]
fn contract_and_host_name_no_vendor() {
    let vendor = ["sales", "force"].concat();
    for folder in ["connector-api/src", "host-harness/src"] {
        for file in rust_files(&root().join(folder)) {
            if file.ends_with("demo.rs") {
                continue; // the demo brings the simulated org along, behind its own cargo feature
            }
            for (number, line) in read(&file).lines().enumerate() {
                let example = line.trim_start().starts_with("//");
                assert!(
                    example || !line.to_lowercase().contains(&vendor),
                    "{}:{}: {line}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn host_and_plugin_do_not_depend_on_each_other() {
    let dependencies = |package: &str| {
        let manifest = read(&root().join(package).join("Cargo.toml"));
        let (_, after) = manifest.split_once("\n[dependencies]").expect("dependencies");
        after.split("\n[").next().expect("a section").to_owned()
    };
    assert!(!dependencies("salesforce-plugin").contains("host-harness"));
    assert!(!dependencies("host-harness").contains("salesforce-plugin"));
    for other in ["reqwest", "rusqlite", "salesforce", "host-harness"] {
        assert!(!dependencies("connector-api").contains(other), "the contract knows {other}");
    }
}

#[test]
fn plain_cargo_run_builds_host_and_plugin() {
    let workspace = read(&root().join("Cargo.toml"));
    assert!(!workspace.contains("[package]"), "the root is a virtual workspace");
    assert!(workspace.contains(r#"default-members = ["host-harness", "salesforce-plugin"]"#));
    let host = read(&root().join("host-harness/Cargo.toml"));
    assert!(!host.contains("default-run"), "with default-run, cargo run builds the host alone");
    assert_eq!(host.matches("[[bin]]").count(), 1, "a second binary breaks cargo run");
    assert!(
        !root().join("host-harness/src/bin").exists()
            && !root().join("salesforce-plugin/src/main.rs").exists()
    );
}

#[test]
fn one_file_of_the_plugin_uses_reqwest_and_one_oauth2() {
    let users = |needle: &str| -> BTreeSet<String> {
        rust_files(&root().join("salesforce-plugin/src"))
            .into_iter()
            .filter(|file| {
                read(file)
                    .lines()
                    .any(|line| line.contains(needle) && !line.trim_start().starts_with("//"))
            })
            .map(|file| file.file_name().expect("a file").to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(users("reqwest::"), BTreeSet::from(["http.rs".to_owned()]));
    assert_eq!(users("oauth2::"), BTreeSet::from(["oauth.rs".to_owned()]));
}

#[test]
fn the_plugin_only_reads() {
    for file in rust_files(&root().join("salesforce-plugin/src")) {
        let text = read(&file);
        if file.ends_with("allow_list.rs") {
            continue; // the list itself, with what it refuses
        }
        assert!(!text.contains("\"PUT\""), "{} sends PUT", file.display());
        // Query jobs are made and deleted; the list of what may be sent is golden-tested beside it.
        let of_jobs =
            ["bulk/requests.rs", "client/session.rs"].iter().any(|name| file.ends_with(name));
        for verb in ["\"PATCH\"", "\"DELETE\""] {
            assert!(of_jobs || !text.contains(verb), "{} sends {verb}", file.display());
        }
        let posts = text.contains("\"POST\"");
        assert!(
            !posts || of_jobs || file.ends_with("oauth.rs"),
            "{} sends POST outside the token endpoint and query jobs",
            file.display()
        );
    }
}

/// Phrases that a reader stumbles over, each with what to write instead.
const AVOIDED: [(&str, &str); 8] = [
    ("stands", "is, lies, means"),
    ("so long", "this long, the time limit of"),
    ("so many", "this many, the number of"),
    ("is told", "is reported"),
    ("wholly", "completely"),
    ("none where", "`None` if"),
    ("goes on", "continues"),
    ("mend", "fix"),
];

/// The avoided phrases of a text.
fn avoided(text: &str) -> Vec<&'static str> {
    let words: String =
        text.to_lowercase().chars().map(|l| if l.is_alphanumeric() { l } else { ' ' }).collect();
    let words: Vec<&str> = words.split_whitespace().collect();
    let spaced = format!(" {} ", words.join(" "));
    let found = AVOIDED.iter().filter(|(phrase, _)| spaced.contains(&format!(" {phrase} ")));
    found.map(|(phrase, _)| *phrase).collect()
}

#[test]
fn comments_are_in_plain_english() {
    let mut wrong = Vec::new();
    for folder in ["connector-api", "salesforce-plugin", "host-harness", "tests"] {
        for file in rust_files(&root().join(folder)) {
            for (number, line) in read(&file).lines().enumerate() {
                let Some((_, comment)) = line.split_once("//") else { continue };
                for phrase in avoided(comment) {
                    wrong.push(format!("{}:{}: `{phrase}`", file.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\ninstead: {AVOIDED:?}", wrong.join("\n"));
}

#[test]
fn an_avoided_phrase_is_found_whatever_is_around_it() {
    assert_eq!(
        avoided("/ Goes on, wholly; the org (so long) stands."),
        ["stands", "so long", "wholly", "goes on"]
    );
    assert_eq!(avoided("it goes only to the recommended standstill"), [""; 0]);
}
