//! The Salesforce connector: reads the licence estate of an org, read-only.
//!
//! ```text
//! settings ─► authorize ─► grant ─► session ─► reader (describe, soql, page) ─► sink
//!  domain      token_field   oauth    http, api_error      dataset/*              position/*.sql
//! ```

mod access;
mod allow_list;
mod api_error;
mod authorize;
mod budget;
mod bulk;
mod bulk_read;
mod bulk_results;
mod capped;
mod chain;
mod check;
mod collect;
mod connector;
mod csv_rows;
mod dataset;
mod deauthorize;
mod describe;
mod doctor;
mod domain;
mod estimate;
#[cfg(fuzzing)]
pub mod fuzz;
mod gate;
mod grant;
mod grant_kind;
mod http;
mod identity;
mod jwt;
mod limits;
mod mint;
#[cfg(test)]
mod mutation;
mod oauth;
mod oauth_error;
mod org_url;
mod page;
mod pending;
mod permission;
mod permission_sets;
mod position;
mod preflight;
mod pseudonym;
mod reader;
mod renew;
mod request;
mod retry;
mod selection;
mod session;
mod settings;
mod shape;
mod soql;
mod state;
mod token_field;

pub use connector::Salesforce;

connector_api::export_connector!(Salesforce);
