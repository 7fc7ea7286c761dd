//! The collection against a simulated org: through a proxy and TLS, as in the field, with a host in
//! memory on the other side.
#![allow(clippy::print_stdout, reason = "a seeded story prints its seed")]

mod bulk;
mod catalogue;
mod changes;
mod doctor;
mod faults;
mod gateways;
mod host;
mod mutation;
mod others;
mod proof;
