//! A connector without a vendor: one dataset of three records, made up on the spot.
//!
//! The environment variable `CHAOS` names the call in which it panics (`describe`, `new`,
//! `configure`, `enable`, `authorize`, `check`, `collect`, `disable`, `drop`) or another way to
//! misbehave (`payload`: panics with a payload that panics when dropped; `columns`: a batch with an
//! unknown column; `types`: a column of another type; `abort`: ends the process with a secret in
//! memory; `leak`: panics with a secret in the message). Without it, it behaves.
//!
//! The setting `behaviour` does the same for `collect` of one instance, and knows what the files `hostile.rs`
//! and `batches.rs` list.
//!
//! These break the contract without hurting anybody, one promise each: `fickle` (describes itself
//! anew each time), `lax` (takes any settings), `enable-once`, `any-operation`, `any-dataset`,
//! `grants` (collects without the grant it says it needs), `deaf` (does not hear a cancel), `miscount`,
//! `no-resume`, `tell` (logs a secret), `leak-thread`, `leak-file` and
//! `leak-memory` (with each instance).

mod batches;
mod hostile;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use connector_api::batch::ArrowBatch;
use connector_api::manifest::{
    DatasetSpec, FieldSpec, FieldType, GrantSpec, Manifest, SettingSpec,
};
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CheckReport, CollectMode, CollectRequest, CollectSummary,
    ConfigureRequest, DatasetStatus, DatasetSummary, Finding, FindingStatus, GrantSummary, Problem,
};
use connector_api::{Connector, Error, ErrorKind, Host, Sink};

/// What this library is to do wrong, for tests that write it into a copy of the file: after the
/// colon a word, ended by a blank.
#[used]
static MODE: [u8; 64] = *b"chaos-mode:nothing                                              ";

/// Told by the environment, or by the library's own bytes.
fn chaos(call: &str) -> bool {
    // SAFETY: it reads a static of this library; the compiler must not take its value for known.
    let mode = unsafe { std::ptr::read_volatile(&raw const MODE) };
    let word = mode[11..].split(|byte| *byte == b' ').next();
    word == Some(call.as_bytes()) || std::env::var("CHAOS").is_ok_and(|told| told == call)
}

#[expect(clippy::panic, reason = "this connector's purpose")]
fn panic_in(call: &str) {
    if chaos(call) {
        panic!("told to panic in {call}");
    }
}

/// The connector.
#[derive(Debug)]
pub struct Chaos {
    host: Host,
    enabled_before: AtomicBool,
    /// The setting of this name.
    behaviour: Mutex<String>,
}

impl Chaos {
    fn told(&self, call: &str) -> bool {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) == call || chaos(call)
    }

    /// What can go wrong while collecting without a panic.
    fn misbehave(&self, sink: &mut Sink) -> Result<(), Error> {
        if self.told("tell")
            && let Some(secret) = self.host.secret_get("client_secret")?
        {
            log::debug!("the secret is {}", secret.expose());
        }
        if self.told("abort") {
            let secret = self.host.secret_get("client_secret")?;
            log::info!("aborting with a secret in memory: {}", secret.is_some());
            std::process::abort();
        }
        if chaos("leak")
            && let Some(secret) = self.host.secret_get("client_secret")?
        {
            std::panic::panic_any(format!("the secret is {}", secret.expose()));
        }
        if self.told("slow") {
            self.host.sleep(Duration::from_secs(3_600))?;
        }
        if self.told("hang") {
            loop {
                std::hint::spin_loop();
            }
        }
        let sabotage = self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone();
        hostile::act(&sabotage, &self.host);
        hostile::act(hostile::mode(&MODE), &self.host);
        batches::act(&sabotage, &self.host, sink)?;
        let failures = [
            ("auth", ErrorKind::AUTH, "the grant was revoked"),
            ("transient", ErrorKind::RETRYABLE, "the network is down"),
            ("limited", ErrorKind::RATE_LIMITED, "the allowance is used up"),
        ];
        if let Some((_, kind, message)) = failures.iter().find(|(word, ..)| self.told(word)) {
            return Err(Error::new(*kind, message));
        }
        if self.told("payload") {
            std::panic::panic_any(Grenade);
        }
        if self.told("false-length") {
            let mut batch = three("Size", Arc::new(Int64Array::from(vec![1, 2, 3])))?;
            batch.array.length = 60_000;
            sink.batch("thing", batch)?;
        }
        if self.told("large-state") {
            sink.checkpoint("thing", &"x".repeat(32 << 20))?;
        }
        Ok(())
    }

    /// Requests that are refused, by one that behaves.
    fn refuse(&self, request: &CollectRequest) -> Result<(), Error> {
        if let Some(name) = request.datasets.iter().find(|name| *name != "thing")
            && !self.told("any-dataset")
        {
            return Err(Error::unsupported(format_args!("there is no dataset `{name}`")));
        }
        let goes_on = request.resume || request.mode == CollectMode::Incremental;
        if goes_on && self.told("no-resume") {
            return Err(Error::new(ErrorKind::OTHER, "it cannot go on"));
        }
        Ok(())
    }
}

/// A batch of three things with that column.
fn three(column: &str, values: ArrayRef) -> Result<ArrowBatch, Error> {
    let ids = Arc::new(StringArray::from(vec!["a", "b", "c"])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("Id", ids), (column, values)]).map_err(other)?;
    ArrowBatch::from_record_batch(batch)
}

fn other(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::OTHER, error)
}

/// Panics when it is dropped.
struct Grenade;

impl Drop for Grenade {
    #[expect(clippy::panic, reason = "this connector's purpose")]
    fn drop(&mut self) {
        panic!("the payload panics too");
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        panic_in("drop");
    }
}

impl Connector for Chaos {
    fn manifest() -> Manifest {
        panic_in("describe");
        let setting = |name: &str, required| SettingSpec {
            name: name.into(),
            title: name.into(),
            help: name.into(),
            required,
            ..SettingSpec::default()
        };
        let field = |name: &str, kind| FieldSpec { name: name.into(), kind };
        static DESCRIBED: AtomicU32 = AtomicU32::new(0);
        let time = if chaos("fickle") { DESCRIBED.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let grant = GrantSpec { id: "any".into(), ..GrantSpec::default() };
        Manifest {
            description: "x".repeat(time as usize),
            grants: if chaos("grants") { vec![grant] } else { Vec::new() },
            settings: vec![
                setting("domain", true),
                setting("client_id", true),
                SettingSpec { secret: true, ..setting("client_secret", false) },
                setting("behaviour", false),
            ],
            datasets: vec![DatasetSpec {
                name: "thing".into(),
                title: "Things".into(),
                source: "thing".into(),
                key: vec!["Id".into()],
                fields: vec![field("Id", FieldType::Text), field("Size", FieldType::Integer)],
                ..DatasetSpec::default()
            }],
            ..Manifest::new("chaos", "Chaos Connector", env!("CARGO_PKG_VERSION"))
        }
    }

    fn new(host: Host) -> Result<Chaos, Error> {
        panic_in("new");
        log::info!("a chaos connector was made");
        if chaos("leak-thread") {
            std::thread::spawn(std::thread::park);
        }
        if chaos("leak-memory") {
            std::mem::forget(std::hint::black_box(vec![7_u8; 100_000]));
        }
        if chaos("leak-file") {
            std::mem::forget(std::fs::File::open("/dev/null"));
        }
        Ok(Chaos { host, enabled_before: AtomicBool::new(false), behaviour: Mutex::default() })
    }

    fn configure(&self, request: ConfigureRequest) -> Result<Vec<Problem>, Error> {
        panic_in("configure");
        let behaviour = request.settings.get("behaviour").cloned().unwrap_or_default();
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
        let missing = |name: &&str| !request.settings.contains_key(*name) && !chaos("lax");
        let needed = ["domain", "client_id"].into_iter();
        let problem = |name: &str| Problem {
            field: name.into(),
            message: "a value is needed".into(),
            hint: None,
        };
        Ok(needed.filter(missing).map(problem).collect())
    }

    fn enable(&self) -> Result<(), Error> {
        panic_in("enable");
        match self.enabled_before.swap(true, Ordering::Relaxed) && chaos("enable-once") {
            true => Err(Error::new(ErrorKind::STATE, "it is enabled already")),
            false => Ok(()),
        }
    }

    fn disable(&self) -> Result<(), Error> {
        panic_in("disable");
        Ok(())
    }

    fn authorize(&self, request: AuthorizeRequest) -> Result<AuthorizeReply, Error> {
        panic_in("authorize");
        Ok(match request {
            AuthorizeRequest::Begin => AuthorizeReply::Link {
                url: "https://chaos.example/authorize".into(),
                instructions: "Paste anything.".into(),
            },
            _ => AuthorizeReply::Granted(GrantSummary::default()),
        })
    }

    fn check(&self) -> Result<CheckReport, Error> {
        panic_in("check");
        let finding = Finding {
            id: "chaos".into(),
            status: FindingStatus::Ok,
            subject: "chaos".into(),
            message: "none".into(),
            hint: None,
        };
        Ok(CheckReport { findings: vec![finding] })
    }

    fn collect(&self, request: CollectRequest, sink: &mut Sink) -> Result<CollectSummary, Error> {
        panic_in("collect");
        self.misbehave(sink)?;
        self.refuse(&request)?;
        let column = if self.told("columns") { "Colour" } else { "Size" };
        let sizes: ArrayRef = if self.told("types") {
            Arc::new(StringArray::from(vec!["one", "two", "three"]))
        } else {
            Arc::new(Int64Array::from(vec![1, 2, 3]))
        };
        match sink.batch("thing", three(column, sizes)?) {
            Err(error) if error.kind == ErrorKind::CANCELLED && self.told("deaf") => {}
            handed_over => {
                handed_over?;
                sink.checkpoint("thing", "{}")?;
            }
        }
        self.host.progress("thing", 3, Some(3));
        let thing = DatasetSummary {
            rows: if self.told("miscount") { 4 } else { 3 },
            expected: Some(3),
            ..DatasetSummary::new("thing", DatasetStatus::Complete)
        };
        let long = [("long-end", 1 << 20), ("long-summary", 64 << 20)];
        let told = long.iter().find(|(word, _)| self.told(word));
        let error = told.map(|(_, length)| other("y".repeat(*length)));
        Ok(CollectSummary { datasets: vec![thing], error, ..CollectSummary::default() })
    }

    fn invoke(&self, operation: &str, _: &str) -> Result<String, Error> {
        match self.told("any-operation") {
            true => Ok("{}".into()),
            false => Err(Error::unsupported(format_args!("`{operation}` is not known"))),
        }
    }
}

connector_api::export_connector!(Chaos);
