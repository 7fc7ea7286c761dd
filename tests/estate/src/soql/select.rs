//! What a query selects, and how a row of it is written.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use crate::error::ApiError;
use crate::id::Id;
use crate::org::{Estate, Reader, Row, StoredRow};
use crate::schema::{FieldIndex, ObjectIndex, Schema};
use crate::soql::Context;
use crate::soql::ast::{Expression, FieldsKind, Query, SelectItem};
use crate::soql::column::{Column, Leaf, Use, follow, leaf_value};
use crate::soql::plan::{Plan, Rows, rows_holding};
use crate::value::{Value, append, write_text};

/// Longest answer of FIELDS(ALL) and FIELDS(CUSTOM).
const MOST_FIELDS_ROWS: u64 = 200;

/// One member of a written record.
#[derive(Debug)]
pub(crate) enum Item {
    /// A value.
    Value { label: String, leaf: Leaf },
    /// A value that takes more than reading a field.
    Computed { label: String, column: Column },
    /// A parent record.
    Parent { label: String, reference: FieldIndex, items: Vec<Item> },
    /// Child records.
    Children { label: String, children: Box<Children> },
}

/// A sub-query over a child relationship.
#[derive(Debug)]
pub(crate) struct Children {
    plan: Plan,
    /// The reference field of the child.
    field: FieldIndex,
    items: Vec<Item>,
    /// Children by parent, made when no quicker way is known.
    by_parent: OnceLock<HashMap<Id, Vec<u64>>>,
}

/// Looks up everything selected from `object`.
pub(crate) fn bind(
    context: &Context<'_>,
    object: ObjectIndex,
    query: &Query,
) -> Result<Vec<Item>, ApiError> {
    let schema = Schema::get();
    let mut items = Vec::new();
    let mut seen = HashSet::new();
    for selected in &query.select {
        match selected {
            SelectItem::Expression(expression, alias) => {
                if alias.is_some() && expression.function.is_none() {
                    return Err(ApiError::malformed(
                        "only aggregate expressions use field aliasing",
                    ));
                }
                add_expression(
                    context,
                    object,
                    query,
                    expression,
                    alias.as_deref(),
                    &mut seen,
                    &mut items,
                )?;
            }
            SelectItem::Fields(kind, _) => {
                if *kind != FieldsKind::Standard
                    && query.limit.is_none_or(|limit| limit > MOST_FIELDS_ROWS)
                {
                    return Err(ApiError::malformed(
                        "The SOQL FIELDS function must have a LIMIT of at most 200",
                    ));
                }
                let described = &schema.objects[object];
                for (at, field) in described.fields.iter().enumerate() {
                    let wanted = match kind {
                        FieldsKind::All => true,
                        FieldsKind::Standard => !field.custom,
                        FieldsKind::Custom => field.custom,
                    };
                    if wanted
                        && context.sees_field(described, field)
                        && seen.insert(field.name.to_lowercase())
                    {
                        items.push(Item::Value {
                            label: field.name.clone(),
                            leaf: Leaf::Field(object, at),
                        });
                    }
                }
            }
            SelectItem::Children(inner) => items.push(bind_children(context, object, inner)?),
            SelectItem::CountRows => {
                return Err(ApiError::malformed("COUNT() must be selected alone"));
            }
        }
    }
    Ok(items)
}

fn add_expression(
    context: &Context<'_>,
    object: ObjectIndex,
    query: &Query,
    expression: &Expression,
    alias: Option<&str>,
    seen: &mut HashSet<String>,
    items: &mut Vec<Item>,
) -> Result<(), ApiError> {
    let column = Column::bind(context, object, query.alias.as_deref(), expression, Use::Select)?;
    let written =
        alias.map_or_else(|| expression.path.parts.join("."), str::to_owned).to_lowercase();
    if !seen.insert(written) {
        return Err(context
            .invalid_field(expression.at, &format!("duplicate field selected: {}", column.name)));
    }
    if column.part.is_some() || alias.is_some() {
        let label = alias.unwrap_or(&column.name).to_owned();
        items.push(Item::Computed { label, column });
        return Ok(());
    }
    let Column { hops, leaf, name, .. } = column;
    place(items, Some(object), &hops, Item::Value { label: name, leaf });
    Ok(())
}

/// Puts a value below the parents its path climbs; fields of one parent share one nested record.
fn place(items: &mut Vec<Item>, object: Option<ObjectIndex>, hops: &[FieldIndex], value: Item) {
    let schema = Schema::get();
    let (Some((&hop, rest)), Some(object)) = (hops.split_first(), object) else {
        items.push(value);
        return;
    };
    let field = &schema.objects[object].fields[hop];
    let parent = match field.reference_to.as_slice() {
        [only] => schema.find(only),
        _ => None,
    };
    let known = items
        .iter()
        .position(|item| matches!(item, Item::Parent { reference, .. } if *reference == hop));
    let at = known.unwrap_or_else(|| {
        let label = field.relationship_name.clone().unwrap_or_default();
        items.push(Item::Parent { label, reference: hop, items: Vec::new() });
        items.len() - 1
    });
    if let Item::Parent { items, .. } = &mut items[at] {
        place(items, parent, rest, value);
    }
}

fn bind_children(
    context: &Context<'_>,
    object: ObjectIndex,
    query: &Query,
) -> Result<Item, ApiError> {
    let schema = Schema::get();
    let parent = &schema.objects[object];
    let name = query.from.text.rsplit('.').next().unwrap_or_default();
    let found = parent.child_relationships.iter().find_map(|child| {
        let label =
            child.relationship_name.as_ref().filter(|label| label.eq_ignore_ascii_case(name))?;
        let object = schema.find(&child.child)?;
        let field = schema.objects[object].field(&child.field)?;
        context.sees(&schema.objects[object]).then_some((label, object, field))
    });
    let Some((label, child, field)) = found else {
        return Err(context.error_at(query.from.at, "INVALID_TYPE", &format!(
            "Didn't understand relationship '{name}' in FROM part of query call. If you are attempting to use a \
             custom relationship, be sure to append the '__r' after the custom relationship name. Please reference \
             your WSDL or the describe call for the appropriate names."
        )));
    };
    let children = Children {
        plan: Plan::bind(context, child, query)?,
        field,
        items: bind(context, child, query)?,
        by_parent: OnceLock::new(),
    };
    Ok(Item::Children { label: label.clone(), children: Box::new(children) })
}

/// Whether a long text is among the items; the platform then answers in smaller pages.
pub(crate) fn has_long_text(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Value { leaf: Leaf::Field(object, field), .. } => {
            Schema::get().objects[*object].fields[*field].is_long_text()
        }
        Item::Parent { items, .. } => has_long_text(items),
        Item::Children { children, .. } => has_long_text(&children.items),
        Item::Value { .. } | Item::Computed { .. } => false,
    })
}

/// Writes records of one result.
pub(crate) struct Writer<'w> {
    pub(crate) estate: &'w Estate,
    pub(crate) access: &'w StoredRow,
    pub(crate) version: u16,
}

impl Writer<'_> {
    /// Appends one record.
    pub(crate) fn record<'e>(
        &self,
        reader: &mut Reader<'e>,
        object: ObjectIndex,
        row: &Row<'e>,
        items: &[Item],
        out: &mut String,
    ) {
        let schema = Schema::get();
        let name = &schema.objects[object].name;
        append(
            out,
            format_args!(
                "{{\"attributes\":{{\"type\":\"{name}\",\"url\":\"/services/data/v{}.0/sobjects/{name}/",
                self.version
            ),
        );
        let id = match reader.value(object, row, 0) {
            Value::Id(id) => id,
            // Some records show no id; their address is made of zeros.
            _ => Id::new(*b"000", *b"00", 0),
        };
        id.write(out);
        out.push_str("\"}");
        for item in items {
            out.push(',');
            match item {
                Item::Value { label, leaf } if is_file(leaf) => {
                    write_label(label, out);
                    let base = format!("/services/data/v{}.0/sobjects/{name}/{id}", self.version);
                    write_text(&format!("{base}/{label}"), out);
                }
                Item::Value { label, leaf } => {
                    write_label(label, out);
                    leaf_value(reader, object, row, leaf).write_json(out);
                }
                Item::Computed { label, column } => {
                    write_label(label, out);
                    column.with(reader, object, row, |value| value.write_json(out));
                }
                Item::Parent { label, reference, items } => {
                    write_label(label, out);
                    match follow(reader, object, row, *reference) {
                        Some((parent, parent_row)) => {
                            self.record(reader, parent, &parent_row, items, out)
                        }
                        None => out.push_str("null"),
                    }
                }
                Item::Children { label, children } => {
                    write_label(label, out);
                    self.children(children, object, id, out);
                }
            }
        }
        out.push('}');
    }

    fn children(&self, children: &Children, parent: ObjectIndex, id: Id, out: &mut String) {
        let rows = children.rows(self, parent, id);
        if rows.len() == 0 {
            out.push_str("null");
            return;
        }
        append(out, format_args!("{{\"totalSize\":{},\"done\":true,\"records\":[", rows.len()));
        self.records(children.plan.object, &rows, 0..rows.len(), &children.items, out);
        out.push_str("]}");
    }

    /// Appends records of a result, separated by commas, and leaves out those that are gone. Answers how many.
    pub(crate) fn records(
        &self,
        object: ObjectIndex,
        rows: &Rows,
        range: std::ops::Range<u64>,
        items: &[Item],
        out: &mut String,
    ) -> u64 {
        let mut reader = Reader::new(self.estate, self.access);
        let mut written = 0;
        for at in range.map(|position| rows.get(position)) {
            if self.estate.is_removed(object, at) {
                continue;
            }
            if written > 0 {
                out.push(',');
            }
            let row = reader.row(object, at);
            self.record(&mut reader, object, &row, items, out);
            written += 1;
        }
        written
    }
}

impl Children {
    fn rows(&self, writer: &Writer<'_>, parent: ObjectIndex, id: Id) -> Rows {
        let schema = Schema::get();
        let object = self.plan.object;
        let field = &schema.objects[object].fields[self.field];
        let looked_up = (schema.objects[parent].name == "User")
            .then(|| rows_holding(writer.estate, object, &field.name, id))
            .flatten();
        let candidates = match looked_up {
            Some(rows) => rows,
            None => self.by_parent(writer).get(&id).cloned().unwrap_or_default(),
        };
        self.plan.rows_among(writer.estate, writer.access, candidates)
    }

    fn by_parent(&self, writer: &Writer<'_>) -> &HashMap<Id, Vec<u64>> {
        self.by_parent.get_or_init(|| {
            let mut reader = Reader::new(writer.estate, writer.access);
            let mut by_parent: HashMap<Id, Vec<u64>> = HashMap::new();
            let object = self.plan.object;
            let estate = writer.estate;
            for at in estate.range(object, true).filter(|at| estate.shows(object, *at, true)) {
                let row = reader.row(self.plan.object, at);
                if let Value::Id(id) = reader.value(self.plan.object, &row, self.field) {
                    by_parent.entry(id).or_default().push(at);
                }
            }
            by_parent
        })
    }
}

/// Whether queries show an address instead of the value.
fn is_file(leaf: &Leaf) -> bool {
    matches!(leaf, Leaf::Field(object, field)
        if Schema::get().objects[*object].fields[*field].field_type == "base64")
}

fn write_label(label: &str, out: &mut String) {
    write_text(label, out);
    out.push(':');
}
