//! What a connector says about itself: settings, grants, datasets.

use serde::{Deserialize, Serialize};

use crate::position::PositionModel;

/// The answer to `describe`. The command line's forms, checks and tables come from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The feature's id on the endpoint server: lower case letters, digits, `_`; e.g. `salesforce`.
    pub id: String,
    /// The feature's title as an administrator reads it.
    pub title: String,
    /// The connector's own version, e.g. `1.0.0`.
    pub version: String,
    /// One or two sentences for the feature list.
    #[serde(default)]
    pub description: String,
    /// Settings in the order a form shows them.
    #[serde(default)]
    pub settings: Vec<SettingSpec>,
    /// Ways to authorize, the default first.
    #[serde(default)]
    pub grants: Vec<GrantSpec>,
    /// Datasets in the order they are read.
    #[serde(default)]
    pub datasets: Vec<DatasetSpec>,
    /// What the datasets mean for the licence position.
    #[serde(default)]
    pub position: PositionModel,
}

impl Manifest {
    /// A manifest with nothing but a name.
    pub fn new(id: &str, title: &str, version: &str) -> Manifest {
        Manifest {
            id: id.into(),
            title: title.into(),
            version: version.into(),
            description: String::new(),
            settings: Vec::new(),
            grants: Vec::new(),
            datasets: Vec::new(),
            position: PositionModel::default(),
        }
    }

    /// The setting of that name.
    pub fn setting(&self, name: &str) -> Option<&SettingSpec> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    /// The dataset of that name.
    pub fn dataset(&self, name: &str) -> Option<&DatasetSpec> {
        self.datasets.iter().find(|dataset| dataset.name == name)
    }
}

/// One setting of a connector.
///
/// Three names are the host's to fill when the administrator leaves them empty: `proxy` (URL of an
/// HTTP proxy, may hold credentials), `no_proxy` (comma-separated hosts reached directly) and
/// `ca_file` (PEM certificates trusted beside the system's).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SettingSpec {
    /// The name in `--set NAME=VALUE` and in [`ConfigureRequest`](crate::message::ConfigureRequest).
    pub name: String,
    /// The label in a form.
    pub title: String,
    /// What to enter and where to find it.
    pub help: String,
    /// Whether a connector can be saved without it.
    #[serde(default)]
    pub required: bool,
    /// Secret values never travel in the settings: the connector asks the host for them by name.
    #[serde(default)]
    pub secret: bool,
    /// The value when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// A value that would be accepted, to show in help and errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Whether a grant holds for one value only, as for a login host: the host asks for another
    /// authorization when it changes. `domain` and `client_id` bind a grant in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binds_grant: bool,
}

/// One way to authorize.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GrantSpec {
    /// The grant's id, e.g. `authorization_code`.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// When to choose it and what it needs at the vendor.
    pub help: String,
}

/// One kind of record a connector can read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DatasetSpec {
    /// The dataset's one name everywhere: snake_case, e.g. `user_license`.
    pub name: String,
    /// Its title for people.
    pub title: String,
    /// The vendor's own name of the object or resource it is read from.
    pub source: String,
    /// The columns that identify a record; never null.
    pub key: Vec<String>,
    /// Every column this dataset can have. One that the account may not see is missing in a batch.
    pub fields: Vec<FieldSpec>,
    /// What the connecting account needs at the vendor to read all records.
    #[serde(default)]
    pub permissions: Vec<PermissionSpec>,
    /// Whether records describe people.
    #[serde(default)]
    pub personal: bool,
    /// Whether it is read only where the connector's settings, or a request, ask for it by name.
    #[serde(default)]
    pub optional: bool,
    /// Whether its records come and go by themselves, as sessions do: a loss of them means nothing.
    #[serde(default)]
    pub volatile: bool,
}

/// One column of a dataset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldSpec {
    /// The API's own field name; over a relationship the dotted path, e.g. `Profile.UserLicenseId`.
    pub name: String,
    /// The column's type.
    #[serde(rename = "type")]
    pub kind: FieldType,
}

/// The types a column can have, with their Arrow types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// `Utf8`.
    Text,
    /// `Boolean`.
    Boolean,
    /// `Int64`.
    Integer,
    /// `Float64`.
    Double,
    /// `Timestamp(Millisecond, "+00:00")`: an instant, in UTC.
    Timestamp,
    /// `Date32`: a day without a time zone.
    Date,
}

/// One permission at the vendor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PermissionSpec {
    /// The vendor's API name.
    pub name: String,
    /// The label as the vendor's administration pages show it.
    pub label: String,
}
