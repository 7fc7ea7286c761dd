//! Rows of features and connectors, and sealed values as bytes (sealing itself is `secret_store`).

use chrono::{DateTime, Utc};
use connector_api::message::GrantSummary;
use rusqlite::{OptionalExtension, Row};

use crate::error::{StoreError, StoreErrorKind};
use crate::schema;
use crate::store::Store;
use crate::time;
use crate::vault::KEY_CHECK;

/// The name under which the sealed settings of a connector are bound.
pub const SETTINGS: &str = "settings/v1";

/// Whether a feature is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureState {
    /// The feature.
    pub id: String,
    /// Switched on.
    pub enabled: bool,
}

/// One configured connector; its other settings and its secrets are sealed.
#[derive(Clone, Debug)]
pub struct Connector {
    /// The store's number for it; never used again after it is deleted.
    pub id: i64,
    /// Unique on this endpoint server, without regard to ASCII case.
    pub name: String,
    /// In the administrator's words.
    pub description: String,
    /// The feature it belongs to.
    pub feature: String,
    /// The vendor's domain of the organization, as entered.
    pub domain: String,
    /// The client id, as entered.
    pub client_id: String,
    /// When to collect, as entered.
    pub schedule: Option<String>,
    /// All other settings, sealed.
    pub sealed_settings: Vec<u8>,
    /// What authorization left, without its secrets.
    pub grant: Option<GrantSummary>,
    /// When it was granted.
    pub granted_at: Option<DateTime<Utc>>,
    /// A link was handed out and nothing pasted yet.
    pub pending_authorization_at: Option<DateTime<Utc>>,
    /// It was deauthorized here, but the vendor could not be told: the grant is still live there.
    pub revocation_failed_at: Option<DateTime<Utc>>,
    /// The vendor's id of the organization its records are of, from the first grant on.
    pub organization_id: Option<String>,
}

impl Connector {
    /// Whether it has a grant that may be used.
    pub fn is_authorized(&self) -> bool {
        self.grant.is_some() && self.revocation_failed_at.is_none()
    }
}

/// The plain part of a connector to be stored.
#[derive(Clone, Debug, Default)]
pub struct NewConnector {
    /// See [`Connector`].
    pub name: String,
    /// See [`Connector`].
    pub description: String,
    /// See [`Connector`].
    pub feature: String,
    /// See [`Connector`].
    pub domain: String,
    /// See [`Connector`].
    pub client_id: String,
    /// See [`Connector`].
    pub schedule: Option<String>,
}

/// Sealed values to store (`Some`) or remove (`None`), by name.
pub type SealedChanges = Vec<(String, Option<Vec<u8>>)>;

/// What is sealed for a connector: its settings, and changes to its secrets.
pub struct Sealed {
    /// The settings.
    pub settings: Vec<u8>,
    /// The secrets that change.
    pub secrets: SealedChanges,
}

const COLUMNS: &str = "id, name, description, feature, domain, client_id, schedule, settings,
    grant_summary, granted_at, pending_authorization_at, revocation_failed_at, organization_id";

fn connector(row: &Row<'_>) -> rusqlite::Result<Connector> {
    let grant: Option<String> = row.get(8)?;
    Ok(Connector {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        feature: row.get(3)?,
        domain: row.get(4)?,
        client_id: row.get(5)?,
        schedule: row.get(6)?,
        sealed_settings: row.get(7)?,
        grant: grant.and_then(|json| serde_json::from_str(&json).ok()),
        granted_at: row.get::<_, Option<i64>>(9)?.map(time::from_ms),
        pending_authorization_at: row.get::<_, Option<i64>>(10)?.map(time::from_ms),
        revocation_failed_at: row.get::<_, Option<i64>>(11)?.map(time::from_ms),
        organization_id: row.get(12)?,
    })
}

impl Store {
    /// All features that were ever switched on or off.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn features(&self) -> Result<Vec<FeatureState>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT id, enabled FROM feature ORDER BY id")?;
            let features = statement
                .query_map([], |row| Ok(FeatureState { id: row.get(0)?, enabled: row.get(1)? }))?
                .collect::<Result<_, _>>()?;
            Ok(features)
        })
    }

    /// Whether a feature is switched on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn feature_enabled(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.feature_state(id)? == Some(true))
    }

    /// Whether a feature was switched on or off; none if neither ever happened.
    pub fn feature_state(&self, id: &str) -> Result<Option<bool>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT enabled FROM feature WHERE id = ?1")?;
            Ok(statement.query_row([id], |row| row.get(0)).optional()?)
        })
    }

    /// Switches a feature on or off.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set_feature(&self, id: &str, enabled: bool) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO feature(id, enabled, changed_at) VALUES(?1, ?2, ?3)
                 ON CONFLICT(id) DO UPDATE SET enabled = ?2, changed_at = ?3",
                (id, enabled, time::now().timestamp_millis()),
            )?;
            Ok(())
        })
    }

    /// All connectors, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn connectors(&self) -> Result<Vec<Connector>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare(&format!("SELECT {COLUMNS} FROM connector ORDER BY name"))?;
            let connectors = statement.query_map([], connector)?.collect::<Result<_, _>>()?;
            Ok(connectors)
        })
    }

    /// The connector of that name.
    ///
    /// # Errors
    /// When there is none; a usage error whose hint names those there are.
    pub fn connector(&self, name: &str) -> Result<Connector, StoreError> {
        let found = self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM connector WHERE name = ?1");
            Ok(connection.query_row(&sql, [name], connector).optional()?)
        })?;
        if let Some(found) = found {
            return Ok(found);
        }
        let names: Vec<String> =
            self.connectors()?.into_iter().map(|other| format!("`{}`", other.name)).collect();
        let hint = if names.is_empty() {
            "there are none yet: create one with `connectors new`".to_owned()
        } else {
            format!("connectors here: {}", names.join(", "))
        };
        Err(StoreError::new(StoreErrorKind::Usage, format_args!("there is no connector `{name}`"))
            .with_hint(hint))
    }

    /// Stores a new connector in one transaction. `seal` is called with its number.
    ///
    /// # Errors
    /// When the name is taken, or the store cannot be written; nothing is stored then.
    pub fn insert_connector(
        &self,
        new: &NewConnector,
        seal: impl FnOnce(i64) -> Result<Sealed, StoreError>,
    ) -> Result<i64, StoreError> {
        self.write(|transaction| {
            let now = time::now().timestamp_millis();
            refuse_taken_name(transaction, &new.name, None)?;
            transaction.execute(
                "INSERT INTO connector(name, description, feature, domain, client_id, schedule,
                     settings, created_at, changed_at)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, x'', ?7, ?7)",
                (
                    &new.name,
                    &new.description,
                    &new.feature,
                    &new.domain,
                    &new.client_id,
                    &new.schedule,
                    now,
                ),
            )?;
            let id = transaction.last_insert_rowid();
            let sealed = seal(id)?;
            transaction.execute(
                "UPDATE connector SET settings = ?2 WHERE id = ?1",
                (id, &sealed.settings),
            )?;
            put_secrets(transaction, id, &sealed.secrets)?;
            Ok(id)
        })
    }

    /// Replaces the plain part, the sealed settings and some secrets of a connector.
    ///
    /// # Errors
    /// When the name is taken, or the store cannot be written; nothing is changed then.
    pub fn update_connector(
        &self,
        id: i64,
        new: &NewConnector,
        sealed: &Sealed,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            refuse_taken_name(transaction, &new.name, Some(id))?;
            transaction.execute(
                "UPDATE connector SET name = ?2, description = ?3, domain = ?4, client_id = ?5,
                     schedule = ?6, settings = ?7, changed_at = ?8 WHERE id = ?1",
                (
                    id,
                    &new.name,
                    &new.description,
                    &new.domain,
                    &new.client_id,
                    &new.schedule,
                    &sealed.settings,
                    time::now().timestamp_millis(),
                ),
            )?;
            put_secrets(transaction, id, &sealed.secrets)
        })
    }

    /// Deletes a connector with its secrets, runs and records.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is deleted then.
    pub fn delete_connector(&self, connector: &Connector) -> Result<(), StoreError> {
        self.overwriting(|transaction| {
            for table in schema::dataset_tables(transaction, &connector.feature)? {
                transaction.execute(
                    &format!("DELETE FROM {} WHERE _connector = ?1", schema::quote(&table)),
                    [connector.id],
                )?;
            }
            transaction.execute("DELETE FROM connector WHERE id = ?1", [connector.id])?;
            Ok(())
        })
    }

    /// Notes that a link was handed out, or that nothing is pending any more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set_pending_authorization(
        &self,
        id: i64,
        at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE connector SET pending_authorization_at = ?2 WHERE id = ?1",
                (id, at.map(|at| at.timestamp_millis())),
            )?;
            Ok(())
        })
    }

    /// Stores a grant: its summary and its sealed secrets, together. Where it opens another
    /// organization, the checkpoints of the former one are dropped.
    ///
    /// # Errors
    /// When the store cannot be written; the old grant stays then.
    pub fn store_grant(
        &self,
        id: i64,
        summary: &GrantSummary,
        secrets: &SealedChanges,
        other_organization: bool,
    ) -> Result<(), StoreError> {
        let json = serde_json::to_string(summary).map_err(StoreError::system)?;
        self.write(|transaction| {
            let now = time::now().timestamp_millis();
            transaction.execute(
                "UPDATE connector SET grant_summary = ?2, granted_at = ?3, changed_at = ?3,
                     pending_authorization_at = NULL, revocation_failed_at = NULL,
                     organization_id = coalesce(?4, organization_id) WHERE id = ?1",
                (id, json, now, &summary.organization_id),
            )?;
            if other_organization {
                transaction.execute("DELETE FROM checkpoint WHERE connector_id = ?1", [id])?;
            }
            put_secrets(transaction, id, secrets)
        })
    }

    /// Notes that the grant could not be revoked at the vendor: it is not used any more, and kept so
    /// that the revocation can be tried again.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set_still_live(&self, id: i64) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE connector SET revocation_failed_at = ?2 WHERE id = ?1",
                (id, time::now().timestamp_millis()),
            )?;
            Ok(())
        })
    }

    /// Forgets the grant: its summary, and every secret but the ones an administrator entered. What
    /// they were sealed in is overwritten.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is forgotten then.
    pub fn forget_grant(&self, id: i64, entered: &[&str]) -> Result<(), StoreError> {
        let names = self.secret_names(id)?;
        self.overwriting(|transaction| {
            transaction.execute(
                "UPDATE connector SET grant_summary = NULL, granted_at = NULL,
                     pending_authorization_at = NULL, revocation_failed_at = NULL, changed_at = ?2
                 WHERE id = ?1",
                (id, time::now().timestamp_millis()),
            )?;
            let working = names.iter().filter(|name| !entered.contains(&name.as_str()));
            put_secrets(transaction, id, &working.map(|name| (name.clone(), None)).collect())
        })
    }

    /// The sealed value of a secret.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sealed_secret(&self, id: i64, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            Ok(connection
                .query_row(
                    "SELECT value FROM secret WHERE connector_id = ?1 AND name = ?2",
                    (id, name),
                    |row| row.get(0),
                )
                .optional()?)
        })
    }

    /// The names of a connector's secrets.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn secret_names(&self, id: i64) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare("SELECT name FROM secret WHERE connector_id = ?1 ORDER BY name")?;
            let names = statement.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(names)
        })
    }

    /// Stores sealed secrets; durable when it returns.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is changed then.
    pub fn put_sealed_secrets(&self, id: i64, secrets: &SealedChanges) -> Result<(), StoreError> {
        self.write(|transaction| put_secrets(transaction, id, secrets))
    }

    /// Replaces every sealed value by what `seal` makes of it (connector, name, value), all in one
    /// transaction; nothing of the old values stays in the files.
    ///
    /// # Errors
    /// Those of `seal`, and when the store cannot be written; nothing is changed then.
    pub fn reseal(
        &self,
        mut seal: impl FnMut(i64, &str, &[u8]) -> Result<Vec<u8>, StoreError>,
    ) -> Result<(), StoreError> {
        self.overwriting(|transaction| {
            let mut values: Vec<(i64, String, Vec<u8>)> = Vec::new();
            let mut read = |sql: &str| -> Result<(), StoreError> {
                let mut statement = transaction.prepare(sql)?;
                let rows =
                    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                for row in rows {
                    values.push(row?);
                }
                Ok(())
            };
            read("SELECT connector_id, name, value FROM secret")?;
            read(&format!("SELECT id, '{SETTINGS}', settings FROM connector"))?;
            read(&format!("SELECT 0, key, value FROM meta WHERE key = '{KEY_CHECK}'"))?;
            for (id, name, old) in values {
                let new = seal(id, &name, &old)?;
                let changed = match name.as_str() {
                    KEY_CHECK => transaction
                        .execute("UPDATE meta SET value = ?2 WHERE key = ?1", (&name, &new))?,
                    SETTINGS => transaction
                        .execute("UPDATE connector SET settings = ?2 WHERE id = ?1", (id, &new))?,
                    _ => transaction.execute(
                        "UPDATE secret SET value = ?3 WHERE connector_id = ?1 AND name = ?2",
                        (id, &name, &new),
                    )?,
                };
                debug_assert_eq!(changed, 1, "{name}");
            }
            Ok(())
        })
    }

    /// A write whose replaced and deleted values are overwritten in the files.
    fn overwriting(
        &self,
        f: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.read(|connection| Ok(connection.pragma_update(None, "secure_delete", true)?))?;
        let written = self.write(f);
        self.read(|connection| {
            connection.pragma_update(None, "secure_delete", false)?;
            // A reader may keep the log from being cut now; the next one to close the store cuts it.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok(())
        })?;
        written
    }

    /// A value about the store as a whole.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            Ok(connection
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
                .optional()?)
        })
    }

    /// Stores a value about the store as a whole unless there is one; answers the one that holds.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn meta_or_insert(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT DO NOTHING",
                (key, value),
            )?;
            Ok(transaction
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))?)
        })
    }
}

fn refuse_taken_name(
    transaction: &rusqlite::Transaction<'_>,
    name: &str,
    own: Option<i64>,
) -> Result<(), StoreError> {
    let taken: bool = transaction.query_row(
        "SELECT EXISTS(SELECT 1 FROM connector WHERE name = ?1 AND id IS NOT ?2)",
        (name, own),
        |row| row.get(0),
    )?;
    if taken {
        return Err(StoreError::new(
            StoreErrorKind::Config,
            format_args!("there is already a connector `{name}`"),
        )
        .with_hint("choose another name, or change that one with `connectors edit`"));
    }
    Ok(())
}

fn put_secrets(
    transaction: &rusqlite::Transaction<'_>,
    id: i64,
    secrets: &SealedChanges,
) -> Result<(), StoreError> {
    let now = time::now().timestamp_millis();
    for (name, value) in secrets {
        match value {
            Some(value) => transaction.execute(
                "INSERT INTO secret(connector_id, name, value, changed_at) VALUES(?1, ?2, ?3, ?4)
                 ON CONFLICT(connector_id, name) DO UPDATE SET value = ?3, changed_at = ?4",
                (id, name, value, now),
            )?,
            None => transaction
                .execute("DELETE FROM secret WHERE connector_id = ?1 AND name = ?2", (id, name))?,
        };
    }
    Ok(())
}
