//! End-to-end stories: the `host-harness` binary as a process, the built library, and a simulated org
//! behind a real proxy and real TLS. Nothing reaches the plugin but what an administrator can set.
#![allow(clippy::print_stdout, reason = "a seeded story prints its seed")]

mod authorize;
mod changes;
mod collect;
mod conformance;
mod contracts;
mod demo;
mod faults;
mod findings;
mod guide;
mod host;
mod hosts;
mod isolation;
mod memory;
mod page;
mod plugins;
mod refresh;
mod report;
mod secrets;
mod serve;
mod store;
mod tidy;
mod trust;
mod workshop;
