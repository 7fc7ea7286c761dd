//! Queries and their pages.

use estate::{ApiError, ResultSet};

use super::locator::Cursor;
use super::{Caller, ResourceRequest, columns};
use crate::fault::Action;
use crate::http::Response;
use crate::journal::Trace;

const DEFAULT_PAGE: u64 = 2_000;
const SMALLEST_PAGE: u64 = 200;
/// Page size when a long text field is selected.
const LONG_TEXT_PAGE: u64 = 1_000;
/// Page size of objects whose results end early.
const CAPPED_PAGE: u64 = 500;

/// One page, before it is written.
struct Page {
    offset: u64,
    rows: u64,
    total: u64,
    done: bool,
    next: Option<u64>,
}

/// `GET /query?q=` and `/queryAll?q=`.
pub(super) fn first_page(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    all_rows: bool,
    trace: &mut Trace,
) -> Result<Response, ApiError> {
    let Some(soql) = request.query.filled("q") else {
        return Err(ApiError::new(400, "MALFORMED_QUERY", "A query string has to be specified"));
    };
    let records = caller.core.records();
    let results = estate::query(&records, &caller.viewer, soql, caller.version, all_rows)?;
    if runs_too_long(caller, soql, &results) {
        let message = "Your query request was running for too long.";
        return Err(ApiError::new(400, "QUERY_TIMEOUT", message));
    }
    if request.query.get("columns") == Some("true") {
        return Ok(Response::json(200, columns::metadata(soql, results.entity()).to_string()));
    }
    let size = page_size(caller, request, &results);
    let cursor = Cursor::new(&caller.session, caller.core.clock.now(), results, soql, size);
    Ok(page(caller, None, &cursor, 0, size, trace))
}

/// `GET /query/<locator>`; the path `queryAll` works as well.
pub(super) fn next_page(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    locator: &str,
    trace: &mut Trace,
) -> Result<Response, ApiError> {
    let Some((id, cursor, offset)) =
        caller.core.locators.find(caller.core, &caller.session, locator)
    else {
        return Err(ApiError::new(400, "INVALID_QUERY_LOCATOR", "invalid query locator"));
    };
    let cursor = cursor.seen_in(&caller.core.records());
    let size = match request.query_options {
        Some(_) => page_size(caller, request, &cursor.results),
        None => cursor.page_size,
    };
    Ok(page(caller, Some(id), &cursor, offset, size, trace))
}

/// Whether the org gives up on a query, by the switches of its policy.
fn runs_too_long(caller: &Caller<'_>, soql: &str, results: &ResultSet) -> bool {
    const DAY: i64 = 86_400;
    let Some(timeout) = caller.core.policy().budget.query_timeout else { return false };
    if !timeout.objects.is_empty() && !timeout.objects.contains(results.entity()) {
        return false;
    }
    let rows = timeout.rows.is_some_and(|most| results.total_size() > most);
    let days = timeout.days.is_some_and(|most| {
        estate::login_window(soql).is_some_and(|(from, to)| {
            let now = caller.core.clock.now().timestamp();
            let (from, to) = (from.unwrap_or(now - 183 * DAY), to.unwrap_or(now));
            to - from > i64::try_from(most).unwrap_or(i64::MAX).saturating_mul(DAY)
        })
    });
    rows || days
}

fn page_size(caller: &Caller<'_>, request: &ResourceRequest<'_>, results: &ResultSet) -> u64 {
    let asked = request
        .query_options
        .and_then(|options| {
            options.split(',').find_map(|option| option.trim().strip_prefix("batchSize="))
        })
        .and_then(|size| size.trim().parse::<u64>().ok())
        .map_or(DEFAULT_PAGE, |size| size.clamp(SMALLEST_PAGE, DEFAULT_PAGE));
    let server = caller.core.policy().page_size.unwrap_or(DEFAULT_PAGE).clamp(1, DEFAULT_PAGE);
    let object = match results {
        results if results.is_capped() => CAPPED_PAGE,
        results if results.long_text_selected() => LONG_TEXT_PAGE,
        _ => DEFAULT_PAGE,
    };
    asked.min(server).min(object)
}

fn page(
    caller: &Caller<'_>,
    id: Option<String>,
    cursor: &Cursor,
    offset: u64,
    size: u64,
    trace: &mut Trace,
) -> Response {
    let length = cursor.results.len();
    let end = offset.saturating_add(size).min(length);
    let mut page = Page {
        offset,
        rows: end - offset.min(end),
        total: cursor.results.total_size(),
        done: end >= length,
        next: (end < length).then_some(end),
    };
    if let Some(action) = caller.fault {
        bend(action, &mut page);
    }
    let mut body = format!("{{\"totalSize\":{},\"done\":{}", page.total, page.done);
    if let Some(next) = page.next {
        let id = id.unwrap_or_else(|| caller.core.locators.keep(caller.core, cursor.clone()));
        body.push_str(&format!(
            ",\"nextRecordsUrl\":\"/services/data/v{}.0/query/{id}-{next}\"",
            caller.version
        ));
    }
    body.push_str(",\"records\":[");
    if page.rows > 0 {
        page.rows = cursor.results.write_records(page.offset, page.rows, &mut body);
    }
    body.push_str("]}");
    trace.rows += page.rows;
    Response::json(200, body)
}

/// Applies faults that make a page lie.
fn bend(action: &Action, page: &mut Page) {
    match action {
        Action::TruncatePage { rows } => {
            page.rows = page.rows.min(*rows);
            page.done = true;
            page.next = None;
        }
        Action::NoNextPage => {
            page.done = false;
            page.next = None;
        }
        Action::EmptyPage => {
            page.rows = 0;
            page.done = false;
            page.next = Some(page.offset);
        }
        Action::SameLocator => {
            page.done = false;
            page.next = Some(page.offset);
        }
        Action::OverlapPage { rows } => {
            let back = page.offset.min(*rows);
            page.offset -= back;
            page.rows += back;
        }
        Action::TotalSize { by } => page.total = page.total.saturating_add_signed(*by),
        _ => {}
    }
}
