//! Objects whose result ends after 2,500 records without a word: read by a few users at a time.
//!
//! # Source
//! Object Reference, `OauthToken` and `TwoFactorMethodsInfo`.

use arrow_array::cast::AsArray;
use connector_api::manifest::FieldType;
use connector_api::message::DatasetSummary;

use crate::dataset::RowCap;
use crate::read::context::{Output, Stop};
use crate::read::page::{Columns, Page};
use crate::read::pages;
use crate::read::proof::{finish, judged};
use crate::read::reading::Reading;
use crate::read::soql::{After, Query, literal, query_path};

/// Owners in one query: a list in a condition stays below 4,000 characters.
const OWNERS: usize = 150;

/// Reads whole what Salesforce would cut off.
///
/// # Errors
/// What ends the dataset or the run.
pub(crate) fn read(
    reading: &mut Reading<'_>,
    cap: RowCap,
    output: &mut dyn Output,
) -> Result<DatasetSummary, Stop> {
    let count = reading.count_all()?;
    let broken = if count.is_none_or(|count| count < cap.rows) {
        let broken = pages::read(reading, output)?;
        let cut = count.is_none() && reading.cursor.cut;
        broken.or(cut.then(|| "Salesforce cut the answer off".into()))
    } else {
        reading.cursor.promised = count;
        read_by_owners(reading, cap, output)?
    };
    let mut summary = judged(reading, count, broken.clone())?;
    if !summary.status.has_every_record() {
        let count = reading.count_all()?;
        summary = judged(reading, count, broken)?;
    }
    finish(reading, summary, reading.plan.context.now_ms, output)
}

fn read_by_owners(
    reading: &mut Reading<'_>,
    cap: RowCap,
    output: &mut dyn Output,
) -> Result<Option<String>, Stop> {
    let columns = Columns::new(vec![("Id".into(), FieldType::Text)]);
    let query = Query {
        object: cap.owner_object.into(),
        fields: vec!["Id".into()],
        conditions: Vec::new(),
        stamp: None,
        ordered: true,
        limit: None,
    };
    let context = reading.plan.context;
    let mut after = None;
    loop {
        let path = query_path(context.catalogue.version, &query.text(after.as_ref()));
        let page = context.session.get(&path, Some(cap.owner_object), |answer| {
            let page = Page::parse(&answer.body, &columns)?;
            let rows = page.batch.num_rows() as u64;
            Ok((page, rows))
        });
        let page = page.map_err(|error| reading.failed(error))?;
        let ids = page.batch.column(0).as_string::<i32>();
        let owners: Vec<String> = ids.iter().flatten().map(str::to_owned).collect();
        for some in owners.chunks(OWNERS) {
            if let Some(broken) = read_some(reading, cap, some, output)? {
                return Ok(Some(broken));
            }
        }
        match owners.last() {
            Some(last) if !page.done => after = Some(After::Id(last.clone())),
            _ => return Ok(None),
        }
    }
}

/// Reads the records of these owners; of half of them where they are too many.
fn read_some(
    reading: &mut Reading<'_>,
    cap: RowCap,
    owners: &[String],
    output: &mut dyn Output,
) -> Result<Option<String>, Stop> {
    let ids: Vec<String> = owners.iter().map(|id| literal(id)).collect();
    reading.cursor.conditions = vec![format!("{} IN ({})", cap.owner, ids.join(", "))];
    reading.cursor.after = None;
    reading.cursor.page_keys.clear();
    reading.fields.shape.forget_keys();
    reading.cursor.cut = false;
    if let Some(broken) = pages::read(reading, output)? {
        return Ok(Some(broken));
    }
    if !reading.cursor.cut {
        return Ok(None);
    }
    if owners.len() == 1 {
        return Ok(Some("one user has more records than Salesforce shows".into()));
    }
    let (one, other) = owners.split_at(owners.len() / 2);
    match read_some(reading, cap, one, output)? {
        Some(broken) => Ok(Some(broken)),
        None => read_some(reading, cap, other, output),
    }
}
