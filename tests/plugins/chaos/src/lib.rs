//! A connector without a vendor: one dataset of three records, made up on the spot.
//!
//! The environment variable `CHAOS` names the call in which it panics (`describe`, `new`,
//! `configure`, `enable`, `authorize`, `check`, `collect`, `disable`, `drop`) or another way to
//! misbehave (`payload`: panics with a payload that panics when dropped; `columns`: a batch with an
//! unknown column; `types`: a column of another type; `abort`: ends the process with a secret in
//! memory; `leak`: panics with a secret in the message). Without it, it behaves.

mod hostile;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use connector_api::batch::ArrowBatch;
use connector_api::manifest::{DatasetSpec, FieldSpec, FieldType, Manifest, SettingSpec};
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CheckReport, CollectRequest, CollectSummary,
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
    /// The setting of this name.
    behaviour: Mutex<String>,
}

impl Chaos {
    fn told(&self, call: &str) -> bool {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) == call || chaos(call)
    }

    /// What can go wrong while collecting without a panic.
    fn misbehave(&self) -> Result<(), Error> {
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
        let failures = [
            ("auth", ErrorKind::AUTH, "the grant was revoked"),
            ("transient", ErrorKind::RETRYABLE, "the network is down"),
            ("limited", ErrorKind::RATE_LIMITED, "the allowance is used up"),
        ];
        match failures.iter().find(|(word, ..)| self.told(word)) {
            Some((_, kind, message)) => Err(Error::new(*kind, message)),
            None => Ok(()),
        }
    }
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
        Manifest {
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
        Ok(Chaos { host, behaviour: Mutex::default() })
    }

    fn configure(&self, request: ConfigureRequest) -> Result<Vec<Problem>, Error> {
        panic_in("configure");
        let behaviour = request.settings.get("behaviour").cloned().unwrap_or_default();
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
        Ok(Vec::new())
    }

    fn enable(&self) -> Result<(), Error> {
        panic_in("enable");
        Ok(())
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

    fn collect(&self, _: CollectRequest, sink: &mut Sink) -> Result<CollectSummary, Error> {
        panic_in("collect");
        self.misbehave()?;
        if self.told("payload") {
            std::panic::panic_any(Grenade);
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
        if self.told("false-length") {
            let ids: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
            let sizes: ArrayRef = Arc::new(Int64Array::from(vec![1]));
            let batch = RecordBatch::try_from_iter([("Id", ids), ("Size", sizes)])
                .map_err(|error| Error::new(ErrorKind::OTHER, error))?;
            let mut batch = ArrowBatch::from_record_batch(batch)?;
            batch.array.length = 60_000;
            sink.batch("thing", batch)?;
        }
        if self.told("large-state") {
            sink.checkpoint("thing", &"x".repeat(32 << 20))?;
        }
        let column = if self.told("columns") { "Colour" } else { "Size" };
        let sizes: ArrayRef = if self.told("types") {
            Arc::new(StringArray::from(vec!["one", "two", "three"]))
        } else {
            Arc::new(Int64Array::from(vec![1, 2, 3]))
        };
        let ids = Arc::new(StringArray::from(vec!["a", "b", "c"])) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("Id", ids), (column, sizes)])
            .map_err(|error| Error::new(ErrorKind::OTHER, error))?;
        sink.batch("thing", ArrowBatch::from_record_batch(batch)?)?;
        sink.checkpoint("thing", "{}")?;
        self.host.progress("thing", 3, Some(3));
        let thing = DatasetSummary {
            dataset: "thing".into(),
            status: DatasetStatus::Complete,
            rows: 3,
            expected: Some(3),
            missing_fields: Vec::new(),
            reason: None,
            mode: None,
            total: None,
        };
        Ok(CollectSummary { datasets: vec![thing], ..CollectSummary::default() })
    }
}

connector_api::export_connector!(Chaos);
