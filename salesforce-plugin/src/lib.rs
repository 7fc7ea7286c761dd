//! The Salesforce connector: reads the licence estate of an org, read-only.
//!
//! ```text
//! settings ─► authorize ─► grant ─► session ─► reader (describe, soql, page) ─► sink
//!  domain      token_field   oauth    http, api_error      dataset/*              position/*.sql
//! ```

mod access;
mod api_error;
mod authorize;
mod check;
mod collect;
mod connector;
mod dataset;
mod deauthorize;
mod describe;
mod domain;
mod grant;
mod grant_kind;
mod http;
mod identity;
mod jwt;
mod limits;
mod mint;
mod oauth;
mod oauth_error;
mod org_url;
mod page;
mod pending;
mod position;
mod preflight;
mod reader;
mod renew;
mod session;
mod settings;
mod soql;
mod token_field;

pub use connector::Salesforce;

connector_api::export_connector!(Salesforce);
