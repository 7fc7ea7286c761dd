//! What this endpoint server can connect to, as under its properties.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connector_api::manifest::Manifest;
use serde::Serialize;

use crate::app::App;
use crate::cancel::Cancel;
use crate::error::HostError;
use crate::locks::RunLock;
use crate::services::Watcher;

/// Time that runs in progress get to end when their feature is disabled.
const STOP_WITHIN: Duration = Duration::from_secs(60);

/// A feature.
#[derive(Clone, Debug, Serialize)]
pub struct FeatureView {
    /// Its id.
    pub feature: String,
    /// Its name for people; `None` without library.
    pub title: Option<String>,
    /// What it is; `None` without library.
    pub description: Option<String>,
    /// Whether it is enabled.
    pub enabled: bool,
    /// The library that offers it; `None` if it is missing.
    pub plugin: Option<LibraryView>,
}

/// The library of a feature.
#[derive(Clone, Debug, Serialize)]
pub struct LibraryView {
    /// The file.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
    /// The version of the contract it was built for.
    pub contract: String,
}

/// Whether a feature is enabled.
#[derive(Clone, Debug, Serialize)]
pub struct FeatureState {
    /// Its id.
    pub feature: String,
    /// Whether it is enabled.
    pub enabled: bool,
}

/// All features by id. One that is enabled stays visible when its library is missing.
///
/// # Errors
/// When the store cannot be read.
pub fn list(app: &App) -> Result<Vec<FeatureView>, HostError> {
    let plugins = app.scan()?.by_feature();
    let states: BTreeMap<String, bool> = app
        .store()?
        .features()
        .list()?
        .into_iter()
        .map(|state| (state.id, state.enabled))
        .collect();
    let mut names: Vec<&str> = plugins.keys().copied().collect();
    names.extend(states.keys().map(String::as_str).filter(|name| !plugins.contains_key(name)));
    names.sort_unstable();
    let view = |name: &str| {
        let plugin = plugins.get(name);
        FeatureView {
            feature: name.to_owned(),
            title: plugin.map(|plugin| plugin.manifest.title.clone()),
            description: plugin.map(|plugin| plugin.manifest.description.clone()),
            enabled: states.get(name).copied().unwrap_or(false),
            plugin: plugin.map(|plugin| LibraryView {
                path: plugin.path.clone(),
                version: plugin.manifest.version.clone(),
                contract: plugin.contract(),
            }),
        }
    };
    Ok(names.into_iter().map(view).collect())
}

/// What a feature's library says of itself: settings, grants, datasets.
///
/// # Errors
/// Of kind plugin when no library offers the feature.
pub fn show<'a>(app: &'a App, feature: &str) -> Result<&'a Manifest, HostError> {
    Ok(&app.scan()?.plugin(feature)?.manifest)
}

/// Enables a feature. Its library must be able to make an instance and to be enabled first.
///
/// # Errors
/// Of kind plugin when no library offers the feature, else those of the library.
pub fn enable(app: &App, feature: &str) -> Result<FeatureState, HostError> {
    let plugin = app.scan()?.plugin(feature)?;
    let deployment = app.deployment()?;
    let context = deployment.context(0, Cancel::default());
    plugin
        .instance(Arc::new(context))
        .and_then(|instance| instance.enable().and_then(|()| instance.disable()))?;
    deployment.store.features().set(feature, true)?;
    Ok(FeatureState { feature: feature.to_owned(), enabled: true })
}

/// Disables a feature: no run of it begins any more; those in progress are stopped and waited for.
///
/// # Errors
/// Of kind plugin for an unknown feature; when a run does not end in time or `cancel` is set: the
/// feature is disabled then, too.
pub fn disable(
    app: &App,
    feature: &str,
    cancel: &Cancel,
    progress: &dyn Watcher,
) -> Result<FeatureState, HostError> {
    let store = app.store()?;
    if !store.features().list()?.iter().any(|state| state.id == feature) {
        // Not known here: then it must at least be the name of a library.
        app.scan()?.plugin(feature)?;
    }
    store.features().set(feature, false)?;
    // From here on no run begins; those in progress see it and stop.
    let began = Instant::now();
    for connector in store.connectors().list()?.iter().filter(|other| other.feature == feature) {
        let mut announced = false;
        while RunLock::is_held(store.folder(), connector.id) {
            if !announced {
                progress.notice(&format!("stopping the run of `{}`", connector.name));
                announced = true;
            }
            if began.elapsed() >= STOP_WITHIN || cancel.sleep(Duration::from_millis(200)) {
                return Err(HostError::failed(format_args!(
                    "feature `{feature}` is disabled, but the run of `{}` has not ended yet",
                    connector.name
                ))
                .with_hint("it publishes nothing any more; see `runs list`"));
            }
        }
    }
    Ok(FeatureState { feature: feature.to_owned(), enabled: false })
}
