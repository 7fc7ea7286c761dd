//! Real libraries, loaded into this process: for stories at the boundary itself.

use std::path::Path;
use std::sync::Arc;

use connector_api::host_side::Instance;
use connector_api::message::ConfigureRequest;
use host_harness::plugin::Plugin;
use host_harness::plugin_dir::{Folder, FolderKind, Loading, scan};
use host_harness::trust::{Policy, TrustedKeys};
use testkit::ScriptedHost;

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
pub(crate) fn configured(plugin: &Plugin, settings: &[(&str, &str)]) -> Box<dyn Instance> {
    let host = ScriptedHost::default().with_any_secret("mem-token");
    let instance = plugin.instance(Arc::new(host)).expect("an instance");
    let problems = instance.configure(&request(settings)).expect("an answer");
    assert!(problems.is_empty(), "{problems:?}");
    instance
}

pub(crate) fn request(settings: &[(&str, &str)]) -> ConfigureRequest {
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    ConfigureRequest { settings: settings.collect(), ..ConfigureRequest::default() }
}
