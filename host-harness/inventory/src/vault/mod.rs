//! Secrets at rest: sealed one by one, with a key that lies outside the store.

mod cipher;
mod generations;
mod key_file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use connector_api::Secret;
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::error::{StoreError, StoreErrorKind};
use crate::folder::Folder;
use crate::journal::{self, JournalKey};
use crate::locks::KeyLock;
use crate::secrets::SETTINGS;
use crate::store::Store;
use cipher::{Cipher, refused};
use generations::Generations;
pub use key_file::KeyPlace;
use key_file::{key_path, make_key, next_path, read_key, replace, settle_change};

/// The value under which a store notes which key it is sealed with.
pub(crate) const KEY_CHECK: &str = "key_check";
const KEY_CHECK_TEXT: &str = "endpoint-server key check";
/// The value that holds the list of generations.
pub(crate) const GENERATIONS: &str = "generations";
/// The value that holds the key of the journal.
pub(crate) const JOURNAL_KEY: &str = "journal_key";

/// Secrets to store (`Some`) or remove (`None`), by name.
pub type SecretChanges = BTreeMap<String, Option<Secret>>;

/// Seals and opens values with the key of one store.
pub struct Vault {
    cipher: Cipher,
    journal_key: JournalKey,
    folder: Folder,
    /// While it is held, nobody changes the key.
    _in_use: KeyLock,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// The vault of that store. Its key file is made when the store holds nothing sealed yet; a
    /// store that does is never given a new key. Values that an older program sealed are sealed again.
    ///
    /// # Errors
    /// When the key is missing, short, readable by others, or not the one this store was sealed
    /// with, or a value that must be there is missing; nothing is overwritten.
    pub fn open(store: &Store, place: &KeyPlace) -> Result<Vault, StoreError> {
        Vault::open_locked(store, place, KeyLock::shared(store.folder())?)
    }

    fn open_locked(store: &Store, place: &KeyPlace, in_use: KeyLock) -> Result<Vault, StoreError> {
        let check = store.secrets().meta(KEY_CHECK)?;
        if check.is_none() && store.secrets().any_sealed()? {
            return Err(generations::lost(KEY_CHECK));
        }
        let (path, may_make) = key_path(store.folder(), place);
        if may_make && let Some(check) = &check {
            settle_change(&path, check)?;
        }
        let key = match read_key(&path)? {
            Some(key) => key,
            None if may_make && check.is_none() => make_key(&path)?,
            None => {
                return Err(StoreError::new(
                    StoreErrorKind::Sealed,
                    format_args!("the sealing key `{}` is missing", path.display()),
                )
                .with_hint(
                    "restore it from where it is kept; without it stored secrets cannot be opened \
                     and every connector must be created again",
                ));
            }
        };
        let cipher = Cipher::new(&key);
        let check = match check {
            Some(check) => check,
            None => store
                .secrets()
                .meta_or_insert(KEY_CHECK, &cipher.seal(KEY_CHECK, KEY_CHECK_TEXT)?)?,
        };
        cipher.open(KEY_CHECK, &check).map_err(|_| {
            StoreError::new(
                StoreErrorKind::Sealed,
                format_args!(
                    "the sealing key `{}` is not the one this store was sealed with",
                    path.display()
                ),
            )
            .with_hint("put the right key back; nothing was changed")
        })?;
        if store.secrets().meta(GENERATIONS)?.is_none() {
            count(store, &cipher)?;
        }
        let list = store.read(|connection| Generations::read(connection, &cipher))?;
        generations::look_for_restored(store.folder(), list.last);
        let journal_key = store.secrets().meta(JOURNAL_KEY)?;
        let journal_key = journal_key.ok_or_else(|| generations::lost(JOURNAL_KEY))?;
        let journal_key = JournalKey::from_text(&cipher.open(JOURNAL_KEY, &journal_key)?)
            .ok_or_else(|| refused(JOURNAL_KEY))?;
        let folder = store.folder().clone();
        Ok(Vault { cipher, journal_key, folder, _in_use: in_use })
    }

    /// Seals everything in the store with another key: with a fresh one that takes the place of the
    /// home's key file, or with the one in `new_key`. Returns the file that holds the key now.
    ///
    /// Safe against a crash at any moment: the fresh key is on disk before the one transaction that
    /// seals with it, and [`Vault::open`] puts it in its place if the process died in between.
    ///
    /// # Errors
    /// When another process uses the key, the key lies elsewhere and no new one is named, or the
    /// store cannot be written; the old key then stays.
    pub fn change_key(
        store: &Store,
        place: &KeyPlace,
        new_key: Option<&Path>,
    ) -> Result<PathBuf, StoreError> {
        let old = Vault::open_locked(store, place, KeyLock::exclusive(store.folder())?)?;
        let (path, own) = key_path(store.folder(), place);
        let fresh = next_path(&path);
        let key = match new_key {
            Some(file) => read_key(file)?.ok_or_else(|| {
                StoreError::new(
                    StoreErrorKind::Config,
                    format_args!("there is no key file `{}`", file.display()),
                )
                .with_hint("make one with 32 random bytes, mode 0600")
            })?,
            None if own => make_key(&fresh)?,
            None => {
                return Err(StoreError::new(
                    StoreErrorKind::Usage,
                    format_args!(
                        "the sealing key `{}` does not lie in the home folder",
                        path.display()
                    ),
                )
                .with_hint("make a new key file and name it with `--new-key-file FILE`"));
            }
        };
        let new = Cipher::new(&key);
        store.overwriting(|transaction| generations::reseal(transaction, &old.cipher, &new))?;
        match new_key {
            Some(file) => Ok(file.to_owned()),
            None => {
                replace(&fresh, &path)?;
                Ok(path)
            }
        }
    }

    /// Reads and opens a connector's secret. Whoever shows text must mask it from then on.
    ///
    /// # Errors
    /// When it was altered, moved, put back from an earlier time or sealed with another key, and when
    /// the store cannot be read.
    pub fn secret(
        &self,
        store: &Store,
        connector_id: i64,
        name: &str,
    ) -> Result<Option<Secret>, StoreError> {
        self.open_stored(store, connector_id, name, |moment| {
            moment
                .query_row(
                    "SELECT value FROM secret WHERE connector_id = ?1 AND name = ?2",
                    (connector_id, name),
                    |row| row.get(0),
                )
                .optional()
        })
    }

    /// Reads and opens a connector's settings.
    ///
    /// # Errors
    /// As for [`Vault::secret`], and when there are none.
    pub fn settings(&self, store: &Store, connector_id: i64) -> Result<Secret, StoreError> {
        let settings = self.open_stored(store, connector_id, SETTINGS, |moment| {
            let sql = "SELECT settings FROM connector WHERE id = ?1";
            moment.query_row(sql, [connector_id], |row| row.get(0)).optional()
        })?;
        settings.ok_or_else(|| refused(SETTINGS))
    }

    /// The key of the journal.
    pub fn journal_key(&self) -> &JournalKey {
        &self.journal_key
    }

    /// Opens what `read` finds; the list and the binding are those of the same moment.
    fn open_stored(
        &self,
        store: &Store,
        id: i64,
        name: &str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<Option<Vec<u8>>>,
    ) -> Result<Option<Secret>, StoreError> {
        store.read(|connection| {
            let moment = connection.unchecked_transaction()?;
            read(&moment)?
                .map(|sealed| generations::open(&moment, &self.cipher, id, name, &sealed))
                .transpose()
        })
    }

    /// Seals and stores changes of a connector's secrets, and its settings if there are any.
    pub(crate) fn put(
        &self,
        transaction: &Transaction<'_>,
        id: i64,
        settings: Option<&str>,
        secrets: &SecretChanges,
    ) -> Result<(), StoreError> {
        generations::put(transaction, &self.cipher, id, settings, secrets)
    }

    /// Opens the secrets of a connector that do not change, to be sealed again after its domain or
    /// client id changed.
    pub(crate) fn open_unchanged(
        &self,
        connection: &Connection,
        id: i64,
        changes: &SecretChanges,
    ) -> Result<SecretChanges, StoreError> {
        generations::open_unchanged(connection, &self.cipher, id, changes)
    }

    /// Forgets the generations of a connector that is deleted.
    pub(crate) fn forget(&self, transaction: &Transaction<'_>, id: i64) -> Result<(), StoreError> {
        generations::forget(transaction, &self.cipher, id)
    }

    /// Notes beside the store how far it has come.
    pub(crate) fn note(&self, store: &Store) {
        match store.read(|connection| Generations::read(connection, &self.cipher)) {
            Ok(list) => generations::note(&self.folder, list.last),
            Err(error) => log::debug!("the generation is not noted: {error}"),
        }
    }
}

/// Makes the list of generations and the key of the journal, and binds to them what is there.
fn count(store: &Store, cipher: &Cipher) -> Result<(), StoreError> {
    let key = JournalKey::random()?;
    store.overwriting(|transaction| {
        if generations::upgrade(transaction, cipher)? {
            let sealed = cipher.seal(JOURNAL_KEY, &key.text())?;
            crate::secrets::put_meta(transaction, JOURNAL_KEY, &sealed)?;
            journal::upgrade(transaction, &key)?;
        }
        Ok(())
    })
}
