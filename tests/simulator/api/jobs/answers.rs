//! How jobs, lists of jobs and results are written.

use estate::{ApiError, CsvFormat, ResultSet};
use serde_json::{Value, json};

use super::super::{Caller, ResourceRequest};
use super::store::Job;
use crate::data_policy::EmptyCsv;
use crate::fault::Action;
use crate::http::Response;
use crate::journal::Trace;

/// Parts named in one answer.
const PARTS: usize = 5;

fn instant(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

/// A job; the answer to its creation says less than the later ones.
pub(super) fn job(job: &Job, whole: bool) -> String {
    let mut answer = json!({
        "id": job.id,
        "operation": job.operation,
        "object": job.object,
        "createdById": job.created_by,
        "createdDate": instant(job.created_at),
        "systemModstamp": instant(job.changed_at),
        "state": job.state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": f64::from(job.version),
        "lineEnding": job.format.line_ending,
        "columnDelimiter": job.format.delimiter,
    });
    if whole {
        let processed = job.processed();
        answer["jobType"] = json!("V2Query");
        answer["numberRecordsProcessed"] = json!(processed);
        answer["retries"] = json!(0);
        answer["totalProcessingTime"] = json!(if job.is_over() { 400 + processed / 20 } else { 0 });
        answer["isPkChunkingSupported"] = json!(true);
        if let Some(error) = &job.error {
            answer["errorMessage"] = json!(error);
        }
    }
    answer.to_string()
}

/// `GET /jobs/query`, newest first.
pub(super) fn list(caller: &Caller<'_>, request: &ResourceRequest<'_>) -> Response {
    let asked = |name: &str| request.query.filled(name).unwrap_or_default();
    let mut jobs = caller.core.jobs.list(caller);
    jobs.reverse();
    let wanted = match asked("jobType") {
        "" | "V2Query" => asked("concurrencyMode") != "Serial",
        _ => false,
    };
    jobs.retain(|_| wanted);
    // A locator names the last job of the page before.
    if let Some(last) = request.query.filled("queryLocator") {
        let from = jobs.iter().position(|job| job.id == last).map_or(jobs.len(), |at| at + 1);
        jobs.drain(..from);
    }
    let page = caller.core.policy().bulk.jobs_per_page.max(1);
    let done = jobs.len() <= page;
    jobs.truncate(page);
    let records: Vec<Value> = jobs
        .iter()
        .map(|job| {
            let mut entry: Value =
                serde_json::from_str(&self::job(job, true)).unwrap_or(Value::Null);
            // The list tells what jobs are, not how they went.
            if let Some(entry) = entry.as_object_mut() {
                entry.retain(|key, _| {
                    !matches!(
                        key.as_str(),
                        "numberRecordsProcessed"
                            | "retries"
                            | "totalProcessingTime"
                            | "isPkChunkingSupported"
                            | "errorMessage"
                    )
                });
            }
            entry
        })
        .collect();
    let next = jobs.last().filter(|_| !done).map(|job| {
        let id = &job.id;
        format!("/services/data/v{}.0/jobs/ingest?queryLocator={id}", caller.version)
    });
    Response::json(
        200,
        json!({"done": done, "records": records, "nextRecordsUrl": next}).to_string(),
    )
}

/// Where the part begins that the request asks for.
fn start(caller: &Caller<'_>, request: &ResourceRequest<'_>, job: &Job) -> Result<u64, ApiError> {
    match request.query.filled("locator") {
        None => Ok(0),
        Some(locator) => caller.core.jobs.record(&job.id, locator).ok_or_else(|| {
            ApiError::new(400, "INVALIDLOCATOR", format!("Invalid locator: {locator}"))
        }),
    }
}

/// `GET /jobs/query/<id>/results`.
pub(super) fn results(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    job: &Job,
    trace: &mut Trace,
) -> Result<Response, ApiError> {
    let policy = caller.core.policy().bulk;
    let Ok(result) = &job.result else { return Err(ApiError::not_found()) };
    let from = start(caller, request, job)?;
    let asked = match request.query.filled("maxRecords") {
        None => policy.rows_per_part,
        Some(text) => text.parse::<u64>().ok().filter(|rows| *rows > 0).ok_or_else(|| {
            ApiError::new(400, "API_ERROR", format!("Invalid value for maxRecords: {text}"))
        })?,
    };
    let rows = asked.min(policy.rows_per_part).max(1).min(result.len() - from.min(result.len()));
    let format = CsvFormat { nul_every: policy.nul_every, ..job.format.csv };
    let mut csv = String::new();
    if !result.is_empty() || policy.empty_result == EmptyCsv::HeaderOnly {
        result.write_csv_header(&format, &mut csv);
    }
    write(result, from, rows, &format, &mut csv);
    let mut next = from + rows;
    match caller.fault {
        Some(Action::CutRecord) => cut(&mut csv, &format),
        Some(Action::MissingPart) => next += rows,
        _ => {}
    }
    let locator = match next < result.len() {
        true => caller.core.jobs.locator(&job.id, next),
        false => "null".to_owned(),
    };
    caller.core.jobs.bytes.count(caller.core.clock.now(), csv.len() as u64);
    trace.rows += rows;
    Ok(Response::new(200, "text/csv", csv)
        .with("Sforce-Locator", locator)
        .with("Sforce-NumberOfRecords", rows.to_string()))
}

/// Records of a result that promises no order begin somewhere in the middle.
fn write(result: &ResultSet, from: u64, rows: u64, format: &CsvFormat, csv: &mut String) {
    let len = result.len();
    if result.is_sorted() || len < 2 {
        return result.write_csv(from, rows, format, csv);
    }
    let first = (from + len / 3) % len;
    let before_end = rows.min(len - first);
    result.write_csv(first, before_end, format, csv);
    result.write_csv(0, rows - before_end, format, csv);
}

/// Ends the body in the middle of its last record.
fn cut(csv: &mut String, format: &CsvFormat) {
    let body = csv.trim_end_matches(format.line_ending).len();
    let last = csv[..body].rfind(format.line_ending).map_or(0, |at| at + 1);
    let mut middle = last + (body - last) / 2;
    while !csv.is_char_boundary(middle) {
        middle -= 1;
    }
    csv.truncate(middle);
}

/// `GET /jobs/query/<id>/resultPages`.
pub(super) fn result_pages(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    job: &Job,
) -> Result<Response, ApiError> {
    let policy = caller.core.policy().bulk;
    let Ok(result) = &job.result else { return Err(ApiError::not_found()) };
    let from = start(caller, request, job)?;
    let size = policy.rows_per_part.max(1);
    let base = format!("/services/data/v{}.0/jobs/query/{}", caller.version, job.id);
    let locator = |record| caller.core.jobs.locator(&job.id, record);
    let step = usize::try_from(size).unwrap_or(usize::MAX);
    let mut parts: Vec<u64> = (from..result.len()).step_by(step).take(PARTS + 1).collect();
    let next = (parts.len() > PARTS).then(|| parts.pop()).flatten();
    if matches!(caller.fault, Some(Action::MissingPart)) {
        parts.pop();
    }
    let pages: Vec<Value> = parts
        .into_iter()
        .map(|record| json!({"resultUrl": format!("{base}/results?locator={}", locator(record))}))
        .collect();
    let next_url = next.map(|record| format!("{base}/resultpages?locator={}", locator(record)));
    let key = if policy.next_record_url { "nextRecordUrl" } else { "nextRecordsUrl" };
    let mut answer = json!({"resultPages": pages, "done": next.is_none()});
    answer[key] = json!(next_url);
    Ok(Response::json(200, answer.to_string()))
}
