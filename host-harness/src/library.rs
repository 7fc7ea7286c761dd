//! The system's side of loading a library: opens it, and compares its types with this host's.

use std::ffi::OsStr;
use std::mem::ManuallyDrop;
use std::path::Path;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::library::{AbiHeaderRef, IsLayoutChecked, LibHeader};
use connector_api::abi::ConnectorMod_Ref;
use connector_api::module::ROOT_MODULE_SYMBOL;

use crate::error::chain;

/// Opens a library for ever and answers its root module, if this host's contract and the library's
/// fit.
///
/// # Errors
/// Why it is refused, in one line.
pub(crate) fn open(path: &Path) -> Result<ConnectorMod_Ref, String> {
    let header = header(path)?;
    check_layout(header)?;
    // SAFETY: the layouts were compared above, in the direction that matters.
    unsafe { header.init_root_module_with_unchecked_layout::<ConnectorMod_Ref>() }
        .map_err(|error| format!("its root module cannot be made: {}", one_line(&error)))
}

fn header(path: &Path) -> Result<&'static LibHeader, String> {
    let library = open_library(path.as_os_str())
        .map_err(|error| format!("it cannot be loaded: {}", one_line_text(&chain(&error))))?;
    // SAFETY: the preflight saw the symbol; a connector's root module header has this type, which
    // abi_stable's own header check confirms before more of it is used.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_MODULE_SYMBOL) }
        .map(|symbol| *symbol)
        .map_err(|error| format!("its root module is not found: {}", chain(&error)))?;
    header.upgrade().map_err(|error| {
        log::debug!("header of `{}`: {error}", path.display());
        "its root module is that of another ABI library: rebuild it with connector-api".into()
    })
}

#[cfg(unix)]
fn open_library(
    path: &OsStr,
) -> Result<ManuallyDrop<libloading::os::unix::Library>, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // Errors and release callbacks may outlive the last instance, and unloading code with
    // thread-local destructors crashes: never unload.
    const RTLD_NODELETE: i32 = if cfg!(target_vendor = "apple") { 0x80 } else { 0x1000 };
    // SAFETY: the file passed the preflight; its initializers are trusted as the plugin is.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) }
        .map(ManuallyDrop::new)
}

#[cfg(windows)]
fn open_library(
    path: &OsStr,
) -> Result<ManuallyDrop<libloading::os::windows::Library>, libloading::Error> {
    // SAFETY: as on Unix.
    let library = unsafe { libloading::os::windows::Library::new(path) }?;
    library.pin()?;
    Ok(ManuallyDrop::new(library))
}

/// abi_stable's check allows the loader's types to be shorter than the library's, never longer; a
/// library of an earlier contract needs it the other way round.
fn check_layout(header: &LibHeader) -> Result<(), String> {
    let ours = <ConnectorMod_Ref as StableAbi>::LAYOUT;
    let IsLayoutChecked::Yes(theirs) = header.root_mod_consts().layout() else {
        return Err("it carries no layout to check".into());
    };
    let Err(report) = check_layout_compatibility(ours, theirs) else { return Ok(()) };
    if check_layout_compatibility(theirs, ours).is_ok() {
        return Ok(());
    }
    let report = report.to_string();
    log::debug!("layout report: {report}");
    Err(format!(
        "its types differ from this host's contract, rebuild it: {}",
        last_block(&report).unwrap_or_else(|| "no detail given".into())
    ))
}

/// The last `Error: … Expected: … Found: …` of a report of hundreds of lines, on one line.
fn last_block(report: &str) -> Option<String> {
    let start = report.rfind("Error:")?;
    let lines = report[start..].lines().map(str::trim).filter(|line| !line.is_empty());
    let block: Vec<&str> = lines.take(6).collect();
    let text = block.join(" ");
    Some(text.chars().take(300).collect())
}

fn one_line(error: &dyn std::error::Error) -> String {
    one_line_text(&chain(error))
}

fn one_line_text(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(400).collect()
}
