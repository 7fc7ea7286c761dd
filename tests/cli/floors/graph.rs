//! The files of a crate and which of them uses which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::tokens::tokens;

/// The path of a module within its crate, such as `["position", "model"]`; the root is empty.
type Module = Vec<String>;

/// A file of a crate: what it defines, imports and uses.
#[derive(Debug, Default)]
struct Source {
    file: String,
    children: BTreeSet<String>,
    defined: BTreeSet<String>,
    /// Imported names with their paths, which other modules can reach through this one.
    imported: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    used: Vec<Vec<String>>,
}

/// A crate's modules.
#[derive(Debug, Default)]
pub(super) struct Crate {
    modules: BTreeMap<Module, Source>,
}

/// One file that uses another, as paths below the crate's source folder.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
}

impl Arrow {
    /// The folders or files at the top of the crate that the arrow connects.
    pub(super) fn rooms(&self) -> (&str, &str) {
        (room(&self.from), room(&self.to))
    }
}

/// The folder or file at the top of the crate in which a file lies.
pub(super) fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

impl Crate {
    /// Reads the crate whose root is `lib.rs` or `main.rs` in that folder.
    pub(super) fn read(folder: &Path) -> Crate {
        let root = ["lib.rs", "main.rs"].into_iter().find(|root| folder.join(root).is_file());
        let root = root.unwrap_or_else(|| panic!("no crate in {}", folder.display()));
        let mut files = BTreeMap::new();
        collect(folder, folder, &mut files);
        Crate::of(root, &files)
    }

    /// The crate of those files, by path below its source folder.
    pub(super) fn of(root: &str, files: &BTreeMap<String, String>) -> Crate {
        let mut found = Crate::default();
        found.add(Vec::new(), root, files);
        found
    }

    fn add(&mut self, module: Module, file: &str, files: &BTreeMap<String, String>) {
        let Some(text) = files.get(file) else { return };
        let source = Source::read(file, &tokens(text));
        for child in source.children.clone() {
            let path: Module = module.iter().cloned().chain([child]).collect();
            let folder = path.join("/");
            for file in [format!("{folder}.rs"), format!("{folder}/mod.rs")] {
                self.add(path.clone(), &file, files);
            }
        }
        self.modules.insert(module, source);
    }

    /// Every use of a file by another.
    pub(super) fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (module, source) in &self.modules {
            for path in &source.used {
                let target = self.file_of(module, path, 0);
                if let Some(to) = target.filter(|to| *to != source.file) {
                    arrows.insert(Arrow { from: source.file.clone(), to: to.to_owned() });
                }
            }
        }
        arrows
    }

    /// The file that defines what a path names; `None` for what is not of this crate.
    fn file_of(&self, from: &[String], path: &[String], depth: usize) -> Option<&str> {
        let mut module: Module = from.to_vec();
        for (index, word) in path.iter().enumerate() {
            match word.as_str() {
                "crate" => module.clear(),
                "self" => {}
                "super" => drop(module.pop()),
                _ => {
                    let source = self.modules.get(&module)?;
                    let child: Module = module.iter().cloned().chain([word.clone()]).collect();
                    if self.modules.contains_key(&child) {
                        module = child;
                        continue;
                    }
                    if index == 0 && !source.children.contains(word) {
                        return None; // another crate
                    }
                    if depth < 8 && !source.defined.contains(word) {
                        if let Some(imported) = source.imported.get(word) {
                            let rest = path[index + 1..].iter();
                            let path: Vec<_> = imported.iter().chain(rest).cloned().collect();
                            return self.file_of(&module, &path, depth + 1);
                        }
                        for glob in &source.globs {
                            let path: Vec<_> = glob.iter().chain([word]).cloned().collect();
                            if let Some(file) = self.file_of(&module, &path, depth + 1)
                                && file != source.file
                            {
                                return Some(file);
                            }
                        }
                    }
                    return Some(&source.file);
                }
            }
        }
        Some(&self.modules.get(&module)?.file)
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("below it").to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(path).expect("a source"));
        }
    }
}

impl Source {
    fn read(file: &str, tokens: &[String]) -> Source {
        let mut source = Source { file: file.to_owned(), ..Source::default() };
        let token = |index: usize| tokens.get(index).map_or("", String::as_str);
        for index in 0..tokens.len() {
            if token(index) == "mod" && token(index + 2) == ";" {
                source.children.insert(token(index + 1).to_owned());
            }
            let defines = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];
            if defines.contains(&token(index)) {
                source.defined.insert(token(index + 1).to_owned());
            }
        }
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        let mut reexported = Vec::new();
        let mut index = 0;
        while index < tokens.len() {
            if token(index) == "use" {
                let end =
                    index + tokens[index..].iter().position(|token| token == ";").unwrap_or(1);
                let public = index > 0 && [")", "pub"].contains(&token(index - 1));
                for import in imports(&tokens[index + 1..end]) {
                    let own = source.children.contains(&import.path[0]);
                    if import.name == "*" {
                        source.globs.push(import.path.clone());
                    } else {
                        source.imported.insert(import.name.clone(), import.path.clone());
                    }
                    match public && own {
                        true => reexported.push(import),
                        false => source.used.push(import.path),
                    }
                }
                index = end;
                continue;
            }
            if before(tokens, index) != "mod" {
                *names.entry(token(index)).or_default() += 1;
            }
            let begins =
                token(index + 1) == "::" && !["::", "$", "in"].contains(&before(tokens, index));
            let ours = ["crate", "super", "self"].contains(&token(index))
                || source.children.contains(token(index));
            if begins && ours {
                let path = path_at(tokens, index);
                index += path.len() * 2 - 1;
                source.used.push(path);
                continue;
            }
            index += 1;
        }
        // Passing a child's item on is no use of it; naming it as well is.
        for import in reexported {
            if names.contains_key(import.name.as_str()) {
                source.used.push(import.path);
            }
        }
        source
    }
}

fn before(tokens: &[String], index: usize) -> &str {
    index.checked_sub(1).map_or("", |before| tokens[before].as_str())
}

/// The words of the path that begins there.
fn path_at(tokens: &[String], index: usize) -> Vec<String> {
    let mut path = vec![tokens[index].clone()];
    let mut here = index + 1;
    while tokens.get(here).is_some_and(|token| token == "::")
        && tokens
            .get(here + 1)
            .is_some_and(|word| word.starts_with(|l: char| l.is_alphabetic() || l == '_'))
    {
        path.push(tokens[here + 1].clone());
        here += 2;
    }
    path
}

/// A name that a `use` brings into a module.
struct Import {
    name: String,
    path: Vec<String>,
}

/// The imports of a `use` tree.
fn imports(tree: &[String]) -> Vec<Import> {
    let mut path = Vec::new();
    let mut here = 0;
    while here < tree.len() {
        match tree[here].as_str() {
            "::" => here += 1,
            "{" => {
                let mut imports_found = Vec::new();
                let mut depth = 0;
                let mut start = here + 1;
                for index in here..tree.len() {
                    match tree[index].as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    let ends = depth == 0 || (depth == 1 && tree[index] == ",");
                    if ends && start < index {
                        for import in imports(&tree[start..index]) {
                            let whole = path.iter().cloned().chain(import.path).collect();
                            imports_found.push(Import { path: whole, ..import });
                        }
                    }
                    if ends {
                        start = index + 1;
                    }
                    if depth == 0 {
                        break;
                    }
                }
                return imports_found;
            }
            "as" => {
                let name = tree.get(here + 1).cloned().unwrap_or_default();
                return vec![Import { name, path }];
            }
            "*" => return vec![Import { name: "*".into(), path }],
            word => {
                path.push(word.to_owned());
                here += 1;
            }
        }
    }
    if path.last().is_some_and(|word| word == "self") && path.len() > 1 {
        path.pop();
    }
    let name = path.last().cloned().unwrap_or_default();
    match path.is_empty() {
        true => Vec::new(),
        false => vec![Import { name, path }],
    }
}

/// The groups of files each of which reaches all others of its group; none is as it should be.
pub(super) fn circles(arrows: &BTreeSet<Arrow>) -> Vec<BTreeSet<String>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows {
        next.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let reached = |from: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = next.get(from).into_iter().flatten().copied().collect();
        while let Some(file) = open.pop() {
            if seen.insert(file) {
                open.extend(next.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let all: BTreeMap<&str, BTreeSet<&str>> =
        next.keys().map(|file| (*file, reached(file))).collect();
    let mut circles: Vec<BTreeSet<String>> = Vec::new();
    for (file, ahead) in &all {
        if circles.iter().any(|circle| circle.contains(*file)) || !ahead.contains(file) {
            continue;
        }
        let both =
            ahead.iter().filter(|other| all.get(*other).is_some_and(|back| back.contains(file)));
        circles.push(both.map(|file| (*file).to_owned()).collect());
    }
    circles
}
