//! A host that keeps nothing, for stories at the boundary itself: real libraries, loaded into this
//! process.

use std::path::Path;

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RArc, RNone, ROk, ROption, RStr, RString};
use connector_api::abi::{
    BatchSink, BatchSink_TO, BatchSinkBox, HostBox, HostServices, HostServices_TO, PResult,
};
use connector_api::batch::ArrowBatch;
use connector_api::guard::guarded;
use connector_api::message::ConfigureRequest;
use connector_api::{Error, ErrorKind};
use host_harness::plugin::{Instance, Plugin};
use host_harness::plugin_dir::{Folder, FolderKind, Loading, scan};
use host_harness::trust::{Policy, TrustedKeys};

/// The library of a folder, as the host loads it: found, read, hashed, checked, loaded and asked what
/// it is.
pub(crate) fn loaded(folder: &Path) -> Plugin {
    let folder =
        Folder { path: folder.into(), kind: FolderKind::Plugins, policy: Policy::Any, named: true };
    let mut scan = scan(&[folder], &TrustedKeys::default(), Loading::Here);
    assert!(scan.refused.is_empty(), "{:?}", scan.refused);
    scan.plugins.pop().expect("a library")
}

/// A new instance that has its settings.
pub(crate) fn configured(plugin: &Plugin, settings: &[(&str, &str)]) -> Instance {
    let services: HostBox = RArc::new(HostServices_TO::from_value(NullHost, TD_Opaque));
    let instance = plugin.instance(services).expect("an instance");
    let problems = instance.configure(&request(settings)).expect("it judges its settings");
    assert!(problems.is_empty(), "{problems:?}");
    instance
}

pub(crate) fn request(settings: &[(&str, &str)]) -> ConfigureRequest {
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    ConfigureRequest { settings: settings.collect(), ..ConfigureRequest::default() }
}

/// Never cancels, knows one secret for every name, remembers nothing.
struct NullHost;

impl HostServices for NullHost {
    fn log_level(&self) -> u32 {
        0
    }
    fn log(&self, _: u32, _: RStr<'_>, _: RStr<'_>) {}
    fn progress(&self, _: RStr<'_>, _: u64, _: ROption<u64>) {}
    fn is_cancelled(&self) -> bool {
        false
    }
    fn sleep(&self, _: u64) -> bool {
        false
    }
    fn acquire(&self, _: RStr<'_>, _: u32) -> PResult<()> {
        ROk(())
    }
    fn secret_get(&self, _: RStr<'_>) -> PResult<ROption<RString>> {
        ROk(ROption::RSome("mem-token".into()))
    }
    fn secret_put(&self, _: RStr<'_>, _: ROption<RStr<'_>>) -> PResult<()> {
        ROk(())
    }
    fn lease_acquire(&self, _: RStr<'_>, _: u64) -> PResult<u64> {
        ROk(1)
    }
    fn lease_release(&self, _: RStr<'_>, _: u64) {}
    fn checkpoint_get(&self, _: RStr<'_>) -> PResult<ROption<RString>> {
        ROk(RNone)
    }
    fn journal(&self, _: RStr<'_>) {}
    fn extension(&self, _: RStr<'_>, _: RStr<'_>) -> PResult<RString> {
        guarded("extension", || Err(Error::new(ErrorKind::UNSUPPORTED, "it has none")))
    }
}

/// A sink that gives each batch to a function.
pub(crate) fn sink(
    each: impl FnMut(ArrowBatch) -> Result<(), Error> + Send + 'static,
) -> BatchSinkBox {
    BatchSink_TO::from_value(Each(each), TD_Opaque)
}

struct Each<F>(F);

impl<F: FnMut(ArrowBatch) -> Result<(), Error> + Send> BatchSink for Each<F> {
    fn batch(&mut self, _: RStr<'_>, batch: ArrowBatch) -> PResult<()> {
        guarded("batch", || (self.0)(batch))
    }

    fn checkpoint(&mut self, _: RStr<'_>, _: RStr<'_>) -> PResult<()> {
        ROk(())
    }
}
