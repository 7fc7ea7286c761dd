//! A simulated Salesforce org behind real host names and real TLS.
//!
//! [`SimulatedOrg`] listens on the loopback interface as an HTTP proxy. A client that is
//! given the proxy's URL and the org's certificate authority talks to
//! `acme.my.salesforce.com` as it would to the platform: OAuth 2.0 with its pages, its
//! tokens and its refusals, and the REST API with describes, queries, pages, limits and
//! errors. What the platform refuses is refused. Faults can be scripted per request, the
//! clock can be advanced, and a journal says what the client did.
//!
//! ```no_run
//! use salesforce_sim::{Action, Fault, SimulatedOrg};
//!
//! let org = SimulatedOrg::builder().users(200).seed(7).my_domain("acme").start();
//! org.faults().push(Fault::new(Action::ExpireSession).on_object("User").nth(2));
//! // ... run a client with `org.proxy_url()` and `org.ca_pem()` ...
//! assert!(org.violations().is_empty());
//! ```
//!
//! The parts, from the wire inwards: `net` (sockets, proxy, TLS), `http` (messages),
//! `router` (host, path, fault, journal), `oauth` and `api` (the endpoints), and the crate
//! `estate` (records, describes, SOQL). The whole state is in one value: many orgs can run
//! in one process.

mod api;
mod app_key;
mod authority;
mod browser;
mod builder;
mod clock;
mod core;
mod data_policy;
mod fault;
mod hosts;
mod http;
mod journal;
mod kind;
mod net;
mod oauth;
mod org;
mod policy;
mod random;
mod router;
mod sync;

pub use app_key::AppKey;
pub use authority::{CertificateKind, TlsVersions};
pub use builder::{OrgBuilder, StartError};
pub use clock::{Clock, StoppedClock, SystemClock};
pub use data_policy::{
    AppLimit, BudgetPolicy, BulkErrors, BulkPolicy, BulkQueue, EmptyCsv, LimitInfo, QueryTimeout,
};
pub use estate::{Case, EditError, Editor, Elsewhere, LicenseTruth, Person, RuleTruth, Truth};
pub use fault::{Action, Fault, FaultScript, RetryAfter, Spoiled, When};
pub use hosts::Edition;
pub use journal::{Entry, Violation};
pub use kind::RequestKind;
pub use org::SimulatedOrg;
pub use policy::{IpRestriction, Pkce, Policy, RefreshTokenPolicy, SessionAnswer};
