//! The floors of the house: an import points down only, files use each other in no circle, and other
//! people's crates stay where they belong.

mod graph;
mod list;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use self::graph::{Arrow, Crate, circles};
use self::list::{Allowed, CRATES, EDGES, Edge, FOLDERS, ROOMS};
use crate::workshop::workspace;

fn allowed(list: Allowed, from: &str, to: &str) -> bool {
    list.iter().any(|(room, below)| *room == from && below.contains(&to))
}

/// The product's crates that are there, with their folders.
fn crates() -> impl Iterator<Item = (&'static str, std::path::PathBuf)> {
    let there = |(name, folder): &(&'static str, &str)| {
        let folder = workspace().join(folder);
        folder.join("Cargo.toml").is_file().then_some((*name, folder))
    };
    FOLDERS.iter().filter_map(there)
}

/// What a manifest's `[dependencies]` name of this workspace.
fn dependencies(manifest: &str, ours: &BTreeSet<String>) -> BTreeSet<String> {
    let manifest: toml::Table = manifest.parse().expect("a manifest");
    let named = manifest.get("dependencies").and_then(toml::Value::as_table);
    named
        .into_iter()
        .flat_map(toml::Table::keys)
        .filter(|name| ours.contains(*name))
        .cloned()
        .collect()
}

/// The names of all packages of this workspace.
fn packages() -> BTreeSet<String> {
    let text = |path: &Path| fs::read_to_string(path.join("Cargo.toml")).expect("a manifest");
    let root: toml::Table = text(&workspace()).parse().expect("a manifest");
    let members = root["workspace"]["members"].as_array().expect("members");
    let name = |member: &toml::Value| {
        let folder = workspace().join(member.as_str().expect("a path"));
        let manifest: toml::Table = text(&folder).parse().expect("a manifest");
        manifest["package"]["name"].as_str().expect("a name").to_owned()
    };
    members.iter().map(name).collect()
}

#[test]
fn the_lists_of_allowed_arrows_lead_down_only() {
    let lists = ROOMS.iter().map(|(_, list)| *list).chain([CRATES]);
    for list in lists {
        // A room comes after those that it uses.
        let mut below = BTreeSet::from(["tests"]);
        for (room, uses) in list {
            for used in *uses {
                assert!(below.contains(used), "{room} uses {used}, which is not below it");
            }
            below.insert(room);
        }
    }
}

#[test]
fn crates_depend_on_lower_ones_only() {
    let ours = packages();
    for (name, folder) in crates() {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        for used in dependencies(&manifest, &ours) {
            assert!(allowed(CRATES, name, &used), "{name} depends on {used}");
        }
    }
    // Control.
    let planted = "[dependencies]\nhost-harness = { path = \"../host-harness\" }\nurl = \"2\"\n";
    let found = dependencies(planted, &ours);
    assert_eq!(found, BTreeSet::from(["host-harness".to_owned()]));
    assert!(!allowed(CRATES, "inventory", "host-harness"));
}

/// The arrows between rooms that the list does not allow.
fn against(list: Allowed, arrows: &BTreeSet<Arrow>) -> Vec<String> {
    let wrong = arrows.iter().filter(|arrow| {
        let (from, to) = arrow.rooms();
        from != to && from != "lib" && to != "lib" && !allowed(list, from, to)
    });
    wrong.map(|arrow| format!("{} uses {}", arrow.from, arrow.to)).collect()
}

#[test]
fn no_import_points_upward() {
    for (name, folder) in crates() {
        let Some((_, list)) = ROOMS.iter().find(|(listed, _)| *listed == name) else { continue };
        let arrows = Crate::read(&folder.join("src")).arrows();
        assert!(arrows.len() > 50, "{name}: {} arrows between files", arrows.len());
        let wrong = against(list, &arrows);
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    }
}

/// The allowed arrows of planted crates.
const PLANTED: Allowed =
    &[("error", &[]), ("home", &["error"]), ("up", &["cli"]), ("cli", &["home"])];

/// The arrows of a crate of these files.
fn planted(files: &[(&str, &str)]) -> BTreeSet<Arrow> {
    let files: BTreeMap<_, _> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Crate::of("lib.rs", &files).arrows()
}

#[test]
fn an_import_against_the_list_is_found_in_every_way_to_write_it() {
    for import in [
        "use crate::cli::App;",
        "use super::cli::{self, App as A};",
        "use super::{error::E, cli::App};",
        "fn f() -> crate::cli::App { todo!() }",
        "fn f() { super::cli::run() }",
        "use crate::up::App;",
        "use crate::{up::*, error::E}; fn f(_: crate::up::App) {}",
    ] {
        let arrows = planted(&[
            ("lib.rs", "mod error; mod home; mod up; mod cli;"),
            ("cli.rs", "pub struct App; pub fn run() {}"),
            ("error.rs", "pub struct E;"),
            ("up.rs", "pub use crate::cli::*;"),
            ("home.rs", import),
        ]);
        let wrong = against(PLANTED, &arrows);
        assert!(wrong.contains(&"home.rs uses cli.rs".to_owned()), "{import}: {wrong:?}");
    }
    let arrows = planted(&[
        ("lib.rs", "mod error; mod home; mod cli;"),
        ("cli.rs", "pub struct App;"),
        ("error.rs", "pub struct E;"),
        ("home.rs", "use crate::error::E; #[cfg(test)] mod tests { use crate::cli::App; }"),
    ]);
    assert_eq!(against(PLANTED, &arrows), [""; 0], "down, and in tests, is free");
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    for (name, folder) in crates() {
        let arrows = Crate::read(&folder.join("src")).arrows();
        let wrong = circles(&arrows);
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

#[test]
fn a_circle_of_files_is_found_and_a_facade_is_none() {
    let arrows = planted(&[
        ("lib.rs", "mod a; mod b; pub use a::{A, Own};"),
        ("a/mod.rs", "mod c; pub use c::Own; pub struct A(crate::b::B);"),
        ("a/c.rs", "use crate::Own as Mine; pub struct Own(crate::b::B);"),
        ("b.rs", "pub struct B; fn f(_: crate::a::A) {}"),
    ]);
    let both = ["a/mod.rs", "b.rs"].map(str::to_owned);
    assert_eq!(circles(&arrows), [BTreeSet::from(both)]);
}

/// The sources below a folder, with their paths below the workspace.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![workspace().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let path = path.strip_prefix(workspace()).expect("below it");
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
    found
}

/// The files that name a crate where it does not belong.
fn strangers<'s>(edge: &Edge, sources: &'s [(String, String)]) -> Vec<&'s str> {
    let outside = sources.iter().filter(|(path, text)| {
        let named = tokens::tokens(text).iter().any(|token| edge.names.contains(&token.as_str()));
        named && !edge.only.iter().any(|place| path.starts_with(place))
    });
    outside.map(|(path, _)| path.as_str()).collect()
}

#[test]
fn crates_of_others_are_named_at_the_edge_only() {
    let folders = ["connector-api/src", "salesforce-plugin", "host-harness"];
    let all: Vec<_> = folders.iter().flat_map(|folder| sources(folder)).collect();
    for edge in EDGES {
        let wrong = strangers(edge, &all);
        assert!(wrong.is_empty(), "{:?} is named in {wrong:?}", edge.names);
    }
}

#[test]
fn a_crate_named_away_from_its_edge_is_found() {
    let place = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    for (edge, text) in EDGES.iter().zip([
        "fn f(_: abi_stable::std_types::RString) {}",
        "use rusqlite::Connection;",
        "#[derive(Debug, clap::Args)] struct A; use clap::Parser;",
    ]) {
        let inside = format!("{}x.rs", edge.only[0]);
        let files = [place("host-harness/src/app/x.rs", text), place(&inside, text)];
        assert_eq!(strangers(edge, &files), ["host-harness/src/app/x.rs"]);
        let comment = [place("host-harness/src/app/x.rs", &format!("// {text}"))];
        assert_eq!(strangers(edge, &comment), [""; 0]);
    }
}
