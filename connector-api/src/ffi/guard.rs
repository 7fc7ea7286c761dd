//! The guard at the boundary: panics become errors, a panicked instance is refused afterwards, and
//! the life cycle is held.
//!
//! Without it a panic that leaves an exported method ends the whole process.

use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};

use abi_stable::std_types::{RStr, RString};

use super::abi::{
    BatchSinkBox, HostBox, PResult, RawConnector, RawConnector_TO, RawConnectorBox, to_wire,
};
use super::catch::guarded;
pub use super::catch::{catch, install_panic_hook};
use super::host::{foreign_host, foreign_sink};
use crate::connector::Connector;
use crate::error::{Error, ErrorKind};
use crate::message::ConfigureReply;

/// One instance behind the boundary.
pub(crate) struct Guarded<C: Connector> {
    inner: ManuallyDrop<C>,
    poisoned: AtomicBool,
    configured: AtomicBool,
    enabled: AtomicBool,
    collecting: AtomicBool,
}

impl<C: Connector> Guarded<C> {
    pub(crate) fn make(host: HostBox) -> PResult<RawConnectorBox> {
        guarded("new", || {
            let host = foreign_host(host);
            host.install_logger();
            let inner = ManuallyDrop::new(C::new(host)?);
            let guarded = Guarded {
                inner,
                poisoned: AtomicBool::new(false),
                configured: AtomicBool::new(false),
                enabled: AtomicBool::new(false),
                collecting: AtomicBool::new(false),
            };
            Ok(RawConnector_TO::from_value(guarded, abi_stable::erased_types::TD_Opaque))
        })
    }

    fn call<T>(&self, what: &str, f: impl FnOnce(&C) -> Result<T, Error>) -> PResult<T> {
        if self.poisoned.load(Ordering::Acquire) {
            return to_wire(Err(Error::new(
                ErrorKind::PANIC,
                format_args!("`{what}` refused: this instance panicked before"),
            )));
        }
        let result = catch(what, || f(&self.inner));
        if matches!(&result, Err(error) if error.kind == ErrorKind::PANIC) {
            self.poisoned.store(true, Ordering::Release);
        }
        to_wire(result)
    }

    fn dispatch(&self, connector: &C, operation: &str, json: &str) -> Result<String, Error> {
        match operation {
            "configure" => {
                if self.collecting.load(Ordering::Acquire) {
                    return Err(state("configure", "while it collects"));
                }
                let problems = connector.configure(parse(operation, json)?)?;
                if problems.is_empty() {
                    self.configured.store(true, Ordering::Release);
                }
                print(&ConfigureReply { problems })
            }
            "enable" => {
                connector.enable()?;
                self.enabled.store(true, Ordering::Release);
                Ok("{}".into())
            }
            "disable" => {
                connector.disable()?;
                self.enabled.store(false, Ordering::Release);
                Ok("{}".into())
            }
            "authorize" => {
                self.require_configured(operation)?;
                print(&connector.authorize(parse(operation, json)?)?)
            }
            "deauthorize" => {
                self.require_configured(operation)?;
                print(&connector.deauthorize()?)
            }
            "check" => {
                self.require_configured(operation)?;
                print(&connector.check()?)
            }
            _ => connector.invoke(operation, json),
        }
    }

    fn require_configured(&self, operation: &str) -> Result<(), Error> {
        if self.configured.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(state(operation, "before it is configured"))
        }
    }
}

fn state(operation: &str, when: &str) -> Error {
    Error::new(ErrorKind::STATE, format_args!("`{operation}` was called {when}"))
}

fn parse<T: serde::de::DeserializeOwned>(operation: &str, json: &str) -> Result<T, Error> {
    // serde would take an array for an object with its values in order.
    if !json.trim_start().starts_with('{') {
        return Err(Error::new(
            ErrorKind::UNSUPPORTED,
            format_args!("the request of `{operation}` is no JSON object"),
        ));
    }
    serde_json::from_str(json).map_err(|error| {
        Error::new(
            ErrorKind::UNSUPPORTED,
            format_args!("the request of `{operation}` is not understood: {error}"),
        )
    })
}

fn print<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::new(ErrorKind::OTHER, error))
}

impl<C: Connector> RawConnector for Guarded<C> {
    fn invoke(&self, operation: RStr<'_>, json: RStr<'_>) -> PResult<RString> {
        let operation = operation.as_str();
        self.call(operation, |connector| {
            self.dispatch(connector, operation, json.as_str()).map(RString::from)
        })
    }

    fn collect(&self, request_json: RStr<'_>, sink: BatchSinkBox) -> PResult<RString> {
        self.call("collect", |connector| {
            self.require_configured("collect")?;
            if !self.enabled.load(Ordering::Acquire) {
                return Err(state("collect", "while the feature is disabled"));
            }
            if self.collecting.swap(true, Ordering::AcqRel) {
                return Err(state("collect", "while it already collects"));
            }
            let _done = Reset(&self.collecting);
            let summary = connector
                .collect(parse("collect", request_json.as_str())?, &mut foreign_sink(sink))?;
            print(&summary).map(RString::from)
        })
    }
}

struct Reset<'a>(&'a AtomicBool);

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl<C: Connector> Drop for Guarded<C> {
    fn drop(&mut self) {
        // SAFETY: dropped once, here, and not used afterwards.
        let dropped = catch("drop", || unsafe {
            ManuallyDrop::drop(&mut self.inner);
            Ok(())
        });
        if let Err(error) = dropped {
            log::error!("{error}");
        }
    }
}

impl<C: Connector> fmt::Debug for Guarded<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded")
    }
}
