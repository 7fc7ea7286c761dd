//! What findings are worth.

/// What a year of a found seat is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// The price of the seat.
    Seat,
    /// The difference to the lesser licence.
    Difference,
    /// Nothing: it is a risk.
    Nothing,
}
