//! The rules as data.

use connector_api::position::CanonicalTable::{
    self, Frozen, Holding, Identity, License, Meter, Person, Right, Seat,
};
use serde::Serialize;

use super::condition::Condition::{self, *};

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Seats of a family.
    Seats(&'static str),
    /// Licence pools.
    Pools,
    /// Contract lines.
    Contract,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// It follows from the vendor's own figures.
    High,
    /// It is likely; look at the cautions.
    Medium,
    /// It is a hint.
    Low,
}

/// What to do with a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The seat can be taken back.
    Reclaim,
    /// Somebody must look.
    Review,
    /// A cheaper licence would do.
    Move,
    /// Less can be bought.
    Reduce,
    /// More must be bought, or is at risk of being billed.
    Shortage,
    /// A day is near.
    Deadline,
    /// A risk, without a saving.
    Risk,
}

/// What a rule needs to have been read or imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// All rows of a canonical table, for a family.
    Table(CanonicalTable, &'static str),
    /// Uses of everybody.
    Uses,
    /// An imported list.
    Import(&'static str),
    /// Something the product does not read.
    NotRead(&'static str),
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// `R01` to `R22`.
    pub id: &'static str,
    /// What it finds, in a few words.
    pub title: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// What must all hold of a seat.
    pub(crate) conditions: &'static [Condition],
    /// The predicate in words, for rules about pools.
    pub(crate) words: &'static str,
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
    RULES.iter().find(|rule| rule.id.eq_ignore_ascii_case(id))
}

const PEOPLE: Need = Need::Table(Person, "");
const WHO: Need = Need::Table(Identity, "");
const USER_SEATS: Need = Need::Table(Seat, "user");
const USER_POOLS: Need = Need::Table(License, "user");

/// All rules, in the order of their ids.
pub static RULES: [Rule; 22] = [
    Rule {
        id: "R01",
        title: "Never used",
        subject: Subject::Seats("user"),
        conditions: &[
            Active,
            Internal,
            Paid,
            NotService,
            OlderThanGrace,
            NotReactivated,
            NeverUsed,
        ],
        words: "",
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::High,
        cautions: &["an account may be made ready for somebody who has not started yet"],
    },
    Rule {
        id: "R02",
        title: "Inactive",
        subject: Subject::Seats("user"),
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
        words: "",
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::High,
        cautions: &[
            "leave, seasonal work, audits and approvals by e-mail leave no login",
            "the account may own records, jobs, dashboards or flows that run as it",
            "a long mobile session needs no new login",
        ],
    },
    Rule {
        id: "R03",
        title: "Machine on a paid seat",
        subject: Subject::Seats("user"),
        conditions: &[Active, Paid, NotFreeService, MachineOnly],
        words: "",
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, Need::Uses],
        effect: Effect::Move,
        confidence: Confidence::Medium,
        cautions: &[
            "never deactivate it: something logs in; move it to a licence for integrations",
        ],
    },
    Rule {
        id: "R04",
        title: "Frozen, still billed",
        subject: Subject::Seats("user"),
        conditions: &[Active, Paid, IsFrozen, FrozenLongEnough],
        words: "",
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, Need::Table(Frozen, "")],
        effect: Effect::Reclaim,
        confidence: Confidence::High,
        cautions: &["freezing is a hold while somebody leaves: ask whether the hand-over is done"],
    },
    Rule {
        id: "R05",
        title: "Sparse use",
        subject: Subject::Seats("user"),
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
        words: "",
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO, Need::Uses],
        effect: Effect::Review,
        confidence: Confidence::Low,
        cautions: &["some work falls due at the end of a quarter only: review, do not reclaim"],
    },
    Rule {
        id: "R06",
        title: "A lesser licence would do",
        subject: Subject::Seats("user"),
        conditions: &[Active, InTier, OlderThanGrace, ReadsNoTierObject],
        words: "",
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
        id: "R07",
        title: "A lesser licence would do, by behaviour",
        subject: Subject::Seats("user"),
        conditions: &[],
        words: "full licence, and no business record created or edited for many days",
        needs: &[Need::NotRead("business records are not read: the connector sees licences only")],
        effect: Effect::Review,
        confidence: Confidence::Low,
        cautions: &["readers and approvers leave no edits"],
    },
    Rule {
        id: "R08",
        title: "Idle permission-set licence",
        subject: Subject::Seats("permission_set"),
        conditions: &[HolderGoneOrIdle],
        words: "",
        needs: &[Need::Table(Seat, "permission_set"), PEOPLE, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::Medium,
        cautions: &["taking it back acts at once and can stop automation"],
    },
    Rule {
        id: "R09",
        title: "Permission-set licence without a consumer",
        subject: Subject::Seats("permission_set"),
        conditions: &[NotConsumed],
        words: "",
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
        id: "R10",
        title: "Idle feature licence",
        subject: Subject::Seats("feature"),
        conditions: &[Active, StaleHolder],
        words: "",
        needs: &[Need::Table(Seat, "feature"), PEOPLE, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::Medium,
        cautions: &["it costs nothing unless a price was imported"],
    },
    Rule {
        id: "R11",
        title: "Package seat not used",
        subject: Subject::Seats("package"),
        conditions: &[HolderGoneIdleOrPoolEnded],
        words: "",
        needs: &[Need::Table(Seat, "package"), Need::Table(License, "package"), PEOPLE, Need::Uses],
        effect: Effect::Reclaim,
        confidence: Confidence::Medium,
        cautions: &["jobs of the package's vendor may run as that user"],
    },
    Rule {
        id: "R12",
        title: "Bought and not assigned",
        subject: Subject::Pools,
        conditions: &[],
        words: "seats purchased less the most assigned in a year (`peak_days`) are more than the headroom",
        needs: &[USER_POOLS],
        effect: Effect::Reduce,
        confidence: Confidence::High,
        cautions: &["seasonal peaks and ramps of the contract may need them later"],
    },
    Rule {
        id: "R13",
        title: "More assigned than bought",
        subject: Subject::Pools,
        conditions: &[],
        words: "more seats are assigned than were bought: exposure to a true-up",
        needs: &[USER_POOLS],
        effect: Effect::Shortage,
        confidence: Confidence::High,
        cautions: &["freed seats cannot be given away again until the count is at least 0"],
    },
    Rule {
        id: "R14",
        title: "One person, several seats",
        subject: Subject::Seats("user"),
        conditions: &[Active, Internal, Paid, HasTwin],
        words: "",
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO],
        effect: Effect::Review,
        confidence: Confidence::Medium,
        cautions: &["shared mailboxes are no persons; seats are per organization"],
    },
    Rule {
        id: "R15",
        title: "Has left",
        subject: Subject::Seats("user"),
        conditions: &[Active, Paid, HasLeft],
        words: "",
        needs: &[USER_SEATS, USER_POOLS, PEOPLE, WHO, Need::Import("staff")],
        effect: Effect::Reclaim,
        confidence: Confidence::High,
        cautions: &["the match is by the key shown; shared mailboxes match badly"],
    },
    Rule {
        id: "R16",
        title: "Members or logins",
        subject: Subject::Pools,
        conditions: &[],
        words: "the same people would cost less when charged the other way, by member or by login",
        needs: &[USER_POOLS, Need::Import("prices")],
        effect: Effect::Move,
        confidence: Confidence::Low,
        cautions: &["the contract says how a login is counted; this takes the vendor's counter"],
    },
    Rule {
        id: "R17",
        title: "Logins of the month run out",
        subject: Subject::Pools,
        conditions: &[],
        words: "the month's logins are used to the limit set, or will be used up at this pace",
        needs: &[USER_POOLS],
        effect: Effect::Shortage,
        confidence: Confidence::High,
        cautions: &["the count starts anew with each month"],
    },
    Rule {
        id: "R18",
        title: "Usage over its allowance",
        subject: Subject::Pools,
        conditions: &[],
        words: "more was used than the entitlement allows, or will be at this pace",
        needs: &[Need::Table(License, "usage"), Need::Table(Meter, "usage")],
        effect: Effect::Shortage,
        confidence: Confidence::Medium,
        cautions: &["not metered is not zero; an allowance that does not repeat is not projected"],
    },
    Rule {
        id: "R19",
        title: "Storage or requests run out",
        subject: Subject::Pools,
        conditions: &[],
        words: "an allowance of the organization is used to the limit set",
        needs: &[Need::Table(License, "limit")],
        effect: Effect::Shortage,
        confidence: Confidence::Medium,
        cautions: &["after a purge usage falls: look at the trend"],
    },
    Rule {
        id: "R20",
        title: "Ends soon",
        subject: Subject::Pools,
        conditions: &[],
        words: "a pool ends, or a contract's notice must be given, within the days set",
        needs: &[Need::Table(License, "permission_set"), Need::Table(License, "package")],
        effect: Effect::Deadline,
        confidence: Confidence::High,
        cautions: &["whether a contract renews by itself stands in the contract only"],
    },
    Rule {
        id: "R21",
        title: "Contract and organization differ",
        subject: Subject::Contract,
        conditions: &[],
        words: "the quantity ordered differs from what the organization shows as purchased",
        needs: &[Need::Import("contract")],
        effect: Effect::Review,
        confidence: Confidence::Medium,
        cautions: &["one product may stand for several licences: the mapping is yours"],
    },
    Rule {
        id: "R22",
        title: "Idle privilege",
        subject: Subject::Seats("user"),
        conditions: &[Active, OlderThanGrace, HasPrivilege, PrivilegeIdle],
        words: "",
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
