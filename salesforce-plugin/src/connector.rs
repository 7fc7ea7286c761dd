//! The connector: the contract's operations over this crate's parts.

use std::sync::{Mutex, PoisonError};

use connector_api::manifest::Manifest;
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CheckReport, CollectRequest, CollectSummary,
    ConfigureRequest, DeauthorizeReply, PERMISSION_SETS, Problem,
};
use connector_api::{Connector, Error, ErrorKind, Host, Sink};

use crate::auth::{authorize, deauthorize};
use crate::check::permission_sets;
use crate::client::session::Session;
use crate::read::collect;
use crate::settings::Settings;
use crate::settings::grant_kind;
use crate::{check, dataset, position, settings};

/// One configured Salesforce org.
#[derive(Debug)]
pub struct Salesforce {
    host: Host,
    settings: Mutex<Option<Settings>>,
}

impl Salesforce {
    fn settings(&self) -> Result<Settings, Error> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings
            .clone()
            .ok_or_else(|| Error::new(ErrorKind::STATE, "the connector is not configured"))
    }
}

impl Connector for Salesforce {
    fn manifest() -> Manifest {
        Manifest {
            description: "Reads licences, their assignment and their use from Salesforce, through its API, read-only.".into(),
            settings: settings::specs(),
            grants: grant_kind::specs(),
            datasets: dataset::CATALOGUE.iter().map(|dataset| dataset.spec()).collect(),
            position: position::model(),
            ..Manifest::new("salesforce", "Salesforce Connector", env!("CARGO_PKG_VERSION"))
        }
    }

    fn new(host: Host) -> Result<Salesforce, Error> {
        Ok(Salesforce { host, settings: Mutex::new(None) })
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
        let settings = self.settings()?;
        match request {
            AuthorizeRequest::Begin => authorize::begin(&self.host, &settings),
            AuthorizeRequest::Finish => authorize::finish(&self.host, &settings),
            AuthorizeRequest::AcceptHost { host } => {
                authorize::accept_host(&self.host, &settings, &host)
            }
            _ => Err(Error::unsupported("this step of an authorization is not known")),
        }
    }

    fn deauthorize(&self) -> Result<DeauthorizeReply, Error> {
        deauthorize::deauthorize(&self.host, &self.settings()?)
    }

    fn check(&self) -> Result<CheckReport, Error> {
        Ok(check::check(&self.host, &self.settings()?))
    }

    fn invoke(&self, operation: &str, _json: &str) -> Result<String, Error> {
        match operation {
            "estimate" => {
                let session = Session::open(&self.host, &self.settings()?)?;
                collect::estimate_json(&session)
            }
            PERMISSION_SETS => serde_json::to_string(&permission_sets::files())
                .map_err(|error| Error::new(ErrorKind::OTHER, error)),
            _ => Err(Error::unsupported(format_args!(
                "operation `{operation}` is not known to this connector"
            ))),
        }
    }

    fn collect(&self, request: CollectRequest, sink: &mut Sink) -> Result<CollectSummary, Error> {
        let session = Session::open(&self.host, &self.settings()?)?;
        collect::collect(&session, &request, sink)
    }
}
