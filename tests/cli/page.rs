//! The page *Writing a connector*, followed to the letter: its files are written, its commands run, and
//! its result is compared.

use std::fs;

use crate::workshop::{Workshop, workspace};

/// One code block of the page.
struct Block {
    /// The file it is, named at the beginning of the paragraph above it; empty for commands.
    file: String,
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut file = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let text = body.join("\n") + "\n";
            blocks.push(Block { file: std::mem::take(&mut file), language: language.into(), text });
        } else if let Some((name, _)) = line.strip_prefix('`').and_then(|l| l.split_once('`')) {
            file = name.into();
        }
    }
    blocks
}

#[test]
fn who_follows_the_page_has_a_connector_that_collects() {
    let page = workspace().join("connector-api/docs/writing-a-connector.md");
    let blocks = blocks(&fs::read_to_string(page).expect("the page"));
    let workshop = Workshop::new();
    // The one line that depends on where a reader has this repository.
    let api = workspace().join("connector-api");
    let here = format!("path = \"{}\"", api.to_str().expect("a readable path"));
    let programs = workshop.path().join("programs");
    fs::create_dir(&programs).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_host-harness"), programs.join("host-harness"))
        .expect("a link");
    let path = std::env::var("PATH").expect("a path");

    let (mut files, mut commands, mut results) = (0, 0, 0);
    for block in blocks {
        let Block { file, language, text } = block;
        match language.as_str() {
            "toml" | "rust" => {
                assert!(!file.is_empty(), "this block has no file name: {text}");
                if file == "Cargo.toml" {
                    assert!(text.contains("path = \"../connector-api\""), "{text}");
                }
                workshop.write(&file, &text.replace("path = \"../connector-api\"", &here));
                files += 1;
            }
            "sh" => {
                for line in text.lines() {
                    let output = workshop
                        .command("sh", workshop.path())
                        .args(["-c", line])
                        .env("PATH", format!("{}:{path}", programs.display()))
                        .env("ENDPOINT_SERVER_HOME", workshop.path().join("home"))
                        // Named, since this repository may lie in a shared temporary folder.
                        .env("CONNECTOR_PLUGINS", workshop.path().join("home/plugins"))
                        .output()
                        .expect("a shell");
                    assert!(
                        output.status.success(),
                        "`{line}`: {}{}",
                        String::from_utf8_lossy(&output.stdout),
                        String::from_utf8_lossy(&output.stderr)
                    );
                    commands += 1;
                }
            }
            _ => {
                let found = fs::read_to_string(workshop.path().join(&file)).expect(&file);
                let same = |text: &str| text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
                assert_eq!(same(&found), text, "{file}");
                results += 1;
            }
        }
    }
    assert_eq!((files, commands, results), (4, 9, 1), "the page was read as a whole");
}
