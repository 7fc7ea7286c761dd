//! What is counted of the canonical tables whatever a report's limits are: once, when they are made.

use serde::{Deserialize, Serialize};

use super::db::AnalysisDb;
use super::derive::NEEDS_TIER;
use crate::error::Error;

/// Where they lie among the facts.
const KEY: &str = "totals";

/// Counts of accounts; an account is one of those that were shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Active ones.
    pub(crate) active: i64,
    /// Those of which it was not shown whether they are active.
    pub(crate) undecided: i64,
    /// Active ones that are services.
    pub(crate) services: i64,
    /// Accounts, shown or not, with a last login.
    pub(crate) with_last_login: i64,
    /// Accounts, shown or not, that read what only the greater licence covers.
    pub(crate) tier_readers: i64,
    /// Active ones with exactly one seat of family `user`.
    pub(crate) with_one_seat: i64,
    /// Active ones with more of them.
    pub(crate) with_several_seats: i64,
    /// Active services among the two.
    pub(crate) services_with_seats: i64,
}

impl Totals {
    /// Counts, and keeps the counts in the tables; those of each pool with the pool.
    pub(crate) fn count(db: &AnalysisDb) -> Result<Totals, Error> {
        let connection = &db.connection;
        let mut totals = connection.query_row(
            "SELECT COALESCE(SUM(listed AND is_active IS 1), 0),
                    COALESCE(SUM(listed AND is_active IS NULL), 0),
                    COALESCE(SUM(listed AND is_active IS 1 AND COALESCE(is_service, 0) <> 0), 0),
                    COUNT(last_login_at), COUNT(*) FILTER (WHERE flags & ?1) FROM person",
            [NEEDS_TIER],
            |row| {
                Ok(Totals {
                    active: row.get(0)?,
                    undecided: row.get(1)?,
                    services: row.get(2)?,
                    with_last_login: row.get(3)?,
                    tier_readers: row.get(4)?,
                    ..Totals::default()
                })
            },
        )?;
        (totals.with_one_seat, totals.with_several_seats, totals.services_with_seats) = connection
            .query_row(
                "SELECT COALESCE(SUM(seats = 1), 0), COALESCE(SUM(seats > 1), 0), COALESCE(SUM(service), 0)
                 FROM (SELECT COUNT(*) AS seats, MAX(COALESCE(p.is_service, 0) <> 0) AS service
                       FROM seat s CROSS JOIN person p ON p.no = s.person_no
                       WHERE s.pool_no IN (SELECT no FROM pool WHERE family = 'user') AND p.is_active
                       GROUP BY s.person_no)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
        connection.execute(
            "UPDATE pool SET holders =
                 (SELECT COUNT(*) FROM seat s CROSS JOIN person p ON p.no = s.person_no
                  WHERE s.pool_no = pool.no AND p.listed AND p.is_active)",
            [],
        )?;
        db.put_fact(KEY, &serde_json::to_string(&totals)?)?;
        Ok(totals)
    }

    /// The counts that were kept.
    pub(crate) fn read(db: &AnalysisDb) -> Result<Totals, Error> {
        Ok(serde_json::from_str(&db.fact(KEY)?.unwrap_or_default())?)
    }
}
