//! Connectors as reports name them.

use rusqlite::{OptionalExtension, Row};

use crate::error::StoreError;
use crate::store::ReadStore;

/// A connector as reports name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorInfo {
    /// The store's number for it.
    pub id: i64,
    /// Its name, unique on this endpoint server.
    pub name: String,
    /// What it is for, in the administrator's words.
    pub description: String,
    /// The feature (connector library) it belongs to.
    pub feature: String,
    /// The domain as entered.
    pub domain: String,
}

/// The connectors, as reports name them.
#[derive(Clone, Copy, Debug)]
pub struct ConnectorNames<'s>(pub(crate) &'s ReadStore);

impl ConnectorNames<'_> {
    /// All connectors by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<ConnectorInfo>, StoreError> {
        let mut statement = self.0.connection().prepare(&connector_sql("ORDER BY name"))?;
        let connectors = statement.query_map([], connector_row)?.collect::<Result<_, _>>()?;
        Ok(connectors)
    }

    /// The connector of that name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn named(&self, name: &str) -> Result<Option<ConnectorInfo>, StoreError> {
        let sql = connector_sql("WHERE name = ?1");
        Ok(self.0.connection().query_row(&sql, [name], connector_row).optional()?)
    }
}

fn connector_sql(condition: &str) -> String {
    format!("SELECT id, name, description, feature, domain FROM connector {condition}")
}

fn connector_row(row: &Row<'_>) -> rusqlite::Result<ConnectorInfo> {
    Ok(ConnectorInfo {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        feature: row.get(3)?,
        domain: row.get(4)?,
    })
}
