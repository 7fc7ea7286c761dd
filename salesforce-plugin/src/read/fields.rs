//! The fields that are asked for: those wanted that the org shows.

use std::collections::HashSet;

use connector_api::message::DatasetStatus;

use crate::client::api_error::ApiError;
use crate::dataset::{FieldDef, Source};
use crate::read::context::{Stop, hidden, summary};
use crate::read::plan::Plan;
use crate::read::shape::Shape;

/// The fields of one reading.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    /// Asked for; one that vanished is not.
    pub(crate) asked: Vec<String>,
    /// Wanted and not shown.
    pub(crate) missing: Vec<String>,
    /// The columns. They stay the same from the first record on.
    pub(crate) shape: Shape<'a>,
}

impl<'a> Fields<'a> {
    /// Takes the wanted fields that the org describes; a missing one is named.
    ///
    /// # Errors
    /// What ends the run; the status of a dataset that is hidden, or whose key is.
    pub(crate) fn described(plan: &Plan<'a>) -> Result<Fields<'a>, Stop> {
        let catalogue = plan.context.catalogue;
        let check = |error: ApiError| {
            Stop::of(error, |reason| summary(plan.dataset, DatasetStatus::Failed, reason))
        };
        // Tooling objects are not described: what is not there is refused by name.
        let described = !matches!(plan.dataset.source, Source::Tooling(_));
        if described && catalogue.describe(plan.object).map_err(check)?.is_none() {
            let said = catalogue.refusal(plan.object);
            return Err(Stop::dataset(hidden(plan.dataset, plan.context.access, said.as_ref())));
        }
        let mut shown: Vec<String> = Vec::new();
        let mut missing: Vec<String> = Vec::new();
        for field in plan.not_left_out().filter(|field| !field.computed) {
            if !described || catalogue.shows(plan.object, field.name).map_err(check)? {
                shown.push(field.name.into());
            } else if !field.optional {
                missing.push(field.name.into());
            }
        }
        for custom in plan.custom_fields() {
            let list = match catalogue.shows(plan.object, custom).map_err(check)? {
                true => &mut shown,
                false => &mut missing,
            };
            list.push(custom.clone());
        }
        missing.extend(plan.hidden_in_condition());
        let key_is_made =
            plan.dataset.fields.iter().any(|f| f.name == plan.dataset.key && f.computed);
        if !key_is_made && !shown.iter().any(|field| field == plan.dataset.key) {
            let reason = format!("the field `{}` is not visible", plan.dataset.key);
            let mut failed = summary(plan.dataset, DatasetStatus::Failed, reason);
            failed.missing_fields = missing;
            return Err(Stop::dataset(failed));
        }
        Ok(Fields { shape: shape(plan, &shown), asked: shown, missing })
    }

    /// Takes the fields that were shown at the last reading.
    pub(crate) fn known(plan: &Plan<'a>, shown: &[String]) -> Fields<'a> {
        Fields { shape: shape(plan, shown), asked: shown.to_vec(), missing: missing(plan, shown) }
    }

    /// Takes other fields. Once records were handed over, their columns stay.
    pub(crate) fn replace(&mut self, mut fields: Fields<'a>, keep_columns: bool) {
        if keep_columns {
            let known: HashSet<&str> = self.shape.columns().names().collect();
            fields.asked.retain(|field| known.contains(field.as_str()));
            (self.asked, self.missing) = (fields.asked, fields.missing);
        } else {
            *self = fields;
        }
    }

    /// Leaves out a field that is not shown any more.
    pub(crate) fn leave_out(&mut self, plan: &Plan<'_>, at: usize) {
        let name = self.asked.remove(at);
        let field = plan.dataset.fields.iter().find(|field| field.name == name);
        if field.is_none_or(|field| !field.optional) && !self.missing.contains(&name) {
            self.missing.push(name);
        }
    }
}

fn shape<'a>(plan: &Plan<'a>, fields: &[String]) -> Shape<'a> {
    let shown: Vec<&'static FieldDef> = plan
        .dataset
        .fields
        .iter()
        .filter(|known| fields.iter().any(|field| field == known.name))
        .collect();
    let custom: Vec<String> = fields
        .iter()
        .filter(|field| !shown.iter().any(|known| known.name == field.as_str()))
        .cloned()
        .collect();
    Shape::new(plan.dataset, &shown, &custom, plan.context.pseudonyms)
}

/// What is wanted and not among the shown fields.
fn missing(plan: &Plan<'_>, shown: &[String]) -> Vec<String> {
    plan.not_left_out()
        .filter(|field| !field.computed && !field.optional)
        .map(|field| field.name)
        .chain(plan.custom_fields().iter().map(String::as_str))
        .filter(|field| !shown.iter().any(|shown| shown == field))
        .map(str::to_owned)
        .chain(plan.hidden_in_condition())
        .collect()
}
