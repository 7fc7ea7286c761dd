//! SOQL: text to [`ResultSet`].

mod aggregate;
mod ast;
mod bulk;
mod column;
mod condition;
mod csv;
mod dates;
mod lexer;
mod parser;
mod plan;
mod refused;
mod select;

use std::sync::Arc;

use crate::error::ApiError;
use crate::org::{Estate, StoredRow};
use crate::schema::{Field, Object, ObjectIndex, Schema};
use crate::viewer::Viewer;
use aggregate::Groups;
use ast::{Condition, Literal, Name, Operator, Position, Query, SelectItem};
use plan::{Plan, Rows};
use select::{Item, Writer};

/// The greatest OFFSET.
const MOST_OFFSET: u64 = 2_000;
/// The longest query text, in characters.
const LONGEST_QUERY: usize = 100_000;
/// After this many rows, results over some objects end without a word.
const MOST_CAPPED: u64 = 2_500;

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
        let found = schema.find(&name.text).filter(|&found| self.sees(&schema.objects[found]));
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
        found.filter(|&target| self.sees(&schema.objects[target])).collect()
    }

    /// Whether the viewer sees the object at this version.
    fn sees(&self, object: &Object) -> bool {
        object.known_in(self.version) && self.viewer.sees_object(object)
    }

    /// Whether the viewer sees the field at this version.
    fn sees_field(&self, object: &Object, field: &Field) -> bool {
        field.known_in(object, self.version) && self.viewer.sees_field(object, field)
    }
}

pub use bulk::bulk_query;
pub use csv::CsvFormat;

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
        items: Arc<Vec<Item>>,
        rows: Arc<Rows>,
        sorted: bool,
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

    /// Whether the object's results come in small pages and end early without a word.
    pub fn is_capped(&self) -> bool {
        matches!(self.entity(), "OauthToken" | "TwoFactorMethodsInfo")
    }

    /// Whether a text of more than 255 characters is selected; pages are smaller then.
    pub fn long_text_selected(&self) -> bool {
        matches!(&self.answer, Answer::Records { items, .. } if select::has_long_text(items))
    }

    /// How many records can be written; none for `COUNT()`.
    pub fn len(&self) -> u64 {
        match &self.answer {
            Answer::Count(_) => 0,
            Answer::Records { rows, .. } if self.is_capped() => rows.len().min(MOST_CAPPED),
            Answer::Records { rows, .. } => rows.len(),
            Answer::Groups(groups) => groups.len(),
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same rows as they are in `estate`, a later state of the same org: values are those of then, and rows that
    /// are gone are left out where they were. Counts stay.
    pub fn seen_in(&self, estate: &Arc<Estate>) -> Option<Self> {
        let Answer::Records { items, rows, sorted } = &self.answer else { return None };
        Some(Self {
            estate: Arc::clone(estate),
            version: self.version,
            access: self.access.clone(),
            object: self.object,
            answer: Answer::Records {
                items: Arc::clone(items),
                rows: Arc::clone(rows),
                sorted: *sorted,
            },
        })
    }

    /// Appends the records from `offset`, at most `limit` of them, as JSON objects separated by commas. Answers how
    /// many there were.
    pub fn write_records(&self, offset: u64, limit: u64, out: &mut String) -> u64 {
        let from = offset.min(self.len());
        let to = self.len().min(from.saturating_add(limit));
        match &self.answer {
            Answer::Count(_) => 0,
            Answer::Groups(groups) => {
                groups.write(from..to, out);
                to - from
            }
            Answer::Records { items, rows, .. } => {
                let writer =
                    Writer { estate: &self.estate, access: &self.access, version: self.version };
                writer.records(self.object, rows, from..to, items, out)
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
    run(estate, viewer, soql, &parser::parse(soql)?, version, all_rows)
}

/// The instants between which a query over logins looks, in seconds, if that is what it is: from the first on, before
/// the second. Either is missing where the query has no bound.
pub fn login_window(soql: &str) -> Option<(Option<i64>, Option<i64>)> {
    let parsed = parser::parse(soql).ok()?;
    if !parsed.from.text.eq_ignore_ascii_case("LoginHistory") {
        return None;
    }
    let mut window = (None, None);
    if let Some(condition) = &parsed.condition {
        narrow(condition, &mut window);
    }
    Some(window)
}

fn narrow(condition: &Condition, window: &mut (Option<i64>, Option<i64>)) {
    match condition {
        Condition::And(parts) => parts.iter().for_each(|part| narrow(part, window)),
        Condition::Or(parts) => {
            // A keyset's two halves: the wider of both bounds holds for the whole.
            let bounds: Vec<_> = parts
                .iter()
                .map(|part| {
                    let mut bounds = (None, None);
                    narrow(part, &mut bounds);
                    bounds
                })
                .collect();
            let lower: Option<Vec<i64>> = bounds.iter().map(|bound| bound.0).collect();
            let upper: Option<Vec<i64>> = bounds.iter().map(|bound| bound.1).collect();
            window.0 = window.0.max(lower.and_then(|all| all.into_iter().min()));
            let upper = upper.and_then(|all| all.into_iter().max());
            window.1 = window.1.into_iter().chain(upper).min();
        }
        Condition::Compare { left, operator, value: Literal::Instant(ms), .. }
            if left
                .path
                .parts
                .last()
                .is_some_and(|name| name.eq_ignore_ascii_case("LoginTime")) =>
        {
            let at = ms.div_euclid(1_000);
            let (lower, upper) = match operator {
                Operator::Greater | Operator::GreaterOrEqual => (Some(at), None),
                Operator::Less | Operator::LessOrEqual => (None, Some(at)),
                Operator::Equal => (Some(at), Some(at)),
                Operator::NotEqual | Operator::Like => (None, None),
            };
            window.0 = window.0.max(lower);
            window.1 = window.1.into_iter().chain(upper).min();
        }
        _ => {}
    }
}

fn run(
    estate: &Arc<Estate>,
    viewer: &Viewer,
    soql: &str,
    parsed: &Query,
    version: u16,
    all_rows: bool,
) -> Result<ResultSet, ApiError> {
    let context =
        Context { estate, viewer, access: viewer.access(), text: soql, version, all_rows };
    let object = context.object(&parsed.from)?;
    refused::check(parsed)?;
    if parsed.offset.is_some_and(|offset| offset > MOST_OFFSET) {
        return Err(ApiError::new(
            400,
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Maximum SOQL offset allowed is 2000",
        ));
    }
    let answer = answer(&context, object, parsed)?;
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
    Ok(Answer::Records {
        items: Arc::new(items),
        rows: Arc::new(plan.rows(context.estate, &context.access)),
        sorted: !query.order_by.is_empty(),
    })
}
