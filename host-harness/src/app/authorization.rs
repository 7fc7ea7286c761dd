//! Authorization: the link out, the pasted token in, the grant kept only if it is welcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connector_api::host::GRANT_LEASE;

use connector_api::message::{AuthorizeReply, AuthorizeRequest, DeauthorizeReply, GrantSummary};
use connector_api::{Error, ErrorKind, Secret};
use serde::Serialize;

use crate::app::App;
use crate::app::deployment::{Deployment, with_instance};
use crate::cancel::Cancel;
use crate::error::{HostError, Kind};
use crate::locks::{Lease, RunLock};
use crate::plugin::Plugin;
use crate::redact;
use crate::services::Secrets;
use crate::store::Connector;
use crate::time;

/// How long a renewal by another process is waited for.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(180);
const LEASE_POLL: Duration = Duration::from_millis(50);

/// What the first step returned.
#[derive(Clone, Debug)]
pub enum Begun {
    /// A person opens the link and brings something back.
    Link(LinkView),
    /// This grant needs no person: it is stored.
    Granted(AuthorizedView),
}

/// Begins an authorization. A link is noted as pending.
///
/// # Errors
/// Those of the connector.
pub fn begin(
    app: &App,
    name: &str,
    accept_org_change: bool,
    cancel: &Cancel,
) -> Result<Begun, HostError> {
    let ready = Ready::open(app, name)?;
    let none = Secret::new("");
    let request = AuthorizeRequest::Begin;
    let (reply, changes) = ready.step(&request, none, cancel)?;
    match reply {
        AuthorizeReply::Link { url, instructions } => {
            let Ready { deployment, connector, .. } = ready;
            deployment.store.secrets().put(&deployment.vault, connector.id, &changes)?;
            deployment
                .store
                .connectors()
                .set_pending_authorization(connector.id, Some(time::now()))?;
            Ok(Begun::Link(LinkView { connector: connector.name, url, instructions }))
        }
        AuthorizeReply::Granted(grant) => {
            ready.keep(grant, &changes, accept_org_change).map(Begun::Granted)
        }
    }
}

/// Finishes an authorization with what the person pasted.
///
/// # Errors
/// Those of the connector; of kind auth when the grant opens another organization than before and
/// that was not accepted: the old grant stays then.
pub fn finish(
    app: &App,
    name: &str,
    token: Secret,
    accept_org_change: bool,
    cancel: &Cancel,
) -> Result<AuthorizedView, HostError> {
    redact::remember(token.expose());
    let ready = Ready::open(app, name)?;
    let request = AuthorizeRequest::Finish;
    let result = ready.step(&request, token, cancel);
    let (reply, changes) = result.inspect_err(|error| {
        // After a passing fault the same link and token may still work.
        if matches!(error.kind, Kind::Auth) {
            let store = &ready.deployment.store;
            let forgotten = store.connectors().set_pending_authorization(ready.connector.id, None);
            if let Err(error) = forgotten {
                log::warn!("{error}");
            }
        }
    })?;
    match reply {
        AuthorizeReply::Granted(grant) => ready.keep(grant, &changes, accept_org_change),
        AuthorizeReply::Link { .. } => {
            Err(HostError::failed("the connector asked for another link instead of finishing")
                .with_hint("run `connectors authorize` again"))
        }
    }
}

/// A connector that was authorized.
#[derive(Clone, Debug, Serialize)]
pub struct AuthorizedView {
    /// The connector's name.
    pub connector: String,
    /// Always true.
    pub authorized: bool,
    /// What was granted.
    pub grant: GrantSummary,
}

/// A link that a person opens to authorize a connector.
#[derive(Clone, Debug, Serialize)]
pub struct LinkView {
    /// The connector's name.
    pub connector: String,
    /// The vendor's page; empty if there is nothing to open.
    pub url: String,
    /// What to do there.
    pub instructions: String,
}

/// How a deauthorization ended.
#[derive(Clone, Debug, Serialize)]
pub struct Deauthorized {
    /// The connector's name.
    pub connector: String,
    /// Whether the vendor knows: the grant is dead there too.
    pub revoked: bool,
    /// Whether the grant was forgotten here.
    pub forgotten: bool,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Ends the grant of a connector: see [`end_grant`].
///
/// # Errors
/// When there is no grant, a run is in progress, or the store cannot be written.
pub fn deauthorize(
    app: &App,
    name: &str,
    forget: bool,
    cancel: &Cancel,
) -> Result<Deauthorized, HostError> {
    let connector = app.store()?.connectors().named(name)?;
    let plugin = app.scan()?.plugin(&connector.feature)?;
    end_grant(app.deployment()?, plugin, &connector, forget, cancel)
}

/// Ends a grant: revokes it at the vendor, then forgets it here. A grant that could not be
/// revoked is kept (and not used), so that it can be tried again, unless `forget` says otherwise.
///
/// # Errors
/// When there is no grant, a run is in progress, or the store cannot be written.
pub(crate) fn end_grant(
    deployment: &Deployment,
    plugin: &Plugin,
    connector: &Connector,
    forget: bool,
    cancel: &Cancel,
) -> Result<Deauthorized, HostError> {
    if connector.grant.is_none() {
        return Err(HostError::usage(format_args!("`{}` is not authorized", connector.name))
            .with_hint("there is nothing to give back"));
    }
    let _lock = RunLock::take(deployment.store.folder(), connector)?;
    let context = Arc::new(deployment.context(connector.id, cancel.clone()));
    let reply =
        with_instance(deployment, plugin, connector, &context, |instance| instance.deauthorize())
            .unwrap_or_else(|error| DeauthorizeReply {
                revoked: false,
                message: error.message,
                hint: error.hint,
            });
    let forgotten = reply.revoked || forget;
    if forgotten {
        let settings = plugin.manifest.settings.iter();
        let entered: Vec<&str> =
            settings.filter(|spec| spec.secret).map(|spec| spec.name.as_str()).collect();
        deployment.store.connectors().forget_grant(&deployment.vault, connector.id, &entered)?;
    } else {
        deployment.store.connectors().set_still_live(connector.id)?;
    }
    Ok(Deauthorized {
        connector: connector.name.clone(),
        revoked: reply.revoked,
        forgotten,
        message: redact::mask(&reply.message).into_owned(),
        hint: reply.hint.map(|hint| redact::mask(&hint).into_owned()),
    })
}

/// Agrees that data is read from another host from now on, which the vendor offered.
///
/// # Errors
/// Those of the connector, also when the vendor did not offer that host.
pub fn accept_host(
    app: &App,
    name: &str,
    host: &str,
    cancel: &Cancel,
) -> Result<AuthorizedView, HostError> {
    let ready = Ready::open(app, name)?;
    let none = Secret::new("");
    let request = AuthorizeRequest::AcceptHost { host: host.into() };
    match ready.step(&request, none, cancel)? {
        (AuthorizeReply::Granted(grant), changes) => ready.keep(grant, &changes, false),
        (AuthorizeReply::Link { .. }, _) => {
            Err(HostError::failed("the connector asked for a link instead of taking the host"))
        }
    }
}

type Held = BTreeMap<String, Option<Secret>>;

/// A connector with what its authorization needs.
struct Ready<'a> {
    deployment: &'a Deployment,
    plugin: &'a Plugin,
    connector: Connector,
}

impl<'a> Ready<'a> {
    fn open(app: &'a App, name: &str) -> Result<Ready<'a>, HostError> {
        let (connector, plugin) = app.ready(name)?;
        Ok(Ready { deployment: app.deployment()?, plugin, connector })
    }

    fn step(
        &self,
        request: &AuthorizeRequest,
        token: Secret,
        cancel: &Cancel,
    ) -> Result<(AuthorizeReply, Held), HostError> {
        let Ready { deployment, plugin, connector } = self;
        // What the connector stores counts only once its answer is accepted.
        let secrets = Secrets::Held { changes: BTreeMap::new(), token };
        let context = deployment.context(connector.id, cancel.clone()).with_secrets(secrets);
        let context = Arc::new(context);
        let reply = with_instance(deployment, plugin, connector, &context, |instance| {
            instance.authorize(request)
        })
        .map_err(|error| explained(error, connector))?;
        Ok((reply, context.take_held()))
    }

    /// Stores a grant, unless it opens another organization than before and that is not accepted.
    fn keep(
        self,
        grant: GrantSummary,
        changes: &Held,
        accept_org_change: bool,
    ) -> Result<AuthorizedView, HostError> {
        let Ready { deployment, connector, .. } = self;
        let before = connector.organization_id.as_deref();
        let now = grant.organization_id.as_deref();
        let other = matches!((before, now), (Some(before), Some(now)) if before != now);
        if other && !accept_org_change {
            return Err(other_organization(&connector.name, before, now));
        }
        let _lease = grant_lease(deployment, &connector)?;
        deployment.store.connectors().store_grant(
            &deployment.vault,
            connector.id,
            &grant,
            changes,
            other,
        )?;
        Ok(AuthorizedView { connector: connector.name, authorized: true, grant })
    }
}

fn other_organization(name: &str, before: Option<&str>, now: Option<&str>) -> HostError {
    HostError::new(
        Kind::Auth,
        format_args!(
            "this grant opens organization `{}`, but connector `{name}` belongs to `{}`: the old grant was kept",
            now.unwrap_or_default(),
            before.unwrap_or_default()
        ),
    )
    .with_hint(
        "log in to the right organization and authorize again; if the change is meant, repeat with `--accept-org-change`",
    )
}

fn explained(error: Error, connector: &Connector) -> HostError {
    let kind = error.kind;
    let mut error = HostError::from(error);
    if error.hint.is_none() && kind == ErrorKind::AUTH {
        error = error.with_hint(format_args!(
            "run `connectors authorize \"{}\"` again and use its new link",
            connector.name
        ));
    }
    error
}

/// Waits until no renewal of the old grant is under way: its end would overwrite the new one.
fn grant_lease(deployment: &Deployment, connector: &Connector) -> Result<Lease, HostError> {
    let until = Instant::now() + RENEWAL_PATIENCE;
    loop {
        let taken = Lease::try_take(deployment.store.folder(), connector.id, GRANT_LEASE)?;
        match taken {
            Some(lease) => return Ok(lease),
            None if Instant::now() < until => std::thread::park_timeout(LEASE_POLL),
            None => {
                return Err(HostError::failed(format_args!(
                    "the grant of `{}` is being renewed by another process",
                    connector.name
                ))
                .with_hint("run the command again when the other one has ended"));
            }
        }
    }
}
