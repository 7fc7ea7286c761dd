//! The rules as data.

use connector_api::position::CanonicalTable::{
    self, Activation, Frozen, Holding, Identity, License, Meter, Person, Right, Seat,
};
use serde::de::{Deserialize, Deserializer, Error as _};

use super::condition::Condition::{self, *};
use super::pool::{self, PoolRules};
use super::worth::Worth;
use crate::error::Error;
use crate::model::{Confidence, Effect, Family, PoolFinding, RuleId};

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Seats of a family.
    Seats(Family),
    /// Licence pools.
    Pools,
    /// Contract lines.
    Contract,
}

/// A list that an administrator imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Staff,
    Contract,
    Prices,
}

impl List {
    /// The word for it, as the command line knows it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            List::Staff => "staff",
            List::Contract => "contract",
            List::Prices => "prices",
        }
    }
}

/// What a rule needs to have been read or imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// All rows of a canonical table, for a family.
    Table(CanonicalTable, &'static str),
    /// All rows of a canonical table, if the connector has it at all.
    IfOffered(CanonicalTable),
    /// Uses of everybody.
    Uses,
    /// All rows of a canonical table, for one of these families at least.
    AnyTable(CanonicalTable, &'static [&'static str]),
    /// An imported list.
    Import(List),
    /// Something the product does not read.
    NotRead(&'static str),
}

/// What an explanation shows in addition to the figures of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing more.
    Figures,
    /// Since when the account is active again.
    Reactivation,
    /// Since when the account is frozen.
    Freeze,
    /// On how many days it was used.
    DaysUsed,
    /// The sets of rights that give access to records of a kind.
    Objects,
    /// The sets of rights that give a privilege.
    Privileges,
    /// The accounts with the same key.
    Twins,
    /// The line of the staff list.
    Staff,
}

/// What a rule about pools decides.
pub(crate) type PoolRule = fn(&PoolRules<'_>) -> Result<Vec<PoolFinding>, Error>;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// What it finds, in a few words.
    pub title: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// What must all hold of a seat.
    pub(crate) conditions: &'static [Condition],
    /// What it decides of pools.
    pub(crate) pools: Option<PoolRule>,
    /// The rule in words, if it has no conditions.
    pub(crate) words: &'static str,
    /// Whether it says nothing unless every account was seen.
    pub(crate) needs_everybody: bool,
    /// Whether the seats that can be taken back are unknown without it.
    pub(crate) finds_most: bool,
    /// What a year of a found seat is worth.
    pub(crate) worth: Worth,
    /// What an explanation shows in addition.
    pub(crate) proof: Proof,
    /// What it needs.
    pub(crate) needs: &'static [Need],
    /// What to do.
    pub effect: Effect,
    /// How sure.
    pub confidence: Confidence,
    /// What may make a finding wrong.
    pub cautions: &'static [&'static str],
}

/// The rule of that id, in whatever case.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id.as_str().eq_ignore_ascii_case(id))
}

impl RuleId {
    /// What the rule decides and says.
    pub fn rule(self) -> &'static Rule {
        // The rules are in the order of their names; a test holds that.
        &RULES[self as usize]
    }
}

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RuleId, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = rule(&text).map(|rule| rule.id);
        found.ok_or_else(|| D::Error::custom(format_args!("there is no rule `{text}`")))
    }
}

const PEOPLE: Need = Need::Table(Person, "");
const WHO: Need = Need::Table(Identity, "");
const BACK: Need = Need::IfOffered(Activation);
const USER_SEATS: Need = Need::Table(Seat, "user");
const USER_POOLS: Need = Need::Table(License, "user");

/// All rules, in the order of their ids.
pub static RULES: [Rule; 22] = [
    Rule {
        id: RuleId::R01,
        title: "Never used",
        subject: Subject::Seats(Family::User),
        conditions: &[
            Active,
            Internal,
            Paid,
            NotService,
            OlderThanGrace,
            NotReactivated,
            NeverUsed,
        ],
        pools: None,
        words: "",
        needs_everybody: true,
        finds_most: true,
        worth: Worth::Seat,
        proof: Proof::Reactivation,
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO, BACK, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::High,
        cautions: &["an account may be made ready for somebody who has not started yet"],
    },
    Rule {
        id: RuleId::R02,
        title: "Inactive",
        subject: Subject::Seats(Family::User),
        conditions: &[
            Active,
            Internal,
            Paid,
            NotService,
            OlderThanGrace,
            NotReactivated,
            LoggedInOnce,
            Idle,
        ],
        pools: None,
        words: "",
        needs_everybody: true,
        finds_most: true,
        worth: Worth::Seat,
        proof: Proof::Reactivation,
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO, BACK, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::High,
        cautions: &[
            "leave, seasonal work, audits and approvals by e-mail leave no login",
            "the account may own records, jobs, dashboards or flows that run as it",
            "a long mobile session needs no new login",
        ],
    },
    Rule {
        id: RuleId::R03,
        title: "Machine on a paid seat",
        subject: Subject::Seats(Family::User),
        conditions: &[Active, Paid, NotFreeService, MachineOnly],
        pools: None,
        words: "",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Seat,
        proof: Proof::Figures,
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, Need::Uses],
        effect: Effect::Move,
        confidence: Confidence::Medium,
        cautions: &[
            "never deactivate it: something logs in; move it to a licence for integrations",
        ],
    },
    Rule {
        id: RuleId::R04,
        title: "Frozen, still billed",
        subject: Subject::Seats(Family::User),
        conditions: &[Active, Paid, IsFrozen, FrozenLongEnough],
        pools: None,
        words: "",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Seat,
        proof: Proof::Freeze,
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, Need::Table(Frozen, "")],
        effect: Effect::Reclaim,
        confidence: Confidence::High,
        cautions: &["freezing is a hold while somebody leaves: ask whether the hand-over is done"],
    },
    Rule {
        id: RuleId::R05,
        title: "Sparse use",
        subject: Subject::Seats(Family::User),
        conditions: &[
            Active,
            Internal,
            Paid,
            NotService,
            OlderThanWindow,
            WindowCovered,
            InUse,
            Sparse,
        ],
        pools: None,
        words: "",
        needs_everybody: true,
        finds_most: false,
        worth: Worth::Seat,
        proof: Proof::DaysUsed,
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO, Need::Uses],
        effect: Effect::Review,
        confidence: Confidence::Low,
        cautions: &["some work falls due at the end of a quarter only: review, do not reclaim"],
    },
    Rule {
        id: RuleId::R06,
        title: "A lesser licence would do",
        subject: Subject::Seats(Family::User),
        conditions: &[Active, InTier, OlderThanGrace, ReadsNoTierObject],
        pools: None,
        words: "",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Difference,
        proof: Proof::Objects,
        needs: &[
            USER_SEATS,
            USER_POOLS,
            PEOPLE,
            Need::Table(Holding, ""),
            Need::Table(Right, "object"),
        ],
        effect: Effect::Move,
        confidence: Confidence::Medium,
        cautions: &["check the contract's limits of the lesser licence, and what packages need"],
    },
    Rule {
        id: RuleId::R07,
        title: "A lesser licence would do, by behaviour",
        subject: Subject::Seats(Family::User),
        conditions: &[],
        pools: None,
        words: "full licence, and no business record created or edited for many days",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Seat,
        proof: Proof::Figures,
        needs: &[Need::NotRead("business records are not read: the connector sees licences only")],
        effect: Effect::Review,
        confidence: Confidence::Low,
        cautions: &["readers and approvers leave no edits"],
    },
    Rule {
        id: RuleId::R08,
        title: "Idle permission-set licence",
        subject: Subject::Seats(Family::PermissionSet),
        conditions: &[HolderGoneOrIdle],
        pools: None,
        words: "",
        needs_everybody: true,
        finds_most: true,
        worth: Worth::Seat,
        proof: Proof::Figures,
        needs: &[Need::Table(Seat, "permission_set"), PEOPLE, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::Medium,
        cautions: &["taking it back acts at once and can stop automation"],
    },
    Rule {
        id: RuleId::R09,
        title: "Permission-set licence without a consumer",
        subject: Subject::Seats(Family::PermissionSet),
        conditions: &[NotConsumed],
        pools: None,
        words: "",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Seat,
        proof: Proof::Figures,
        needs: &[
            Need::Table(Seat, "permission_set"),
            Need::Table(Holding, ""),
            Need::Table(Right, "license"),
        ],
        effect: Effect::Review,
        confidence: Confidence::Low,
        cautions: &["some features look at the licence itself, and some sets name no licence"],
    },
    Rule {
        id: RuleId::R10,
        title: "Idle feature licence",
        subject: Subject::Seats(Family::Feature),
        conditions: &[Active, StaleHolder],
        pools: None,
        words: "",
        needs_everybody: false,
        finds_most: true,
        worth: Worth::Seat,
        proof: Proof::Figures,
        needs: &[Need::Table(Seat, "feature"), PEOPLE, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::Medium,
        cautions: &["it costs nothing unless a price was imported"],
    },
    Rule {
        id: RuleId::R11,
        title: "Package seat not used",
        subject: Subject::Seats(Family::Package),
        conditions: &[HolderGoneIdleOrPoolEnded],
        pools: None,
        words: "",
        needs_everybody: false,
        finds_most: true,
        worth: Worth::Seat,
        proof: Proof::Figures,
        needs: &[Need::Table(Seat, "package"), Need::Table(License, "package"), PEOPLE, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::Medium,
        cautions: &["jobs of the package's vendor may run as that user"],
    },
    Rule {
        id: RuleId::R12,
        title: "Bought and not assigned",
        subject: Subject::Pools,
        conditions: &[],
        pools: Some(pool::shelfware::find),
        words: "seats purchased less the most assigned in a year (`peak_days`) are more than the headroom",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Seat,
        proof: Proof::Figures,
        needs: &[USER_POOLS],
        effect: Effect::Reduce,
        confidence: Confidence::High,
        cautions: &["seasonal peaks and ramps of the contract may need them later"],
    },
    Rule {
        id: RuleId::R13,
        title: "More assigned than bought",
        subject: Subject::Pools,
        conditions: &[],
        pools: Some(pool::over_assigned::find),
        words: "more seats are assigned than were bought: exposure to a true-up",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Seat,
        proof: Proof::Figures,
        needs: &[USER_POOLS],
        effect: Effect::Shortage,
        confidence: Confidence::High,
        cautions: &["freed seats cannot be given away again until the count is at least 0"],
    },
    Rule {
        id: RuleId::R14,
        title: "One person, several seats",
        subject: Subject::Seats(Family::User),
        conditions: &[Active, Internal, Paid, HasTwin],
        pools: None,
        words: "",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Seat,
        proof: Proof::Twins,
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO],
        effect: Effect::Review,
        confidence: Confidence::Medium,
        cautions: &["shared mailboxes are no persons; seats are per organization"],
    },
    Rule {
        id: RuleId::R15,
        title: "Has left",
        subject: Subject::Seats(Family::User),
        conditions: &[Active, Paid, HasLeft],
        pools: None,
        words: "",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Seat,
        proof: Proof::Staff,
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO, Need::Import(List::Staff)],
        effect: Effect::Reclaim,
        confidence: Confidence::High,
        cautions: &["the match is by the key shown; shared mailboxes match badly"],
    },
    Rule {
        id: RuleId::R16,
        title: "Members or logins",
        subject: Subject::Pools,
        conditions: &[],
        pools: Some(pool::members_or_logins::find),
        words: "the same people would cost less when charged the other way, by member or by login",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Nothing,
        proof: Proof::Figures,
        needs: &[USER_POOLS, Need::Import(List::Prices)],
        effect: Effect::Move,
        confidence: Confidence::Low,
        cautions: &["the contract says how a login is counted; this takes the vendor's counter"],
    },
    Rule {
        id: RuleId::R17,
        title: "Logins of the month run out",
        subject: Subject::Pools,
        conditions: &[],
        pools: Some(pool::login_pool::find),
        words: "the month's logins are used to the limit set, or will be used up at this pace",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Nothing,
        proof: Proof::Figures,
        needs: &[USER_POOLS],
        effect: Effect::Shortage,
        confidence: Confidence::High,
        cautions: &["the count starts anew with each month"],
    },
    Rule {
        id: RuleId::R18,
        title: "Usage over its allowance",
        subject: Subject::Pools,
        conditions: &[],
        pools: Some(pool::usage::find),
        words: "more was used than the entitlement allows, or will be at this pace",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Nothing,
        proof: Proof::Figures,
        needs: &[Need::Table(License, "usage"), Need::Table(Meter, "usage")],
        effect: Effect::Shortage,
        confidence: Confidence::Medium,
        cautions: &["not metered is not zero; an allowance that does not repeat is not projected"],
    },
    Rule {
        id: RuleId::R19,
        title: "Storage or requests run out",
        subject: Subject::Pools,
        conditions: &[],
        pools: Some(pool::limit::find),
        words: "an allowance of the organization is used to the limit set",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Nothing,
        proof: Proof::Figures,
        needs: &[Need::Table(License, "limit")],
        effect: Effect::Shortage,
        confidence: Confidence::Medium,
        cautions: &["after a purge usage falls: look at the trend"],
    },
    Rule {
        id: RuleId::R20,
        title: "Ends soon",
        subject: Subject::Pools,
        conditions: &[],
        pools: Some(pool::ending::find),
        words: "a pool ends, or a contract's notice must be given, within the days set",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Nothing,
        proof: Proof::Figures,
        needs: &[Need::AnyTable(License, &["permission_set", "package"])],
        effect: Effect::Deadline,
        confidence: Confidence::High,
        cautions: &["whether a contract renews by itself stands in the contract only"],
    },
    Rule {
        id: RuleId::R21,
        title: "Contract and organization differ",
        subject: Subject::Contract,
        conditions: &[],
        pools: Some(pool::contract_differs::find),
        words: "the quantity ordered differs from what the organization shows as purchased",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Nothing,
        proof: Proof::Figures,
        needs: &[Need::Import(List::Contract)],
        effect: Effect::Review,
        confidence: Confidence::Medium,
        cautions: &["one product may stand for several licences: the mapping is yours"],
    },
    Rule {
        id: RuleId::R22,
        title: "Idle privilege",
        subject: Subject::Seats(Family::User),
        conditions: &[Active, OlderThanGrace, HasPrivilege, PrivilegeIdle],
        pools: None,
        words: "",
        needs_everybody: false,
        finds_most: false,
        worth: Worth::Nothing,
        proof: Proof::Privileges,
        needs: &[
            USER_SEATS,
            PEOPLE,
            Need::Uses,
            Need::Table(Holding, ""),
            Need::Table(Right, "privilege"),
        ],
        effect: Effect::Risk,
        confidence: Confidence::High,
        cautions: &["accounts kept for emergencies are idle by design"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_in_the_order_of_their_names() {
        for (place, rule) in RULES.iter().enumerate() {
            assert_eq!(rule.id as usize, place, "{}", rule.id);
            assert_eq!(rule.id.as_str(), format!("R{:02}", place + 1));
            assert_eq!(super::rule(&rule.id.as_str().to_lowercase()).unwrap().id, rule.id);
        }
    }
}
