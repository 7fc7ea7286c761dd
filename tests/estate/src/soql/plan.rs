//! Which rows a query is about: bounds and look-ups before scans, and natural order before sorting.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Range;

use crate::error::ApiError;
use crate::id::Id;
use crate::org::{Estate, Reader, Row, StoredRow};
use crate::schema::{Kind, ObjectIndex, Schema};
use crate::soql::Context;
use crate::soql::ast::{Expression, Operator, Order, Query, SelectItem};
use crate::soql::column::{Column, Use};
use crate::soql::condition::{self, Fetch, Resolve, Test};
use crate::value::{Key, Value};
use crate::viewer::Rows as Visible;

/// The longest list of ids that is looked up one by one.
const MOST_LOOK_UPS: usize = 20_000;

/// Rows of a result, in its order.
#[derive(Debug)]
pub(crate) enum Rows {
    /// Rows that follow each other, up or down.
    Range { rows: Range<u64>, descending: bool },
    /// Rows found one by one.
    List(Vec<u64>),
}

impl Rows {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Rows::Range { rows, .. } => rows.end - rows.start,
            Rows::List(rows) => rows.len() as u64,
        }
    }

    /// The row at a position of the result.
    pub(crate) fn get(&self, at: u64) -> u64 {
        match self {
            Rows::Range { rows, descending: false } => rows.start + at,
            Rows::Range { rows, descending: true } => rows.end - 1 - at,
            Rows::List(rows) => rows[at as usize],
        }
    }

    fn cut(self, offset: u64, limit: Option<u64>) -> Self {
        let from = offset.min(self.len());
        let to = limit.map_or(self.len(), |limit| self.len().min(from.saturating_add(limit)));
        match self {
            Rows::Range { rows, descending: false } => {
                Rows::Range { rows: rows.start + from..rows.start + to, descending: false }
            }
            Rows::Range { rows, descending: true } => {
                Rows::Range { rows: rows.end - to..rows.end - from, descending: true }
            }
            Rows::List(mut rows) => {
                rows.truncate(to as usize);
                rows.drain(..from as usize);
                Rows::List(rows)
            }
        }
    }
}

/// Condition and order of a query over one object.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) object: ObjectIndex,
    /// What the condition and the order read.
    pub(crate) columns: Vec<Column>,
    pub(crate) test: Option<Test>,
    order: Vec<SortBy>,
    own: Option<Id>,
    visible: Visible,
    pub(crate) offset: u64,
    pub(crate) limit: Option<u64>,
    pub(crate) with_deleted: bool,
}

#[derive(Debug)]
struct SortBy {
    column: usize,
    descending: bool,
    nulls_last: bool,
}

/// Collects the columns of a condition.
struct Columns<'p> {
    context: &'p Context<'p>,
    object: ObjectIndex,
    alias: Option<&'p str>,
    columns: &'p mut Vec<Column>,
}

impl Resolve for Columns<'_> {
    fn resolve(&mut self, expression: &Expression) -> Result<(usize, Kind, String), ApiError> {
        if expression.function.is_some_and(|function| function.is_aggregate()) {
            return Err(ApiError::malformed(
                "Aggregate functions are not allowed in the WHERE clause",
            ));
        }
        let column = Column::bind(self.context, self.object, self.alias, expression, Use::Filter)?;
        let found = (column.kind, column.name.clone());
        Ok((intern(self.columns, column), found.0, found.1))
    }
}

fn intern(columns: &mut Vec<Column>, column: Column) -> usize {
    columns.iter().position(|known| *known == column).unwrap_or_else(|| {
        columns.push(column);
        columns.len() - 1
    })
}

/// Values of one row.
pub(crate) struct RowValues<'a, 'e> {
    pub(crate) reader: &'a mut Reader<'e>,
    pub(crate) object: ObjectIndex,
    pub(crate) row: Row<'e>,
    pub(crate) columns: &'a [Column],
}

impl Fetch for RowValues<'_, '_> {
    fn with(&mut self, position: usize, then: &mut dyn FnMut(&Value<'_>)) {
        self.columns[position].with(self.reader, self.object, &self.row, |value| then(value));
    }
}

impl Plan {
    /// Looks up the condition and, unless the query groups its rows, the order.
    pub(crate) fn bind(
        context: &Context<'_>,
        object: ObjectIndex,
        query: &Query,
    ) -> Result<Self, ApiError> {
        let alias = query.alias.as_deref();
        let mut columns = Vec::new();
        let test = match &query.condition {
            Some(condition) => {
                let mut resolve = Columns { context, object, alias, columns: &mut columns };
                Some(condition::bind(context, condition, &mut resolve)?)
            }
            None => None,
        };
        let mut order = Vec::new();
        for Order { expression, descending, nulls_last } in &query.order_by {
            if crate::soql::aggregate::groups(query) {
                break;
            }
            let column = Column::bind(context, object, alias, expression, Use::Sort)?;
            let column = intern(&mut columns, column);
            order.push(SortBy { column, descending: *descending, nulls_last: *nulls_last });
        }
        Ok(Self {
            object,
            columns,
            test,
            order,
            own: context.viewer.id(),
            visible: context.viewer.rows(&Schema::get().objects[object]),
            offset: query.offset.unwrap_or(0),
            limit: query.limit,
            with_deleted: query.all_rows || context.all_rows,
        })
    }

    /// All rows of the object that pass, in order, cut by OFFSET and LIMIT.
    pub(crate) fn rows(&self, estate: &Estate, access: &StoredRow) -> Rows {
        self.ordered(estate, access, None).cut(self.offset, self.limit)
    }

    /// Those of `candidates` that pass, in order, cut by OFFSET and LIMIT.
    pub(crate) fn rows_among(
        &self,
        estate: &Estate,
        access: &StoredRow,
        candidates: Vec<u64>,
    ) -> Rows {
        self.ordered(estate, access, Some(candidates)).cut(self.offset, self.limit)
    }

    fn ordered(&self, estate: &Estate, access: &StoredRow, candidates: Option<Vec<u64>>) -> Rows {
        let natural = self.natural_order();
        let all = estate.range(self.object, self.with_deleted);
        let bounds =
            Bounds { estate, object: self.object, columns: &self.columns, all: all.clone() };
        let (range, is_exact) =
            self.test.as_ref().map_or((all.clone(), true), |test| bounds.of(test));
        let shows = |row: &u64| estate.shows(self.object, *row, self.with_deleted);
        let looked_up = match (&self.visible, candidates) {
            (Visible::None, _) => Some(Vec::new()),
            (Visible::All, Some(candidates)) => Some(candidates),
            (Visible::All, None) => self.test.as_ref().and_then(|test| bounds.look_up(test)),
            (Visible::Own(field), candidates) => {
                let own = self
                    .own
                    .map_or(Vec::new(), |id| bounds.rows_holding(field, id).unwrap_or_default());
                Some(
                    own.into_iter()
                        .filter(|row| candidates.as_ref().is_none_or(|rows| rows.contains(row)))
                        .collect(),
                )
            }
        };
        let rows = match looked_up {
            Some(rows) => {
                let rows = rows.into_iter().filter(shows);
                Rows::List(self.passing(estate, access, rows))
            }
            None if estate.has_gaps(self.object) => {
                Rows::List(self.passing(estate, access, range.filter(shows)))
            }
            None if is_exact => Rows::Range { rows: range, descending: false },
            None => Rows::List(self.passing(estate, access, range)),
        };
        match (natural, rows) {
            (Some(false), rows) => rows,
            (Some(true), Rows::Range { rows, .. }) => Rows::Range { rows, descending: true },
            (Some(true), Rows::List(mut rows)) => {
                rows.reverse();
                Rows::List(rows)
            }
            (None, rows) => Rows::List(self.sorted(estate, access, rows)),
        }
    }

    fn passing(
        &self,
        estate: &Estate,
        access: &StoredRow,
        rows: impl Iterator<Item = u64>,
    ) -> Vec<u64> {
        let Some(test) = &self.test else { return rows.collect() };
        let mut reader = Reader::new(estate, access);
        rows.filter(|&at| {
            let row = reader.row(self.object, at);
            let mut values =
                RowValues { reader: &mut reader, object: self.object, row, columns: &self.columns };
            test.passes(&mut values)
        })
        .collect()
    }

    fn sorted(&self, estate: &Estate, access: &StoredRow, rows: Rows) -> Vec<u64> {
        let mut reader = Reader::new(estate, access);
        let mut keyed: Vec<(Vec<Key>, u64)> = (0..rows.len())
            .map(|at| {
                let at = rows.get(at);
                let row = reader.row(self.object, at);
                let key = |by: &SortBy| {
                    self.columns[by.column].with(&mut reader, self.object, &row, Key::of)
                };
                (self.order.iter().map(key).collect(), at)
            })
            .collect();
        keyed.sort_by(|(a, row_a), (b, row_b)| {
            let by_order = self
                .order
                .iter()
                .zip(a.iter().zip(b))
                .map(|(by, (a, b))| compare(a, b, by.descending, by.nulls_last));
            by_order.fold(Ordering::Equal, Ordering::then).then(row_a.cmp(row_b))
        });
        keyed.into_iter().map(|(_, row)| row).collect()
    }

    /// Whether rows in their own order (`false`) or its reverse (`true`) are already sorted.
    fn natural_order(&self) -> Option<bool> {
        let Some(first) = self.order.first() else { return Some(false) };
        let object = &Schema::get().objects[self.object];
        let name = |by: &SortBy| {
            self.columns[by.column].own_field().map(|field| object.fields[field].name.as_str())
        };
        match (object.name.as_str(), name(first), &self.order[1..]) {
            ("OauthToken", ..) => None,
            (_, Some("Id"), _) => Some(first.descending),
            ("LoginHistory" | "LoginGeo", Some("LoginTime"), []) => Some(first.descending),
            ("LoginHistory" | "LoginGeo", Some("LoginTime"), [next, ..])
                if name(next) == Some("Id") && next.descending == first.descending =>
            {
                Some(first.descending)
            }
            _ => None,
        }
    }
}

/// Orders two values; nulls come first unless asked otherwise, whatever the direction.
pub(crate) fn compare(a: &Key, b: &Key, descending: bool, nulls_last: bool) -> Ordering {
    match (a, b) {
        (Key::Null, Key::Null) => Ordering::Equal,
        (Key::Null, _) => {
            if nulls_last {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (_, Key::Null) => {
            if nulls_last {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        _ if descending => b.cmp(a),
        _ => a.cmp(b),
    }
}

/// What a condition says about row numbers, for ids and login times ascend with them.
struct Bounds<'b> {
    estate: &'b Estate,
    object: ObjectIndex,
    columns: &'b [Column],
    /// Every row that may be seen.
    all: Range<u64>,
}

impl Bounds<'_> {
    fn field(&self, column: usize) -> Option<&'static str> {
        let field = self.columns[column].own_field()?;
        Some(Schema::get().objects[self.object].fields[field].name.as_str())
    }

    /// A range that holds every row that passes, and whether all rows in it pass.
    fn of(&self, test: &Test) -> (Range<u64>, bool) {
        let everything = (self.all.clone(), false);
        match test {
            Test::All(parts) => {
                parts.iter().fold((self.all.clone(), true), |(range, exact), part| {
                    let (other, other_exact) = self.of(part);
                    let start = range.start.max(other.start);
                    (start..range.end.min(other.end).max(start), exact && other_exact)
                })
            }
            Test::Any(parts) => {
                let hulls: Vec<Range<u64>> = parts
                    .iter()
                    .map(|part| self.of(part).0)
                    .filter(|hull| !hull.is_empty())
                    .collect();
                let start = hulls.iter().map(|hull| hull.start).min().unwrap_or(0);
                let end = hulls.iter().map(|hull| hull.end).max().unwrap_or(0);
                (start..end, hulls.is_empty())
            }
            Test::Id(column, operator, id)
                if self.field(*column) == Some("Id") && self.object_has_ids() =>
            {
                let before = self.estate.rows_before(self.object, *id, false);
                let upto = self.estate.rows_before(self.object, *id, true);
                self.cut(*operator, before, upto)
            }
            Test::Time(column, operator, from, to)
                if self.field(*column) == Some("LoginTime")
                    && (self.is("LoginHistory") || self.is("LoginGeo")) =>
            {
                // Logins fall on whole seconds.
                let before = self
                    .estate
                    .first_login_at(from.div_euclid(1_000) + i64::from(from.rem_euclid(1_000) > 0));
                let upto = self
                    .estate
                    .first_login_at(to.div_euclid(1_000) + i64::from(to.rem_euclid(1_000) > 0));
                self.cut(*operator, before, upto)
            }
            _ => everything,
        }
    }

    fn cut(&self, operator: Operator, before: u64, upto: u64) -> (Range<u64>, bool) {
        let Range { start, end } = self.all.clone();
        let (before, upto) = (before.clamp(start, end), upto.clamp(start, end));
        match operator {
            Operator::Equal => (before..upto, true),
            Operator::Less => (start..before, true),
            Operator::LessOrEqual => (start..upto, true),
            Operator::Greater => (upto..end, true),
            Operator::GreaterOrEqual => (before..end, true),
            Operator::NotEqual | Operator::Like => (start..end, false),
        }
    }

    fn is(&self, name: &str) -> bool {
        Schema::get().objects[self.object].name == name
    }

    fn object_has_ids(&self) -> bool {
        !self.is("OauthToken") && !self.is("UserPermissionAccess")
    }

    /// Rows that may pass, ascending, if an equality names them.
    fn look_up(&self, test: &Test) -> Option<Vec<u64>> {
        match test {
            Test::All(parts) => parts.iter().find_map(|part| self.look_up(part)),
            Test::Id(column, Operator::Equal, id) => self.rows_holding(self.field(*column)?, *id),
            Test::IdIn(column, ids) if ids.len() <= MOST_LOOK_UPS => {
                let field = self.field(*column)?;
                let mut rows = Vec::new();
                for id in ids {
                    rows.extend(self.rows_holding(field, *id)?);
                }
                rows.sort_unstable();
                rows.dedup();
                Some(rows)
            }
            _ => None,
        }
    }

    /// Rows whose `field` holds `id`, if there is a way to know.
    fn rows_holding(&self, field: &str, id: Id) -> Option<Vec<u64>> {
        rows_holding(self.estate, self.object, field, id)
    }
}

/// Rows of `object` whose `field` holds `id`, ascending, if they can be found without a scan.
pub(crate) fn rows_holding(
    estate: &Estate,
    object: ObjectIndex,
    field: &str,
    id: Id,
) -> Option<Vec<u64>> {
    let schema = Schema::get();
    let located = estate.locate(id, true);
    if field == "Id" {
        let has_ids =
            !matches!(schema.objects[object].name.as_str(), "OauthToken" | "UserPermissionAccess");
        return has_ids.then(|| {
            located.filter(|found| found.0 == object).map(|found| found.1).into_iter().collect()
        });
    }
    match located {
        Some((found, user)) if schema.objects[found].name == "User" => {
            estate.rows_of_user(object, field, user)
        }
        _ => None,
    }
}

/// The ids a sub-select of `IN` yields.
pub(crate) fn sub_select(context: &Context<'_>, query: &Query) -> Result<HashSet<Id>, ApiError> {
    let object = context.object(&query.from)?;
    let [SelectItem::Expression(expression, None)] = query.select.as_slice() else {
        return Err(ApiError::malformed(
            "The inner select of a semi join must select exactly one field",
        ));
    };
    let column = Column::bind(context, object, query.alias.as_deref(), expression, Use::Select)?;
    if column.kind != Kind::Id {
        return Err(context.invalid_field(
            expression.at,
            "The inner and outer selects should both be on id or reference fields for a semi join",
        ));
    }
    let plan = Plan::bind(context, object, query)?;
    let rows = plan.rows(context.estate, &context.access);
    let mut reader = Reader::new(context.estate, &context.access);
    let mut ids = HashSet::new();
    for at in 0..rows.len() {
        let row = reader.row(object, rows.get(at));
        column.with(&mut reader, object, &row, |value| {
            if let Value::Id(id) = value {
                ids.insert(*id);
            }
        });
    }
    Ok(ids)
}
