//! A field path looked up in the schema, and how its value is read.

use chrono::{Datelike, Timelike};

use crate::clock::{self, DAY};
use crate::error::ApiError;
use crate::org::{Reader, Row};
use crate::schema::{FieldIndex, Kind, ObjectIndex, Schema};
use crate::soql::Context;
use crate::soql::ast::{DatePart, Expression, Function, Path, Position};
use crate::value::Value;

/// How far a path may climb.
const MOST_HOPS: usize = 5;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// Reference fields to follow.
    pub(crate) hops: Vec<FieldIndex>,
    pub(crate) leaf: Leaf,
    pub(crate) kind: Kind,
    /// The part of the date that is wanted.
    pub(crate) part: Option<DatePart>,
    /// The field's own name.
    pub(crate) name: String,
}

/// The last step of a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Leaf {
    /// A field.
    Field(ObjectIndex, FieldIndex),
    /// A field that several objects have, after a reference to any of them.
    AnyOf(Vec<(ObjectIndex, FieldIndex)>),
    /// `Type`: the name of the object behind such a reference.
    ObjectName,
}

/// What a path is used for; each use has its own rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Shown.
    Select,
    /// Compared.
    Filter,
    /// Ordered by.
    Sort,
    /// Grouped by.
    Group,
}

impl Column {
    /// Looks an expression up; an aggregate is looked up as the field in it.
    pub(crate) fn bind(
        context: &Context<'_>,
        object: ObjectIndex,
        alias: Option<&str>,
        expression: &Expression,
        used_for: Use,
    ) -> Result<Self, ApiError> {
        // A date function makes a value that can be grouped out of a date that cannot.
        let used_for = match (used_for, expression.function) {
            (Use::Group, Some(Function::Date(_))) => Use::Select,
            _ => used_for,
        };
        let mut column =
            Self::bind_path(context, object, alias, &expression.path, used_for, expression.at)?;
        if let Some(Function::Date(part)) = expression.function {
            if !matches!(column.kind, Kind::Date | Kind::Instant) {
                return Err(context.invalid_field(
                    expression.at,
                    &format!("field {} does not support date functions", column.name),
                ));
            }
            column.part = Some(part);
            column.kind = if part == DatePart::Day { Kind::Date } else { Kind::Number };
        }
        Ok(column)
    }

    fn bind_path(
        context: &Context<'_>,
        object: ObjectIndex,
        alias: Option<&str>,
        path: &Path,
        used_for: Use,
        at: Position,
    ) -> Result<Self, ApiError> {
        let schema = Schema::get();
        let mut parts = path.parts.as_slice();
        let first = &parts[0];
        let names_the_object = alias.is_some_and(|alias| alias.eq_ignore_ascii_case(first))
            || (first.eq_ignore_ascii_case(&schema.objects[object].name)
                && schema.objects[object].relationship(first).is_none());
        if parts.len() > 1 && names_the_object {
            parts = &parts[1..];
        }
        let (name, relationships) = parts.split_last().expect("a path has at least one part");
        if relationships.len() > MOST_HOPS {
            return Err(ApiError::malformed(
                "SOQL relationship fields can only be up to 5 levels deep",
            ));
        }
        let mut targets = vec![object];
        let mut hops = Vec::new();
        for relationship in relationships {
            let current = &schema.objects[targets[0]];
            let hop = (targets.len() == 1).then(|| current.relationship(relationship)).flatten();
            let hop = hop.filter(|&hop| context.sees_field(current, &current.fields[hop]));
            let next = hop.map_or(Vec::new(), |hop| {
                context.visible_targets(&current.fields[hop].reference_to)
            });
            let Some(hop) = hop.filter(|_| !next.is_empty()) else {
                return Err(context.invalid_field(at, &format!(
                    "Didn't understand relationship '{relationship}' in field path. If you are attempting to use a \
                     custom relationship, be sure to append the '__r' after the custom relationship name. Please \
                     reference your WSDL or the describe call for the appropriate names."
                )));
            };
            hops.push(hop);
            targets = next;
        }
        let visible = |target: ObjectIndex| {
            let object = &schema.objects[target];
            let field = object.field(name)?;
            context.sees_field(object, &object.fields[field]).then_some((target, field))
        };
        let found: Vec<_> = targets.iter().filter_map(|&target| visible(target)).collect();
        let is_polymorphic = targets.len() > 1;
        if is_polymorphic && name.eq_ignore_ascii_case("Type") {
            let leaf = Leaf::ObjectName;
            return Ok(Self { hops, leaf, kind: Kind::Text, part: None, name: "Type".to_owned() });
        }
        let Some(&(target, field_at)) = found.first() else {
            let entity = if is_polymorphic { "Name" } else { &schema.objects[targets[0]].name };
            return Err(context.invalid_field(at, &format!(
                "No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure \
                 to append the '__c' after the custom field name. Please reference your WSDL or the describe call \
                 for the appropriate names."
            )));
        };
        let owner = &schema.objects[target];
        let field = &owner.fields[field_at];
        let (allowed, verb) = match used_for {
            Use::Select => (true, ""),
            Use::Filter => (field.filterable_in(owner, context.version), "filtered"),
            Use::Sort => (field.sortable, "sorted"),
            Use::Group => (field.groupable, "grouped"),
        };
        if !allowed {
            return Err(context.invalid_field(
                at,
                &format!("field '{}' can not be {verb} in a query call", field.name),
            ));
        }
        let leaf = if is_polymorphic { Leaf::AnyOf(found) } else { Leaf::Field(target, field_at) };
        Ok(Self { hops, leaf, kind: field.kind, part: None, name: field.name.clone() })
    }

    /// The field itself, if no relationship is followed and no part is taken.
    pub(crate) fn own_field(&self) -> Option<FieldIndex> {
        match self.leaf {
            Leaf::Field(_, field) if self.hops.is_empty() && self.part.is_none() => Some(field),
            _ => None,
        }
    }

    /// Reads the value for a row and passes it on.
    pub(crate) fn with<'e, R>(
        &self,
        reader: &mut Reader<'e>,
        object: ObjectIndex,
        row: &Row<'e>,
        then: impl FnOnce(&Value<'_>) -> R,
    ) -> R {
        if self.hops.is_empty() && self.part.is_none() {
            return then(&leaf_value(reader, object, row, &self.leaf));
        }
        let (mut object, mut row) = (object, *row);
        for &hop in &self.hops {
            match follow(reader, object, &row, hop) {
                Some(parent) => (object, row) = parent,
                None => return then(&Value::Null),
            }
        }
        let value = leaf_value(reader, object, &row, &self.leaf);
        match self.part {
            None => then(&value),
            Some(part) => then(&part_of(&value, part)),
        }
    }
}

/// The row a reference field points to.
pub(crate) fn follow<'e>(
    reader: &mut Reader<'e>,
    object: ObjectIndex,
    row: &Row<'e>,
    reference: FieldIndex,
) -> Option<(ObjectIndex, Row<'e>)> {
    let (parent, parent_row) = match reader.value(object, row, reference) {
        Value::Id(id) => reader.estate.locate(id, true)?,
        _ => return None,
    };
    Some((parent, reader.row(parent, parent_row)))
}

/// The value of a leaf.
pub(crate) fn leaf_value<'r, 'e>(
    reader: &Reader<'e>,
    object: ObjectIndex,
    row: &'r Row<'e>,
    leaf: &Leaf,
) -> Value<'r> {
    match leaf {
        Leaf::Field(_, field) => reader.value(object, row, *field),
        Leaf::ObjectName => Value::Text(Schema::get().objects[object].name.as_str().into()),
        Leaf::AnyOf(fields) => match fields.iter().find(|(target, _)| *target == object) {
            Some((_, field)) => reader.value(object, row, *field),
            None => Value::Null,
        },
    }
}

fn part_of(value: &Value<'_>, part: DatePart) -> Value<'static> {
    let seconds = match value {
        Value::Instant(seconds) => *seconds,
        Value::Date(days) => days * DAY,
        _ => return Value::Null,
    };
    let at = clock::to_utc(seconds);
    Value::Int(match part {
        DatePart::Day => return Value::Date(seconds.div_euclid(DAY)),
        DatePart::Year => i64::from(at.year()),
        DatePart::Quarter => i64::from(at.month0() / 3 + 1),
        DatePart::Month => i64::from(at.month()),
        DatePart::DayInMonth => i64::from(at.day()),
        DatePart::DayInWeek => i64::from(at.weekday().num_days_from_sunday()) + 1,
        DatePart::DayInYear => i64::from(at.ordinal()),
        DatePart::Hour => i64::from(at.hour()),
    })
}
