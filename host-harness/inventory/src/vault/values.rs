//! The values that belong to the store as a whole, and changes of a connector's.

use std::collections::BTreeMap;

use connector_api::Secret;

/// The value under which a store notes which key it is sealed with.
pub(super) const KEY_CHECK: &str = "key_check";
pub(super) const KEY_CHECK_TEXT: &str = "endpoint-server key check";
/// The value that holds the list of generations.
pub(super) const GENERATIONS: &str = "generations";
/// The value that holds the key of the journal.
pub(super) const JOURNAL_KEY: &str = "journal_key";

/// Secrets to store (`Some`) or remove (`None`), by name.
pub type SecretChanges = BTreeMap<String, Option<Secret>>;
