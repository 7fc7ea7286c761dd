//! Settings, secrets and a token to check a connector with.

use std::collections::BTreeMap;
use std::path::Path;

use connector_api::Secret;
use connector_api::manifest::Manifest;
use inventory::files;
use serde::Deserialize;

use crate::error::{PluginError, PluginErrorKind};
use crate::redact;

/// Where a made-up `proxy` setting leads: nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A connector's settings for the checks, as a TOML file holds them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Settings, as `--set` would give them.
    #[serde(default)]
    pub(super) settings: BTreeMap<String, String>,
    /// Secret settings.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// What a person would paste to authorize; may be left out where the grant needs nobody.
    #[serde(default)]
    token: Option<String>,
    /// Whether it was made up from the manifest.
    #[serde(skip)]
    pub(super) made_up: bool,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("made_up", &self.made_up).finish_non_exhaustive()
    }
}

impl Profile {
    /// Reads a profile. Values never appear in the error: one could be a secret.
    ///
    /// # Errors
    /// A settings error with the line.
    pub fn read(path: &Path) -> Result<Profile, PluginError> {
        let text = files::read_regular_text(path, files::MOST_TEXT).map_err(|error| {
            PluginError { kind: PluginErrorKind::Config, ..PluginError::io("read", path, error) }
        })?;
        toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).map_or(0, |before| before.matches('\n').count()) + 1;
            PluginError::config(format_args!(
                "`{}`, line {line}: it is not understood",
                path.display()
            ))
            .with_hint(
                "it holds [settings] and [secrets] with texts, and may begin with token = \"…\"",
            )
        })
    }

    /// Settings that a connector may accept, from its manifest: each required one by its example.
    pub(super) fn made_up(manifest: &Manifest) -> Profile {
        let mut profile = Profile { made_up: true, ..Profile::default() };
        for spec in &manifest.settings {
            if spec.name == "proxy" {
                profile.settings.insert(spec.name.clone(), NOWHERE.into());
            } else if spec.required && spec.secret {
                profile.secrets.insert(spec.name.clone(), canary(&spec.name));
            } else if spec.required {
                let value = spec.example.clone().or_else(|| spec.default.clone());
                profile.settings.insert(spec.name.clone(), value.unwrap_or("example".into()));
            }
        }
        profile
    }

    /// The same with a made-up value for every secret that has none, to look for later.
    pub(super) fn with_canaries(mut self, manifest: &Manifest) -> Profile {
        for spec in manifest.settings.iter().filter(|spec| spec.secret) {
            self.secrets.entry(spec.name.clone()).or_insert_with(|| canary(&spec.name));
        }
        self.token.get_or_insert_with(|| canary("token"));
        self
    }

    /// Lets its secrets be masked in what this process shows.
    pub(super) fn mask(&self) {
        for secret in self.secrets().into_values().chain(self.token()) {
            redact::remember(secret.expose());
        }
    }

    pub(super) fn secrets(&self) -> BTreeMap<String, Secret> {
        self.secrets
            .iter()
            .map(|(name, value)| (name.clone(), Secret::new(value.clone())))
            .collect()
    }

    pub(super) fn token(&self) -> Option<Secret> {
        self.token.clone().map(Secret::new)
    }
}

fn canary(name: &str) -> String {
    format!("canary-of-{name}-7Qd2xLr9")
}
