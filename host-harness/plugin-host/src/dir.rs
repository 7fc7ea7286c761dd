//! Finds connector libraries. A refused file is one line; the others still load.

use std::collections::BTreeMap;
use std::env::consts::{DLL_EXTENSION, DLL_PREFIX};
use std::path::{Path, PathBuf};

use crate::checked::Checked;
use crate::error::PluginError;
use crate::pins::Pins;
use crate::plugin::Plugin;
use crate::preflight::Refusal;
use crate::trust::{self, Policy, TrustedKeys};
use crate::worker::{Isolated, Limits};

/// One folder to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Which files in it count.
    pub kind: FolderKind,
    /// Which of these are loaded.
    pub policy: Policy,
    /// Named for this command by the one who runs it.
    pub named: bool,
}

/// Which files of a folder count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// A plugins folder: every file with a library's extension, each refusal is reported.
    Plugins,
    /// Cargo's own folder: libraries by their usual name; those of another purpose are passed over.
    Cargo,
}

/// Where libraries run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// In this process.
    Here,
    /// In worker processes with these limits; nothing of them runs in this one.
    Isolated(Limits),
}

/// A file that was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// Why, in one line.
    pub reason: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Loaded libraries, one for each feature.
    pub plugins: Vec<Plugin>,
    /// Files that were refused.
    pub refused: Vec<Refused>,
    /// Folders that were looked into.
    pub folders: Vec<PathBuf>,
}

/// The folders to look into. In one named on the command line, and in the one a program lies in that
/// cargo built, every library is loaded unless a policy is set; elsewhere only those that were
/// installed or signed. One named on the command line is the only one; otherwise the one of
/// the environment, that of `config.toml`, the one libraries are installed into, `plugins` beside the program and, for a
/// program that cargo built, its own folder.
///
/// # Errors
/// When the folder named on the command line does not exist.
pub fn folders(
    named: Option<&Path>,
    environment: Option<&Path>,
    config: Option<&Path>,
    installed: &Path,
    policy: Option<Policy>,
) -> Result<Vec<Folder>, PluginError> {
    let plugins = |path: &Path| Folder {
        path: path.into(),
        kind: FolderKind::Plugins,
        policy: policy.unwrap_or_default(),
        named: false,
    };
    let by_hand = policy.unwrap_or(Policy::Any);
    if let Some(path) = named {
        if !path.is_dir() {
            return Err(PluginError::library(format_args!(
                "there is no plugins folder `{}`",
                path.display()
            ))
            .with_hint("`--plugins` names the folder that holds the connector libraries"));
        }
        return Ok(vec![Folder { policy: by_hand, named: true, ..plugins(path) }]);
    }
    let mut folders: Vec<Folder> = environment.into_iter().chain(config).map(plugins).collect();
    folders.push(plugins(installed));
    let program = std::env::current_exe().ok();
    if let Some(beside) = program.as_deref().and_then(Path::parent) {
        folders.push(plugins(&beside.join("plugins")));
        if beside.join(".fingerprint").is_dir() {
            let kind = FolderKind::Cargo;
            folders.push(Folder { kind, policy: by_hand, named: true, ..plugins(beside) });
        }
    }
    Ok(folders)
}

/// Loads every connector library of the folders, in their order, sorted by name within each. Where
/// two folders offer the same feature, the first one counts.
pub fn scan(folders: &[Folder], keys: &TrustedKeys, loading: Loading) -> Scan {
    let mut scan = Scan::default();
    for folder in folders {
        scan.folders.push(folder.path.clone());
        let earlier = scan.plugins.len();
        scan_folder(folder, keys, loading, &mut scan, earlier);
    }
    scan
}

fn scan_folder(
    folder: &Folder,
    keys: &TrustedKeys,
    loading: Loading,
    scan: &mut Scan,
    earlier: usize,
) {
    let files = match candidates(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            let reason = format!("the folder cannot be read: {error}");
            scan.refused.push(Refused { path: folder.path.clone(), reason });
            return;
        }
    };
    let pins = match folder.kind {
        FolderKind::Plugins => Pins::read(&folder.path),
        FolderKind::Cargo => Ok(Pins::default()),
    };
    let pins = match pins {
        Ok(pins) => pins,
        Err(error) => {
            scan.refused.push(Refused { path: folder.path.clone(), reason: error.message });
            return;
        }
    };
    for file in pins.missing(&files) {
        let reason = "it was installed and is no longer there".into();
        scan.refused.push(Refused { path: folder.path.join(file), reason });
    }
    for path in files {
        let checked = Checked::new(&path, |path, sealed| {
            // A developer's own folders may be open to a group; whoever loads from them by hand says so.
            if !(folder.named && folder.policy == Policy::Any) {
                trust::check_owners(path, folder.named)?;
            }
            trust::judge(path, sealed, pins.of(path), folder.policy, keys)
        });
        let loaded = checked
            .and_then(|checked| match loading {
                Loading::Here => checked.load(),
                Loading::Isolated(limits) => Isolated::plugin(checked, limits),
            })
            .and_then(|plugin| {
                pins.refuse_older(&plugin.manifest).map(|()| plugin).map_err(Refusal::Bad)
            });
        match loaded {
            Ok(plugin) => add(scan, path, plugin, earlier),
            Err(Refusal::Foreign(_)) if folder.kind == FolderKind::Cargo => {}
            Err(refusal) => {
                log::info!("refused `{}`: {}", path.display(), refusal.reason());
                scan.refused.push(Refused { path, reason: refusal.reason().into() });
            }
        }
    }
}

fn add(scan: &mut Scan, path: PathBuf, plugin: Plugin, earlier: usize) {
    let same = scan.plugins.iter().position(|other| other.manifest.id == plugin.manifest.id);
    match same {
        None => {
            log::debug!("loaded `{}` from `{}`", plugin.manifest.id, path.display());
            scan.plugins.push(plugin);
        }
        Some(at) if scan.plugins[at].path == plugin.path => {}
        Some(at) if at < earlier => {
            log::info!(
                "`{}` is not used: `{}` offers the same feature",
                path.display(),
                scan.plugins[at].path.display()
            );
        }
        Some(at) => {
            let reason = format!(
                "it offers feature `{}`, which `{}` already does",
                plugin.manifest.id,
                scan.plugins[at].path.display()
            );
            scan.refused.push(Refused { path, reason });
        }
    }
}

fn candidates(folder: &Folder) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder.path)? {
        let path = entry?.path();
        let library = path.extension().is_some_and(|extension| extension == DLL_EXTENSION);
        let usual_name =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(DLL_PREFIX));
        if library && (usual_name || folder.kind == FolderKind::Plugins) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Scan {
    /// The plugin that offers a feature.
    ///
    /// # Errors
    /// When there is none: a usage error if others loaded and nothing was refused (a misspelt
    /// name), otherwise exit code 6 with what was tried.
    pub fn plugin(&self, feature: &str) -> Result<&Plugin, PluginError> {
        if let Some(plugin) = self.plugins.iter().find(|plugin| plugin.manifest.id == feature) {
            return Ok(plugin);
        }
        let message = format!("no connector library offers the feature `{feature}`");
        if self.refused.is_empty() && !self.plugins.is_empty() {
            let known: Vec<String> =
                self.plugins.iter().map(|plugin| format!("`{}`", plugin.manifest.id)).collect();
            return Err(PluginError::usage(message)
                .with_hint(format_args!("features here: {}", known.join(", "))));
        }
        let mut hint = String::new();
        for refused in &self.refused {
            hint.push_str(&format!(
                "`{}` was refused: {}; ",
                refused.path.display(),
                refused.reason
            ));
        }
        let folders: Vec<String> =
            self.folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
        hint.push_str(&format!(
            "install one with `plugins install FILE`; looked in {}",
            folders.join(", ")
        ));
        Err(PluginError::library(message).with_hint(hint))
    }

    /// The plugins by feature.
    pub fn by_feature(&self) -> BTreeMap<&str, &Plugin> {
        self.plugins.iter().map(|plugin| (plugin.manifest.id.as_str(), plugin)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::PluginErrorKind;

    fn lines(files: &[(&str, &[u8])]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        std::fs::create_dir(folder.path().join(format!("folder.{DLL_EXTENSION}"))).unwrap();
        let folders =
            folders(Some(folder.path()), None, None, Path::new("/h/plugins"), None).unwrap();
        let scan = scan(&folders, &TrustedKeys::default(), Loading::Here);
        assert!(scan.plugins.is_empty());
        scan.refused.iter().map(|refused| refused.reason.clone()).collect()
    }

    #[test]
    fn each_file_that_is_no_connector_is_one_line_in_the_order_of_names() {
        let (text, empty) = (format!("a.{DLL_EXTENSION}"), format!("libb.{DLL_EXTENSION}"));
        let lines = lines(&[(&text, b"just text, long enough to look at"), (&empty, b"")]);
        assert_eq!(lines, ["it is not a library at all", "it is a folder", "it is empty"]);
    }

    #[test]
    fn a_missing_usual_folder_is_passed_over_and_a_missing_named_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home/plugins");
        let usual = folders(None, None, None, &home, None).unwrap();
        assert!(scan(&usual[..1], &TrustedKeys::default(), Loading::Here).refused.is_empty());
        let error = folders(Some(&folder.path().join("no")), None, None, &home, None).unwrap_err();
        assert_eq!(error.kind, PluginErrorKind::Library);
    }

    #[test]
    fn a_needed_feature_without_a_library_exits_with_six_and_names_the_folders() {
        let scan = Scan { folders: vec!["/a/plugins".into()], ..Scan::default() };
        let error = scan.plugin("sample").unwrap_err();
        assert_eq!(error.kind, PluginErrorKind::Library);
        assert!(error.hint.unwrap().contains("`/a/plugins`"));
    }
}
