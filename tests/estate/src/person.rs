//! One user, as the identity endpoints show it.

use chrono::{DateTime, Utc};

/// A row of `User`, with what a userinfo or identity answer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `User.Id`, 18 characters.
    pub user_id: String,
    /// The org's id, 18 characters.
    pub organization_id: String,
    /// `Username`.
    pub username: String,
    /// Display name.
    pub name: String,
    /// `Email`.
    pub email: String,
    /// `CommunityNickname`.
    pub nickname: String,
    /// `FirstName`, if there is one.
    pub first_name: Option<String>,
    /// `LastName`.
    pub last_name: String,
    /// `UserType` as the object shows it, such as `Standard`; identity answers write it in capitals.
    pub user_type: String,
    /// `TimeZoneSidKey`, such as `Europe/Berlin`.
    pub time_zone: String,
    /// `LanguageLocaleKey`, such as `en_US`.
    pub language: String,
    /// `LocaleSidKey`.
    pub locale: String,
    /// `IsActive`: deactivated users cannot log in.
    pub is_active: bool,
    /// `UserLogin.IsFrozen`: frozen users cannot log in either.
    pub is_frozen: bool,
    /// `ProfileId`; of system users it names a profile that nobody sees.
    pub profile_id: String,
    /// The profile's name; none for system users.
    pub profile_name: Option<String>,
    /// `LastModifiedDate`.
    pub updated_at: DateTime<Utc>,
}
