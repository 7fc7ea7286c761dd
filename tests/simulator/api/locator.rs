//! Query locators: results that wait for their next page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use estate::{Estate, ResultSet};

use crate::clock::delta;
use crate::core::Core;
use crate::oauth::Session;
use crate::random::alphanumeric;
use crate::sync::lock;

/// A result behind a locator.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    pub(super) results: Arc<ResultSet>,
    pub(super) soql: String,
    pub(super) page_size: u64,
    user_id: String,
    token: String,
    made_at: DateTime<Utc>,
}

impl Cursor {
    /// A result of `session`'s query.
    pub(super) fn new(
        session: &Session,
        made_at: DateTime<Utc>,
        results: ResultSet,
        soql: &str,
        page_size: u64,
    ) -> Self {
        Self {
            results: Arc::new(results),
            soql: soql.to_owned(),
            page_size,
            user_id: session.user_id.clone(),
            token: session.token.clone(),
            made_at,
        }
    }
}

impl Cursor {
    /// The same result with the values of now, and without the rows that are gone.
    pub(super) fn seen_in(mut self, records: &Arc<Estate>) -> Self {
        if let Some(results) = self.results.seen_in(records) {
            self.results = Arc::new(results);
        }
        self
    }
}

/// All locators of an org.
#[derive(Debug, Default)]
pub(crate) struct Locators {
    cursors: Mutex<HashMap<String, Cursor>>,
}

impl Locators {
    /// Keeps a result and names it.
    pub(super) fn keep(&self, core: &Core, cursor: Cursor) -> String {
        let lifetime = delta(core.policy().locator_lifetime);
        let now = core.clock.now();
        let id = format!("0r8{}", alphanumeric(15));
        let mut cursors = lock(&self.cursors);
        cursors.retain(|_, cursor| now - cursor.made_at < lifetime);
        cursors.insert(id.clone(), cursor);
        id
    }

    /// The id, the result and the position that `locator` names, if `session` may read it now.
    pub(super) fn find(
        &self,
        core: &Core,
        session: &Session,
        locator: &str,
    ) -> Option<(String, Cursor, u64)> {
        let (id, offset) = split(locator)?;
        let cursor = lock(&self.cursors).get(id)?.clone();
        let policy = core.policy();
        let young = core.clock.now() - cursor.made_at < delta(policy.locator_lifetime);
        let own = cursor.user_id == session.user_id;
        let same_session = !policy.locators_die_with_session || cursor.token == session.token;
        let inside = offset < cursor.results.len();
        (young && own && same_session && inside).then(|| (id.to_owned(), cursor, offset))
    }

    /// SOQL and object of a locator, whoever asks.
    pub(crate) fn describe(&self, locator: &str) -> Option<(String, String)> {
        let (id, _) = split(locator)?;
        let cursors = lock(&self.cursors);
        let cursor = cursors.get(id)?;
        Some((cursor.soql.clone(), cursor.results.entity().to_owned()))
    }

    /// Forgets every result.
    pub(crate) fn clear(&self) {
        lock(&self.cursors).clear();
    }
}

fn split(locator: &str) -> Option<(&str, u64)> {
    let (id, offset) = locator.rsplit_once('-')?;
    Some((id, offset.parse().ok()?))
}
