//! End-to-end stories: the `host-harness` binary as a process, the built library, and a simulated org
//! behind a real proxy and real TLS. Nothing reaches the plugin but what an administrator can set.
#![allow(clippy::print_stdout, reason = "a seeded story prints its seed")]

mod authorize;
mod bare;
mod boundary;
mod changes;
mod collect;
mod conformance;
mod contracts;
mod demo;
mod dice;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod disk_image;
mod docs;
#[cfg(target_os = "linux")]
mod failing;
mod faults;
mod findings;
mod floors;
#[cfg(target_os = "linux")]
mod golden;
mod guide;
mod host;
mod hosts;
mod isolation;
#[cfg(target_os = "linux")]
mod killed;
mod memory;
mod null_host;
mod old_stores;
mod page;
mod plugin_files;
mod plugins;
#[cfg(target_os = "linux")]
mod power;
mod refresh;
mod report;
mod roll_up;
mod rules;
mod secrets;
mod serve;
#[cfg(target_os = "linux")]
mod soak;
mod stopped;
mod store;
mod tidy;
mod trust;
mod workshop;
