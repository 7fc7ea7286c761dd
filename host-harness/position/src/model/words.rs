//! Words that decide something, as types: each is one text in JSON and in tables.

use std::fmt;

use connector_api::message::DatasetStatus;
use serde::{Serialize, Serializer};

/// An enum whose variants are words: `as_str`, `Display` and `Serialize` give the word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// The word in JSON and in tables.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

/// An enum of known words and any other one of a connector.
macro_rules! open_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// The connector's own word.
            Other(String),
        }

        impl $name {
            /// The word in JSON and in tables.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $word,)+
                    $name::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> $name {
                match word {
                    $($word => $name::$variant,)+
                    other => $name::Other(other.to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

open_words! {
    /// The kind of licence: what it is given to, or what it measures.
    Family {
        /// A licence every account has exactly one of.
        User = "user",
        /// An add-on that gives a user more rights.
        PermissionSet = "permission_set",
        /// A feature that is switched on for a user.
        Feature = "feature",
        /// A package of another vendor.
        Package = "package",
        /// Something that is used up over time.
        Usage = "usage",
        /// An allowance of the organization.
        Limit = "limit",
        /// The lines of contracts, in findings only.
        Contract = "contract",
    }
}

impl Default for Family {
    fn default() -> Family {
        Family::Other(String::new())
    }
}

open_words! {
    /// What a pool is counted in.
    Unit {
        /// People who hold it.
        Seats = "seats",
        /// Logins of a month.
        Logins = "logins",
        /// Requests of a day.
        Requests = "requests",
    }
}

impl Default for Unit {
    fn default() -> Unit {
        Unit::Other("units".into())
    }
}

open_words! {
    /// Whether a pool can be used, in the vendor's words.
    PoolStatus {
        /// It can be used.
        Active = "active",
        /// It is switched off.
        Disabled = "disabled",
        /// Its term is over.
        Expired = "expired",
    }
}

impl PoolStatus {
    /// Whether the pool can be used; `None` for a word nobody knows, such as a translated one.
    pub fn is_usable(&self) -> Option<bool> {
        match self {
            PoolStatus::Active => Some(true),
            PoolStatus::Disabled | PoolStatus::Expired => Some(false),
            PoolStatus::Other(_) => None,
        }
    }
}

words! {
    /// What came of a rule.
    RuleStatus {
        /// It found something.
        Found = "found",
        /// It looked and found nothing.
        None = "none",
        /// It could not look.
        Withheld = "withheld",
        /// It is switched off in the settings.
        Off = "off",
    }
}

impl RuleStatus {
    /// Whether the rule looked: then its counts mean something.
    pub fn looked(self) -> bool {
        matches!(self, RuleStatus::Found | RuleStatus::None)
    }
}

words! {
    /// What a rule says about one seat.
    SeatOutcome {
        /// It finds it.
        Found = "found",
        /// It finds it, and an exemption covers it.
        Exempt = "exempt",
        /// It does not find it.
        NotFound = "not_found",
        /// It could not look.
        Withheld = "withheld",
        /// It is switched off in the settings.
        Off = "off",
    }
}

words! {
    /// Why a reported and a recomputed count differ, as far as that can be told.
    DifferenceReason {
        /// The vendor counted at another time.
        StaleCount = "stale_count",
        /// The vendor counts inactive accounts too.
        InactiveAssignees = "inactive_assignees",
        /// The vendor counts accounts that were not shown.
        InvisiblePeople = "invisible_people",
        /// The vendor does not count these accounts.
        UncountedAccounts = "uncounted_accounts",
        /// No reason is known.
        Unexplained = "unexplained",
    }
}

words! {
    /// A line of reconciliation.
    LineId {
        /// Reported against recomputed seats.
        I1 = "I1",
        /// Every active account has one seat.
        I2 = "I2",
        /// Uses of others than the connecting account.
        I3 = "I3",
        /// Uses against the vendor's own measurement.
        I4 = "I4",
        /// The snapshot before and what changed since.
        I5 = "I5",
        /// Datasets planned against those read.
        I6 = "I6",
        /// The classes sum up.
        Sum = "SUM",
    }
}

words! {
    /// Where a price comes from; an earlier one is preferred.
    PriceBasis {
        /// A supposition.
        WhatIf = "what_if",
        /// The contract.
        Contract = "contract",
        /// What this organization pays.
        Override = "override",
        /// The public list.
        List = "list",
    }
}

/// How a dataset was read, or that no run was asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// A run read it, and this is how it ended.
    Read(DatasetStatus),
    /// No run has read it yet.
    NotCollected,
}

impl ReadStatus {
    /// Everything was read.
    pub const COMPLETE: ReadStatus = ReadStatus::Read(DatasetStatus::Complete);

    /// The word in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            ReadStatus::Read(status) => status.as_str(),
            ReadStatus::NotCollected => "not_collected",
        }
    }

    /// What it means, where the connector gave no reason of its own.
    pub fn plain_reason(self) -> &'static str {
        match self {
            ReadStatus::NotCollected => "no run has read it yet",
            ReadStatus::Read(DatasetStatus::Complete) => "",
            ReadStatus::Read(DatasetStatus::Denied) => "the connecting account may not see it",
            ReadStatus::Read(DatasetStatus::Absent) => "the organization does not have it",
            ReadStatus::Read(DatasetStatus::PartialSelf) => {
                "only the connecting account's own records were shown"
            }
            ReadStatus::Read(DatasetStatus::Degraded) => "some fields were not shown",
            ReadStatus::Read(DatasetStatus::Incomplete) => {
                "fewer or other records arrived than the vendor counted"
            }
            ReadStatus::Read(DatasetStatus::Failed) => "it could not be read",
        }
    }

    /// Whether a permission could open it: not what the organization does not have, nor what no run
    /// was asked for.
    pub fn a_permission_opens_it(self) -> bool {
        !matches!(self, ReadStatus::NotCollected | ReadStatus::Read(DatasetStatus::Absent))
    }

    /// From mild to grave, for the worst of several.
    pub(crate) fn severity(self) -> u8 {
        match self {
            ReadStatus::Read(DatasetStatus::Complete) => 0,
            ReadStatus::Read(DatasetStatus::Degraded) => 1,
            ReadStatus::Read(DatasetStatus::Incomplete) => 2,
            ReadStatus::Read(DatasetStatus::PartialSelf) => 3,
            ReadStatus::Read(DatasetStatus::Absent) => 4,
            ReadStatus::NotCollected => 5,
            ReadStatus::Read(DatasetStatus::Failed) => 6,
            ReadStatus::Read(DatasetStatus::Denied) => 7,
        }
    }
}

impl Default for ReadStatus {
    fn default() -> ReadStatus {
        ReadStatus::COMPLETE
    }
}

impl fmt::Display for ReadStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ReadStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
