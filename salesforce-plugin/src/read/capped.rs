//! Objects whose result ends after 2,500 records without a word: read by a few users at a time.
//!
//! # Source
//! Object Reference, `OauthToken` and `TwoFactorMethodsInfo`.

use arrow_array::cast::AsArray;
use connector_api::manifest::FieldType;
use connector_api::message::DatasetSummary;

use crate::read::page::{Columns, Page};
use crate::read::reader::{Ended, Output, Reader};
use crate::read::soql::{After, Query, literal, query_path};

/// Users in one query: the address stays far below the longest that is let through.
const USERS: usize = 200;

impl Reader<'_> {
    /// Reads whole what Salesforce would cut off.
    pub(crate) fn read_capped(&mut self, output: &mut dyn Output) -> Result<DatasetSummary, Ended> {
        let count = self.count()?;
        let fits = match (count, self.dataset.row_cap) {
            (Some(count), Some(cap)) => count < cap,
            _ => true,
        };
        let broken = if fits {
            let broken = self.read_to_end(output)?;
            let cut = count.is_none() && self.cut;
            broken.or(cut.then(|| "Salesforce cut the answer off".into()))
        } else {
            self.promised = count;
            self.read_by_users(output)?
        };
        self.promised = count.or(self.promised);
        let summary = self.judged(broken)?;
        self.finish(summary, self.context.now_ms, output)
    }

    fn read_by_users(&mut self, output: &mut dyn Output) -> Result<Option<String>, Ended> {
        let columns = Columns::new(vec![("Id".into(), FieldType::Text)]);
        let query = Query {
            object: "User".into(),
            fields: vec!["Id".into()],
            conditions: Vec::new(),
            stamp: None,
            ordered: true,
            limit: None,
        };
        let mut after = None;
        loop {
            let path = query_path(self.context.catalogue.version, &query.text(after.as_ref()));
            let page = self.context.session.get(&path, Some("User"), |answer| {
                let page = Page::parse(&answer.body, &columns)?;
                let rows = page.batch.num_rows() as u64;
                Ok((page, rows))
            });
            let page = page.map_err(|error| self.failed(error))?;
            let users: Vec<String> = page
                .batch
                .column(0)
                .as_string::<i32>()
                .iter()
                .flatten()
                .map(str::to_owned)
                .collect();
            for chunk in users.chunks(USERS) {
                if let Some(broken) = self.read_chunk(chunk, output)? {
                    return Ok(Some(broken));
                }
            }
            match users.last() {
                Some(last) if !page.done => after = Some(After::Id(last.clone())),
                _ => return Ok(None),
            }
        }
    }

    /// The records of these users; of half of them where they are too many.
    fn read_chunk(
        &mut self,
        users: &[String],
        output: &mut dyn Output,
    ) -> Result<Option<String>, Ended> {
        let ids: Vec<String> = users.iter().map(|id| literal(id)).collect();
        self.conditions = vec![format!("UserId IN ({})", ids.join(", "))];
        self.after = None;
        self.page_keys.clear();
        if let Some(shape) = &mut self.shape {
            shape.forget_keys();
        }
        self.cut = false;
        if let Some(broken) = self.read_to_end(output)? {
            return Ok(Some(broken));
        }
        if !self.cut {
            return Ok(None);
        }
        if users.len() == 1 {
            return Ok(Some("one user has more records than Salesforce shows".into()));
        }
        let (one, other) = users.split_at(users.len() / 2);
        match self.read_chunk(one, output)? {
            Some(broken) => Ok(Some(broken)),
            None => self.read_chunk(other, output),
        }
    }
}
