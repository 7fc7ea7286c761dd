//! What objects exist and which fields they have: read once from the describes in `data/describe`.

pub(crate) mod describe;
mod since;

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;

/// Name and describe of every object the estate holds, in the order the global describe lists them.
const DESCRIBES: &[(&str, &str)] = &[
    ("Account", include_str!("../../data/describe/Account.json")),
    (
        "ActiveFeatureLicenseMetric",
        include_str!("../../data/describe/ActiveFeatureLicenseMetric.json"),
    ),
    (
        "ActivePermSetLicenseMetric",
        include_str!("../../data/describe/ActivePermSetLicenseMetric.json"),
    ),
    ("ActiveProfileMetric", include_str!("../../data/describe/ActiveProfileMetric.json")),
    ("AppMenuItem", include_str!("../../data/describe/AppMenuItem.json")),
    ("AuthSession", include_str!("../../data/describe/AuthSession.json")),
    ("ConnectedApplication", include_str!("../../data/describe/ConnectedApplication.json")),
    ("EventLogFile", include_str!("../../data/describe/EventLogFile.json")),
    (
        "ExternalClientApplication",
        include_str!("../../data/describe/ExternalClientApplication.json"),
    ),
    ("Group", include_str!("../../data/describe/Group.json")),
    ("GroupMember", include_str!("../../data/describe/GroupMember.json")),
    (
        "LightningUsageByAppTypeMetrics",
        include_str!("../../data/describe/LightningUsageByAppTypeMetrics.json"),
    ),
    ("LoginGeo", include_str!("../../data/describe/LoginGeo.json")),
    ("LoginHistory", include_str!("../../data/describe/LoginHistory.json")),
    ("Network", include_str!("../../data/describe/Network.json")),
    ("NetworkMember", include_str!("../../data/describe/NetworkMember.json")),
    ("OauthToken", include_str!("../../data/describe/OauthToken.json")),
    ("ObjectPermissions", include_str!("../../data/describe/ObjectPermissions.json")),
    ("Organization", include_str!("../../data/describe/Organization.json")),
    ("PackageLicense", include_str!("../../data/describe/PackageLicense.json")),
    ("PermissionSet", include_str!("../../data/describe/PermissionSet.json")),
    ("PermissionSetAssignment", include_str!("../../data/describe/PermissionSetAssignment.json")),
    ("PermissionSetGroup", include_str!("../../data/describe/PermissionSetGroup.json")),
    (
        "PermissionSetGroupComponent",
        include_str!("../../data/describe/PermissionSetGroupComponent.json"),
    ),
    ("PermissionSetLicense", include_str!("../../data/describe/PermissionSetLicense.json")),
    (
        "PermissionSetLicenseAssign",
        include_str!("../../data/describe/PermissionSetLicenseAssign.json"),
    ),
    ("Profile", include_str!("../../data/describe/Profile.json")),
    ("SetupAuditTrail", include_str!("../../data/describe/SetupAuditTrail.json")),
    ("SetupEntityAccess", include_str!("../../data/describe/SetupEntityAccess.json")),
    ("TenantUsageEntitlement", include_str!("../../data/describe/TenantUsageEntitlement.json")),
    ("TwoFactorMethodsInfo", include_str!("../../data/describe/TwoFactorMethodsInfo.json")),
    ("User", include_str!("../../data/describe/User.json")),
    ("UserAppMenuItem", include_str!("../../data/describe/UserAppMenuItem.json")),
    ("UserLicense", include_str!("../../data/describe/UserLicense.json")),
    ("UserLogin", include_str!("../../data/describe/UserLogin.json")),
    ("UserPackageLicense", include_str!("../../data/describe/UserPackageLicense.json")),
    ("UserPermissionAccess", include_str!("../../data/describe/UserPermissionAccess.json")),
    ("UserRole", include_str!("../../data/describe/UserRole.json")),
    ("VerificationHistory", include_str!("../../data/describe/VerificationHistory.json")),
];

/// Position of an object in the schema.
pub(crate) type ObjectIndex = usize;
/// Position of a field in its object.
pub(crate) type FieldIndex = usize;

/// All objects.
#[derive(Debug)]
pub(crate) struct Schema {
    /// In the order of the global describe.
    pub(crate) objects: Vec<Object>,
    by_name: HashMap<String, ObjectIndex>,
    by_prefix: HashMap<[u8; 3], ObjectIndex>,
}

/// One object, as far as queries need it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    pub(crate) name: String,
    label: String,
    pub(crate) key_prefix: String,
    pub(crate) retrieveable: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) child_relationships: Vec<ChildRelationship>,
    /// The describe itself.
    #[serde(skip)]
    pub(crate) json: &'static str,
    /// The describe without its fields, once somebody asked for it.
    #[serde(skip)]
    summary: OnceLock<serde_json::Map<String, serde_json::Value>>,
    #[serde(skip)]
    by_name: HashMap<String, FieldIndex>,
    #[serde(skip)]
    by_relationship: HashMap<String, FieldIndex>,
}

/// One field.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Field {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) field_type: String,
    pub(crate) length: u32,
    pub(crate) filterable: bool,
    pub(crate) sortable: bool,
    pub(crate) groupable: bool,
    pub(crate) custom: bool,
    pub(crate) reference_to: Vec<String>,
    pub(crate) relationship_name: Option<String>,
    #[serde(skip)]
    pub(crate) kind: Kind,
}

/// What kind of value a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// `id` and `reference`.
    Id,
    /// Any text.
    #[default]
    Text,
    /// A picklist that may hold several values.
    MultiPicklist,
    /// `boolean`.
    Bool,
    /// `int`, `double`, `currency`, `percent`.
    Number,
    /// `date`.
    Date,
    /// `datetime`.
    Instant,
    /// `address` and other compounds.
    Compound,
}

/// A relationship from a parent to its children.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChildRelationship {
    #[serde(rename = "childSObject")]
    pub(crate) child: String,
    pub(crate) field: String,
    pub(crate) relationship_name: Option<String>,
}

impl Schema {
    /// The schema of every estate.
    pub(crate) fn get() -> &'static Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(Self::read)
    }

    fn read() -> Self {
        let objects: Vec<Object> = DESCRIBES.iter().map(|(_, json)| Object::read(json)).collect();
        let by_name = objects
            .iter()
            .enumerate()
            .map(|(at, object)| (object.name.to_lowercase(), at))
            .collect();
        let by_prefix =
            objects.iter().enumerate().map(|(at, object)| (object.prefix(), at)).collect();
        Self { objects, by_name, by_prefix }
    }

    /// The object of this name, in any case.
    pub(crate) fn find(&self, name: &str) -> Option<ObjectIndex> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    /// The object of this name, which is known to exist.
    pub(crate) fn index(&self, name: &str) -> ObjectIndex {
        self.find(name).expect("the name is one of the embedded describes")
    }

    /// The object whose ids start with `prefix`.
    pub(crate) fn by_prefix(&self, prefix: [u8; 3]) -> Option<ObjectIndex> {
        self.by_prefix.get(&prefix).copied()
    }
}

impl Object {
    fn read(json: &'static str) -> Self {
        let mut object: Self =
            serde_json::from_str(json).expect("an embedded describe is well-formed");
        object.json = json;
        for (at, field) in object.fields.iter_mut().enumerate() {
            field.kind = Kind::of(&field.field_type);
            object.by_name.insert(field.name.to_lowercase(), at);
            if let Some(relationship) = &field.relationship_name {
                object.by_relationship.insert(relationship.to_lowercase(), at);
            }
        }
        object
    }

    /// The field of this name, in any case.
    pub(crate) fn field(&self, name: &str) -> Option<FieldIndex> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    /// The reference field of this parent relationship, in any case.
    pub(crate) fn relationship(&self, name: &str) -> Option<FieldIndex> {
        self.by_relationship.get(&name.to_lowercase()).copied()
    }

    /// What people call it.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The first three characters of its ids.
    pub(crate) fn prefix(&self) -> [u8; 3] {
        self.key_prefix.as_bytes().try_into().expect("every embedded object has a key prefix")
    }
}

impl Field {
    /// Long text makes the platform answer in smaller pages.
    pub(crate) fn is_long_text(&self) -> bool {
        self.field_type == "textarea" && self.length > 255
    }

    /// Whether COUNT, MIN and MAX take it.
    pub(crate) fn is_aggregatable(&self) -> bool {
        !matches!(self.kind, Kind::Bool | Kind::MultiPicklist | Kind::Compound)
            && !matches!(self.field_type.as_str(), "base64" | "time")
    }

    /// Whether queries may filter on it; one counter closed with version 64.
    pub(crate) fn filterable_in(&self, object: &Object, version: u16) -> bool {
        self.filterable
            || (version < 64 && object.name == "UserLicense" && self.name == "UsedLicenses")
    }
}

impl Kind {
    fn of(field_type: &str) -> Self {
        match field_type {
            "id" | "reference" => Kind::Id,
            "boolean" => Kind::Bool,
            "int" | "double" | "currency" | "percent" | "long" => Kind::Number,
            "date" => Kind::Date,
            "datetime" => Kind::Instant,
            "address" | "location" => Kind::Compound,
            "multipicklist" => Kind::MultiPicklist,
            _ => Kind::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_describe_is_known_by_its_name_and_its_prefix() {
        let schema = Schema::get();
        for (at, (name, _)) in DESCRIBES.iter().enumerate() {
            assert_eq!(schema.objects[at].name, *name);
            assert_eq!(schema.find(&name.to_uppercase()), Some(at));
            assert_eq!(schema.by_prefix(schema.objects[at].prefix()), Some(at));
        }
    }

    #[test]
    fn used_licenses_can_be_filtered_before_version_64_only() {
        let schema = Schema::get();
        let object = &schema.objects[schema.index("UserLicense")];
        let field = &object.fields[object.field("usedlicenses").unwrap()];
        assert!(field.filterable_in(object, 63));
        assert!(!field.filterable_in(object, 64));
    }
}
