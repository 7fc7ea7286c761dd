//! The rules' names.

use super::words::words;

words! {
    /// A rule, by the name it has in JSON, settings and exemptions.
    RuleId {
        /// Never used.
        R01 = "R01",
        /// Inactive.
        R02 = "R02",
        /// A machine on a paid seat.
        R03 = "R03",
        /// Frozen, still billed.
        R04 = "R04",
        /// Sparse use.
        R05 = "R05",
        /// A lesser licence would do.
        R06 = "R06",
        /// A lesser licence would do, by behaviour.
        R07 = "R07",
        /// An idle permission-set licence.
        R08 = "R08",
        /// A permission-set licence without a consumer.
        R09 = "R09",
        /// An idle feature licence.
        R10 = "R10",
        /// A package seat that is not used.
        R11 = "R11",
        /// Bought and not assigned.
        R12 = "R12",
        /// More assigned than bought.
        R13 = "R13",
        /// One person, several seats.
        R14 = "R14",
        /// Has left.
        R15 = "R15",
        /// Members or logins.
        R16 = "R16",
        /// Logins of the month run out.
        R17 = "R17",
        /// Usage over its allowance.
        R18 = "R18",
        /// Storage or requests run out.
        R19 = "R19",
        /// Ends soon.
        R20 = "R20",
        /// Contract and organization differ.
        R21 = "R21",
        /// An idle privilege.
        R22 = "R22",
    }
}
