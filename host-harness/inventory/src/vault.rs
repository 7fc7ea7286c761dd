//! Secrets at rest: sealed one by one, with a key that lies outside the store.
//!
//! A sealed value is `version (1 byte) | nonce (24 bytes) | XChaCha20-Poly1305 ciphertext and tag`.
//! The connector's number, the value's name and the version are authenticated with it, so a value
//! cannot be moved to another connector or name.

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use connector_api::Secret;
use zeroize::Zeroizing;

use crate::error::{StoreError, StoreErrorKind};
use crate::files::{folder_of, restrict, sync_folder};
use crate::folder::Folder;
use crate::locks::KeyLock;
use crate::secrets::KEY_CHECK;
use crate::store::Store;

const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const KEY: usize = 32;
const KEY_CHECK_TEXT: &str = "endpoint-server key check";

/// Where the sealing key may lie, from the environment.
#[derive(Clone, Debug, Default)]
pub struct KeyPlace {
    /// `ENDPOINT_SERVER_KEY_FILE`.
    pub file: Option<PathBuf>,
    /// `CREDENTIALS_DIRECTORY`, as a service manager sets it; the file in it is
    /// `endpoint-server-key`.
    pub credentials_directory: Option<PathBuf>,
}

/// Seals and opens values with the key of one store.
pub struct Vault {
    cipher: XChaCha20Poly1305,
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
    /// store that does is never given a new key.
    ///
    /// # Errors
    /// When the key is missing, short, readable by others, or not the one this store was sealed
    /// with; nothing is overwritten.
    pub fn open(store: &Store, place: &KeyPlace) -> Result<Vault, StoreError> {
        Vault::open_locked(store, place, KeyLock::shared(store.folder())?)
    }

    fn open_locked(store: &Store, place: &KeyPlace, in_use: KeyLock) -> Result<Vault, StoreError> {
        let check = store.secrets().meta(KEY_CHECK)?;
        let (path, may_make) = key_path(store.folder(), place);
        if may_make && let Some(check) = &check {
            settle_change(&path, check)?;
        }
        let key = match read_key(&path)? {
            Some(key) => key,
            None if may_make && check.is_none() => make_key(&path)?,
            None => {
                return Err(StoreError::system(format_args!(
                    "the sealing key `{}` is missing",
                    path.display()
                ))
                .with_hint(
                    "restore it from where it is kept; without it stored secrets cannot be opened \
                     and every connector must be created again",
                ));
            }
        };
        let vault = Vault { cipher: cipher(&key), _in_use: in_use };
        let check = match check {
            Some(check) => check,
            None => store
                .secrets()
                .meta_or_insert(KEY_CHECK, &seal(&vault.cipher, 0, KEY_CHECK, KEY_CHECK_TEXT)?)?,
        };
        vault.unseal(0, KEY_CHECK, &check).map_err(|_| {
            StoreError::system(format_args!(
                "the sealing key `{}` is not the one this store was sealed with",
                path.display()
            ))
            .with_hint("put the right key back; nothing was changed")
        })?;
        Ok(vault)
    }

    /// Seals everything in the store with another key: with a fresh one that takes the place of the
    /// home's key file, or with the one in `new_key`. Answers the file that holds the key now.
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
        let new = cipher(&key);
        store.secrets().reseal(|connector_id, name, sealed| {
            let value = old.unseal(connector_id, name, sealed)?;
            seal(&new, connector_id, name, value.expose())
        })?;
        match new_key {
            Some(file) => Ok(file.to_owned()),
            None => {
                replace(&fresh, &path)?;
                Ok(path)
            }
        }
    }

    /// Seals a value.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal(&self, connector_id: i64, name: &str, value: &str) -> Result<Vec<u8>, StoreError> {
        seal(&self.cipher, connector_id, name, value)
    }

    /// Opens a sealed value, and from then on masks it wherever this process shows text.
    ///
    /// # Errors
    /// When it was altered, moved, or sealed with another key.
    pub fn unseal(
        &self,
        connector_id: i64,
        name: &str,
        sealed: &[u8],
    ) -> Result<Secret, StoreError> {
        unseal(&self.cipher, connector_id, name, sealed)
    }

    /// Reads and opens a connector's secret.
    ///
    /// # Errors
    /// As for [`Vault::unseal`], and when the store cannot be read.
    pub fn secret(
        &self,
        store: &Store,
        connector_id: i64,
        name: &str,
    ) -> Result<Option<Secret>, StoreError> {
        let Some(sealed) = store.secrets().sealed(connector_id, name)? else { return Ok(None) };
        let secret = self.unseal(connector_id, name, &sealed)?;
        Ok(Some(secret))
    }
}

fn cipher(key: &[u8; KEY]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

fn seal(
    cipher: &XChaCha20Poly1305,
    connector_id: i64,
    name: &str,
    value: &str,
) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0_u8; NONCE];
    getrandom::fill(&mut nonce)
        .map_err(|error| StoreError::system(format_args!("no random bytes: {error}")))?;
    let payload = Payload { msg: value.as_bytes(), aad: &authenticated(connector_id, name) };
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| StoreError::system(format_args!("`{name}` could not be sealed")))?;
    let mut bytes = Vec::with_capacity(1 + NONCE + sealed.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

fn unseal(
    cipher: &XChaCha20Poly1305,
    connector_id: i64,
    name: &str,
    sealed: &[u8],
) -> Result<Secret, StoreError> {
    let refused = || {
        StoreError::system(format_args!("the stored value `{name}` cannot be opened"))
            .with_hint("it was altered or sealed with another key: restore store and key, or enter it again with `connectors edit`")
    };
    let (version, rest) = sealed.split_first().ok_or_else(refused)?;
    if *version != VERSION || rest.len() < NONCE + TAG {
        return Err(refused());
    }
    let (nonce, body) = rest.split_at(NONCE);
    let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| refused())?;
    let payload = Payload { msg: body, aad: &authenticated(connector_id, name) };
    let plain = cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| refused())?;
    let plain = String::from_utf8(plain).map_err(|_| refused())?;
    Ok(Secret::new(plain))
}

/// Where a fresh key lies until everything is sealed with it.
fn next_path(path: &Path) -> PathBuf {
    path.with_extension("next")
}

/// After a crash during a change: the fresh key takes its place if the store is sealed with it
/// already, and goes if it is not.
fn settle_change(path: &Path, check: &[u8]) -> Result<(), StoreError> {
    let fresh = next_path(path);
    let opens = |key: Option<Zeroizing<[u8; KEY]>>| {
        key.is_some_and(|key| unseal(&cipher(&key), 0, KEY_CHECK, check).is_ok())
    };
    let Ok(next) = read_key(&fresh) else { return Ok(()) };
    if next.is_none() {
        return Ok(());
    }
    if opens(next) {
        log::warn!("a change of the sealing key was interrupted: it is finished now");
        return replace(&fresh, path);
    }
    if read_key(path).is_ok_and(opens) {
        std::fs::remove_file(&fresh).map_err(|error| StoreError::io("remove", &fresh, error))?;
    }
    Ok(())
}

/// Renames a file over another, durably. One that somebody else renamed meanwhile is fine.
fn replace(from: &Path, to: &Path) -> Result<(), StoreError> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::io("put the new sealing key at", to, error)
                .with_hint("run any command again to finish the change"));
        }
        _ => {}
    }
    sync_folder(folder_of(to))
}

fn authenticated(connector_id: i64, name: &str) -> Vec<u8> {
    format!("endpoint-server/{VERSION}/{connector_id}/{name}").into_bytes()
}

/// The key's path, and whether a missing one may be made there.
fn key_path(folder: &Folder, place: &KeyPlace) -> (PathBuf, bool) {
    if let Some(file) = &place.file {
        return (file.clone(), false);
    }
    if let Some(folder) = &place.credentials_directory {
        let file = folder.join("endpoint-server-key");
        if file.exists() {
            return (file, false);
        }
    }
    (folder.key_file(), true)
}

fn read_key(path: &Path) -> Result<Option<Zeroizing<[u8; KEY]>>, StoreError> {
    let text = match std::fs::read(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(StoreError::io("read the sealing key", path, error)
                .with_hint("it must be readable by the account that runs the endpoint server"));
        }
    };
    refuse_open_mode(path)?;
    let mut key = Zeroizing::new([0_u8; KEY]);
    let trimmed = text.trim_ascii();
    // Base64 as this program writes it, or the bare bytes.
    let decoded = STANDARD.decode_slice(trimmed, &mut key[..]);
    match decoded {
        Ok(KEY) => Ok(Some(key)),
        _ if text.len() == KEY => {
            key.copy_from_slice(&text);
            Ok(Some(key))
        }
        _ => Err(StoreError::system(format_args!(
            "the sealing key `{}` is damaged: it must hold {KEY} bytes, as such or in base64",
            path.display()
        ))
        .with_hint("restore it from where it is kept; nothing was changed")),
    }
}

#[cfg(unix)]
fn refuse_open_mode(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)
        .map_err(|error| StoreError::io("read the mode of", path, error))?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(StoreError::system(format_args!(
        "the sealing key `{}` may be read by others (mode {:04o})",
        path.display(),
        mode & 0o7777
    ))
    .with_hint(format_args!("run `chmod 600 {}`", path.display())))
}

#[cfg(not(unix))]
fn refuse_open_mode(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Makes a key, all or nothing; if another process was faster, its key holds.
fn make_key(path: &Path) -> Result<Zeroizing<[u8; KEY]>, StoreError> {
    let failed = |error: std::io::Error| StoreError::io("make the sealing key", path, error);
    let mut key = Zeroizing::new([0_u8; KEY]);
    getrandom::fill(&mut key[..])
        .map_err(|error| StoreError::system(format_args!("no random bytes: {error}")))?;
    let folder = folder_of(path);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    restrict(file.path(), 0o600)?;
    let text = Zeroizing::new(STANDARD.encode(&key[..]));
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            sync_folder(folder)?;
            Ok(key)
        }
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            read_key(path)?.ok_or_else(|| failed(error.error))
        }
        Err(error) => Err(failed(error.error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::SETTINGS;

    struct Case {
        folder: tempfile::TempDir,
        store: Store,
    }

    fn case() -> Case {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Folder::new(folder.path())).unwrap();
        Case { folder, store }
    }

    impl Case {
        fn vault(&self) -> Result<Vault, StoreError> {
            Vault::open(&self.store, &KeyPlace::default())
        }

        fn key(&self) -> PathBuf {
            self.folder.path().join("key")
        }
    }

    #[test]
    fn what_was_sealed_opens_under_its_own_connector_and_name_only() {
        let case = case();
        let vault = case.vault().unwrap();
        let sealed = vault.seal(1, "client_secret", "canary").unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"canary"));
        assert_eq!(vault.unseal(1, "client_secret", &sealed).unwrap().expose(), "canary");
        assert!(vault.unseal(2, "client_secret", &sealed).is_err());
        assert!(vault.unseal(1, "refresh_token", &sealed).is_err());
    }

    #[test]
    fn a_value_altered_anywhere_or_cut_short_is_refused() {
        let case = case();
        let vault = case.vault().unwrap();
        let sealed = vault.seal(1, "token", "canary").unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(vault.unseal(1, "token", &altered).is_err(), "byte {at}");
            assert!(vault.unseal(1, "token", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let case = case();
        let vault = case.vault().unwrap();
        assert_ne!(vault.seal(1, "a", "x").unwrap(), vault.seal(1, "a", "x").unwrap());
    }

    #[test]
    fn a_missing_key_is_never_replaced_once_something_was_sealed() {
        let case = case();
        case.vault().unwrap();
        std::fs::remove_file(case.key()).unwrap();
        let error = case.vault().unwrap_err();
        assert!(error.message.contains("is missing"), "{error}");
        assert!(!case.key().exists());
    }

    #[test]
    fn a_truncated_key_is_an_error_and_stays_as_it_is() {
        let case = case();
        case.vault().unwrap();
        let whole = std::fs::read(case.key()).unwrap();
        for length in [0, 1, 31, 43] {
            std::fs::write(case.key(), &whole[..length]).unwrap();
            let error = case.vault().unwrap_err();
            assert!(error.message.contains("damaged"), "{length}: {error}");
            assert_eq!(std::fs::read(case.key()).unwrap(), &whole[..length]);
        }
    }

    #[test]
    fn another_stores_key_is_told_from_the_right_one() {
        let (case, other) = (case(), self::case());
        case.vault().unwrap();
        other.vault().unwrap();
        std::fs::copy(other.key(), case.key()).unwrap();
        let error = case.vault().unwrap_err();
        assert!(error.message.contains("is not the one"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_others_can_read_is_refused_with_the_command_that_helps() {
        use std::os::unix::fs::PermissionsExt;
        let case = case();
        case.vault().unwrap();
        assert_eq!(std::fs::metadata(case.key()).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(case.key(), std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = case.vault().unwrap_err();
        assert!(error.hint.unwrap().starts_with("run `chmod 600"));
    }

    /// A store with one sealed secret, after a change of the key.
    fn changed() -> (Case, Vec<u8>) {
        let case = case();
        let vault = case.vault().unwrap();
        let draft = crate::NewConnector { name: "c".into(), ..Default::default() };
        let sealed = |id| {
            Ok(crate::Sealed {
                settings: vault.seal(id, SETTINGS, "{}")?,
                secrets: vec![("token".into(), Some(vault.seal(id, "token", "canary")?))],
            })
        };
        case.store.connectors().insert(&draft, sealed).unwrap();
        let old_key = std::fs::read(case.key()).unwrap();
        drop(vault);
        Vault::change_key(&case.store, &KeyPlace::default(), None).unwrap();
        (case, old_key)
    }

    fn opens(case: &Case) {
        let vault = case.vault().unwrap();
        assert_eq!(vault.secret(&case.store, 1, "token").unwrap().unwrap().expose(), "canary");
        let connector = case.store.connectors().named("c").unwrap();
        vault.unseal(1, SETTINGS, &connector.sealed_settings).unwrap();
        assert!(!case.folder.path().join("key.next").exists());
    }

    #[test]
    fn after_a_change_only_the_new_key_opens_the_secrets() {
        let (case, old_key) = changed();
        assert_ne!(std::fs::read(case.key()).unwrap(), old_key);
        opens(&case);
        std::fs::write(case.key(), old_key).unwrap();
        assert!(case.vault().unwrap_err().message.contains("is not the one"));
    }

    #[test]
    fn a_change_that_died_before_or_after_its_transaction_leaves_a_key_that_opens_all() {
        // Died after the transaction: the store is sealed with the key that was not renamed yet.
        let (case, old_key) = changed();
        std::fs::rename(case.key(), case.folder.path().join("key.next")).unwrap();
        std::fs::write(case.key(), &old_key).unwrap();
        restrict(&case.key(), 0o600).unwrap();
        opens(&case);

        // Died before it: a fresh key that nothing is sealed with.
        std::fs::copy(self::changed().0.key(), case.folder.path().join("key.next")).unwrap();
        opens(&case);
    }

    #[test]
    fn a_key_in_use_is_not_changed() {
        let case = case();
        let _vault = case.vault().unwrap();
        let error = Vault::change_key(&case.store, &KeyPlace::default(), None).unwrap_err();
        assert!(error.message.contains("in use"), "{error}");
    }

    #[test]
    fn a_key_from_the_environment_must_exist_and_is_not_made() {
        let case = case();
        let file = case.folder.path().join("elsewhere");
        let place = KeyPlace { file: Some(file.clone()), ..KeyPlace::default() };
        assert!(Vault::open(&case.store, &place).is_err());
        assert!(!file.exists() && !case.key().exists());
    }

    #[test]
    fn a_key_in_the_service_managers_credentials_is_used() {
        let (case, credentials) = (case(), tempfile::tempdir().unwrap());
        let file = credentials.path().join("endpoint-server-key");
        std::fs::write(&file, [7_u8; KEY]).unwrap();
        restrict(&file, 0o600).unwrap();
        let place = KeyPlace {
            credentials_directory: Some(credentials.path().into()),
            ..KeyPlace::default()
        };
        Vault::open(&case.store, &place).unwrap();
        assert!(!case.key().exists());
    }
}
