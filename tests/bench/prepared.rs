//! What benchmarks of the host begin with.

use std::fs;
use std::path::Path;

use connector_api::manifest::Manifest;
use host_harness::home::Home;
use host_harness::plugin_dir::{self, Loading};
use host_harness::secret_store::{KeyPlace, SecretChanges, Vault};
use host_harness::store::{NewConnector, Store};
use host_harness::trust::{Policy, TrustedKeys};

/// A folder with a library of this workspace alone.
pub(crate) fn folder_with(package: &str) -> tempfile::TempDir {
    let name = format!("{}{package}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = std::env::current_exe().expect("this program").with_file_name(&name);
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(&library, folder.path().join(&name))
        .expect("the library is built beside this program");
    folder
}

/// A new store with the Salesforce connector `bench`; answers the connector's number, too.
pub(crate) fn store(home: &Home, plugins: &Path) -> (Store, Manifest, i64) {
    let folders =
        plugin_dir::folders(Some(plugins), None, None, &home.plugins(), Some(Policy::Any));
    let scan = plugin_dir::scan(&folders.expect("folders"), &TrustedKeys::default(), Loading::Here);
    let manifest = scan.plugin("salesforce").expect("the plugin").manifest.clone();
    let store = Store::open(home.inventory()).expect("a store");
    let vault = vault(&store);
    let new = NewConnector {
        name: "bench".into(),
        feature: manifest.id.clone(),
        domain: "example".into(),
        client_id: "id".into(),
        ..NewConnector::default()
    };
    let none = SecretChanges::new();
    let connector = store.connectors().insert(&vault, &new, "{}", &none).expect("a connector");
    (store, manifest, connector)
}

/// The vault of that store.
pub(crate) fn vault(store: &Store) -> Vault {
    Vault::open(store, &KeyPlace::default()).expect("a vault")
}
