//! Which API version an object or a field came with: below it, nobody knows it.

use crate::schema::{Field, Object};

/// Objects younger than the oldest version that answers.
const OBJECTS: &[(&str, u16)] = &[
    ("EventLogFile", 32),
    ("LoginGeo", 34),
    ("UserAppMenuItem", 35),
    ("VerificationHistory", 36),
    ("TwoFactorMethodsInfo", 37),
    ("UserPermissionAccess", 41),
    ("LightningUsageByAppTypeMetrics", 43),
    ("PermissionSetGroup", 45),
    ("PermissionSetGroupComponent", 45),
    ("ActiveFeatureLicenseMetric", 52),
    ("ActivePermSetLicenseMetric", 52),
    ("ActiveProfileMetric", 52),
];

/// Fields younger than their objects.
const FIELDS: &[(&str, &str, u16)] = &[
    ("UserLicense", "Status", 32),
    ("UserLicense", "TotalLicenses", 32),
    ("UserLicense", "UsedLicenses", 32),
    ("UserLicense", "UsedLicensesLastUpdated", 41),
    ("LoginHistory", "AuthenticationServiceId", 34),
    ("LoginHistory", "AuthMethodReference", 51),
    ("LoginHistory", "ForwardedForIp", 61),
    ("EventLogFile", "Interval", 37),
    ("EventLogFile", "Sequence", 37),
    ("PermissionSet", "LicenseId", 38),
];

impl Object {
    /// Whether a request at this API version knows the object.
    pub(crate) fn known_in(&self, version: u16) -> bool {
        OBJECTS
            .iter()
            .find(|(name, _)| *name == self.name)
            .is_none_or(|(_, since)| version >= *since)
    }
}

impl Field {
    /// Whether a request at this API version knows the field of `object`.
    pub(crate) fn known_in(&self, object: &Object, version: u16) -> bool {
        FIELDS
            .iter()
            .find(|(of, name, _)| *of == object.name && *name == self.name)
            .is_none_or(|(.., since)| version >= *since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn every_name_is_one_of_the_schema() {
        let schema = Schema::get();
        for (name, _) in OBJECTS {
            assert!(schema.find(name).is_some(), "{name}");
        }
        for (object, field, since) in FIELDS {
            let object = &schema.objects[schema.index(object)];
            // A field of a later version than the describes' is not there at all.
            let Some(field) = object.field(field) else { continue };
            assert!(!object.fields[field].known_in(object, since - 1));
            assert!(object.fields[field].known_in(object, *since));
        }
    }
}
