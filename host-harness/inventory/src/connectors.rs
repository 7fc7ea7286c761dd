//! Configured connectors: what was entered, and what authorization left.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use connector_api::message::GrantSummary;
use rusqlite::{OptionalExtension, Row};

use crate::error::{StoreError, StoreErrorKind};
use crate::folder::Folder;
use crate::schema;
use crate::store::Store;
use crate::time;
use crate::vault::{SecretChanges, Vault};

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

const COLUMNS: &str = "id, name, description, feature, domain, client_id, schedule,
    grant_summary, granted_at, pending_authorization_at, revocation_failed_at, organization_id";

fn connector(row: &Row<'_>) -> rusqlite::Result<Connector> {
    let grant: Option<String> = row.get(7)?;
    Ok(Connector {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        feature: row.get(3)?,
        domain: row.get(4)?,
        client_id: row.get(5)?,
        schedule: row.get(6)?,
        grant: grant.and_then(|json| serde_json::from_str(&json).ok()),
        granted_at: row.get::<_, Option<i64>>(8)?.map(time::from_ms),
        pending_authorization_at: row.get::<_, Option<i64>>(9)?.map(time::from_ms),
        revocation_failed_at: row.get::<_, Option<i64>>(10)?.map(time::from_ms),
        organization_id: row.get(11)?,
    })
}

/// Configured connectors.
#[derive(Clone, Copy, Debug)]
pub struct Connectors<'s>(pub(crate) &'s Store);

impl Connectors<'_> {
    /// All connectors, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<Connector>, StoreError> {
        self.0.read(|connection| {
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
    pub fn named(&self, name: &str) -> Result<Connector, StoreError> {
        let found = self.0.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM connector WHERE name = ?1");
            Ok(connection.query_row(&sql, [name], connector).optional()?)
        })?;
        if let Some(found) = found {
            return Ok(found);
        }
        let names: Vec<String> =
            self.list()?.into_iter().map(|other| format!("`{}`", other.name)).collect();
        let hint = if names.is_empty() {
            "there are none yet: create one with `connectors new`".to_owned()
        } else {
            format!("connectors here: {}", names.join(", "))
        };
        Err(StoreError::new(StoreErrorKind::Usage, format_args!("there is no connector `{name}`"))
            .with_hint(hint))
    }

    /// Stores a new connector with its sealed settings and secrets, in one transaction.
    ///
    /// # Errors
    /// When the name is taken, or the store cannot be written; nothing is stored then.
    pub fn insert(
        &self,
        vault: &Vault,
        new: &NewConnector,
        settings: &str,
        secrets: &SecretChanges,
    ) -> Result<i64, StoreError> {
        let id = self.0.write(|transaction| {
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
            vault.put(transaction, id, Some(settings), secrets)?;
            Ok(id)
        })?;
        vault.note(self.0);
        Ok(id)
    }

    /// Replaces the plain part, the sealed settings and some secrets of a connector. The other
    /// secrets are sealed again where what they are bound to changes.
    ///
    /// # Errors
    /// When the name is taken, a secret cannot be opened, or the store cannot be written; nothing is
    /// changed then.
    pub fn update(
        &self,
        vault: &Vault,
        id: i64,
        new: &NewConnector,
        settings: &str,
        secrets: &SecretChanges,
    ) -> Result<(), StoreError> {
        self.0.write(|transaction| {
            refuse_taken_name(transaction, &new.name, Some(id))?;
            let same: bool = transaction.query_row(
                "SELECT domain = ?2 AND client_id = ?3 FROM connector WHERE id = ?1",
                (id, &new.domain, &new.client_id),
                |row| row.get(0),
            )?;
            let mut sealed = SecretChanges::new();
            if !same {
                sealed = vault.open_unchanged(transaction, id, secrets)?;
            }
            sealed.extend(secrets.clone());
            transaction.execute(
                "UPDATE connector SET name = ?2, description = ?3, domain = ?4, client_id = ?5,
                     schedule = ?6, changed_at = ?7 WHERE id = ?1",
                (
                    id,
                    &new.name,
                    &new.description,
                    &new.domain,
                    &new.client_id,
                    &new.schedule,
                    time::now().timestamp_millis(),
                ),
            )?;
            vault.put(transaction, id, Some(settings), &sealed)
        })?;
        vault.note(self.0);
        Ok(())
    }

    /// Deletes a connector with its secrets, runs and records, and what was derived from them.
    ///
    /// # Errors
    /// When a derived file cannot be removed or the store cannot be written; the connector stays then.
    pub fn delete(&self, vault: &Vault, connector: &Connector) -> Result<(), StoreError> {
        remove_derived(self.0.folder(), connector.id)?;
        self.0.overwriting(|transaction| {
            for table in schema::dataset_tables(transaction, &connector.feature)? {
                transaction.execute(
                    &format!("DELETE FROM {} WHERE _connector = ?1", schema::quote(&table)),
                    [connector.id],
                )?;
            }
            transaction.execute("DELETE FROM connector WHERE id = ?1", [connector.id])?;
            vault.forget(transaction, connector.id)
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
        self.0.write(|transaction| {
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
        vault: &Vault,
        id: i64,
        summary: &GrantSummary,
        secrets: &SecretChanges,
        other_organization: bool,
    ) -> Result<(), StoreError> {
        let json = serde_json::to_string(summary).map_err(StoreError::system)?;
        self.0.write(|transaction| {
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
            vault.put(transaction, id, None, secrets)
        })?;
        vault.note(self.0);
        Ok(())
    }

    /// Notes that the grant could not be revoked at the vendor: it is not used any more, and kept so
    /// that the revocation can be tried again.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set_still_live(&self, id: i64) -> Result<(), StoreError> {
        self.0.write(|transaction| {
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
    pub fn forget_grant(&self, vault: &Vault, id: i64, entered: &[&str]) -> Result<(), StoreError> {
        let names = self.0.secrets().names(id)?;
        self.0.overwriting(|transaction| {
            transaction.execute(
                "UPDATE connector SET grant_summary = NULL, granted_at = NULL,
                     pending_authorization_at = NULL, revocation_failed_at = NULL, changed_at = ?2
                 WHERE id = ?1",
                (id, time::now().timestamp_millis()),
            )?;
            let working = names.iter().filter(|name| !entered.contains(&name.as_str()));
            let gone = working.map(|name| (name.clone(), None)).collect();
            vault.put(transaction, id, None, &gone)
        })
    }

    /// For each connector a text that changes when its settings or its grant change, or when a run
    /// of it published something.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fingerprints(&self) -> Result<BTreeMap<i64, String>, StoreError> {
        self.0.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, changed_at || '/' || coalesce(granted_at, '') || '/' || coalesce(
                     (SELECT max(run_id) FROM snapshot WHERE connector_id = connector.id), '')
                 FROM connector",
            )?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// Removes the tables that reports keep of a connector's snapshots.
fn remove_derived(folder: &Folder, id: i64) -> Result<(), StoreError> {
    let Ok(entries) = std::fs::read_dir(folder.positions()) else { return Ok(()) };
    let own = format!("{id}-");
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| name.starts_with(&own)) {
            std::fs::remove_file(&path).map_err(|error| StoreError::io("remove", &path, error))?;
        }
    }
    Ok(())
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
