//! Findings: what the rules say about seats, pools and contracts, and why.
//!
//! A rule is data ([`catalogue`]): its words, the conditions that must all hold, what it needs to be
//! read, its cautions. Rules about people are judged seat by seat in the same pass that counts the
//! seats ([`evaluator`]); rules about pools look at the figures ([`pool`]). A rule whose input was not
//! read completely is withheld and says what would free it: silence of a rule always means that it
//! looked.

mod catalogue;
pub(crate) mod collector;
mod condition;
pub(crate) mod context;
pub(crate) mod evaluator;
pub(crate) mod pool;
mod worth;

pub(crate) use catalogue::Proof;
pub use catalogue::{RULES, Rule, Subject, rule};
pub use collector::{SeatFinding, Wanted};

pub use crate::model::{
    Confidence, Effect, Exemption, PoolFinding, PoolFindings, RuleId, RuleResult, UsesSeen, Value,
};
