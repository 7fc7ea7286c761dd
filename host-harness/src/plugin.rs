//! One connector library in this process, and instances made from it.

use std::path::{Path, PathBuf};

use abi_stable::std_types::RString;
use connector_api::abi::{ConnectorMod_Ref, HostBox, RawConnectorBox};
use connector_api::guard::from_wire;
use connector_api::host::Sink;
use connector_api::manifest::Manifest;
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CheckReport, CollectRequest, CollectSummary, ConfigureReply,
    ConfigureRequest, DeauthorizeReply, PERMISSION_SETS, Problem, SetupFile,
};
use connector_api::module::Handshake;
use connector_api::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::library;
use crate::manifest_check;
use crate::preflight::{self, Refusal};
use crate::sealed::Sealed;
use crate::trust::Trust;
use crate::worker::{self, Limits};

/// A loaded connector library. Never unloaded: code and data of it live as long as the process.
#[derive(Clone)]
pub struct Plugin {
    /// The file, without links.
    pub path: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
    /// The contract it was built with.
    pub handshake: Handshake,
    /// The file's SHA-256 in hexadecimal; empty for one that was made from no file.
    pub digest: String,
    /// Why it is trusted.
    pub trust: Trust,
    module: Option<ConnectorMod_Ref>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Plugin {
    /// A plugin from a root module in this process.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn from_module(
        path: PathBuf,
        handshake: Handshake,
        module: ConnectorMod_Ref,
    ) -> Result<Plugin, String> {
        let json = describe(module)
            .map_err(|error| format!("it cannot describe itself: {}", error.message))?;
        let manifest: Manifest = serde_json::from_str(&json)
            .map_err(|error| format!("its description is not understood: {error}"))?;
        manifest_check::check(&manifest)
            .map_err(|reason| format!("its description is not usable: {reason}"))?;
        Ok(Plugin {
            path,
            manifest,
            handshake,
            digest: String::new(),
            trust: Trust::ByPolicy,
            module: Some(module),
        })
    }

    /// What it says about itself, asked once more, as JSON.
    ///
    /// # Errors
    /// Those of the connector.
    pub(crate) fn describe_again(&self) -> Result<String, Error> {
        self.module.map_or_else(|| Err(elsewhere()), describe)
    }

    /// The contract it was built with, as people write it.
    pub fn contract(&self) -> String {
        format!("{}.{}", self.handshake.major, self.handshake.minor)
    }

    /// Makes an instance.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn instance(&self, host: HostBox) -> Result<Instance, Error> {
        match &self.module {
            Some(module) => from_wire((module.new())(host)).map(Instance),
            None => Err(elsewhere()),
        }
    }
}

fn describe(module: ConnectorMod_Ref) -> Result<String, Error> {
    answer(from_wire((module.describe())())?)
}

/// The longest answer: it has to fit, as text in JSON, into one message between two processes.
const LONGEST_ANSWER_MIB: usize = 7;

fn answer(text: RString) -> Result<String, Error> {
    if text.len() <= LONGEST_ANSWER_MIB << 20 {
        return Ok(text.into());
    }
    Err(Error::new(
        ErrorKind::SCHEMA,
        format_args!("the connector's answer is longer than {LONGEST_ANSWER_MIB} MiB"),
    )
    .with_hint("this is a fault of the connector: report it to its maker"))
}

fn elsewhere() -> Error {
    Error::new(ErrorKind::STATE, "this library runs in worker processes only")
}

/// A library of which everything was checked that can be checked without running it.
#[derive(Debug)]
pub struct Checked {
    /// Its path without links.
    path: PathBuf,
    sealed: Sealed,
    handshake: Handshake,
    trust: Trust,
}

impl Checked {
    /// Reads a file and checks it; `judge` says whether these bytes at that path are trusted.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn new(
        path: &Path,
        judge: impl FnOnce(&Path, &Sealed) -> Result<Trust, String>,
    ) -> Result<Checked, Refusal> {
        preflight::check_place(path)?;
        let unreadable =
            |error: std::io::Error| Refusal::Bad(format!("it cannot be read: {error}"));
        let path = path.canonicalize().map_err(unreadable)?;
        let sealed = Sealed::read(&path).map_err(unreadable)?;
        let file = sealed.file.try_clone().map_err(unreadable)?;
        let handshake = preflight::check_bytes(file, sealed.length)?;
        let trust = judge(&path, &sealed).map_err(Refusal::Bad)?;
        Ok(Checked { path, sealed, handshake, trust })
    }

    /// Reads a file that was judged before, by its SHA-256.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn known(path: &Path, digest: &str) -> Result<Checked, Refusal> {
        Checked::new(path, |_, sealed| match sealed.digest == digest {
            true => Ok(Trust::Pinned),
            false => Err("it was changed while the endpoint server was at work".into()),
        })
    }

    /// Loads the very bytes that were checked, for ever.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn load(self) -> Result<Plugin, Refusal> {
        let Checked { path, sealed: Sealed { path: bytes, digest, file, .. }, handshake, trust } =
            self;
        // The system's loader knows a library by the name it was opened with, and answers the first
        // one for the same name: the number of this open file must never be used again, even if the
        // library is refused below.
        std::mem::forget(file);
        let module = library::open(&bytes).map_err(Refusal::Bad)?;
        let plugin = Plugin::from_module(path, handshake, module).map_err(Refusal::Bad)?;
        Ok(Plugin { digest, trust, ..plugin })
    }

    /// Gets to know a library without running anything of it in this process: a worker is asked.
    /// It has no instances here.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn describe(self, limits: Limits) -> Result<Plugin, Refusal> {
        let Checked { path, sealed, handshake, trust } = self;
        let manifest = worker::describe(&path, &sealed.digest, limits).map_err(Refusal::Bad)?;
        Ok(Plugin { path, manifest, handshake, digest: sealed.digest, trust, module: None })
    }
}

/// One connector instance: typed operations over the boundary.
pub struct Instance(RawConnectorBox);

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Instance")
    }
}

impl Instance {
    fn invoke<T: DeserializeOwned>(
        &self,
        operation: &str,
        request: &impl Serialize,
    ) -> Result<T, Error> {
        let json =
            serde_json::to_string(request).map_err(|error| Error::new(ErrorKind::OTHER, error))?;
        understood(operation, &self.operation(operation, &json)?)
    }

    /// Any operation, as it crosses the boundary.
    ///
    /// # Errors
    /// Those of the connector.
    pub(crate) fn operation(&self, operation: &str, json: &str) -> Result<String, Error> {
        answer(from_wire(self.0.invoke(operation.into(), json.into()))?)
    }

    /// [`Instance::collect`], as it crosses the boundary.
    ///
    /// # Errors
    /// Those of the connector.
    pub(crate) fn collect_json(
        &self,
        request_json: &str,
        sink: connector_api::abi::BatchSinkBox,
    ) -> Result<String, Error> {
        answer(from_wire(self.0.collect(request_json.into(), sink))?)
    }

    /// Hands the settings over; answers all problems.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn configure(&self, request: &ConfigureRequest) -> Result<Vec<Problem>, Error> {
        let reply: ConfigureReply = self.invoke("configure", request)?;
        Ok(reply.problems)
    }

    /// Tells the connector that its feature is switched on.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn enable(&self) -> Result<(), Error> {
        self.invoke::<serde::de::IgnoredAny>("enable", &serde_json::json!({})).map(drop)
    }

    /// Tells the connector that its feature is switched off, or that the instance is about to go.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn disable(&self) -> Result<(), Error> {
        self.invoke::<serde::de::IgnoredAny>("disable", &serde_json::json!({})).map(drop)
    }

    /// One step of an authorization.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn authorize(&self, request: &AuthorizeRequest) -> Result<AuthorizeReply, Error> {
        self.invoke("authorize", request)
    }

    /// Revokes the grant at the vendor.
    ///
    /// # Errors
    /// Those of the connector; of kind unsupported where it cannot revoke.
    pub fn deauthorize(&self) -> Result<DeauthorizeReply, Error> {
        self.invoke("deauthorize", &serde_json::json!({}))
    }

    /// The preflight at the vendor.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn check(&self) -> Result<CheckReport, Error> {
        self.invoke("check", &serde_json::json!({}))
    }

    /// The files that give a connecting account the rights it needs at the vendor, and no more.
    ///
    /// # Errors
    /// Those of the connector; [`ErrorKind::UNSUPPORTED`] where it has none.
    pub fn permission_sets(&self) -> Result<Vec<SetupFile>, Error> {
        self.invoke(PERMISSION_SETS, &serde_json::json!({}))
    }

    /// Reads records into the sink.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn collect(
        &self,
        request: &CollectRequest,
        sink: connector_api::abi::BatchSinkBox,
    ) -> Result<CollectSummary, Error> {
        let json =
            serde_json::to_string(request).map_err(|error| Error::new(ErrorKind::OTHER, error))?;
        understood("collect", &self.collect_json(&json, sink)?)
    }
}

fn understood<T: DeserializeOwned>(operation: &str, reply: &str) -> Result<T, Error> {
    serde_json::from_str(reply).map_err(|error| {
        Error::new(
            ErrorKind::SCHEMA,
            format_args!("the connector's answer to `{operation}` is not understood: {error}"),
        )
    })
}

const _: fn() = || {
    fn moved<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    moved::<Instance>();
    shared::<Instance>();
    shared::<Plugin>();
    moved::<Sink>();
};
