//! Queries that make one row of many: GROUP BY, HAVING and the aggregate functions.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::ApiError;
use crate::org::Reader;
use crate::schema::{Kind, ObjectIndex, Schema};
use crate::soql::Context;
use crate::soql::ast::{Expression, Function, Query, SelectItem};
use crate::soql::column::{Column, Leaf, Use};
use crate::soql::condition::{self, Fetch, Resolve, Test};
use crate::soql::plan::{Plan, compare};
use crate::value::{Key, Value, write_text};

/// More rows than this need a cursor, and grouped results have none.
const MOST_GROUPS: usize = 2_000;

/// A finished grouped result.
#[derive(Debug)]
pub(crate) struct Groups {
    labels: Vec<String>,
    rows: Vec<Vec<Value<'static>>>,
}

/// Whether a query makes one row of many.
pub(crate) fn groups(query: &Query) -> bool {
    let is_aggregate = |item: &SelectItem| matches!(item, SelectItem::Expression(Expression { function: Some(function), .. }, _) if function.is_aggregate());
    !query.group_by.is_empty() || query.select.iter().any(is_aggregate)
}

/// What one value of a grouped row is.
#[derive(Debug, PartialEq)]
enum Source {
    /// The value the group has in common.
    Group(usize),
    /// An aggregate over a column.
    Aggregate(Function, Column),
}

/// Everything computed per group: what is selected, then what only HAVING and ORDER BY need.
struct Outputs<'a> {
    context: &'a Context<'a>,
    query: &'a Query,
    object: ObjectIndex,
    group_columns: Vec<Column>,
    sources: Vec<Source>,
    labels: Vec<String>,
}

impl Outputs<'_> {
    /// The position of an expression's value, computed from now on if it was not before.
    fn position(&mut self, expression: &Expression) -> Result<usize, ApiError> {
        let alias = self.query.alias.as_deref();
        let source = match expression.function {
            Some(function) if function.is_aggregate() => {
                let column =
                    Column::bind(self.context, self.object, alias, expression, Use::Select)?;
                let is_number = column.kind == Kind::Number;
                if matches!(function, Function::Sum | Function::Avg) && !is_number {
                    let message = format!(
                        "field {} does not support aggregate operator {}",
                        column.name,
                        name(function)
                    );
                    return Err(self.context.invalid_field(expression.at, &message));
                }
                if let Leaf::Field(object, field) = column.leaf
                    && !Schema::get().objects[object].fields[field].is_aggregatable()
                {
                    let message = format!(
                        "field {} does not support aggregate operator {}",
                        column.name,
                        name(function)
                    );
                    return Err(self.context.error_at(expression.at, "MALFORMED_QUERY", &message));
                }
                if Schema::get().objects[self.object].name == "SetupAuditTrail" {
                    return Err(self.context.invalid_field(
                        expression.at,
                        "entity type SetupAuditTrail does not support aggregate functions",
                    ));
                }
                Source::Aggregate(function, column)
            }
            _ => {
                let column =
                    Column::bind(self.context, self.object, alias, expression, Use::Select)?;
                let group =
                    self.group_columns.iter().position(|known| *known == column).ok_or_else(
                        || {
                            let message =
                                format!("Field must be grouped or aggregated: {}", column.name);
                            self.context.error_at(expression.at, "MALFORMED_QUERY", &message)
                        },
                    )?;
                Source::Group(group)
            }
        };
        Ok(self.sources.iter().position(|known| *known == source).unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        }))
    }

    fn kind(&self, position: usize) -> Kind {
        match &self.sources[position] {
            Source::Group(group) => self.group_columns[*group].kind,
            Source::Aggregate(Function::Min | Function::Max, column) => column.kind,
            Source::Aggregate(..) => Kind::Number,
        }
    }
}

impl Resolve for Outputs<'_> {
    fn resolve(&mut self, expression: &Expression) -> Result<(usize, Kind, String), ApiError> {
        let position = self.position(expression)?;
        Ok((position, self.kind(position), expression.path.parts.join(".")))
    }
}

/// Values of one grouped row.
struct GroupValues<'a>(&'a [Value<'static>]);

impl Fetch for GroupValues<'_> {
    fn with(&mut self, position: usize, then: &mut dyn FnMut(&Value<'_>)) {
        then(&self.0[position]);
    }
}

/// Answers a grouped query.
pub(crate) fn run(
    context: &Context<'_>,
    object: ObjectIndex,
    query: &Query,
) -> Result<Groups, ApiError> {
    let alias = query.alias.as_deref();
    let group_columns = query
        .group_by
        .iter()
        .map(|expression| Column::bind(context, object, alias, expression, Use::Group))
        .collect::<Result<Vec<_>, _>>()?;
    let mut outputs =
        Outputs { context, query, object, group_columns, sources: Vec::new(), labels: Vec::new() };
    let mut shown = Vec::new();
    let mut unnamed = 0;
    for item in &query.select {
        let SelectItem::Expression(expression, alias) = item else {
            return Err(ApiError::malformed("Grouped queries select fields and aggregates only"));
        };
        shown.push(outputs.position(expression)?);
        let label = match (alias, expression.function) {
            (Some(alias), _) => alias.clone(),
            (None, Some(_)) => {
                unnamed += 1;
                format!("expr{}", unnamed - 1)
            }
            (None, None) => {
                Column::bind(context, object, query.alias.as_deref(), expression, Use::Select)?.name
            }
        };
        outputs.labels.push(label);
    }
    let having = match &query.having {
        Some(condition) => Some(condition::bind(context, condition, &mut outputs)?),
        None => None,
    };
    let mut order = Vec::new();
    for by in &query.order_by {
        // An alias may stand for what it names.
        let aliased = by.expression.path.parts.as_slice();
        let label = outputs.labels.iter().position(|label| {
            by.expression.function.is_none()
                && aliased.len() == 1
                && label.eq_ignore_ascii_case(&aliased[0])
        });
        let position = match label {
            Some(label) => shown[label],
            None => outputs.position(&by.expression)?,
        };
        order.push((position, by.descending, by.nulls_last));
    }

    let mut rows = collect(context, object, query, &outputs)?;
    if let Some(test) = &having {
        rows.retain(|row| passes(test, row));
    }
    rows.sort_by(|a, b| {
        order.iter().fold(
            std::cmp::Ordering::Equal,
            |so_far, &(position, descending, nulls_last)| {
                so_far.then_with(|| {
                    compare(&Key::of(&a[position]), &Key::of(&b[position]), descending, nulls_last)
                })
            },
        )
    });
    let offset = query.offset.unwrap_or(0) as usize;
    let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
    let rows: Vec<_> = rows.into_iter().skip(offset).take(limit).collect();
    if rows.len() > MOST_GROUPS {
        return Err(ApiError::new(
            400,
            "EXCEEDED_ID_LIMIT",
            "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch",
        ));
    }
    let visible =
        |row: Vec<Value<'static>>| shown.iter().map(|&position| row[position].clone()).collect();
    Ok(Groups { labels: outputs.labels, rows: rows.into_iter().map(visible).collect() })
}

fn passes(test: &Test, row: &[Value<'static>]) -> bool {
    test.passes(&mut GroupValues(row))
}

/// All groups in the order of their keys.
fn collect(
    context: &Context<'_>,
    object: ObjectIndex,
    query: &Query,
    outputs: &Outputs<'_>,
) -> Result<Vec<Vec<Value<'static>>>, ApiError> {
    let mut plan = Plan::bind(context, object, query)?;
    (plan.offset, plan.limit) = (0, None);
    let rows = plan.rows(context.estate, &context.access);
    let mut reader = Reader::new(context.estate, &context.access);
    let fresh = || outputs.sources.iter().map(Accumulator::new).collect::<Vec<_>>();
    let mut groups: BTreeMap<Vec<Key>, (Vec<Value<'static>>, Vec<Accumulator>)> = BTreeMap::new();
    if query.group_by.is_empty() {
        groups.insert(Vec::new(), (Vec::new(), fresh()));
    }
    for at in 0..rows.len() {
        let row = reader.row(object, rows.get(at));
        let key: Vec<Key> = outputs
            .group_columns
            .iter()
            .map(|column| column.with(&mut reader, object, &row, Key::of))
            .collect();
        let (_, accumulators) = groups.entry(key).or_insert_with(|| {
            let own = |column: &Column| {
                column.with(&mut reader, object, &row, |value| value.borrowed().into_owned())
            };
            (outputs.group_columns.iter().map(own).collect(), fresh())
        });
        for (source, accumulator) in outputs.sources.iter().zip(accumulators) {
            if let Source::Aggregate(_, column) = source {
                column.with(&mut reader, object, &row, |value| accumulator.add(value));
            }
        }
    }
    let finish = |(own, accumulators): (Vec<Value<'static>>, Vec<Accumulator>)| {
        let values = outputs.sources.iter().zip(accumulators);
        values
            .map(|(source, accumulator)| match source {
                Source::Group(group) => own[*group].clone(),
                Source::Aggregate(..) => accumulator.finish(),
            })
            .collect()
    };
    Ok(groups.into_values().map(finish).collect())
}

/// A running aggregate. Rows without a value do not count.
enum Accumulator {
    Idle,
    Count(i64),
    Distinct(BTreeSet<Key>),
    Extreme { greatest: bool, best: Option<(Key, Value<'static>)> },
    Sum { total: f64, count: i64, whole: bool, mean: bool },
}

impl Accumulator {
    fn new(source: &Source) -> Self {
        let Source::Aggregate(function, _) = source else { return Accumulator::Idle };
        match function {
            Function::CountDistinct => Accumulator::Distinct(BTreeSet::new()),
            Function::Min => Accumulator::Extreme { greatest: false, best: None },
            Function::Max => Accumulator::Extreme { greatest: true, best: None },
            Function::Sum => Accumulator::Sum { total: 0.0, count: 0, whole: true, mean: false },
            Function::Avg => Accumulator::Sum { total: 0.0, count: 0, whole: false, mean: true },
            Function::Count | Function::Date(_) | Function::Label => Accumulator::Count(0),
        }
    }

    fn add(&mut self, value: &Value<'_>) {
        if value.is_null() {
            return;
        }
        match self {
            Accumulator::Idle => {}
            Accumulator::Count(count) => *count += 1,
            Accumulator::Distinct(seen) => drop(seen.insert(Key::of(value))),
            Accumulator::Extreme { greatest, best } => {
                let key = Key::of(value);
                let is_better = best
                    .as_ref()
                    .is_none_or(|(known, _)| if *greatest { key > *known } else { key < *known });
                if is_better {
                    *best = Some((key, value.borrowed().into_owned()));
                }
            }
            Accumulator::Sum { total, count, whole, .. } => {
                if let Some(number) = value.number() {
                    *total += number;
                    *count += 1;
                    *whole &= matches!(value, Value::Int(_));
                }
            }
        }
    }

    fn finish(self) -> Value<'static> {
        match self {
            Accumulator::Idle => Value::Null,
            Accumulator::Count(count) => Value::Int(count),
            Accumulator::Distinct(seen) => Value::Int(seen.len() as i64),
            Accumulator::Extreme { best, .. } => best.map_or(Value::Null, |(_, value)| value),
            Accumulator::Sum { count: 0, .. } => Value::Null,
            Accumulator::Sum { total, count, mean: true, .. } => {
                Value::Double(total / count as f64)
            }
            Accumulator::Sum { total, whole: true, .. } => Value::Int(total as i64),
            Accumulator::Sum { total, .. } => Value::Double(total),
        }
    }
}

fn name(function: Function) -> &'static str {
    match function {
        Function::Sum => "SUM",
        Function::Avg => "AVG",
        Function::Min => "MIN",
        Function::Max => "MAX",
        Function::CountDistinct => "COUNT_DISTINCT",
        Function::Count | Function::Date(_) | Function::Label => "COUNT",
    }
}

impl Groups {
    pub(crate) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Appends rows, separated by commas.
    pub(crate) fn write(&self, range: std::ops::Range<u64>, out: &mut String) {
        for (at, row) in self.rows[range.start as usize..range.end as usize].iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str("{\"attributes\":{\"type\":\"AggregateResult\"}");
            for (label, value) in self.labels.iter().zip(row) {
                out.push(',');
                write_text(label, out);
                out.push(':');
                value.write_json(out);
            }
            out.push('}');
        }
    }
}
