//! SOQL: text to [`ResultSet`].

mod aggregate;
mod ast;
mod column;
mod condition;
mod dates;
mod lexer;
mod parser;
mod plan;
mod select;

use std::sync::Arc;

use crate::error::ApiError;
use crate::org::{Estate, StoredRow};
use crate::schema::{ObjectIndex, Schema};
use crate::viewer::Viewer;
use aggregate::Groups;
use ast::{Name, Position, Query, SelectItem};
use plan::{Plan, Rows};
use select::{Item, Writer};

/// The greatest OFFSET.
const MOST_OFFSET: u64 = 2_000;
/// The longest query text, in characters.
const LONGEST_QUERY: usize = 100_000;
/// After this many rows, results over tokens end without a word.
const MOST_TOKENS: u64 = 2_500;

/// What a query is looked up against.
pub(crate) struct Context<'q> {
    estate: &'q Estate,
    viewer: &'q Viewer,
    access: StoredRow,
    text: &'q str,
    version: u16,
    all_rows: bool,
}

impl Context<'_> {
    /// An error that points into the query.
    fn error_at(&self, at: Position, code: &str, message: &str) -> ApiError {
        ApiError::new(400, code, parser::pointing(self.text, at, message))
    }

    fn invalid_field(&self, at: Position, message: &str) -> ApiError {
        self.error_at(at, "INVALID_FIELD", message)
    }

    /// The object of this name, if the viewer sees it.
    fn object(&self, name: &Name) -> Result<ObjectIndex, ApiError> {
        let schema = Schema::get();
        let found = schema
            .find(&name.text)
            .filter(|&found| self.viewer.sees_object(&schema.objects[found]));
        found.ok_or_else(|| {
            self.error_at(name.at, "INVALID_TYPE", &format!(
                "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append \
                 the '__c' after the entity name. Please reference your WSDL or the describe call for the \
                 appropriate names.",
                name.text
            ))
        })
    }

    /// Those objects of a reference that exist here for this viewer.
    fn visible_targets(&self, reference_to: &[String]) -> Vec<ObjectIndex> {
        let schema = Schema::get();
        let found = reference_to.iter().filter_map(|name| schema.find(name));
        found.filter(|&target| self.viewer.sees_object(&schema.objects[target])).collect()
    }
}

/// The answer to one query. Rows are computed when they are written, so it is cheap to keep for later pages.
#[derive(Debug)]
pub struct ResultSet {
    estate: Arc<Estate>,
    version: u16,
    access: StoredRow,
    object: ObjectIndex,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    /// `COUNT()`.
    Count(u64),
    Records {
        items: Vec<Item>,
        rows: Rows,
    },
    Groups(Groups),
}

impl ResultSet {
    /// `totalSize`: the number of records, or the count of a `COUNT()` query.
    pub fn total_size(&self) -> u64 {
        match &self.answer {
            Answer::Count(count) => *count,
            Answer::Records { .. } | Answer::Groups(_) => self.len(),
        }
    }

    /// The object queried, spelled as its describe spells it.
    pub fn entity(&self) -> &str {
        &Schema::get().objects[self.object].name
    }

    /// Whether a text of more than 255 characters is selected; pages are smaller then.
    pub fn long_text_selected(&self) -> bool {
        matches!(&self.answer, Answer::Records { items, .. } if select::has_long_text(items))
    }

    /// How many records can be written; none for `COUNT()`.
    pub fn len(&self) -> u64 {
        match &self.answer {
            Answer::Count(_) => 0,
            Answer::Records { rows, .. } if self.entity() == "OauthToken" => {
                rows.len().min(MOST_TOKENS)
            }
            Answer::Records { rows, .. } => rows.len(),
            Answer::Groups(groups) => groups.len(),
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the records from `offset`, at most `limit` of them, as JSON objects separated by commas.
    pub fn write_records(&self, offset: u64, limit: u64, out: &mut String) {
        let from = offset.min(self.len());
        let to = self.len().min(from.saturating_add(limit));
        match &self.answer {
            Answer::Count(_) => {}
            Answer::Groups(groups) => groups.write(from..to, out),
            Answer::Records { items, rows } => {
                let writer =
                    Writer { estate: &self.estate, access: &self.access, version: self.version };
                writer.records(self.object, rows, from..to, items, out);
            }
        }
    }
}

/// Answers a query as the viewer sees the org.
///
/// `version` is the API version of the request, such as 60; `all_rows` is true for `queryAll`.
///
/// # Errors
/// Status 400 with the platform's code and text: `MALFORMED_QUERY`, `INVALID_TYPE` for objects that do not exist or
/// are hidden, `INVALID_FIELD` for fields that do not exist, are hidden, or cannot be used that way,
/// `INVALID_QUERY_FILTER_OPERATOR`, `NUMBER_OUTSIDE_VALID_RANGE` and `EXCEEDED_ID_LIMIT`.
pub fn query(
    estate: &Arc<Estate>,
    viewer: &Viewer,
    soql: &str,
    version: u16,
    all_rows: bool,
) -> Result<ResultSet, ApiError> {
    if soql.chars().count() > LONGEST_QUERY {
        return Err(ApiError::malformed(
            "SOQL statements cannot be longer than 100000 characters.",
        ));
    }
    let parsed = parser::parse(soql)?;
    let context =
        Context { estate, viewer, access: viewer.access(), text: soql, version, all_rows };
    let object = context.object(&parsed.from)?;
    if parsed.offset.is_some_and(|offset| offset > MOST_OFFSET) {
        return Err(ApiError::new(
            400,
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Maximum SOQL offset allowed is 2000",
        ));
    }
    let answer = answer(&context, object, &parsed)?;
    let access = context.access;
    Ok(ResultSet { estate: Arc::clone(estate), version, access, object, answer })
}

fn answer(context: &Context<'_>, object: ObjectIndex, query: &Query) -> Result<Answer, ApiError> {
    if query.select == [SelectItem::CountRows] && query.group_by.is_empty() {
        let plan = Plan::bind(context, object, query)?;
        return Ok(Answer::Count(plan.rows(context.estate, &context.access).len()));
    }
    if aggregate::groups(query) {
        return Ok(Answer::Groups(aggregate::run(context, object, query)?));
    }
    if query.having.is_some() {
        return Err(ApiError::malformed("HAVING requires GROUP BY"));
    }
    let items = select::bind(context, object, query)?;
    let plan = Plan::bind(context, object, query)?;
    Ok(Answer::Records { items, rows: plan.rows(context.estate, &context.access) })
}
