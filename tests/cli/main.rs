//! End-to-end stories: the `host-harness` binary as a process, the built library, and a simulated org
//! behind a real proxy and real TLS. Nothing reaches the plugin but what an administrator can set.

mod demo;
mod faults;
mod findings;
mod guide;
mod host;
mod plugins;
mod report;
mod tidy;
