//! The settings of the collection: what to read, how to treat personal data, how much of the org's
//! allowance to use.

use std::collections::{BTreeMap, BTreeSet};

use connector_api::manifest::SettingSpec;

use crate::dataset::{CATALOGUE, Dataset};

/// What is read, and at what price. Made only by [`Selection::parse`].
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// Datasets that the settings switch on or off.
    pub(crate) chosen: BTreeMap<&'static str, bool>,
    /// Fields that are left out, by dataset.
    pub(crate) left_out: BTreeSet<(&'static str, &'static str)>,
    /// Custom fields of `User`.
    pub(crate) custom_user_fields: Vec<String>,
    /// Personal fields are replaced by a keyed hash.
    pub(crate) pseudonymize: bool,
    /// Records from which on Bulk API 2.0 is used; none: never.
    pub(crate) bulk_rows: Option<u64>,
    /// Never use the org's daily requests beyond this share, in percent.
    pub(crate) org_percent: u32,
    /// Never use more than this share of them in one run, in percent.
    pub(crate) run_percent: u32,
}

const BULK_ROWS: u64 = 50_000;
const ORG_PERCENT: u32 = 80;
const RUN_PERCENT: u32 = 25;

impl Default for Selection {
    fn default() -> Selection {
        Selection {
            chosen: BTreeMap::new(),
            left_out: BTreeSet::new(),
            custom_user_fields: Vec::new(),
            pseudonymize: false,
            bulk_rows: Some(BULK_ROWS),
            org_percent: ORG_PERCENT,
            run_percent: RUN_PERCENT,
        }
    }
}

/// The settings as an administrator sees them.
pub(crate) fn specs() -> Vec<SettingSpec> {
    let optional: Vec<&str> = CATALOGUE
        .iter()
        .filter(|dataset| !dataset.by_default)
        .map(|dataset| dataset.name)
        .collect();
    let setting = |name: &str, title: &str, help: &str, default: &str, example: &str| SettingSpec {
        name: name.into(),
        title: title.into(),
        help: help.into(),
        default: Some(default.into()).filter(|text: &String| !text.is_empty()),
        example: Some(example.into()),
        ..SettingSpec::default()
    };
    vec![
        setting(
            "datasets",
            "Datasets",
            &format!(
                "Datasets to read beside the usual ones, and with `-` before the name those to leave out, separated by commas. Not read unless named here: {}",
                optional.join(", ")
            ),
            "",
            "setup_audit_trail, -user_role",
        ),
        setting(
            "fields",
            "Fields to leave out",
            "Fields that are never asked for, as DATASET.FIELD, separated by commas",
            "",
            "user.Email, user.FederationIdentifier",
        ),
        setting(
            "custom_user_fields",
            "Custom fields of users",
            "API names of custom fields of `User` to read too, separated by commas; they are stored together as `CustomFields`",
            "",
            "Cost_Center__c",
        ),
        setting(
            "pseudonymize",
            "Pseudonyms",
            "`true` replaces names, user names, e-mail addresses and the like by a keyed hash before anything leaves the connector; records of one person can still be joined",
            "false",
            "true",
        ),
        setting(
            "bulk_rows",
            "Bulk API from",
            "Read datasets with at least so many records by Bulk API 2.0, which needs fewer requests and shows as a job in Setup; 0 never does",
            "50000",
            "20000",
        ),
        setting(
            "api_share_org_percent",
            "Share of the org's API requests",
            "Pause when the org as a whole has used so many percent of its daily API requests",
            "80",
            "60",
        ),
        setting(
            "api_share_run_percent",
            "Share of one run",
            "Pause when one run has used so many percent of the org's daily API requests",
            "25",
            "10",
        ),
    ]
}

/// One thing wrong: setting, message, hint.
pub(crate) type Wrong = (&'static str, String, String);

impl Selection {
    /// Judges the collection's settings, all at once.
    pub(crate) fn parse<'a>(value: impl Fn(&str) -> Option<&'a str>) -> (Selection, Vec<Wrong>) {
        let mut selection = Selection::default();
        let mut wrong = Vec::new();
        for word in words(value("datasets")) {
            let (name, on) = match word.strip_prefix('-') {
                Some(name) => (name.trim(), false),
                None => (word.strip_prefix('+').unwrap_or(word).trim(), true),
            };
            match Dataset::named(name) {
                Some(dataset) => {
                    selection.chosen.insert(dataset.name, on);
                }
                None => wrong.push((
                    "datasets",
                    format!("there is no dataset `{name}`"),
                    format!("choose from {}", names().join(", ")),
                )),
            }
        }
        for word in words(value("fields")) {
            let word = word.strip_prefix('-').unwrap_or(word).trim();
            match left_out(word) {
                Ok(field) => {
                    selection.left_out.insert(field);
                }
                Err(message) => wrong.push((
                    "fields",
                    message,
                    "write it like user.Email; keys and the fields that records are ordered by must stay".into(),
                )),
            }
        }
        for word in words(value("custom_user_fields")) {
            if is_custom_field(word) {
                selection.custom_user_fields.push(word.to_owned());
            } else {
                wrong.push((
                    "custom_user_fields",
                    format!("`{word}` is not the API name of a custom field"),
                    "write it like Cost_Center__c".into(),
                ));
            }
        }
        match value("pseudonymize").map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "no" | "off" | "0") => {}
            Some("true" | "yes" | "on" | "1") => selection.pseudonymize = true,
            Some(other) => wrong.push((
                "pseudonymize",
                format!("`{other}` is neither true nor false"),
                "write true or false".into(),
            )),
        }
        match value("bulk_rows").map(str::parse::<u64>) {
            None => {}
            Some(Ok(0)) => selection.bulk_rows = None,
            Some(Ok(rows)) => selection.bulk_rows = Some(rows),
            Some(Err(_)) => wrong.push((
                "bulk_rows",
                "the number of records is not a whole number".into(),
                "write a whole number; 0 for never".into(),
            )),
        }
        for (name, place) in [
            ("api_share_org_percent", &mut selection.org_percent),
            ("api_share_run_percent", &mut selection.run_percent),
        ] {
            match value(name).map(|text| text.trim_end_matches('%').trim().parse::<u32>()) {
                None => {}
                Some(Ok(percent @ 1..=100)) => *place = percent,
                Some(_) => wrong.push((
                    name,
                    "the share is not a number of percent".into(),
                    "write a whole number from 1 to 100".into(),
                )),
            }
        }
        (selection, wrong)
    }

    /// Whether a dataset is read when nobody asks for it by name.
    pub(crate) fn reads(&self, dataset: &Dataset) -> bool {
        self.chosen.get(dataset.name).copied().unwrap_or(dataset.by_default)
    }

    /// Whether the settings rule a dataset out.
    pub(crate) fn rules_out(&self, dataset: &Dataset) -> bool {
        self.chosen.get(dataset.name) == Some(&false)
    }

    /// Whether a field is left out on purpose.
    pub(crate) fn leaves_out(&self, dataset: &Dataset, field: &str) -> bool {
        self.left_out.iter().any(|(name, left)| *name == dataset.name && *left == field)
    }
}

fn words(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split([',', ';', '\n']).map(str::trim).filter(|word| !word.is_empty())
}

fn names() -> Vec<&'static str> {
    CATALOGUE.iter().map(|dataset| dataset.name).collect()
}

fn left_out(word: &str) -> Result<(&'static str, &'static str), String> {
    use crate::dataset::{Changes, Paging};

    let (name, field) =
        word.split_once('.').ok_or_else(|| format!("`{word}` names no dataset and field"))?;
    let dataset = Dataset::named(name).ok_or_else(|| format!("there is no dataset `{name}`"))?;
    let field = dataset
        .fields
        .iter()
        .find(|known| known.name == field)
        .ok_or_else(|| format!("the dataset `{name}` has no field `{field}`"))?;
    let ordering = matches!(dataset.paging, Paging::Stamp(stamp) if stamp == field.name)
        || match dataset.changes {
            Changes::Unknown => false,
            Changes::Stamps { fields, created, .. } => {
                fields.contains(&field.name) || created == Some(field.name)
            }
            Changes::Log(stamp) => stamp == field.name,
        };
    if field.name == dataset.key || ordering || dataset.own_rows == Some(field.name) {
        return Err(format!("`{word}` cannot be left out: records are told apart by it"));
    }
    Ok((dataset.name, field.name))
}

/// `Name__c`, with or without a namespace before it.
fn is_custom_field(name: &str) -> bool {
    name.len() <= 80
        && name.ends_with("__c")
        && name.len() > 3
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[(&str, &str)]) -> (Selection, Vec<Wrong>) {
        Selection::parse(|name| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
        })
    }

    fn reads(selection: &Selection, name: &str) -> bool {
        selection.reads(Dataset::named(name).unwrap())
    }

    #[test]
    fn datasets_are_switched_on_and_off_by_name() {
        let (selection, wrong) = parse(&[("datasets", "setup_audit_trail, -user_role")]);
        assert!(wrong.is_empty());
        assert!(reads(&selection, "setup_audit_trail") && reads(&selection, "user"));
        assert!(!reads(&selection, "user_role") && !reads(&selection, "oauth_token"));
        assert!(selection.rules_out(Dataset::named("user_role").unwrap()));
        assert!(!selection.rules_out(Dataset::named("oauth_token").unwrap()));
    }

    #[test]
    fn a_field_can_be_left_out_unless_records_are_told_apart_by_it() {
        let (selection, wrong) = parse(&[("fields", "user.Email, -user.Alias")]);
        assert!(wrong.is_empty());
        let user = Dataset::named("user").unwrap();
        assert!(selection.leaves_out(user, "Email") && selection.leaves_out(user, "Alias"));
        assert!(!selection.leaves_out(user, "Name"));
        for bad in
            ["user.Id", "user.SystemModstamp", "login_history.UserId", "user.Nope", "x.Id", "Email"]
        {
            assert_eq!(parse(&[("fields", bad)]).1.len(), 1, "{bad}");
        }
    }

    #[test]
    fn every_wrong_setting_is_told_at_once() {
        let (_, wrong) = parse(&[
            ("datasets", "users"),
            ("custom_user_fields", "Cost_Center__c, Name, a.b__c"),
            ("pseudonymize", "perhaps"),
            ("bulk_rows", "many"),
            ("api_share_org_percent", "0"),
            ("api_share_run_percent", "120"),
        ]);
        let names: Vec<&str> = wrong.iter().map(|(name, _, _)| *name).collect();
        assert_eq!(
            names,
            [
                "datasets",
                "custom_user_fields",
                "custom_user_fields",
                "pseudonymize",
                "bulk_rows",
                "api_share_org_percent",
                "api_share_run_percent"
            ]
        );
    }

    #[test]
    fn the_shares_of_the_allowance_have_careful_defaults() {
        let (selection, _) = parse(&[]);
        assert_eq!((selection.org_percent, selection.run_percent), (80, 25));
        assert_eq!(parse(&[("bulk_rows", "0")]).0.bulk_rows, None);
        assert_eq!(parse(&[("api_share_org_percent", "60 %")]).0.org_percent, 60);
    }
}
