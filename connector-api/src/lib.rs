//! The contract between an endpoint server (the *host*) and its *connectors*.
//!
//! A connector is a dynamic library that implements [`Connector`], a plain Rust trait, and ends with
//! one line, [`export_connector!`]. The host loads the file, checks that both sides were built from
//! compatible contracts, and then drives each configured connector through the same few operations:
//!
//! ```text
//!  manifest ─ new ─ configure ─ enable ─┬─ authorize (begin, finish, accept_host), deauthorize
//!  (what it is)    (settings in,        ├─ check     (preflight: a list of findings)
//!                   all problems out)   ├─ collect   (record batches out, summary back)
//!                                       └─ disable ─ drop
//! ```
//!
//! What crosses the boundary, and how:
//!
//! | what | as | module |
//! |---|---|---|
//! | description, settings, requests, summaries | JSON text of the documented types | [`manifest`], [`message`] |
//! | records | Arrow record batches, by the Arrow C Data Interface | [`batch`] |
//! | secrets | by name, one at a time, never inside the JSON | [`host`] |
//! | failures | [`Error`]: a kind for the host, a message and a hint for people | [`error`] |
//! | the meaning of the records for software asset management | SQL views over the datasets | [`position`] |
//!
//! The contract knows no vendor, no HTTP and no disk. It grows by new JSON keys (unknown keys are
//! ignored, a key once optional stays optional) and by new operation names; the ABI below it
//! ([`ffi`]) is frozen at 1.0. A host loads libraries and offers its services by [`loaded`] and [`host_side`].
//!
//! [`writing_a_connector`] leads from an empty folder to a connector that collects; the whole of the
//! least one:
//!
//! ```
//! use connector_api::{Connector, Error, Host, Sink, manifest::Manifest, message::*};
//!
//! struct Example { host: Host }
//!
//! impl Connector for Example {
//!     fn manifest() -> Manifest { Manifest::new("example", "Example Connector", "1.0.0") }
//!     fn new(host: Host) -> Result<Self, Error> { Ok(Example { host }) }
//!     fn configure(&self, _: ConfigureRequest) -> Result<Vec<Problem>, Error> { Ok(vec![]) }
//!     fn authorize(&self, _: AuthorizeRequest) -> Result<AuthorizeReply, Error> {
//!         Err(Error::unsupported("this connector needs no authorization"))
//!     }
//!     fn check(&self) -> Result<CheckReport, Error> { Ok(CheckReport::default()) }
//!     fn collect(&self, _: CollectRequest, _: &mut Sink) -> Result<CollectSummary, Error> {
//!         self.host.progress("example", 0, Some(0));
//!         Ok(CollectSummary::default())
//!     }
//! }
//! connector_api::export_connector!(Example);
//! ```
#![cfg_attr(panic = "abort", doc = "panic=abort is refused")]

#[cfg(panic = "abort")]
compile_error!("connector-api needs panic = \"unwind\": its guard turns a panic into an error");

pub mod connector;
pub mod manifest;
pub mod message;
pub mod position;

pub mod batch;
pub mod error;
pub mod host;
pub mod host_side;
pub mod secret;

pub mod ffi;

pub use ffi::{guard, loaded, module};

// Its code blocks are files of a crate, which a test of the host builds and runs.
#[cfg(all(doc, not(doctest)))]
#[doc = include_str!("../docs/writing-a-connector.md")]
pub mod writing_a_connector {}

pub use connector::Connector;
pub use error::{Error, ErrorKind};
pub use host::{Host, Sink};
pub use secret::Secret;
