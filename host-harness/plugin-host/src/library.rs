//! A library, wherever its code runs.

use std::sync::Arc;

use connector_api::Error;
use connector_api::host_side::{HostApi, Instance};
use connector_api::loaded::Module;

/// A library as its way of running decides: in this process ([`Module`]) or in worker processes.
pub trait Library: Send + Sync {
    /// Returns the manifest as JSON.
    ///
    /// # Errors
    /// Those of the connector.
    fn describe(&self) -> Result<String, Error>;

    /// Makes an instance.
    ///
    /// # Errors
    /// Those of the connector.
    fn instance(&self, host: Arc<dyn HostApi>) -> Result<Box<dyn Instance>, Error>;
}

impl Library for Module {
    fn describe(&self) -> Result<String, Error> {
        Module::describe(self)
    }

    fn instance(&self, host: Arc<dyn HostApi>) -> Result<Box<dyn Instance>, Error> {
        Module::instance(self, host)
    }
}
