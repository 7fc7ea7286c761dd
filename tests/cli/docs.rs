//! What the README and the pages of the documentation promise.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::host::Host;
use crate::workshop::workspace;

/// Longest line of a page.
const MOST_LETTERS: usize = 400;

fn page(path: &str) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Markdown file of the workspace.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut open = vec![workspace()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let foreign = name.starts_with('.') || ["target", "node_modules"].contains(&&*name);
            if path.is_dir() && !foreign {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() >= 12, "{pages:?}");
    pages
}

#[test]
fn the_readme_is_one_screen_and_no_line_of_a_page_is_too_long() {
    assert!(page("README.md").lines().count() <= 70, "the README is more than a screen");
    for path in pages() {
        let text = fs::read_to_string(&path).expect("a page");
        let long = text.lines().position(|line| line.chars().count() > MOST_LETTERS);
        assert_eq!(long.map(|line| line + 1), None, "{} has a long line", path.display());
    }
}

/// The targets of a page's links within the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| {
        !target.contains("::") && !target.contains("://") && !target.starts_with('#')
    })
}

#[test]
fn every_link_of_a_page_leads_to_a_file() {
    let mut seen = 0;
    for path in pages() {
        let text = fs::read_to_string(&path).expect("a page");
        for link in links(&text) {
            let target = path.parent().expect("a folder").join(link);
            assert!(target.exists(), "{}: {link}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen} links");
}

#[test]
fn the_plugins_pages_name_every_dataset_and_every_setting() {
    let (manifest, ran) = Host::new().json(&["features", "show", "salesforce"]);
    ran.ok();
    for (list, path) in [
        ("datasets", "salesforce-plugin/docs/datasets.md"),
        ("settings", "salesforce-plugin/docs/settings.md"),
    ] {
        let text = page(path);
        let entries = manifest[list].as_array().expect("a list");
        assert!(entries.len() >= 16, "{} {list}", entries.len());
        for entry in entries {
            let name = entry["name"].as_str().expect("a name");
            assert!(text.contains(&format!("`{name}`")), "{path} does not name `{name}`");
        }
    }
}

#[test]
fn the_page_on_json_names_every_command_and_every_key() {
    let text = page("host-harness/docs/json.md");
    let mut stories = vec![workspace().join("tests/fixtures/golden")];
    let mut missing = BTreeSet::new();
    while let Some(folder) = stories.pop() {
        for entry in fs::read_dir(folder).expect("golden files") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                stories.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let golden: Value = serde_json::from_str(&fs::read_to_string(&path).expect("text"))
                .expect("a golden file is JSON");
            let document = &golden["document"];
            for object in document.as_array().map_or(std::slice::from_ref(document), Vec::as_slice)
            {
                let keys = object.as_object().into_iter().flat_map(serde_json::Map::keys);
                missing.extend(keys.filter(|key| !text.contains(&format!("\"{key}\""))).cloned());
            }
        }
    }
    // The list of reworded texts is no document of a command.
    for key in ["field", "was", "is"] {
        missing.remove(key);
    }
    assert!(missing.is_empty(), "json.md does not name {missing:?}");
}

#[test]
fn every_invariant_of_the_architecture_names_a_test_that_is_there() {
    let text = page("host-harness/docs/architecture.md");
    let (_, invariants) = text.split_once("## Invariants").expect("the invariants");
    let (invariants, _) = invariants.split_once("\n## ").expect("their end");
    let rows: Vec<&str> = invariants.lines().filter(|line| line.contains(".rs`")).collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for row in rows {
        let held = row.rsplit('|').nth(1).expect("a cell");
        let mut quoted = held.split('`').skip(1).step_by(2);
        let (file, test) = (quoted.next().expect("a file"), quoted.next().expect("a test"));
        let there = page(file).contains(&format!("fn {test}()"));
        assert!(there && Path::new(file).starts_with("tests"), "{file} has no test `{test}`");
    }
}
