//! The system's side of loading a library.

use std::ffi::{OsStr, c_void};
use std::mem::ManuallyDrop;
use std::path::Path;

use connector_api::loaded::{Module, ModuleError};
use connector_api::module::ROOT_MODULE_SYMBOL;

use crate::error::chain;

/// Opens a library for ever and returns its root module, if this host's contract and the library's
/// fit.
///
/// # Errors
/// Why it is refused, in one line.
pub(crate) fn open(path: &Path) -> Result<Module, String> {
    let library = open_library(path.as_os_str())
        .map_err(|error| format!("it cannot be loaded: {}", one_line(&chain(&error))))?;
    // SAFETY: the symbol is only looked up; its address is what is asked for.
    let header = unsafe { library.get::<*const c_void>(ROOT_MODULE_SYMBOL) }
        .map_err(|error| format!("its root module is not found: {}", chain(&error)))?;
    // SAFETY: the preflight saw the symbol and the handshake of a connector, and the library is never
    // unloaded.
    unsafe { Module::from_symbol(*header) }.map_err(|error| {
        if let ModuleError::ForeignHeader(report) | ModuleError::OtherLayout(report) = &error {
            log::debug!("root module of `{}`: {report}", path.display());
        }
        one_line(&error.to_string())
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

fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(400).collect()
}
