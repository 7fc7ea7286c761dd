//! Settings of the endpoint server: the environment, then `config.toml`, then the connector's own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use connector_api::manifest::Manifest;
use inventory::files;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::HostError;
use crate::home::Home;
use crate::redact;
use crate::secret_store::KeyPlace;
use crate::trust::Policy;
use crate::worker::Limits;
use position::inputs::RuleSettings;

/// What the process was started with. Read once, then taken away from the process, so that no
/// library applies it by itself.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `ENDPOINT_SERVER_HOME`.
    pub home: Option<PathBuf>,
    /// `CONNECTOR_PLUGINS`.
    pub plugins: Option<PathBuf>,
    /// `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`.
    pub network: Network,
    /// Where the sealing key may lie.
    pub key: KeyPlace,
}

/// Variables HTTP and TLS libraries would apply on their own.
const TAKEN: [&str; 9] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
];

impl Environment {
    /// Reads the environment and removes the network variables from it.
    ///
    /// # Safety
    /// No other thread may run: to be called first in `main`.
    pub unsafe fn take() -> Environment {
        let environment = Environment::from_variables(|name| std::env::var_os(name));
        for name in TAKEN {
            // SAFETY: the caller promises that this is the only thread.
            unsafe { std::env::remove_var(name) }
        }
        environment
    }

    /// What those variables say; an empty one counts as not set.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Environment {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = |names: &[&str]| {
            names
                .iter()
                .filter_map(|name| variable(name)?.into_string().ok())
                .find(|value| !value.trim().is_empty())
        };
        let source = |name: &'static str| move |value| Sourced { value, source: name.into() };
        Environment {
            home: path("ENDPOINT_SERVER_HOME"),
            plugins: path("CONNECTOR_PLUGINS"),
            network: Network {
                proxy: text(&["HTTPS_PROXY", "https_proxy"]).map(source("HTTPS_PROXY")),
                no_proxy: text(&["NO_PROXY", "no_proxy"]).map(source("NO_PROXY")),
                ca_file: text(&["SSL_CERT_FILE"]).map(source("SSL_CERT_FILE")),
            },
            key: KeyPlace {
                file: path("ENDPOINT_SERVER_KEY_FILE"),
                credentials_directory: path("CREDENTIALS_DIRECTORY"),
            },
        }
    }
}

/// A value and where it was set, for messages.
#[derive(Clone, PartialEq, Eq)]
pub struct Sourced {
    /// The value.
    pub value: String,
    /// Where it was set.
    pub source: String,
}

impl std::fmt::Debug for Sourced {
    // A proxy's URL may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sourced(from {})", self.source)
    }
}

/// How to reach the internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// URL of an HTTP proxy; may hold credentials.
    pub proxy: Option<Sourced>,
    /// Comma-separated hosts reached directly.
    pub no_proxy: Option<Sourced>,
    /// PEM certificates trusted in addition to the system's.
    pub ca_file: Option<Sourced>,
}

impl Network {
    /// These settings with those of `over` put over them, one by one.
    #[must_use]
    pub fn overridden_by(self, over: Network) -> Network {
        Network {
            proxy: over.proxy.or(self.proxy),
            no_proxy: over.no_proxy.or(self.no_proxy),
            ca_file: over.ca_file.or(self.ca_file),
        }
    }

    /// Fills the three network settings into a connector's own, where its manifest knows them and
    /// the administrator left them empty; then checks that the CA file is there.
    ///
    /// # Errors
    /// A settings error that names the CA file and where it was set.
    pub fn fill(
        &self,
        manifest: &Manifest,
        settings: &mut BTreeMap<String, String>,
    ) -> Result<(), HostError> {
        let fills =
            [("proxy", &self.proxy), ("no_proxy", &self.no_proxy), ("ca_file", &self.ca_file)];
        let mut ca_source = "the connector's `ca_file`".to_owned();
        for (name, value) in fills {
            let own = settings.get(name).is_some_and(|own| !own.trim().is_empty());
            if let Some(value) = value
                && !own
                && manifest.setting(name).is_some()
            {
                settings.insert(name.into(), value.value.clone());
                if name == "ca_file" {
                    ca_source = value.source.clone();
                }
            }
        }
        if let Some(proxy) = settings.get("proxy") {
            redact::remember_url_password(proxy);
        }
        match settings.get("ca_file").filter(|path| !path.trim().is_empty()) {
            Some(path) => check_ca_file(Path::new(path), &ca_source),
            None => Ok(()),
        }
    }
}

fn check_ca_file(path: &Path, source: &str) -> Result<(), HostError> {
    let text = files::read_regular(path, files::MOST_TEXT).map_err(|error| {
        HostError::config(format_args!(
            "the CA file `{}` (from {source}) cannot be read: {error}",
            path.display()
        ))
        .with_hint("name a file with PEM certificates, readable by this account")
    })?;
    let marker = b"-----BEGIN CERTIFICATE-----";
    if !text.windows(marker.len()).any(|window| window == marker) {
        return Err(HostError::config(format_args!(
            "the CA file `{}` (from {source}) holds no PEM certificate",
            path.display()
        ))
        .with_hint(
            "export the certificate as Base-64 (PEM); a DER file can be converted with openssl",
        ));
    }
    Ok(())
}

/// `config.toml` in the home folder. Every key may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    proxy: Option<String>,
    no_proxy: Option<String>,
    ca_file: Option<PathBuf>,
    /// A folder with connector libraries, in addition to the usual places.
    pub plugins: Option<PathBuf>,
    /// The time zone schedules are meant in, e.g. `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// Snapshots older than this are removed after a run.
    pub retention_days: Option<u32>,
    /// Daily sums of uses older than this are removed after a run; two years if not set.
    pub activity_retention_days: Option<u32>,
    /// Limits of seat classes and rules.
    #[serde(default)]
    pub rules: RuleSettings,
    /// Most concurrent runs of `serve`; 4 if not set.
    pub parallel_runs: Option<u32>,
    /// Largest random delay of a run of `serve` after its slot, in minutes; 5 if not set.
    pub jitter_minutes: Option<u32>,
    /// A program and its arguments that `serve` calls when a run fails; it gets the run as JSON.
    pub on_failure: Option<Vec<String>>,
    /// The loopback address on which `serve` shows its health and its metrics; none if not set.
    pub metrics: Option<std::net::SocketAddr>,
    /// Which libraries are loaded: `signed`, `pinned` or `any`.
    pub plugins_policy: Option<Policy>,
    /// minisign keys whose signatures on libraries count.
    #[serde(default)]
    pub trusted_keys: Vec<String>,
    /// Seconds without activity after which a connector is stopped; 600 if not set.
    pub silence_seconds: Option<u64>,
    /// Address space of a connector's own process in MiB; 1024 if not set.
    pub worker_memory_mib: Option<u64>,
}

impl Config {
    /// Reads `config.toml`; no file means no settings.
    ///
    /// # Errors
    /// A settings error that names the key or the line.
    pub fn read(home: &Home) -> Result<Config, HostError> {
        let path = home.config_file();
        let text = match files::read_regular_text(&path, files::MOST_TEXT) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Config::default());
            }
            Err(error) => {
                return Err(HostError {
                    kind: crate::error::Kind::Config,
                    ..HostError::io("read", &path, &error)
                });
            }
        };
        let mut config = Config::parse(&text).map_err(|error| HostError {
            message: format!("`{}`: {}", path.display(), error.message),
            ..error
        })?;
        // Paths in the file are meant from where the file lies.
        for place in [&mut config.ca_file, &mut config.plugins].into_iter().flatten() {
            *place = home.path().join(&place);
        }
        if config.proxy.as_deref().is_some_and(redact::has_url_credentials) && open_to_others(&path)
        {
            log::warn!(
                "`{}` holds the proxy's password and may be read by others: run `chmod 600` on it",
                path.display()
            );
        }
        Ok(config)
    }

    /// Reads settings from TOML text. Values never appear in the error: one could be a secret.
    ///
    /// # Errors
    /// A settings error that names the key or the line.
    pub fn parse(text: &str) -> Result<Config, HostError> {
        let line_of = |span: Option<Range<usize>>| {
            let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
            before.matches('\n').count() + 1
        };
        let not_toml = |error: toml::de::Error| {
            HostError::config(format_args!("line {}: it is not valid TOML", line_of(error.span())))
        };
        let table = DeTable::parse(text).map_err(not_toml)?;
        check_keys::<Config>(table.get_ref(), &|span| line_of(Some(span)))?;
        if let Some(DeValue::Table(rules)) = table.get_ref().get("rules").map(Spanned::get_ref) {
            check_keys::<RuleSettings>(rules, &|span| line_of(Some(span)))?;
        }
        let values = toml::Deserializer::parse(text).map_err(not_toml)?;
        let config: Config = serde_path_to_error::deserialize(values).map_err(|error| {
            HostError::config(format_args!(
                "line {}: `{}` has a value of the wrong type",
                line_of(error.inner().span()),
                error.path()
            ))
        })?;
        config.check()
    }

    fn check(self) -> Result<Config, HostError> {
        let config = self;
        if let Some(id) = config.rules.off.iter().find(|id| position::rules::rule(id).is_none()) {
            return Err(HostError::config(format_args!("`rules.off` names no rule: `{id}`"))
                .with_hint("rules are R01 to R22"));
        }
        if config.retention_days == Some(0) {
            return Err(HostError::config("`retention_days` must be 1 or more"));
        }
        if config.parallel_runs == Some(0) {
            return Err(HostError::config("`parallel_runs` must be 1 or more"));
        }
        if config.silence_seconds == Some(0) {
            return Err(HostError::config("`silence_seconds` must be 1 or more"));
        }
        if config.worker_memory_mib.is_some_and(|mib| mib < 64) {
            return Err(HostError::config("`worker_memory_mib` must be 64 or more"));
        }
        if config.jitter_minutes.is_some_and(|minutes| minutes > 1_440) {
            return Err(HostError::config("`jitter_minutes` must be 1440 or less"));
        }
        if config.on_failure.as_ref().is_some_and(Vec::is_empty) {
            return Err(HostError::config("`on_failure` names no program"));
        }
        if let Some(address) = config.metrics.filter(|address| !address.ip().is_loopback()) {
            return Err(HostError::config(format_args!(
                "`metrics`: {address} is not a loopback address"
            ))
            .with_hint("they are shown without a password: use for example `127.0.0.1:9464`"));
        }
        if config.time_zone.as_deref().is_some_and(|zone| zone.trim().is_empty()) {
            return Err(HostError::config("`time_zone` is empty"));
        }
        Ok(config)
    }

    /// What a connector's own process may use.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits { memory_mib: self.worker_memory_mib.unwrap_or(default.memory_mib), ..default }
    }

    /// Its network settings.
    pub fn network(&self) -> Network {
        let sourced = |name: &str, value: Option<String>| {
            value
                .filter(|value| !value.trim().is_empty())
                .map(|value| Sourced { value, source: format!("`{name}` in config.toml") })
        };
        let ca_file = self.ca_file.as_ref().map(|path| path.to_string_lossy().into_owned());
        Network {
            proxy: sourced("proxy", self.proxy.clone()),
            no_proxy: sourced("no_proxy", self.no_proxy.clone()),
            ca_file: sourced("ca_file", ca_file),
        }
    }
}

/// Refuses a key that the settings of that type do not have.
fn check_keys<T: DeserializeOwned>(
    table: &DeTable<'_>,
    line_of: &dyn Fn(Range<usize>) -> usize,
) -> Result<(), HostError> {
    let known = keys::<T>();
    let Some(key) = table.keys().find(|key| !known.contains(&key.get_ref().as_ref())) else {
        return Ok(());
    };
    let (line, name) = (line_of(key.span()), key.get_ref());
    let unknown = HostError::config(format_args!("line {line}: unknown key `{name}`"));
    if ["secret", "password", "token"].iter().any(|word| name.contains(word)) {
        return Err(unknown.with_hint(
            "secrets do not belong in this file: enter them with `connectors new` or \
             `connectors edit`",
        ));
    }
    Err(unknown.with_hint(format_args!("known keys are {}", known.join(", "))))
}

/// The keys of a struct, as its deserializer asks for them.
fn keys<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Ask<'a>(&'a mut &'static [&'static str]);
    impl<'de> Deserializer<'de> for Ask<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("only a struct has keys"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }
    let mut keys: &[&str] = &[];
    // It fails as soon as it has asked.
    let _ = T::deserialize(Ask(&mut keys));
    keys
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use connector_api::manifest::SettingSpec;

    use super::*;

    fn manifest(names: &[&str]) -> Manifest {
        let mut manifest = Manifest::new("sample", "Sample", "1.0.0");
        manifest.settings = names
            .iter()
            .map(|name| SettingSpec { name: (*name).into(), ..SettingSpec::default() })
            .collect();
        manifest
    }

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_variables(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    }

    fn filled(network: &Network, own: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut settings =
            own.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        network.fill(&manifest(&["proxy", "no_proxy", "ca_file"]), &mut settings).unwrap();
        settings
    }

    #[test]
    fn the_file_overrides_the_environment_and_the_connector_overrides_both() {
        let environment =
            environment(&[("HTTPS_PROXY", "http://from-env"), ("NO_PROXY", "env.example")]);
        let config = Config::parse("proxy = 'http://from-file'").unwrap();
        let network = environment.network.overridden_by(config.network());
        let settings = filled(&network, &[]);
        assert_eq!(settings["proxy"], "http://from-file");
        assert_eq!(settings["no_proxy"], "env.example");
        let settings = filled(&network, &[("proxy", "http://own")]);
        assert_eq!(settings["proxy"], "http://own");
    }

    #[test]
    fn only_settings_the_connector_declares_are_filled() {
        let environment = environment(&[("https_proxy", "http://proxy")]);
        let mut settings = BTreeMap::new();
        environment.network.fill(&manifest(&["domain"]), &mut settings).unwrap();
        assert!(settings.is_empty());
    }

    #[test]
    fn an_empty_variable_counts_as_not_set_and_the_upper_case_name_wins() {
        let pairs = [("HTTPS_PROXY", ""), ("https_proxy", "http://lower"), ("SSL_CERT_FILE", "")];
        let network = environment(&pairs).network;
        assert_eq!(network.proxy.unwrap().value, "http://lower");
        assert_eq!(network.ca_file, None);
    }

    #[test]
    fn a_missing_ca_file_is_named_with_where_it_was_set() {
        let network = environment(&[("SSL_CERT_FILE", "/nowhere/ca.pem")]).network;
        let error = network.fill(&manifest(&["ca_file"]), &mut BTreeMap::new()).unwrap_err();
        assert!(error.message.contains("`/nowhere/ca.pem` (from SSL_CERT_FILE)"), "{error}");
        assert_eq!(error.kind.exit_code(), 2);
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let mut settings = BTreeMap::from([("ca_file".to_owned(), path)]);
        let error = Network::default().fill(&manifest(&["ca_file"]), &mut settings).unwrap_err();
        assert!(error.message.contains("holds no PEM certificate"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_and_a_literal_secret_is_not_echoed() {
        let error = Config::parse("# settings\nproxi = 'x'").unwrap_err();
        assert_eq!(error.message, "line 2: unknown key `proxi`");
        let error = Config::parse("client_secret = 'canary'").unwrap_err();
        assert!(error.hint.unwrap().contains("secrets do not belong"));
        let error = Config::parse("retention_days = 'canary'").unwrap_err();
        assert_eq!(error.message, "line 1: `retention_days` has a value of the wrong type");
        let error = Config::parse("proxy = canary").unwrap_err();
        assert!(!error.message.contains("canary"), "{error}");
    }

    #[test]
    fn a_section_has_its_own_keys_and_a_wrong_value_its_line() {
        let error = Config::parse("time_zone = 'UTC'\n[rules]\ngrace = 3").unwrap_err();
        assert_eq!(error.message, "line 3: unknown key `grace`");
        assert!(error.hint.unwrap().contains("grace_days"));
        let error = Config::parse("[rules]\ngrace_days = 'x'").unwrap_err();
        assert_eq!(error.message, "line 2: `rules.grace_days` has a value of the wrong type");
        let error = Config::parse("\nproxy = ").unwrap_err();
        assert_eq!(error.message, "line 2: it is not valid TOML");
        let hint = Config::parse("x = 1").unwrap_err().hint.unwrap();
        assert!(hint.contains("trusted_keys") && hint.contains("rules"), "{hint}");
    }

    #[test]
    fn paths_in_the_file_are_meant_from_the_home_folder() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        std::fs::write(home.config_file(), "ca_file = 'ca.pem'\nplugins = '/opt/p'").unwrap();
        let config = Config::read(&home).unwrap();
        assert_eq!(config.ca_file.unwrap(), folder.path().join("ca.pem"));
        assert_eq!(config.plugins.unwrap(), Path::new("/opt/p"));
    }
}
