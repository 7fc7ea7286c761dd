//! What administrators add to a connector: imported lists and exemptions. Nothing is overwritten: a
//! newer import takes the place of an older one, which stays for comparisons over time.

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::OptionalExtension;
use rusqlite::types::FromSqlError;
use serde::Serialize;

use crate::error::StoreError;
use crate::store::{ReadStore, Store};
use crate::time;

/// The kinds of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportKind {
    /// What a unit of each licence costs.
    Prices,
    /// Lines of order forms.
    Contract,
    /// Staff with the day employment ended.
    Staff,
    /// Who is behind a use: a person or a machine.
    Activity,
}

impl ImportKind {
    /// The word in the store and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            ImportKind::Prices => "prices",
            ImportKind::Contract => "contract",
            ImportKind::Staff => "staff",
            ImportKind::Activity => "activity",
        }
    }

    fn from_word(word: &str) -> Result<ImportKind, FromSqlError> {
        [ImportKind::Prices, ImportKind::Contract, ImportKind::Staff, ImportKind::Activity]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// One imported list.
#[derive(Clone, Debug, Serialize)]
pub struct Import {
    /// Its number.
    pub id: i64,
    /// Its kind.
    pub kind: ImportKind,
    /// The name of the file it came from.
    pub name: String,
    /// When, RFC 3339.
    pub imported_at: String,
    /// Whether it is the one in use.
    pub current: bool,
}

/// A finding that an administrator accepted until a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemptionRow {
    /// Its number.
    pub id: i64,
    /// The rule's id.
    pub rule: String,
    /// The account or the pool.
    pub subject: String,
    /// Its name when the exemption was made.
    pub subject_name: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day it holds.
    pub expires_on: NaiveDate,
}

/// The counts of one licence pool at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicensePoint {
    /// The family of the pool.
    pub family: String,
    /// Its key in the family.
    pub key: String,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Purchased; `None` if unlimited or not reported.
    pub purchased: Option<i64>,
    /// Assigned.
    pub assigned: i64,
}

/// Lists and exemptions that administrators add.
#[derive(Clone, Copy, Debug)]
pub struct Additions<'s>(pub(crate) &'s Store);

impl Additions<'_> {
    /// Keeps a list, which was checked, in place of an earlier one of its kind.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add_import(
        &self,
        connector_id: i64,
        kind: ImportKind,
        name: &str,
        content: &str,
    ) -> Result<i64, StoreError> {
        self.0.write(|transaction| {
            transaction.execute(
                "INSERT INTO import(connector_id, kind, name, imported_at, content)
                 VALUES(?1, ?2, ?3, ?4, ?5)",
                (connector_id, kind.as_str(), name, time::now().timestamp_millis(), content),
            )?;
            Ok(transaction.last_insert_rowid())
        })
    }

    /// Takes the lists of a kind out of use; returns how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn remove_imports(&self, connector_id: i64, kind: ImportKind) -> Result<usize, StoreError> {
        self.0.write(|transaction| {
            Ok(transaction.execute(
                "UPDATE import SET removed_at = ?3
                 WHERE connector_id = ?1 AND kind = ?2 AND removed_at IS NULL",
                (connector_id, kind.as_str(), time::now().timestamp_millis()),
            )?)
        })
    }

    /// Takes the list of a kind in use out of use, so that the one before it is in use again; without
    /// a list in use, takes the last removal back. Returns whether there was anything to undo.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn undo_import(&self, connector_id: i64, kind: ImportKind) -> Result<bool, StoreError> {
        self.0.write(|transaction| {
            let taken_back = transaction.execute(
                "UPDATE import SET removed_at = ?3 WHERE id =
                     (SELECT MAX(id) FROM import
                      WHERE connector_id = ?1 AND kind = ?2 AND removed_at IS NULL)",
                (connector_id, kind.as_str(), time::now().timestamp_millis()),
            )?;
            if taken_back > 0 {
                return Ok(true);
            }
            let restored = transaction.execute(
                "UPDATE import SET removed_at = NULL WHERE connector_id = ?1 AND kind = ?2
                     AND removed_at = (SELECT MAX(removed_at) FROM import
                                       WHERE connector_id = ?1 AND kind = ?2)",
                (connector_id, kind.as_str()),
            )?;
            Ok(restored > 0)
        })
    }

    /// Adds an exemption; its number is not looked at.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add_exemption(
        &self,
        connector_id: i64,
        exemption: &ExemptionRow,
    ) -> Result<i64, StoreError> {
        self.0.write(|transaction| {
            transaction.execute(
                "INSERT INTO exemption(connector_id, rule, subject, subject_name, reason, owner,
                     expires_on, created_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (
                    connector_id,
                    &exemption.rule,
                    &exemption.subject,
                    &exemption.subject_name,
                    &exemption.reason,
                    &exemption.owner,
                    exemption.expires_on.to_string(),
                    time::now().timestamp_millis(),
                ),
            )?;
            Ok(transaction.last_insert_rowid())
        })
    }

    /// Ends an exemption; returns whether there was one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn remove_exemption(&self, connector_id: i64, id: i64) -> Result<bool, StoreError> {
        self.0.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE exemption SET removed_at = ?3
                 WHERE connector_id = ?1 AND id = ?2 AND removed_at IS NULL",
                (connector_id, id, time::now().timestamp_millis()),
            )?;
            Ok(changed > 0)
        })
    }

    /// Keeps the counts of licence pools, for trends that outlive snapshots.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add_points(&self, connector_id: i64, points: &[LicensePoint]) -> Result<(), StoreError> {
        self.0.write(|transaction| {
            let mut insert = transaction.prepare(
                "INSERT OR REPLACE INTO license_point(connector_id, family, key, at, purchased, assigned)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for point in points {
                insert.execute((
                    connector_id,
                    &point.family,
                    &point.key,
                    point.at,
                    point.purchased,
                    point.assigned,
                ))?;
            }
            Ok(())
        })
    }
}

/// Lists and exemptions that administrators added.
#[derive(Clone, Copy, Debug)]
pub struct Added<'s>(pub(crate) &'s ReadStore);

impl Added<'_> {
    /// The imported lists of a connector, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn imports(&self, connector_id: i64) -> Result<Vec<Import>, StoreError> {
        let mut statement = self.0.connection().prepare(
            "SELECT id, kind, name, imported_at, removed_at IS NULL AND id =
                 (SELECT MAX(id) FROM import o WHERE o.connector_id = i.connector_id
                  AND o.kind = i.kind AND o.removed_at IS NULL)
             FROM import i WHERE connector_id = ?1 ORDER BY id DESC",
        )?;
        let imports = statement
            .query_map([connector_id], |row| {
                Ok(Import {
                    id: row.get(0)?,
                    kind: ImportKind::from_word(row.get_ref(1)?.as_str()?)?,
                    name: row.get(2)?,
                    imported_at: time::rfc3339(time::from_ms(row.get(3)?)),
                    current: row.get(4)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(imports)
    }

    /// The text of the list that was in use at an instant; of now where none is given.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn import_text(
        &self,
        connector_id: i64,
        kind: ImportKind,
        at: Option<DateTime<Utc>>,
    ) -> Result<Option<String>, StoreError> {
        let at = at.map_or(i64::MAX, |at| at.timestamp_millis());
        let text = self
            .0
            .connection()
            .query_row(
                "SELECT content FROM import WHERE connector_id = ?1 AND kind = ?2
                     AND imported_at <= ?3 AND COALESCE(removed_at > ?3, 1)
                 ORDER BY id DESC LIMIT 1",
                (connector_id, kind.as_str(), at),
                |row| row.get(0),
            )
            .optional()?;
        Ok(text)
    }

    /// The exemptions of a connector, also those that have run out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn exemptions(&self, connector_id: i64) -> Result<Vec<ExemptionRow>, StoreError> {
        let mut statement = self.0.connection().prepare(
            "SELECT id, rule, subject, subject_name, reason, owner, expires_on FROM exemption
             WHERE connector_id = ?1 AND removed_at IS NULL ORDER BY id",
        )?;
        let mut rows = statement.query([connector_id])?;
        let mut exemptions = Vec::new();
        while let Some(row) = rows.next()? {
            let expires_on: String = row.get(6)?;
            exemptions.push(ExemptionRow {
                id: row.get(0)?,
                rule: row.get(1)?,
                subject: row.get(2)?,
                subject_name: row.get(3)?,
                reason: row.get(4)?,
                owner: row.get(5)?,
                expires_on: expires_on.parse::<NaiveDate>().map_err(StoreError::system)?,
            });
        }
        Ok(exemptions)
    }

    /// The counts of licence pools up to an instant, by family and key, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn points(
        &self,
        connector_id: i64,
        until: DateTime<Utc>,
    ) -> Result<Vec<LicensePoint>, StoreError> {
        let mut statement = self.0.connection().prepare(
            "SELECT family, key, at, purchased, assigned FROM license_point
             WHERE connector_id = ?1 AND at <= ?2 AND assigned IS NOT NULL ORDER BY family, key, at",
        )?;
        let points = statement
            .query_map([connector_id, until.timestamp_millis()], |row| {
                Ok(LicensePoint {
                    family: row.get(0)?,
                    key: row.get(1)?,
                    at: row.get(2)?,
                    purchased: row.get(3)?,
                    assigned: row.get(4)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(points)
    }
}
