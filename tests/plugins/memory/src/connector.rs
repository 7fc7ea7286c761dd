//! The contract's operations over this crate's parts.

use std::sync::{Mutex, PoisonError};

use connector_api::host::TOKEN;
use connector_api::manifest::Manifest;
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CheckReport, CollectRequest, CollectSummary,
    ConfigureRequest, DatasetStatus, DatasetSummary, DeauthorizeReply, Finding, FindingStatus,
    GrantSummary, JournalEntry, Problem,
};
use connector_api::{Connector, Error, ErrorKind, Host, Secret, Sink};

use crate::dataset::Reading;
use crate::manifest::{GRANT, manifest};
use crate::settings::Settings;

/// The secret that holds the grant.
const STORED: &str = "grant_token";
/// What the service's tokens begin with.
const TOKEN_PREFIX: &str = "mem-";

/// One configured space.
#[derive(Debug)]
pub struct Memory {
    host: Host,
    settings: Mutex<Option<Settings>>,
}

impl Memory {
    fn settings(&self) -> Result<Settings, Error> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings.clone().ok_or_else(|| Error::new(ErrorKind::STATE, "it is not configured"))
    }

    fn grant(&self) -> Result<Secret, Error> {
        self.host.secret_get(STORED)?.ok_or_else(|| {
            Error::new(ErrorKind::AUTH, "there is no grant yet")
                .with_hint("authorize the connector with a token")
        })
    }

    fn finish(&self) -> Result<AuthorizeReply, Error> {
        let refused = |message: &str| {
            Error::new(ErrorKind::AUTH, message)
                .with_hint("paste a token of the Memory service: it begins with `mem-`")
        };
        let token = self.host.secret_get(TOKEN)?.ok_or_else(|| refused("nothing was pasted"))?;
        let token = Secret::new(token.expose().trim());
        if !token.expose().starts_with(TOKEN_PREFIX) {
            return Err(refused("what was pasted is no token of the Memory service"));
        }
        self.host.secret_put(STORED, Some(&token))?;
        Ok(AuthorizeReply::Granted(GrantSummary {
            grant: GRANT.into(),
            organization_id: Some("memory".into()),
            username: Some("reader".into()),
            renewable: true,
            ..GrantSummary::default()
        }))
    }
}

impl Connector for Memory {
    fn manifest() -> Manifest {
        manifest()
    }

    fn new(host: Host) -> Result<Memory, Error> {
        Ok(Memory { host, settings: Mutex::new(None) })
    }

    fn configure(&self, request: ConfigureRequest) -> Result<Vec<Problem>, Error> {
        match Settings::check(&request) {
            Ok(settings) => {
                *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Some(settings);
                Ok(Vec::new())
            }
            Err(problems) => Ok(problems),
        }
    }

    fn authorize(&self, request: AuthorizeRequest) -> Result<AuthorizeReply, Error> {
        match request {
            AuthorizeRequest::Begin => Ok(AuthorizeReply::Link {
                url: String::new(),
                instructions: "Paste the token that the service's administrator gave you.".into(),
            }),
            AuthorizeRequest::Finish => self.finish(),
            _ => Err(Error::unsupported("this step of an authorization is not known")),
        }
    }

    fn deauthorize(&self) -> Result<DeauthorizeReply, Error> {
        Ok(DeauthorizeReply {
            revoked: true,
            message: "the service forgot the token".into(),
            hint: None,
        })
    }

    fn check(&self) -> Result<CheckReport, Error> {
        let (status, message, hint) = match self.grant() {
            Ok(_) => (FindingStatus::Ok, "it opens the space".to_owned(), None),
            Err(error) => (FindingStatus::Missing, error.message, error.hint),
        };
        let subject = "the grant".into();
        Ok(CheckReport {
            findings: vec![Finding { id: "grant".into(), status, subject, message, hint }],
        })
    }

    fn collect(&self, request: CollectRequest, sink: &mut Sink) -> Result<CollectSummary, Error> {
        let settings = self.settings()?;
        let manifest = manifest();
        if let Some(name) = request.datasets.iter().find(|name| manifest.dataset(name).is_none()) {
            return Err(Error::unsupported(format_args!("there is no dataset `{name}`")));
        }
        self.host.stop_if_cancelled()?;
        let grant = self.grant()?;
        log::debug!("reads with a grant of {} letters", grant.expose().len());
        let asked = |name: &str| request.datasets.iter().any(|asked| asked == name);
        let wanted = manifest.datasets.iter().filter(|dataset| match request.datasets.is_empty() {
            true => !dataset.optional,
            false => asked(&dataset.name),
        });
        let mut reading = Reading {
            host: &self.host,
            settings: &settings,
            mode: request.mode,
            resume: request.resume,
            allowance: settings.allowance,
        };
        let mut summary = CollectSummary::default();
        for dataset in wanted {
            match reading.read(&dataset.name, sink) {
                Ok(read) => {
                    self.journal(&read);
                    summary.api_calls += 1;
                    summary.datasets.push(read);
                }
                Err(error) => {
                    summary.error = Some(error);
                    break;
                }
            }
        }
        Ok(summary)
    }
}

impl Memory {
    fn journal(&self, read: &DatasetSummary) {
        self.host.journal(&JournalEntry {
            method: "GET".into(),
            host: "memory.invalid".into(),
            path: format!("/{}", read.dataset),
            object: Some(read.dataset.clone()),
            status: if read.status == DatasetStatus::Complete { 200 } else { 500 },
            rows: read.rows,
            ..JournalEntry::default()
        });
    }
}
