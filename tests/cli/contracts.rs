//! Contracts that are older or newer than this one, in both directions: a library of theirs in this
//! host, and a library of this contract in a host of theirs. Either it works, or one short refusal says
//! what to do.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::{Host, library};
use crate::workshop::{Workshop, workspace};

/// A longer refusal helps nobody.
const MOST_LINES: usize = 3;

/// The least connector; it says what the host answered to a method of a later contract.
const CONNECTOR: &str = r#"//! The least connector.
use connector_api::{Connector, Error, Host, Sink, manifest::Manifest, message::*};

struct Least(Host);

impl Connector for Least {
    fn manifest() -> Manifest { Manifest::new("least", "Least Connector", "1.0.0") }
    fn new(host: Host) -> Result<Self, Error> { Ok(Least(host)) }
    fn configure(&self, _: ConfigureRequest) -> Result<Vec<Problem>, Error> { Ok(vec![]) }
    fn authorize(&self, _: AuthorizeRequest) -> Result<AuthorizeReply, Error> {
        Err(Error::unsupported("it needs none"))
    }
    fn check(&self) -> Result<CheckReport, Error> {
        let message = format!("the host answers {}", LATER);
        let finding = Finding {
            id: "later".into(), status: FindingStatus::Ok, subject: "later".into(), message, hint: None,
        };
        Ok(CheckReport { findings: vec![finding] })
    }
    fn collect(&self, _: CollectRequest, _: &mut Sink) -> Result<CollectSummary, Error> {
        self.0.stop_if_cancelled()?;
        Ok(CollectSummary::default())
    }
}

connector_api::export_connector!(Least);
"#;

/// A host of that contract, as far as loading goes: the very code of this one.
const HOST: &str = r#"//! Loads one library and prints what it says about itself.
#[path = "LIBRARY_RS"]
mod loader;

mod error {
    pub fn chain(error: &dyn std::error::Error) -> String { error.to_string() }
}

fn main() {
    let file = std::env::args_os().nth(1).expect("a library");
    match loader::open(std::path::Path::new(&file)) {
        Ok(module) => {
            println!("{}", module.describe().expect("a description"));
        }
        Err(refusal) => {
            eprintln!("{refusal}");
            std::process::exit(6);
        }
    }
}
"#;

/// A changed contract: which text of which file is replaced by what.
struct Variant {
    name: &'static str,
    changes: &'static [(&'static str, &'static str, &'static str)],
    /// What the connector says of the host, in Rust.
    later: &'static str,
    /// A word of the refusal; none where it works.
    refused: Option<&'static str>,
}

const VARIANTS: [Variant; 5] = [
    Variant {
        name: "grown",
        changes: &[
            (
                "connector-api/src/ffi/abi.rs",
                "    fn extension(&self, id: RStr<'_>, json: RStr<'_>) -> PResult<RString>;\n",
                "    fn extension(&self, id: RStr<'_>, json: RStr<'_>) -> PResult<RString>;\n    fn later(&self) -> u32 { 7 }\n",
            ),
            (
                "connector-api/src/ffi/abi.rs",
                "-> PResult<RString>;\n}\n\n/// The host as",
                "-> PResult<RString>;\n    fn later(&self) -> u32 { 7 }\n}\n\n/// The host as",
            ),
            (
                "connector-api/src/ffi/abi.rs",
                "    pub new: extern \"C\" fn(HostBox) -> PResult<RawConnectorBox>,\n",
                "    pub new: extern \"C\" fn(HostBox) -> PResult<RawConnectorBox>,\n    pub later: extern \"C\" fn() -> u32,\n",
            ),
            ("connector-api/src/ffi/module.rs", "new: new::<C> }", "new: new::<C>, later }"),
            (
                "connector-api/src/ffi/module.rs",
                "extern \"C\" fn describe<C",
                "extern \"C\" fn later() -> u32 { 7 }\n\nextern \"C\" fn describe<C",
            ),
            ("connector-api/src/ffi/module.rs", "MINOR: u32 = 0", "MINOR: u32 = 1"),
            (
                "connector-api/src/host.rs",
                "    /// Tells how far",
                "    /// Later.\n    pub fn later(&self) -> u32 { self.0.later() }\n\n    /// Tells how far",
            ),
            (
                "connector-api/src/host_side.rs",
                "    /// Whether the connector shall stop.\n",
                "    /// Later.\n    fn later(&self) -> u32 { 0 }\n\n    /// Whether the connector shall stop.\n",
            ),
            (
                "connector-api/src/ffi/host.rs",
                "impl HostApi for ForeignHost {\n",
                "impl HostApi for ForeignHost {\n    fn later(&self) -> u32 { self.0.later() }\n\n",
            ),
        ],
        later: "self.0.later()",
        refused: None,
    },
    Variant {
        name: "inserted",
        changes: &[(
            "connector-api/src/ffi/abi.rs",
            "    fn is_cancelled(&self) -> bool;\n",
            "    fn earlier(&self) -> bool { true }\n    fn is_cancelled(&self) -> bool;\n",
        )],
        later: "0",
        refused: Some("rebuild it"),
    },
    Variant {
        name: "argument",
        changes: &[
            ("connector-api/src/ffi/abi.rs", "rows: u64, expected", "rows: i64, expected"),
            (
                "connector-api/src/ffi/host.rs",
                "dataset.into(), rows, expected",
                "dataset.into(), rows as i64, expected",
            ),
            (
                "connector-api/src/ffi/host.rs",
                "rows: u64, expected: ROption<u64>",
                "rows: i64, expected: ROption<u64>",
            ),
            (
                "connector-api/src/ffi/host.rs",
                "dataset.as_str(), rows, expected",
                "dataset.as_str(), rows as u64, expected",
            ),
        ],
        later: "0",
        refused: Some("rebuild it"),
    },
    Variant {
        name: "error",
        changes: &[
            (
                "connector-api/src/ffi/abi.rs",
                "    pub hint: ROption<RString>,\n",
                "    pub hint: ROption<RString>,\n    pub later: u32,\n",
            ),
            (
                "connector-api/src/ffi/abi.rs",
                "hint: error.hint.map(RString::from).into(),\n",
                "hint: error.hint.map(RString::from).into(),\n            later: 0,\n",
            ),
        ],
        later: "0",
        refused: Some("rebuild it"),
    },
    Variant {
        name: "release",
        changes: &[("Cargo.toml", "version = \"1.0.0\"", "version = \"2.0.0\"")],
        later: "0",
        refused: Some("rebuild it"),
    },
];

/// Builds a workspace of the contract with its changes, a connector and a host; returns the files of
/// the two.
fn build(workshop: &Workshop, variant: &Variant) -> (PathBuf, PathBuf) {
    let api = workspace().join("connector-api");
    let mut files: Vec<(String, String)> = vec![
        ("Cargo.toml".into(), manifest(variant.name)),
        ("connector-api/Cargo.toml".into(), read(&api.join("Cargo.toml"))),
        ("connector-api/docs/writing-a-connector.md".into(), String::new()),
        ("least/Cargo.toml".into(), package("least", "connector-api.workspace = true\n")),
        ("least/src/lib.rs".into(), CONNECTOR.replace("LATER", variant.later)),
        (
            "loader/Cargo.toml".into(),
            package(
                "loader",
                "connector-api.workspace = true\nlibloading.workspace = true\nlog.workspace = true\n",
            ),
        ),
        (
            "loader/src/main.rs".into(),
            HOST.replace(
                "LIBRARY_RS",
                workspace()
                    .join("host-harness/plugin-host/src/loader.rs")
                    .to_str()
                    .expect("a path"),
            ),
        ),
    ];
    for folder in ["src", "src/ffi"] {
        for entry in fs::read_dir(api.join(folder)).expect("the contract") {
            let path = entry.expect("a file").path();
            if path.is_file() {
                let name = path.file_name().expect("a name").to_str().expect("a readable name");
                files.push((format!("connector-api/{folder}/{name}"), read(&path)));
            }
        }
    }
    for (file, from, to) in variant.changes {
        let text = &mut files.iter_mut().find(|(name, _)| name == file).expect("a known file").1;
        assert_eq!(text.matches(from).count(), 1, "{}: `{from}` in {file}", variant.name);
        *text = text.replace(from, to);
    }
    // Cargo tells packages of one name apart by their path in their workspace: it must not take one
    // variant, or the contract itself, for another.
    let inner = |name: &str| match name {
        "Cargo.toml" => format!("{}/Cargo.toml", variant.name),
        member => format!("{0}/{0}/{member}", variant.name),
    };
    for (name, text) in &files {
        workshop.write(&inner(name), text);
    }
    let folder = workshop.path().join(variant.name);
    let built = workshop
        .command(env!("CARGO"), &folder)
        .args(["build", "--quiet", "--package", "least", "--package", "loader"])
        // Built once and thrown away.
        .env("CARGO_INCREMENTAL", "0")
        .output()
        .expect("cargo");
    assert!(built.status.success(), "{}: {}", variant.name, String::from_utf8_lossy(&built.stderr));
    let file = |name: String| folder.join("target/debug").join(name);
    let library = format!("{}least{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    (file(library), file("loader".into()))
}

/// The workspace's manifest, with other members.
fn manifest(variant: &str) -> String {
    let text = read(&workspace().join("Cargo.toml"));
    let (_, rest) = text.split_once("[workspace.package]").expect("what packages share");
    let members = ["connector-api", "least", "loader"].map(|name| format!("{variant}/{name}"));
    let rest =
        rest.replace("path = \"connector-api\"", &format!("path = \"{variant}/connector-api\""));
    let bare: String = ["connector-api", "least", "loader"]
        .map(|name| format!("[profile.dev.package.{name}]\ndebug = false\n"))
        .concat();
    format!(
        "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n[workspace.package]{rest}\n{bare}"
    )
}

fn package(name: &str, dependencies: &str) -> String {
    // The connector is one of the edition before this repository's.
    let (edition, library) = match name {
        "least" => ("edition = \"2021\"", "[lib]\ncrate-type = [\"cdylib\"]\n"),
        _ => ("edition.workspace = true", ""),
    };
    format!(
        "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\n{edition}\n\n{library}\n[dependencies]\n{dependencies}"
    )
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the host of another contract does with a library: its output, or its refusal.
fn load(loader: &Path, library: &Path) -> Result<String, String> {
    let output = std::process::Command::new(loader).arg(library).output().expect("the loader");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    match output.status.code() {
        Some(0) => Ok(text(output.stdout)),
        Some(6) => Err(text(output.stderr)),
        code => panic!("{code:?}: {}", text(output.stderr)),
    }
}

#[test]
fn a_grown_contract_works_in_both_directions_and_a_changed_one_is_refused_in_a_line() {
    let workshop = Workshop::new();
    for variant in &VARIANTS {
        let name = variant.name;
        let (newer, loader) = build(&workshop, variant);
        // A library of that contract in this host, beside a good one.
        let host = Host::new();
        host.add_plugin(&newer);
        let (list, _) = host.json(&["plugins", "list"]);
        assert!(list["plugins"].to_string().contains("salesforce"), "{name}: {list:#}");
        // A library of this contract in a host of that one; and one of its own, as the control.
        let loaded = load(&loader, &library("memory_connector"));
        assert!(load(&loader, &newer).expect(name).contains("Least Connector"));
        match variant.refused {
            None => {
                assert_eq!(list["refused"].to_string(), "[]", "{name}: {list:#}");
                host.run(&["features", "enable", "least"]).ok();
                host.run(&["connectors", "new", "least", "--name", "l"]).ok();
                for way in [&["collect", "l"][..], &["collect", "l", "--isolate"]] {
                    assert_eq!(host.json(way).0["status"], "complete", "{name}");
                }
                // A method this host does not have runs the body it was declared with.
                host.run(&["connectors", "check", "l"]).ok().shows("the host answers 7");
                assert!(loaded.expect(name).contains("Memory Connector"));
            }
            Some(word) => {
                let here = list["refused"][0]["reason"]
                    .as_str()
                    .map(str::to_owned)
                    .unwrap_or_else(|| panic!("{name}: {list:#}"));
                for refusal in [here, loaded.expect_err(name)] {
                    assert!(refusal.contains(word), "{name}: {refusal}");
                    assert!(refusal.lines().count() <= MOST_LINES, "{name}: {refusal}");
                    assert!(refusal.len() < 500, "{name}: {refusal}");
                }
            }
        }
    }
}

#[test]
fn a_build_that_aborts_at_a_panic_is_refused_with_the_reason() {
    let workshop = Workshop::new();
    let contract = workspace().join("connector-api/src/lib.rs");
    let refusal = |panic: &str| {
        let output = workshop
            .command("rustc", workshop.path())
            .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "-C", panic])
            .arg(&contract)
            .output()
            .expect("the compiler");
        String::from_utf8(output.stderr).expect("text")
    };
    let reason =
        "error: connector-api needs panic = \"unwind\": its guard turns a panic into an error";
    assert!(refusal("panic=abort").contains(reason));
    // Without its dependencies it cannot be built either, but not for this reason.
    let control = refusal("panic=unwind");
    assert!(
        control.contains(&["abi", "stable"].join("_")) && !control.contains(reason),
        "{control}"
    );
}

/// The library built when the contract was 1.0 (see `fixtures/contract-1.0/build.sh`). It is one of
/// x86-64 Linux with glibc, so only there it can be loaded.
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#[test]
fn the_library_built_with_contract_1_0_still_collects() {
    let kept = workspace().join("tests/fixtures/contract-1.0/libmemory_connector.so");
    let host = Host::new();
    host.add_plugin(&kept);
    host.run(&["features", "enable", "memory"]).ok();
    host.run(&["connectors", "new", "memory", "--name", "m", "--domain", "north"]).ok();
    host.run_with_input(&["connectors", "authorize", "m", "--token-file", "-"], "mem-token").ok();
    for way in [&["collect", "m", "--full"][..], &["collect", "m", "--full", "--isolate"]] {
        let (collected, ran) = host.json(way);
        ran.ok();
        assert_eq!(crate::host::dataset(&collected, "person")["rows"], 5_000, "{collected:#}");
    }
}
