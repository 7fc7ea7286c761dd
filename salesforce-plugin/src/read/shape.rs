//! From the columns an org shows to those a dataset hands over.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{Field, Schema};
use connector_api::manifest::FieldType;

use crate::dataset::{CUSTOM_FIELDS, Dataset, FieldDef, MADE_KEY};
use crate::read::page::{Columns, data_type};
use crate::read::pseudonym::Pseudonyms;

/// The columns of one dataset in one run. They stay the same from its first batch on: a field that
/// vanishes later is null from there.
#[derive(Debug)]
pub(crate) struct Shape<'a> {
    /// What is asked for and parsed.
    columns: Columns,
    fields: Vec<&'static FieldDef>,
    custom: Vec<String>,
    schema: Arc<Schema>,
    pseudonyms: Option<&'a Pseudonyms>,
    /// How often each made key was met.
    made: HashMap<String, u32>,
}

impl<'a> Shape<'a> {
    /// The shape for those fields that an org shows, in the dataset's order.
    pub(crate) fn new(
        dataset: &'static Dataset,
        shown: &[&'static FieldDef],
        custom: &[String],
        pseudonyms: Option<&'a Pseudonyms>,
    ) -> Shape<'a> {
        let fields: Vec<&'static FieldDef> = dataset
            .fields
            .iter()
            .filter(|field| {
                let made = field.computed && (field.name == MADE_KEY || !custom.is_empty());
                made || shown.iter().any(|shown| shown.name == field.name)
            })
            .collect();
        let asked = fields
            .iter()
            .filter(|field| !field.computed)
            .map(|field| (field.name.to_owned(), field.kind))
            .chain(custom.iter().map(|name| (name.clone(), FieldType::Text)))
            .collect();
        let schema = Schema::new(
            fields
                .iter()
                .map(|field| Field::new(field.name, data_type(field.kind), true))
                .collect::<Vec<_>>(),
        );
        Shape {
            columns: Columns::new(asked),
            fields,
            custom: custom.to_vec(),
            schema: Arc::new(schema),
            pseudonyms,
            made: HashMap::new(),
        }
    }

    /// What is asked for.
    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Keys are made anew: what follows are records of other people.
    pub(crate) fn forget_keys(&mut self) {
        self.made.clear();
    }

    /// A batch as it is handed over.
    ///
    /// # Errors
    /// When the batch does not have the columns that were asked for.
    pub(crate) fn finish(&mut self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let column = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| format!("the column `{name}` is missing"))
        };
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            arrays.push(match (field.name, self.pseudonyms) {
                (MADE_KEY, _) if field.computed => made_keys(&mut self.made, batch)?,
                (CUSTOM_FIELDS, pseudonyms) if field.computed => {
                    let columns: Vec<(&str, &ArrayRef)> = self
                        .custom
                        .iter()
                        .map(|name| Ok((name.as_str(), column(name)?)))
                        .collect::<Result<_, String>>()?;
                    custom_fields(&columns, pseudonyms, batch.num_rows())
                }
                (name, Some(pseudonyms)) if field.personal => pseudonyms.column(column(name)?),
                (name, _) => Arc::clone(column(name)?),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| error.to_string())
    }
}

/// Who, what and when; records that agree in all of it are numbered.
fn made_keys(made: &mut HashMap<String, u32>, batch: &RecordBatch) -> Result<ArrayRef, String> {
    let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let users = text("UserId").ok_or("the column `UserId` is missing")?;
    let (menu_items, apps) = (text("AppMenuItemId"), text("AppName"));
    let created = batch
        .column_by_name("CreatedDate")
        .and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
    let keys: StringArray = (0..batch.num_rows())
        .map(|row| {
            let at = |column: Option<&StringArray>| {
                column.filter(|c| c.is_valid(row)).map_or("", |c| c.value(row)).to_owned()
            };
            let created = created.filter(|c| c.is_valid(row)).map_or(0, |c| c.value(row));
            let key = format!("{}/{}/{}/{created}", at(Some(users)), at(menu_items), at(apps));
            let times = made.entry(key.clone()).or_insert(0);
            *times += 1;
            Some(if *times == 1 { key } else { format!("{key}#{times}") })
        })
        .collect();
    Ok(Arc::new(keys))
}

/// One JSON object for each record, of the fields that are not null.
fn custom_fields(
    columns: &[(&str, &ArrayRef)],
    pseudonyms: Option<&Pseudonyms>,
    rows: usize,
) -> ArrayRef {
    let objects: StringArray = (0..rows)
        .map(|row| {
            let object: serde_json::Map<String, serde_json::Value> = columns
                .iter()
                .filter_map(|(name, column)| {
                    let column = column.as_string_opt::<i32>()?;
                    let value = column.is_valid(row).then(|| column.value(row))?;
                    let value = pseudonyms.map_or_else(|| value.to_owned(), |p| p.of(value));
                    Some(((*name).to_owned(), value.into()))
                })
                .collect();
            (!object.is_empty()).then(|| serde_json::Value::Object(object).to_string())
        })
        .collect();
    Arc::new(objects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::page::Page;

    fn shape<'a>(name: &str, asked: &[&str], custom: &[String]) -> Shape<'a> {
        let dataset = Dataset::named(name).unwrap();
        let shown: Vec<&'static FieldDef> =
            dataset.fields.iter().filter(|field| asked.contains(&field.name)).collect();
        Shape::new(dataset, &shown, custom, None)
    }

    fn rows(shape: &mut Shape<'_>, records: &str) -> RecordBatch {
        let body = format!(r#"{{"done":true,"records":[{records}]}}"#);
        let page = Page::parse(body.as_bytes(), shape.columns()).unwrap();
        shape.finish(&page.batch).unwrap()
    }

    #[test]
    fn tokens_without_an_id_get_keys_of_their_own() {
        let mut shape = shape("oauth_token", &["UserId", "AppName", "CreatedDate"], &[]);
        let record =
            r#"{"UserId":"005A","AppName":"x","CreatedDate":"1970-01-01T00:00:00.001+0000"}"#;
        let batch = rows(&mut shape, &format!("{record},{record}"));
        let keys = batch.column_by_name(MADE_KEY).unwrap().as_string::<i32>();
        assert_eq!(keys.value(0), "005A//x/1");
        assert_eq!(keys.value(1), "005A//x/1#2");
    }

    #[test]
    fn custom_fields_of_any_type_become_one_column() {
        let custom = vec!["Cost__c".to_owned(), "Head__c".to_owned()];
        let mut shape = shape("user", &["Id"], &custom);
        let batch = rows(
            &mut shape,
            r#"{"Id":"1","Cost__c":17,"Head__c":true},{"Id":"2","Cost__c":null,"Head__c":null}"#,
        );
        let column = batch.column_by_name(CUSTOM_FIELDS).unwrap().as_string::<i32>();
        assert_eq!(column.value(0), r#"{"Cost__c":"17","Head__c":"true"}"#);
        assert!(column.is_null(1));
    }
}
