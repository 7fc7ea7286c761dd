//! The simulated org, seen by an ordinary HTTP client through its proxy.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod assertions;
mod authorize;
mod budget;
mod bulk;
mod catalogue;
mod changes;
mod client;
mod data;
mod faults;
mod hosts;
mod journal;
mod oauth_refusals;
mod objects;
mod paging;
mod program;
mod proxy;
mod refresh;
mod token;
mod token_answers;
