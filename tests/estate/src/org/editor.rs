//! Makes changes, and keeps what hangs together in step: seats, counters, the hidden set of a profile.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use serde_json::Value as Json;

use crate::clock::DAY;
use crate::id::Id;
use crate::org::catalog::{LICENSES, LicenseIndex, PROFILES, ProfileIndex};
use crate::org::edits::{ObjectEdits, SeatClass, counts_users};
use crate::org::population::Usage;
use crate::org::stored::{StoredRow, StoredTable};
use crate::org::table::{Reader, Row};
use crate::org::{Estate, users};
use crate::schema::{Kind, ObjectIndex, Schema};
use crate::value::Value;

/// Why a change could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditError(String);

impl fmt::Display for EditError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for EditError {}

/// Names and labels that an org shows in its own language.
const TRANSLATED: [(&str, &str); 6] = [
    ("Profile", "Name"),
    ("UserLicense", "MasterLabel"),
    ("UserLicense", "Name"),
    ("PermissionSetLicense", "MasterLabel"),
    ("PermissionSet", "Label"),
    ("TenantUsageEntitlement", "MasterLabel"),
];

fn refuse<T>(reason: String) -> Result<T, EditError> {
    Err(EditError(reason))
}

/// Makes changes; see [`Estate::edit`].
#[derive(Debug)]
pub struct Editor {
    estate: Estate,
    at: i64,
}

impl Editor {
    pub(crate) fn new(estate: Estate, at: i64) -> Self {
        Self { estate, at }
    }

    pub(crate) fn finish(self) -> Estate {
        self.estate
    }

    /// Sets fields of one record. `LastModifiedDate` and `SystemModstamp` move to the present unless they are among
    /// `fields`; a `SystemModstamp` of the past is what a late commit looks like. No counter follows.
    ///
    /// # Errors
    /// If there is no such record or field, a value does not fit the field, or it is a login.
    pub fn set(
        &mut self,
        object: &str,
        id: &str,
        fields: &[(&str, Json)],
    ) -> Result<(), EditError> {
        let (object, row) = self.find(object, id)?;
        let values = values(object, fields)?;
        let at = Value::Instant(self.at);
        let cells = self.cells(object, row);
        stamp(object, cells, &["LastModifiedDate", "SystemModstamp"], &at);
        for (field, value) in values {
            cells[field] = value;
        }
        Ok(())
    }

    /// Adds a record and answers its id. Fields that are not among `fields` are empty, and the dates are the present.
    ///
    /// # Errors
    /// If there is no such object or field, or a value does not fit the field; logins come with the clock alone.
    pub fn add(&mut self, object: &str, fields: &[(&str, Json)]) -> Result<String, EditError> {
        let object = find_object(object)?;
        let values = values(object, fields)?;
        let name = Schema::get().objects[object].name.as_str();
        if matches!(name, "LoginHistory" | "LoginGeo" | "UserPermissionAccess") {
            return refuse(format!("rows of {name} cannot be added"));
        }
        let row = self.estate.physical(object);
        let id = self.estate.id(name, row);
        let mut table = StoredTable::new(name);
        let admin = self.estate.id("User", crate::org::population::ADMIN);
        table.row().stamp(self.at, self.at, admin);
        let mut cells = table.finish().swap_remove(0);
        if let Some(at) = Schema::get().objects[object].field("Id") {
            cells[at] = Value::Id(id);
        }
        for (field, value) in values {
            cells[field] = value;
        }
        let edits = self.edits(object);
        edits.rows.insert(row, cells);
        edits.added += 1;
        Ok(id.to_string())
    }

    /// Removes a record. An account goes to the recycle bin, where `queryAll` finds it; everything else is simply
    /// gone. Counters of seats follow.
    ///
    /// # Errors
    /// If there is no such record, or it is a user, whom nobody can remove, or a login.
    pub fn remove(&mut self, object: &str, id: &str) -> Result<(), EditError> {
        let (object, row) = self.find(object, id)?;
        let name = Schema::get().objects[object].name.as_str();
        match name {
            "User" => return refuse("users are deactivated, never removed".to_owned()),
            "Account" => {
                let at = Value::Instant(self.at);
                let cells = self.cells(object, row);
                stamp(object, cells, &["LastModifiedDate", "SystemModstamp"], &at);
                stamp(object, cells, &["IsDeleted"], &Value::Bool(true));
                self.edits(object).binned.insert(row);
                return Ok(());
            }
            "PermissionSetLicenseAssign" => {
                let assignee = self.value(object, row, "AssigneeId");
                if self.is_active(&assignee) {
                    let license = self.value(object, row, "PermissionSetLicenseId");
                    self.count(&license, "UsedLicenses", -1);
                }
            }
            "UserPackageLicense" => {
                let license = self.value(object, row, "PackageLicenseId");
                self.count(&license, "UsedLicenses", -1);
            }
            _ => {}
        }
        self.edits(object).removed.insert(row);
        Ok(())
    }

    /// Moves `LastModifiedDate` and `SystemModstamp` of some records to one instant, as a bulk update does.
    ///
    /// # Errors
    /// If a record does not exist.
    pub fn touch<'i>(
        &mut self,
        object: &str,
        ids: impl IntoIterator<Item = &'i str>,
        at: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), EditError> {
        let at = Value::Instant(at.timestamp());
        for id in ids {
            let (object, row) = self.find(object, id)?;
            let cells = self.cells(object, row);
            stamp(object, cells, &["LastModifiedDate", "SystemModstamp"], &at);
        }
        Ok(())
    }

    /// Writes names and labels as an org in another language shows them: of standard profiles, of
    /// licences, permission sets and entitlements. No stamp moves.
    ///
    /// # Errors
    /// Never, as long as those objects have their fields.
    pub fn translate_labels(&mut self) -> Result<(), EditError> {
        for (name, field) in TRANSLATED {
            let object = find_object(name)?;
            let Some(field) = Schema::get().objects[object].field(field) else { continue };
            for row in self.estate.range(object, false) {
                if let Value::Text(text) = &mut self.cells(object, row)[field]
                    && !text.is_empty()
                {
                    *text = format!("{text} (traduit)").into();
                }
            }
        }
        Ok(())
    }

    /// A new person with the profile of this name, who has not logged in. Answers the user's id.
    ///
    /// # Errors
    /// If there is no such profile.
    pub fn new_user(&mut self, profile: &str) -> Result<String, EditError> {
        let (index, license) = find_profile(profile)?;
        let number = self.estate.physical(find_object("User")?);
        let profile_id = self.estate.id("Profile", index as u64).to_string();
        let username = format!("new.user.{number}@{}.example", self.estate.spec.my_domain);
        let id = self.add(
            "User",
            &[
                ("Username", username.clone().into()),
                ("Email", username.into()),
                ("FirstName", "New".into()),
                ("LastName", format!("User {number}").into()),
                ("Name", format!("New User {number}").into()),
                ("Alias", format!("new{}", number % 10_000).into()),
                ("CommunityNickname", format!("newuser{number}").into()),
                ("IsActive", true.into()),
                ("ProfileId", profile_id.into()),
                ("UserType", PROFILES[index].user_type.into()),
                ("TimeZoneSidKey", "Europe/London".into()),
                ("LocaleSidKey", "en_GB".into()),
                ("LanguageLocaleKey", "en_US".into()),
                ("EmailEncodingKey", "UTF-8".into()),
            ],
        )?;
        self.add("UserLogin", &[("UserId", id.clone().into())])?;
        let hidden_set = self.estate.id("PermissionSet", index as u64).to_string();
        self.add(
            "PermissionSetAssignment",
            &[
                ("AssigneeId", id.clone().into()),
                ("PermissionSetId", hidden_set.into()),
                ("IsActive", true.into()),
            ],
        )?;
        self.move_seat(license, SeatClass::Unknown, 1);
        Arc::make_mut(&mut self.estate.edits).active_users += 1;
        Ok(id)
    }

    /// Deactivates a user, which frees the seat; permission set and package licences stay assigned.
    ///
    /// # Errors
    /// If there is no such user, or not an active one.
    pub fn deactivate_user(&mut self, id: &str) -> Result<(), EditError> {
        self.turn_user(id, false)
    }

    /// Activates a user again, who takes the seat back.
    ///
    /// # Errors
    /// If there is no such user, or an active one.
    pub fn activate_user(&mut self, id: &str) -> Result<(), EditError> {
        self.turn_user(id, true)
    }

    fn turn_user(&mut self, id: &str, active: bool) -> Result<(), EditError> {
        let (object, row) = self.find("User", id)?;
        if self.value(object, row, "IsActive") != Value::Bool(!active) {
            let is = if active { "active" } else { "not active" };
            return refuse(format!("the user {id} is {is}"));
        }
        let by = if active { 1 } else { -1 };
        let seat = self.seat(object, row);
        self.set("User", id, &[("IsActive", active.into())])?;
        if let Some((license, class)) = seat {
            self.move_seat(license, class, by);
        }
        Arc::make_mut(&mut self.estate.edits).active_users += by;
        let assign = Schema::get().index("PermissionSetLicenseAssign");
        let mut held = self.estate.rows_of_user(assign, "AssigneeId", row).unwrap_or_default();
        held.retain(|held| {
            self.estate.shows(assign, *held, false)
                && self.value(assign, *held, "AssigneeId") == Value::Id(self.estate.id("User", row))
        });
        for held in held {
            let license = self.value(assign, held, "PermissionSetLicenseId");
            self.count(&license, "UsedLicenses", by);
        }
        Ok(())
    }

    /// Gives a user another profile, and with it perhaps another licence.
    ///
    /// # Errors
    /// If there is no such user or profile.
    pub fn change_profile(&mut self, id: &str, profile: &str) -> Result<(), EditError> {
        let (object, row) = self.find("User", id)?;
        let (index, license) = find_profile(profile)?;
        let active = self.value(object, row, "IsActive") == Value::Bool(true);
        let seat = self.seat(object, row).filter(|_| active);
        let profile_id = self.estate.id("Profile", index as u64).to_string();
        self.set(
            "User",
            id,
            &[("ProfileId", profile_id.into()), ("UserType", PROFILES[index].user_type.into())],
        )?;
        if let Some((former, class)) = seat.filter(|(former, _)| *former != license) {
            self.move_seat(former, class, -1);
            self.move_seat(license, class, 1);
        }
        Ok(())
    }

    /// One more day of the three daily metrics, with the figures of the last one.
    ///
    /// # Errors
    /// Never, as long as the metrics have their fields.
    pub fn new_day(&mut self) -> Result<(), EditError> {
        let schema = Schema::get();
        for name in
            ["ActiveFeatureLicenseMetric", "ActivePermSetLicenseMetric", "ActiveProfileMetric"]
        {
            let object = find_object(name)?;
            let rows = self.estate.physical(object);
            let day = |editor: &Self, row| editor.value(object, row, "MetricsDate");
            let Some(Value::Date(last)) = rows.checked_sub(1).map(|row| day(self, row)) else {
                continue;
            };
            let first = (0..rows).rev().take_while(|row| day(self, *row) == Value::Date(last));
            let first = first.last().unwrap_or(rows);
            for (number, row) in (first..rows).enumerate() {
                let copied = rows + number as u64;
                let mut cells = self.cells(object, row).clone();
                let id = self.estate.id(name, copied);
                for (field, value) in [
                    ("Id", Value::Id(id)),
                    ("MetricsDate", Value::Date(last + 1)),
                    ("SystemModstamp", Value::Instant((last + 2) * DAY)),
                ] {
                    if let Some(at) = schema.objects[object].field(field) {
                        cells[at] = value;
                    }
                }
                let edits = self.edits(object);
                edits.rows.insert(copied, cells);
                edits.added += 1;
            }
        }
        Ok(())
    }

    /// Licence and class of a user's seat.
    fn seat(&self, user: ObjectIndex, row: u64) -> Option<(LicenseIndex, SeatClass)> {
        let Value::Id(profile) = self.value(user, row, "ProfileId") else { return None };
        let (_, profile) = self.estate.locate(profile, false)?;
        let license = crate::org::catalog::license(PROFILES[profile as usize].license);
        if row >= self.estate.population.users {
            return Some((license, SeatClass::Unknown));
        }
        let made = users::UserRow::read(&self.estate, row);
        let service = LICENSES[made.license?].is_for_services();
        Some((
            license,
            match made.usage {
                Usage::Heavy | Usage::Light => SeatClass::Active,
                Usage::Newcomer => SeatClass::Unknown,
                Usage::Machine => SeatClass::MachineOnly,
                Usage::Never if service => SeatClass::MachineOnly,
                Usage::Never => SeatClass::Never,
                Usage::Idle | Usage::LongIdle => SeatClass::Inactive,
                Usage::Leaver | Usage::LongGone => return None,
            },
        ))
    }

    fn move_seat(&mut self, license: LicenseIndex, class: SeatClass, by: i64) {
        if counts_users(license) {
            let id = Value::Id(self.estate.id("UserLicense", license as u64));
            self.count(&id, "UsedLicenses", by);
        }
        Arc::make_mut(&mut self.estate.edits).seats.push((license, class, by));
    }

    /// Adds to a counter of the record with this id.
    fn count(&mut self, id: &Value<'static>, field: &str, by: i64) {
        let Value::Id(id) = id else { return };
        let Some((object, row)) = self.estate.locate(*id, false) else { return };
        let Some(field) = Schema::get().objects[object].field(field) else { return };
        let cells = self.cells(object, row);
        if let Value::Int(counted) = &mut cells[field] {
            *counted += by;
        }
    }

    fn is_active(&self, user: &Value<'static>) -> bool {
        let Value::Id(id) = user else { return false };
        self.estate
            .locate(*id, false)
            .is_some_and(|(user, row)| self.value(user, row, "IsActive") == Value::Bool(true))
    }

    fn value(&self, object: ObjectIndex, row: u64, field: &str) -> Value<'static> {
        let Some(field) = Schema::get().objects[object].field(field) else { return Value::Null };
        let nobody: StoredRow = Box::default();
        let mut reader = Reader::new(&self.estate, &nobody);
        let row: Row<'_> = reader.row(object, row);
        reader.value(object, &row, field).into_owned()
    }

    fn find(&self, object: &str, id: &str) -> Result<(ObjectIndex, u64), EditError> {
        let object = find_object(object)?;
        if self.estate.holds_logins(object) {
            return refuse("logins come and go with the clock alone".to_owned());
        }
        let found = Id::parse(id).and_then(|id| self.estate.locate(id, true));
        match found {
            Some((at, row)) if at == object => Ok((at, row)),
            _ => refuse(format!("{} has no record {id}", Schema::get().objects[object].name)),
        }
    }

    fn edits(&mut self, object: ObjectIndex) -> &mut ObjectEdits {
        Arc::make_mut(&mut self.estate.edits).objects.entry(object).or_default()
    }

    /// The cells of a row, which is kept from now on.
    fn cells(&mut self, object: ObjectIndex, row: u64) -> &mut StoredRow {
        let made = match self.estate.edits.row(object, row) {
            Some(cells) => cells.clone(),
            None => {
                let nobody: StoredRow = Box::default();
                let mut reader = Reader::new(&self.estate, &nobody);
                let read = reader.row(object, row);
                let fields = Schema::get().objects[object].fields.len();
                (0..fields).map(|field| reader.value(object, &read, field).into_owned()).collect()
            }
        };
        self.edits(object).rows.entry(row).or_insert(made)
    }
}

fn stamp(object: ObjectIndex, cells: &mut StoredRow, fields: &[&str], value: &Value<'static>) {
    for field in fields.iter().filter_map(|name| Schema::get().objects[object].field(name)) {
        cells[field] = value.clone();
    }
}

fn find_object(name: &str) -> Result<ObjectIndex, EditError> {
    Schema::get().find(name).ok_or_else(|| EditError(format!("there is no object {name}")))
}

fn find_profile(name: &str) -> Result<(ProfileIndex, LicenseIndex), EditError> {
    let index = PROFILES.iter().position(|profile| profile.name == name);
    let index = index.ok_or_else(|| EditError(format!("there is no profile {name}")))?;
    Ok((index, crate::org::catalog::license(PROFILES[index].license)))
}

fn values(
    object: ObjectIndex,
    fields: &[(&str, Json)],
) -> Result<Vec<(usize, Value<'static>)>, EditError> {
    let described = &Schema::get().objects[object];
    let value = |(name, json): &(&str, Json)| {
        let field = described
            .field(name)
            .ok_or_else(|| EditError(format!("{} has no field {name}", described.name)))?;
        let value = from_json(described.fields[field].kind, json)
            .ok_or_else(|| EditError(format!("{json} does not fit {}.{name}", described.name)))?;
        Ok((field, value))
    };
    fields.iter().map(value).collect()
}

/// A value as the REST API writes it.
fn from_json(kind: Kind, json: &Json) -> Option<Value<'static>> {
    Some(match (kind, json) {
        (Kind::Bool, Json::Bool(value)) => Value::Bool(*value),
        (_, Json::Null) if kind != Kind::Bool => Value::Null,
        (Kind::Number, Json::Number(number)) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Double(number.as_f64()?),
        },
        (Kind::Id, Json::String(text)) => Value::Id(Id::parse(text)?),
        (Kind::Instant, Json::String(text)) => {
            let parsed = DateTime::parse_from_rfc3339(text)
                .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.3f%z"));
            Value::Instant(parsed.ok()?.timestamp())
        }
        (Kind::Date, Json::String(text)) => {
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Value::Date(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp() / DAY)
        }
        (Kind::Text | Kind::MultiPicklist, Json::String(text)) => Value::Text(text.clone().into()),
        _ => return None,
    })
}
