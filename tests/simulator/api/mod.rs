//! The REST API below `/services/data`.

mod call;
mod columns;
mod composite;
mod conditional;
mod jobs;
mod limits;
mod locator;
mod media;
mod query;
mod resource;
mod soql_text;
mod tooling;
mod tooling_clauses;
mod usage;
mod versions;

use std::sync::Arc;

pub(crate) use call::{data, error, is_write, sight};
pub(crate) use jobs::Jobs;
pub(crate) use limits::storage_rule;
pub(crate) use locator::Locators;
pub(crate) use usage::ApiUsage;

use crate::core::Core;
use crate::fault::Action;
use crate::http::Params;
use crate::oauth::Session;

/// Where the API begins.
pub(crate) const ROOT: &str = "/services/data";

/// Who is calling, and at which version.
#[derive(Debug)]
struct Caller<'a> {
    core: &'a Arc<Core>,
    session: Session,
    viewer: estate::Viewer,
    version: u16,
    fault: Option<&'a Action>,
}

/// One resource request: the whole one, or a part of a composite one.
#[derive(Debug)]
struct ResourceRequest<'a> {
    method: &'a str,
    /// Path below the version, without slashes at its ends.
    path: &'a str,
    query: &'a Params,
    query_options: Option<&'a str>,
    if_modified_since: Option<&'a str>,
    accept: Option<&'a str>,
    content_type: Option<&'a str>,
    body: &'a [u8],
}
