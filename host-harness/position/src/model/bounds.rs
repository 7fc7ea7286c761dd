//! How a figure is meant: exactly, or as a bound.

use std::collections::BTreeMap;

use connector_api::manifest::PermissionSpec;
use serde::Serialize;

use super::words::words;

words! {
    /// How a number is meant.
    Bound {
        /// As it is.
        Exact = "exact",
        /// The true number is this or more.
        AtLeast = "at_least",
        /// The true number is this or less.
        AtMost = "at_most",
        /// There is no number.
        Unknown = "unknown",
    }
}

/// How a claim is meant, and why it is no more than that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bounded {
    /// How the number is meant.
    pub is: Bound,
    /// Why it is not exact, one sentence each.
    pub because: Vec<String>,
}

impl Bounded {
    /// A claim of this number: exact without a reason against it, otherwise at least that.
    pub fn claim<T>(number: Option<T>, because: &[String]) -> Bounded {
        let is = match number {
            None => Bound::Unknown,
            Some(_) if because.is_empty() => Bound::Exact,
            Some(_) => Bound::AtLeast,
        };
        Bounded { is, because: because.to_vec() }
    }
}

/// By the name of the figure that is meant.
pub type Bounds = BTreeMap<&'static str, Bounded>;

/// What weakens the claims of a whole position, because it was not seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Unseen {
    /// One sentence for each thing that was not seen; empty if everything was.
    pub because: Vec<String>,
    /// What the connecting account needs at the vendor to see it.
    pub permissions: Vec<PermissionSpec>,
}

impl Unseen {
    /// Whether the claims rest on a part of the organization.
    pub fn is_partial(&self) -> bool {
        !self.because.is_empty()
    }

    /// The first line of a report whose claims are partial.
    pub fn first_line(&self) -> Option<String> {
        if !self.is_partial() {
            return None;
        }
        let mut line = format!("PARTIAL: {}", self.because.join("; "));
        let labels: Vec<&str> = self
            .permissions
            .iter()
            .map(|right| if right.label.is_empty() { &right.name } else { &right.label }.as_str())
            .collect();
        if !labels.is_empty() {
            line.push_str(&format!("; what would show it: {}", labels.join(" or ")));
        }
        Some(line)
    }
}
