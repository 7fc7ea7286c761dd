//! A library that was loaded, as a host uses it.

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::library::{AbiHeaderRef, IsLayoutChecked, LibHeader};

use super::abi::{ConnectorMod_Ref, RawConnectorBox, from_wire};
use super::host::{export_host, export_sink};
use super::module::root_module;
use crate::connector::Connector;
use crate::error::Error;
use crate::host_side::{HostApi, Instance, RecordSink, checked_answer};

/// What a library exports: describes itself and makes instances.
#[derive(Clone, Copy)]
pub struct Module(ConnectorMod_Ref);

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Module")
    }
}

/// Why the root module of a library cannot be used.
#[derive(Debug)]
pub enum ModuleError {
    /// Its header is not one of this release of the ABI library.
    ForeignHeader(String),
    /// It carries no description of its types.
    NoLayout,
    /// Its types differ from this contract; the whole report, of hundreds of lines.
    OtherLayout(String),
    /// It could not be made.
    Failed(String),
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleError::ForeignHeader(_) => f.write_str(
                "its root module is that of another ABI library: rebuild it with connector-api",
            ),
            ModuleError::NoLayout => f.write_str("it carries no layout to check"),
            ModuleError::OtherLayout(report) => write!(
                f,
                "its types differ from this host's contract, rebuild it: {}",
                last_difference(report).unwrap_or_else(|| "no detail given".into())
            ),
            ModuleError::Failed(reason) => write!(f, "its root module cannot be made: {reason}"),
        }
    }
}

impl std::error::Error for ModuleError {}

impl Module {
    /// The module of a connector in this binary.
    pub fn of<C: Connector>() -> Module {
        Module(root_module::<C>())
    }

    /// A module that was made by hand.
    #[doc(hidden)]
    pub fn by_hand(module: ConnectorMod_Ref) -> Module {
        Module(module)
    }

    /// The module behind the symbol [`ROOT_MODULE_SYMBOL`](super::module::ROOT_MODULE_SYMBOL) of a
    /// loaded library, if the library's contract and this one fit.
    ///
    /// # Errors
    /// Why it is refused.
    ///
    /// # Safety
    /// `header` is the address of that symbol in a library that exports a connector, and the library
    /// is never unloaded.
    pub unsafe fn from_symbol(header: *const c_void) -> Result<Module, ModuleError> {
        // SAFETY: a reference to the header is the symbol's address. By the caller's promise there is
        // one, for ever; `upgrade` confirms that it is one of this ABI library before more is used.
        let header = unsafe { std::mem::transmute::<*const c_void, AbiHeaderRef>(header) };
        let header =
            header.upgrade().map_err(|error| ModuleError::ForeignHeader(error.to_string()))?;
        check_layout(header)?;
        // SAFETY: the layouts were compared above, in the direction that matters.
        unsafe { header.init_root_module_with_unchecked_layout::<ConnectorMod_Ref>() }
            .map(Module)
            .map_err(|error| ModuleError::Failed(error.to_string()))
    }

    /// The manifest as JSON.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn describe(&self) -> Result<String, Error> {
        checked_answer(from_wire((self.0.describe())())?.into())
    }

    /// Makes an instance.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn instance(&self, host: Arc<dyn HostApi>) -> Result<Box<dyn Instance>, Error> {
        let raw = from_wire((self.0.new())(export_host(host)))?;
        Ok(Box::new(LoadedInstance(raw)))
    }
}

/// An instance of a library in this process.
struct LoadedInstance(RawConnectorBox);

impl Instance for LoadedInstance {
    fn operation(&self, operation: &str, json: &str) -> Result<String, Error> {
        checked_answer(from_wire(self.0.invoke(operation.into(), json.into()))?.into())
    }

    fn collect_json(&self, request_json: &str, sink: Box<dyn RecordSink>) -> Result<String, Error> {
        let sink = export_sink(sink);
        checked_answer(from_wire(self.0.collect(request_json.into(), sink))?.into())
    }
}

/// abi_stable's check allows the loader's types to be shorter than the library's, never longer; a
/// library of an earlier contract needs it the other way round.
fn check_layout(header: &LibHeader) -> Result<(), ModuleError> {
    let ours = <ConnectorMod_Ref as StableAbi>::LAYOUT;
    let IsLayoutChecked::Yes(theirs) = header.root_mod_consts().layout() else {
        return Err(ModuleError::NoLayout);
    };
    let Err(report) = check_layout_compatibility(ours, theirs) else { return Ok(()) };
    if check_layout_compatibility(theirs, ours).is_ok() {
        return Ok(());
    }
    Err(ModuleError::OtherLayout(report.to_string()))
}

/// The last `Error: … Expected: … Found: …` of a report, on one line.
fn last_difference(report: &str) -> Option<String> {
    let start = report.rfind("Error:")?;
    let lines = report[start..].lines().map(str::trim).filter(|line| !line.is_empty());
    let block: Vec<&str> = lines.take(6).collect();
    Some(block.join(" ").chars().take(300).collect())
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Module>();
};
