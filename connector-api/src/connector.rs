//! The trait an author implements.

use crate::error::Error;
use crate::host::{Host, Sink};
use crate::manifest::Manifest;
use crate::message::{
    AuthorizeReply, AuthorizeRequest, CheckReport, CollectRequest, CollectSummary,
    ConfigureRequest, DeauthorizeReply, Problem,
};

/// One vendor's connector. Each value is one configured connection; a thousand may live in one
/// process, so nothing may be kept outside `self`.
///
/// Methods may be called from different threads, but `collect` runs at most once at a time on one
/// value. A method that panics ends the value: the host drops it and makes a new one.
pub trait Connector: Send + Sync + Sized + 'static {
    /// What this connector is. Must be cheap, the same at every call, and free of side effects.
    fn manifest() -> Manifest;

    /// Makes a connector that can reach its host; no settings yet, no network.
    ///
    /// # Errors
    /// Any kind; the host reports it and does not use the value.
    fn new(host: Host) -> Result<Self, Error>;

    /// The administrator enabled the feature. Called after `configure` where there are settings.
    ///
    /// # Errors
    /// Any kind; the connector then counts as disabled.
    fn enable(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The administrator disabled the feature, or the host is about to drop the value. A running
    /// `collect` has been cancelled before.
    ///
    /// # Errors
    /// Any kind; reported, and the value is dropped all the same.
    fn disable(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Takes the settings and answers *all* that is wrong with them, by field; empty means accepted.
    /// Replaces earlier settings only when there is no problem. No network.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`](crate::ErrorKind::OTHER) when the settings could not be judged at all.
    fn configure(&self, request: ConfigureRequest) -> Result<Vec<Problem>, Error>;

    /// One step of an authorization: `begin` answers the link a person opens, `finish` takes what
    /// that person pasted (the secret [`TOKEN`](crate::host::TOKEN)) and stores the grant with
    /// [`Host::secret_put`](crate::host::Host::secret_put). A grant that needs no person is made by
    /// `begin` already. `accept_host` is an administrator's yes to a host the vendor moved the
    /// organization to.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`](crate::ErrorKind::AUTH) when the vendor or the pasted text is the
    /// reason, with a hint that says what to do next.
    fn authorize(&self, request: AuthorizeRequest) -> Result<AuthorizeReply, Error>;

    /// Gives the grant back: revokes it at the vendor. The connector leaves its secrets in place; the
    /// host removes them. A grant that the vendor no longer knows counts as revoked, and one that
    /// could not be revoked is an answer, not an error: it is still live.
    ///
    /// # Errors
    /// [`ErrorKind::UNSUPPORTED`](crate::ErrorKind::UNSUPPORTED) where grants cannot be revoked;
    /// otherwise only when the stored grant could not be read.
    fn deauthorize(&self) -> Result<DeauthorizeReply, Error> {
        Err(Error::unsupported("this connector cannot revoke its grant"))
    }

    /// The preflight: what works, what is missing, what is too much. A failed check is a finding,
    /// not an error.
    ///
    /// # Errors
    /// Only when no finding could be made.
    fn check(&self) -> Result<CheckReport, Error>;

    /// Reads the requested datasets into the sink, a checkpoint after each batch that may be kept.
    /// A dataset that cannot be read is a status in the summary; only what ends the whole run is
    /// [`CollectSummary::error`].
    ///
    /// # Errors
    /// Before the first dataset; later failures belong into the summary, which keeps what was read.
    fn collect(&self, request: CollectRequest, sink: &mut Sink) -> Result<CollectSummary, Error>;

    /// Operations added after contract 1.0, by name.
    ///
    /// # Errors
    /// [`ErrorKind::UNSUPPORTED`](crate::ErrorKind::UNSUPPORTED) for a name this connector does not know.
    fn invoke(&self, operation: &str, _json: &str) -> Result<String, Error> {
        Err(Error::unsupported(format!("operation `{operation}` is not known to this connector")))
    }
}
