//! What a dataset is: its source, its fields, and how it is read.

use connector_api::manifest::{DatasetSpec, FieldSpec, FieldType, PermissionSpec};

use crate::dataset::permission::Permission;

/// Where the result of some objects ends without a word.
pub(crate) const ROW_CAP: RowCap = RowCap { rows: 2_500, owner: "UserId", owner_object: "User" };
/// The key of records that have none: made of who, what and when.
pub(crate) const MADE_KEY: &str = "Key";
/// The wanted custom fields of a user, as one JSON object.
pub(crate) const CUSTOM_FIELDS: &str = "CustomFields";

/// Where a dataset is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An sObject, by query.
    Object(&'static str),
    /// An object of the Tooling API, by its query.
    Tooling(&'static str),
    /// The `limits` resource.
    Limits,
}

/// How its records are ordered and resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paging {
    /// By `Id`.
    Id,
    /// By a stamp field, then `Id`.
    Stamp(&'static str),
    /// As they come: small sets, and objects without a usable key.
    None,
}

/// How it can be told what changed since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// It cannot: read whole each time.
    Unknown,
    /// A changed record has one of these stamps moved.
    Stamps {
        fields: &'static [&'static str],
        /// The field that says whether a changed record is a new one.
        created: Option<&'static str>,
        /// Whether records vanish: told from the org's count.
        deletable: bool,
    },
    /// Records are only added, and go when Salesforce's retention ends.
    Log(&'static str),
}

impl Changes {
    pub(super) const fn stamped(
        fields: &'static [&'static str],
        created: Option<&'static str>,
    ) -> Changes {
        Changes::Stamps { fields, created, deletable: true }
    }

    pub(super) const fn log_of(field: &'static str) -> Changes {
        Changes::Log(field)
    }
}

/// Whether Bulk API 2.0 serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bulk {
    /// Seen to.
    Yes,
    /// Not known: tried only where it would save most.
    Perhaps,
    /// Not worth it, or not served.
    No,
}

/// The longest result of an object, and how to read it in shares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowCap {
    /// Records after which a result ends.
    pub(crate) rows: u64,
    /// The field that says whose a record is.
    pub(crate) owner: &'static str,
    /// The object of the owners.
    pub(crate) owner_object: &'static str,
}

/// Whether the org counts the records of a dataset by a question of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Countable {
    /// It does: a dataset that cannot be counted is not complete.
    Yes,
    /// Not documented: an org may refuse.
    Perhaps,
    /// It does not, or its counts are known to be wrong.
    No,
}

/// One dataset.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) source: Source,
    pub(crate) key: &'static str,
    pub(crate) fields: &'static [FieldDef],
    pub(crate) paging: Paging,
    pub(crate) changes: Changes,
    pub(crate) bulk: Bulk,
    /// A condition that belongs to the dataset's meaning.
    pub(crate) condition: Option<&'static str>,
    /// Any one of these opens it.
    pub(crate) permissions: &'static [Permission],
    /// With fewer rights Salesforce shows the asking user's own records instead of refusing; the
    /// field that says whose a record is.
    pub(crate) own_rows: Option<&'static str>,
    /// Where a result ends without a word; more is read by owner.
    pub(crate) row_cap: Option<RowCap>,
    /// Whether the setting `login_history_days` limits how far back it is read.
    pub(crate) bounded_by_days: bool,
    /// Whether the setting `custom_user_fields` adds fields.
    pub(crate) custom_fields: bool,
    /// Whether the org counts its records.
    pub(crate) countable: Countable,
    /// Whether records describe people.
    pub(crate) personal: bool,
    /// Whether it is read unless the settings say otherwise.
    pub(crate) by_default: bool,
}

/// One wanted field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldDef {
    pub(crate) name: &'static str,
    pub(crate) kind: FieldType,
    /// Only some orgs, editions or API versions have it: its absence is no loss.
    pub(crate) optional: bool,
    /// Says who a person is, or where: replaced by a keyed hash where the settings ask for it.
    pub(crate) personal: bool,
    /// Made by the connector, never asked for.
    pub(crate) computed: bool,
    /// Whose value it is, where a dataset of its own has it too.
    pub(crate) copied: Option<Copied>,
}

/// A value that belongs to a parent record: it changes without moving the child's stamps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copied {
    /// The parent's dataset, which comes before the child's.
    pub(crate) dataset: &'static str,
    /// The child's field with the parent's key.
    pub(crate) by: &'static str,
    /// The parent's field.
    pub(crate) field: &'static str,
}

pub(super) const fn field(name: &'static str, kind: FieldType) -> FieldDef {
    FieldDef { name, kind, optional: false, personal: false, computed: false, copied: None }
}

pub(super) const fn text(name: &'static str) -> FieldDef {
    field(name, FieldType::Text)
}

pub(super) const fn boolean(name: &'static str) -> FieldDef {
    field(name, FieldType::Boolean)
}

pub(super) const fn integer(name: &'static str) -> FieldDef {
    field(name, FieldType::Integer)
}

pub(super) const fn double(name: &'static str) -> FieldDef {
    field(name, FieldType::Double)
}

pub(super) const fn timestamp(name: &'static str) -> FieldDef {
    field(name, FieldType::Timestamp)
}

pub(super) const fn date(name: &'static str) -> FieldDef {
    field(name, FieldType::Date)
}

pub(super) const fn optional(field: FieldDef) -> FieldDef {
    FieldDef { optional: true, ..field }
}

pub(super) const fn personal(field: FieldDef) -> FieldDef {
    FieldDef { personal: true, ..field }
}

pub(super) const fn copied(
    field: FieldDef,
    dataset: &'static str,
    by: &'static str,
    of: &'static str,
) -> FieldDef {
    FieldDef { copied: Some(Copied { dataset, by, field: of }), ..field }
}

pub(super) const fn computed(field: FieldDef) -> FieldDef {
    FieldDef { computed: true, optional: true, ..field }
}

/// An sObject with defaults: keyed and paged by `Id`, read whole by REST.
pub(super) const fn object(
    name: &'static str,
    title: &'static str,
    sobject: &'static str,
    permissions: &'static [Permission],
    fields: &'static [FieldDef],
) -> Dataset {
    Dataset {
        name,
        title,
        source: Source::Object(sobject),
        key: "Id",
        fields,
        paging: Paging::Id,
        changes: Changes::Unknown,
        bulk: Bulk::No,
        condition: None,
        permissions,
        own_rows: None,
        row_cap: None,
        bounded_by_days: false,
        custom_fields: false,
        countable: Countable::Yes,
        personal: false,
        by_default: true,
    }
}

impl Dataset {
    /// The object, if it is read by query.
    pub(crate) fn sobject(&self) -> Option<&'static str> {
        match self.source {
            Source::Object(name) | Source::Tooling(name) => Some(name),
            Source::Limits => None,
        }
    }

    /// The dataset as the contract describes it.
    pub(crate) fn spec(&self) -> DatasetSpec {
        DatasetSpec {
            name: self.name.into(),
            title: self.title.into(),
            source: self.sobject().unwrap_or("limits").into(),
            key: vec![self.key.into()],
            fields: self
                .fields
                .iter()
                .map(|field| FieldSpec { name: field.name.into(), kind: field.kind })
                .collect(),
            permissions: self
                .permissions
                .iter()
                .map(|permission| PermissionSpec {
                    name: permission.name.into(),
                    label: permission.label.into(),
                })
                .collect(),
            personal: self.personal,
            optional: !self.by_default,
        }
    }
}
