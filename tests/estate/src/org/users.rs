//! `User` and `UserLogin`: one row per person, computed from the row number.

use std::borrow::Cow;

use crate::clock::DAY;
use crate::id::Id;
use crate::org::catalog::{self, LICENSES, ProfileIndex, ProfileRole};
use crate::org::population::{self, Era, Place, Usage};
use crate::org::{Estate, names};
use crate::random;
use crate::value::Value;

/// What the fields of one user are computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserRow {
    pub(crate) row: u64,
    pub(crate) place: Place,
    pub(crate) license: Option<usize>,
    pub(crate) usage: Usage,
    era: Era,
    pub(crate) created_at: i64,
    first: Option<&'static str>,
    last: &'static str,
}

/// A second account of a person, with the row of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Double {
    /// Both have one federation identifier.
    Federated(u64),
    /// Both have one mail address, written differently.
    Mail(u64),
    /// The first is an administrator's.
    Administrator(u64),
    /// This one is not active any more.
    Former(u64),
}

/// Interval, among people of some kinds, of a person with two accounts.
const TWINS_EVERY: u64 = 97;

/// Computes one field.
pub(crate) type Getter<T> = for<'e> fn(&'e Estate, &T) -> Value<'e>;

const COUNTRIES: &[(&str, &str, &str, &str)] = &[
    ("United Kingdom", "London", "Europe/London", "en_GB"),
    ("Germany", "Berlin", "Europe/Berlin", "de_DE"),
    ("France", "Paris", "Europe/Paris", "fr_FR"),
    ("United States", "Chicago", "America/Chicago", "en_US"),
    ("United States", "San Francisco", "America/Los_Angeles", "en_US"),
    ("India", "Bengaluru", "Asia/Kolkata", "en_IN"),
    ("Japan", "Tokyo", "Asia/Tokyo", "ja_JP"),
    ("Brazil", "São Paulo", "America/Sao_Paulo", "pt_BR"),
];
const DEPARTMENTS: &[&str] = &[
    "Sales",
    "Service",
    "Marketing",
    "Finance",
    "IT",
    "Human Resources",
    "Legal",
    "Operations",
    "R&D, \"Skunk Works\"",
];
const TITLES: &[&str] =
    &["Account Executive", "Agent", "Analyst", "Director", "Engineer", "Manager", "VP, EMEA"];

impl UserRow {
    /// Reads the user of this row.
    pub(crate) fn read(estate: &Estate, row: u64) -> Self {
        let place = estate.population.place(row);
        let segment = estate.population.segment(place);
        let (first, last) = match row {
            0 => (Some("Automated"), "Process"),
            1 => (None, "Platform Integration User"),
            2 => (None, "Data.com Clean"),
            population::ANALYTICS_USER => (Some("Integration"), "User"),
            population::GUEST_USER => (None, "Help Center Site Guest User"),
            population::ADMIN => (Some("Robin"), "Admin"),
            6..11 if estate.population.regions[0].len > row => {
                (Some("Svc"), INTEGRATIONS[row as usize - 6])
            }
            _ => names::person(estate.seed(), row),
        };
        Self {
            row,
            place,
            license: segment.license,
            usage: segment.usage,
            era: estate.population.regions[place.region].era,
            created_at: estate.population.created_at(row, estate.now),
            first,
            last,
        }
    }

    /// `IsActive`.
    pub(crate) fn is_active(&self) -> bool {
        self.usage.is_active()
    }

    /// `UserLogin.IsFrozen`.
    pub(crate) fn is_frozen(&self, estate: &Estate) -> bool {
        population::is_frozen(estate.population.segment(self.place), self.place.offset)
    }

    /// The profile, unless it is one that nobody sees.
    pub(crate) fn profile(&self) -> Option<ProfileIndex> {
        self.license.map(|license| profile_of(license, self.usage, self.row, self.place.offset))
    }

    /// `ProfileId`; system users point to profiles that do not exist for anybody.
    pub(crate) fn profile_id(&self, estate: &Estate) -> Id {
        let row = match self.profile() {
            Some(profile) => profile as u64,
            None => catalog::PROFILES.len() as u64 + 7 + self.row,
        };
        estate.id("Profile", row)
    }

    /// `LastLoginDate`.
    pub(crate) fn last_login(&self, estate: &Estate) -> Option<i64> {
        match self.usage {
            Usage::Never | Usage::Newcomer => None,
            Usage::LongIdle | Usage::LongGone => {
                let latest = estate.now - 182 * DAY;
                Some(population::moment(
                    estate.seed(),
                    0x31,
                    self.row,
                    self.created_at + DAY,
                    latest,
                ))
            }
            _ => estate
                .logins
                .last_success(self.place)
                .max(estate.logins.last_later(self.place, estate.later_logins)),
        }
    }

    /// First name, if there is one.
    pub(crate) fn first_name(&self) -> Option<&'static str> {
        self.first
    }

    /// Last name.
    pub(crate) fn last_name(&self) -> &'static str {
        self.last
    }

    /// Display name.
    pub(crate) fn name(&self) -> Cow<'static, str> {
        names::full(self.first, self.last)
    }

    /// Unique in the world; the number before the `@` is the row.
    pub(crate) fn username(&self, estate: &Estate) -> String {
        let domain = &estate.spec.my_domain;
        match self.row {
            0 => format!("autoproc@{}", estate.organization.to_string()[..15].to_lowercase()),
            1 => format!("cloud@{}", estate.organization.to_string()[..15].to_lowercase()),
            2 => format!("automatedclean@{}", estate.organization.to_string()[..15].to_lowercase()),
            population::ADMIN => format!("admin@{domain}.example"),
            _ => format!(
                "{}.{}.{}@{domain}.example",
                names::slug(self.first.unwrap_or("user")),
                names::slug(self.last),
                self.row
            ),
        }
    }

    /// Whom the user is the same person as, and how that shows.
    pub(crate) fn double(&self, estate: &Estate) -> Option<Double> {
        if self.license != Some(0) || self.era != Era::Settled {
            return None;
        }
        let settled = |usage, offset| estate.population.find(Era::Settled, 0, usage, offset);
        let offset = self.place.offset;
        match (self.usage, offset % TWINS_EVERY) {
            (Usage::Heavy, 11) => settled(Usage::Heavy, offset - 1).map(Double::Federated),
            (Usage::Light, 21) => settled(Usage::Light, offset - 1).map(Double::Mail),
            (Usage::Heavy, _) if offset == 14 => Some(Double::Administrator(population::ADMIN)),
            (Usage::Leaver, _) if offset == 0 => settled(Usage::Heavy, 13).map(Double::Former),
            _ => None,
        }
    }

    /// `FederationIdentifier`: what the identity provider calls the person.
    pub(crate) fn federation_identifier(&self, estate: &Estate) -> Option<String> {
        if !self.is_person() {
            return None;
        }
        let same_as = match self.double(estate) {
            Some(Double::Federated(row) | Double::Administrator(row) | Double::Former(row)) => {
                Some(row)
            }
            _ => None,
        };
        let has_double = self.row == population::ADMIN
            || (self.license == Some(0)
                && self.era == Era::Settled
                && self.usage == Usage::Heavy
                && (self.place.offset % TWINS_EVERY == 10 || self.place.offset == 13));
        match same_as {
            Some(row) => Some(UserRow::read(estate, row).email(estate)),
            None if has_double || self.row.is_multiple_of(3) => Some(self.email(estate)),
            None => None,
        }
    }

    /// Where mail goes.
    pub(crate) fn email(&self, estate: &Estate) -> String {
        if let Some(Double::Mail(row)) = self.double(estate) {
            return UserRow::read(estate, row).username(estate).to_uppercase();
        }
        match self.account(estate) {
            Some(account) => {
                format!("{}{}@customer{account}.example", names::slug(self.last), self.row)
            }
            None => self.username(estate),
        }
    }

    /// `EmployeeNumber`: what the staff office calls the person.
    pub(crate) fn employee_number(&self) -> Option<String> {
        self.is_person().then(|| format!("E{:06}", self.row))
    }

    /// `CommunityNickname`, unique in the org.
    pub(crate) fn nickname(&self) -> String {
        format!("{}{}", names::slug(self.last), self.row)
    }

    /// `UserType` as the object shows it.
    pub(crate) fn user_type(&self) -> &'static str {
        match (self.row, self.profile()) {
            (population::AUTOMATED_PROCESS, _) => "AutomatedProcess",
            (1, _) => "CloudIntegrationUser",
            (_, Some(profile)) => catalog::PROFILES[profile].user_type,
            _ => "Standard",
        }
    }

    /// Row of the account an external user belongs to.
    pub(crate) fn account(&self, estate: &Estate) -> Option<u64> {
        let external = matches!(
            LICENSES[self.license?].key,
            "PID_Customer_Community" | "PID_Customer_Community_Login" | "PID_Partner_Community"
        );
        external.then(|| random::below(estate.seed(), 0x32, self.row, estate.accounts.live))
    }

    /// Row of the role.
    fn role(&self, estate: &Estate) -> Option<u64> {
        let internal = matches!(LICENSES[self.license?].key, "SFDC" | "AUL");
        if self.row == population::ADMIN {
            return Some(0);
        }
        let roles = estate.roles;
        (internal && self.usage != Usage::Machine)
            .then(|| random::below(estate.seed(), 0x33, self.row, roles))
    }

    fn place_of_work(
        &self,
        estate: &Estate,
    ) -> (&'static str, &'static str, &'static str, &'static str) {
        COUNTRIES[random::below(estate.seed(), 0x34, self.row, COUNTRIES.len() as u64) as usize]
    }

    /// Time zone and locale.
    pub(crate) fn zone_and_locale(&self, estate: &Estate) -> (&'static str, &'static str) {
        let (_, _, zone, locale) = self.place_of_work(estate);
        (zone, locale)
    }

    /// `LastModifiedDate`.
    pub(crate) fn modified_at(&self, estate: &Estate) -> i64 {
        population::moment(estate.seed(), 0x35, self.row, self.created_at, estate.now - DAY / 8)
    }

    fn is_person(&self) -> bool {
        self.license.is_some_and(|license| LICENSES[license].sold_to_people)
            && self.usage != Usage::Machine
    }

    pub(crate) fn feature(&self, modulus: u64, remainder: u64) -> bool {
        has_feature(self.license, self.usage, self.place.offset, modulus, remainder)
    }
}

/// Feature licences are given to people with a Salesforce licence, by position in their segment.
pub(crate) fn has_feature(
    license: Option<usize>,
    usage: Usage,
    offset: u64,
    modulus: u64,
    remainder: u64,
) -> bool {
    license == Some(0) && usage != Usage::Machine && offset % modulus == remainder
}

/// Feature flag of `User`, the name of its metric, and whom it is given to: every how many users, from which on.
pub(crate) const FEATURES: &[(&str, &str, u64, u64)] = &[
    ("UserPermissionsMarketingUser", "MarketingUser", 6, 1),
    ("UserPermissionsKnowledgeUser", "KnowledgeUser", 4, 0),
    ("UserPermissionsSupportUser", "SupportUser", 5, 2),
    ("UserPermissionsSFContentUser", "SFContentUser", 2, 0),
    ("UserPermissionsInteractionUser", "InteractionUser", 9, 3),
    ("UserPermissionsOfflineUser", "OfflineUser", 12, 5),
];

const INTEGRATIONS: &[&str] =
    &["MuleSoft", "Data Warehouse", "Marketing Sync", "Unused Connector", "Legacy ERP"];

/// The profile of a user; `offset` spreads people evenly, so that a profile's users can be counted.
fn profile_of(license: usize, usage: Usage, row: u64, offset: u64) -> ProfileIndex {
    if row == population::ADMIN {
        return 0;
    }
    let choices = profile_choices(license, usage);
    choices[(offset % choices.len() as u64) as usize]
}

/// The profiles that users of one segment share in turn.
pub(crate) fn profile_choices(license: usize, usage: Usage) -> Vec<ProfileIndex> {
    let integrations = catalog::profiles(license, ProfileRole::Integration);
    let people = catalog::profiles(license, ProfileRole::Person);
    if people.is_empty() || (usage == Usage::Machine && !integrations.is_empty()) {
        integrations
    } else {
        people
    }
}

fn text<'e>(text: &'static str) -> Value<'e> {
    Value::Text(Cow::Borrowed(text))
}

fn owned<'e>(text: String) -> Value<'e> {
    Value::Text(Cow::Owned(text))
}

fn instant<'e>(at: Option<i64>) -> Value<'e> {
    at.map_or(Value::Null, Value::Instant)
}

/// How `User` fields are computed; fields not named here are empty.
pub(crate) fn user_getter(field: &str) -> Option<Getter<UserRow>> {
    Some(match field {
        "Id" => |e, u| Value::Id(e.id("User", u.row)),
        "Username" => |e, u| owned(u.username(e)),
        "LastName" => |_, u| text(u.last),
        "FirstName" => |_, u| u.first.map_or(Value::Null, text),
        "Name" => |_, u| Value::Text(u.name()),
        "CompanyName" => |_, u| if u.is_person() { text("Acme") } else { Value::Null },
        "Division" => |_, u| if u.row % 3 == 0 { text("EMEA") } else { Value::Null },
        "Department" => |e, u| match u.is_person() {
            true => text(
                DEPARTMENTS
                    [random::below(e.seed(), 0x36, u.row, DEPARTMENTS.len() as u64) as usize],
            ),
            false => Value::Null,
        },
        "Title" => |e, u| match u.is_person() && u.row % 4 != 0 {
            true => {
                text(TITLES[random::below(e.seed(), 0x37, u.row, TITLES.len() as u64) as usize])
            }
            false => Value::Null,
        },
        "City" => |e, u| text(u.place_of_work(e).1),
        "Country" => |e, u| text(u.place_of_work(e).0),
        "Address" => |e, u| {
            let (country, city, ..) = u.place_of_work(e);
            Value::Compound(Cow::Owned(format!(
                "{{\"city\":\"{city}\",\"country\":\"{country}\",\"geocodeAccuracy\":null,\"latitude\":null,\
                 \"longitude\":null,\"postalCode\":null,\"state\":null,\"street\":null}}"
            )))
        },
        "Email" => |e, u| owned(u.email(e)),
        "SenderEmail" | "SenderName" | "Signature" => |_, _| Value::Null,
        "Alias" => |_, u| {
            let mut alias = names::slug(u.last);
            alias.truncate(4);
            owned(format!("{alias}{}", u.row % 10_000))
        },
        "CommunityNickname" => |_, u| owned(u.nickname()),
        "BadgeText" | "OutOfOfficeMessage" => |_, _| text(""),
        "IsActive" => |_, u| Value::Bool(u.is_active()),
        "TimeZoneSidKey" => |e, u| text(u.zone_and_locale(e).0),
        "LocaleSidKey" => |e, u| text(u.zone_and_locale(e).1),
        "LanguageLocaleKey" => |_, _| text("en_US"),
        "EmailEncodingKey" => |_, _| text("UTF-8"),
        "UserRoleId" => {
            |e, u| u.role(e).map_or(Value::Null, |role| Value::Id(e.id("UserRole", role)))
        }
        "ProfileId" => |e, u| Value::Id(u.profile_id(e)),
        "UserType" => |_, u| text(u.user_type()),
        "EmployeeNumber" => |_, u| u.employee_number().map_or(Value::Null, owned),
        "ManagerId" => |e, u| match u.is_person() && u.row > 40 {
            true => Value::Id(e.id("User", population::ADMIN)),
            false => Value::Null,
        },
        "ContactId" => |e, u| match u.account(e) {
            Some(_) => Value::Id(e.foreign_id(*b"003", u.row)),
            None => Value::Null,
        },
        "AccountId" => {
            |e, u| u.account(e).map_or(Value::Null, |account| Value::Id(e.id("Account", account)))
        }
        "LastLoginDate" => |e, u| instant(u.last_login(e)),
        "LastPasswordChangeDate" => |e, u| match u.license.is_some() && u.era != Era::New {
            true => {
                Value::Instant(population::moment(e.seed(), 0x38, u.row, u.created_at, e.now - DAY))
            }
            false => Value::Null,
        },
        "CreatedDate" => |_, u| Value::Instant(u.created_at),
        "CreatedById" | "LastModifiedById" => |e, _| Value::Id(e.id("User", population::ADMIN)),
        "LastModifiedDate" | "SystemModstamp" => |e, u| Value::Instant(u.modified_at(e)),
        "NumberOfFailedLogins" => {
            |_, u| Value::Int(if u.usage == Usage::Never { (u.row % 4) as i64 } else { 0 })
        }
        "UserPermissionsMarketingUser" => |_, u| Value::Bool(u.feature(6, 1)),
        "UserPermissionsKnowledgeUser" => |_, u| Value::Bool(u.feature(4, 0)),
        "UserPermissionsSupportUser" => |_, u| Value::Bool(u.feature(5, 2)),
        "UserPermissionsSFContentUser" => |_, u| Value::Bool(u.feature(2, 0)),
        "UserPermissionsInteractionUser" => |_, u| Value::Bool(u.feature(9, 3)),
        "UserPermissionsOfflineUser" => |_, u| Value::Bool(u.feature(12, 5)),
        "UserPreferencesLightningExperiencePreferred" => |_, u| Value::Bool(u.is_person()),
        "UserPreferencesShowTitleToExternalUsers" => |_, _| Value::Bool(true),
        "HasUserVerifiedEmail" => |_, u| Value::Bool(u.is_person()),
        "ForecastEnabled" => |_, u| Value::Bool(u.license == Some(0) && u.row % 8 == 0),
        "FederationIdentifier" => |e, u| u.federation_identifier(e).map_or(Value::Null, owned),
        "FullPhotoUrl" => |e, _| {
            owned(format!("https://{}.my.salesforce.com/profilephoto/005/F", e.spec.my_domain))
        },
        "SmallPhotoUrl" => |e, _| {
            owned(format!("https://{}.my.salesforce.com/profilephoto/005/T", e.spec.my_domain))
        },
        "MediumPhotoUrl" => |e, _| {
            owned(format!("https://{}.my.salesforce.com/profilephoto/005/M", e.spec.my_domain))
        },
        "DigestFrequency" => |_, _| text("D"),
        "DefaultGroupNotificationFrequency" => |_, _| text("N"),
        _ => return None,
    })
}

/// How `UserLogin` fields are computed.
pub(crate) fn user_login_getter(field: &str) -> Option<Getter<UserRow>> {
    Some(match field {
        "Id" => |e, u| Value::Id(e.id("UserLogin", u.row)),
        "UserId" => |e, u| Value::Id(e.id("User", u.row)),
        "IsFrozen" => |e, u| Value::Bool(u.is_frozen(e)),
        "IsPasswordLocked" => |_, u| Value::Bool(u.usage == Usage::Never && u.row % 11 == 3),
        "LastModifiedDate" => |e, u| Value::Instant(u.modified_at(e)),
        "LastModifiedById" => |e, _| Value::Id(e.id("User", population::ADMIN)),
        _ => return None,
    })
}
