//! How a command ended.

/// How a command ended; its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome(pub(crate) u8);

impl Outcome {
    /// Done.
    pub(crate) const DONE: Outcome = Outcome(0);
    /// Done, with findings or only partly.
    pub(crate) const FINDINGS: Outcome = Outcome(4);
    /// Done, but a connector library was refused.
    pub(crate) const REFUSED: Outcome = Outcome(6);
}
