//! The vault beside stores, keys and values that somebody changed.

use std::path::PathBuf;

use super::cipher::{Binding, KEY};
use super::*;
use crate::connectors::NewConnector;
use crate::files::restrict;

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
    connector(&case, &vault, "c");
    let old_key = std::fs::read(case.key()).unwrap();
    drop(vault);
    Vault::change_key(&case.store, &KeyPlace::default(), None).unwrap();
    (case, old_key)
}

fn opens(case: &Case) {
    let vault = case.vault().unwrap();
    assert_eq!(vault.secret(&case.store, 1, "token").unwrap().unwrap().expose(), "token of c");
    assert_eq!(vault.settings(&case.store, 1).unwrap().expose(), "{}");
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
    let place =
        KeyPlace { credentials_directory: Some(credentials.path().into()), ..KeyPlace::default() };
    Vault::open(&case.store, &place).unwrap();
    assert!(!case.key().exists());
}

fn changes(name: &str, value: &str) -> SecretChanges {
    SecretChanges::from([(name.to_owned(), Some(Secret::new(value.to_owned())))])
}

fn plain(name: &str, domain: &str) -> NewConnector {
    NewConnector {
        name: name.into(),
        domain: domain.into(),
        client_id: "id".into(),
        ..NewConnector::default()
    }
}

/// A connector with a `token` and a `client_secret`.
fn connector(case: &Case, vault: &Vault, name: &str) -> i64 {
    let mut secrets = changes("token", &format!("token of {name}"));
    secrets.extend(changes("client_secret", &format!("secret of {name}")));
    case.store.connectors().insert(vault, &plain(name, "north"), "{}", &secrets).unwrap()
}

impl Case {
    fn change(&self, sql: &str) -> usize {
        self.store.write(|transaction| Ok(transaction.execute(sql, [])?)).unwrap()
    }
}

#[test]
fn a_sealed_value_opens_under_its_own_binding_name_and_generation_only() {
    let cipher = Cipher::new(&[7; KEY]);
    let own = Binding { connector_id: 1, domain: "north".into(), client_id: "id".into() };
    let sealed = cipher.seal_counted(&own, "token", 5, "canary").unwrap();
    assert!(!sealed.windows(6).any(|bytes| bytes == b"canary"));
    assert_ne!(sealed, cipher.seal_counted(&own, "token", 5, "canary").unwrap());
    let opens = |binding: &Binding, name, generation, sealed: &[u8]| {
        cipher.open_counted(binding, name, generation, sealed).is_ok()
    };
    assert!(opens(&own, "token", 5, &sealed));
    for other in [
        Binding { connector_id: 2, ..own.clone() },
        Binding { domain: "south".into(), ..own.clone() },
        Binding { client_id: "other".into(), ..own.clone() },
        // The same letters, divided otherwise.
        Binding { domain: "northi".into(), client_id: "d".into(), ..own.clone() },
    ] {
        assert!(!opens(&other, "token", 5, &sealed), "{other:?}");
    }
    assert!(!opens(&own, "refresh_token", 5, &sealed) && !opens(&own, "token", 6, &sealed));
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(!opens(&own, "token", 5, &altered), "byte {at}");
        assert!(!opens(&own, "token", 5, &sealed[..at]), "cut at {at}");
    }
}

#[test]
fn two_hundred_stores_that_were_tampered_with_are_refused_and_the_untouched_one_is_not() {
    let case = case();
    let vault = case.vault().unwrap();
    let (one, two) = (connector(&case, &vault, "one"), connector(&case, &vault, "two"));
    // As the store was at an earlier time.
    for (kept, sql) in [
        ("secret", "SELECT * FROM secret"),
        ("connector", "SELECT * FROM connector"),
        ("meta", "SELECT * FROM meta"),
    ] {
        case.change(&format!("CREATE TEMP TABLE old_{kept} AS {sql}"));
    }
    let store = &case.store;
    store.secrets().put(&vault, one, &changes("token", "newer")).unwrap();
    store
        .secrets()
        .put(&vault, two, &SecretChanges::from([("client_secret".into(), None)]))
        .unwrap();
    store
        .connectors()
        .update(&vault, one, &plain("one", "north"), "{\"a\": 1}", &SecretChanges::new())
        .unwrap();
    store
        .connectors()
        .update(&vault, two, &plain("two", "south"), "{}", &SecretChanges::new())
        .unwrap();
    for kept in ["secret", "connector", "meta"] {
        case.change(&format!("CREATE TEMP TABLE now_{kept} AS SELECT * FROM {kept}"));
    }
    // Every value as it is opened by its readers, with what it must be.
    let read = || -> Vec<Option<String>> {
        let secret = |id, name| {
            vault
                .secret(store, id, name)
                .map(|found| found.map_or("none".into(), |s| s.expose().to_owned()))
        };
        vec![
            secret(one, "token").ok(),
            secret(one, "client_secret").ok(),
            secret(two, "token").ok(),
            secret(two, "client_secret").ok(),
            vault.settings(store, one).ok().map(|s| s.expose().to_owned()),
            vault.settings(store, two).ok().map(|s| s.expose().to_owned()),
        ]
    };
    let whole = read();
    assert_eq!(
        whole.iter().flatten().map(String::as_str).collect::<Vec<_>>(),
        ["newer", "secret of one", "token of two", "none", "{\"a\": 1}", "{}"]
    );
    let mut tampers = Vec::new();
    let flip = |column: &str, at: usize| {
        format!("substr({column}, 1, {at}) || x'ff' || substr({column}, {} )", at + 2)
    };
    for at in (0..40).step_by(1) {
        for (table, column, which) in [
            ("secret", "value", format!("connector_id = {one} AND name = 'token'")),
            ("secret", "value", format!("connector_id = {two} AND name = 'token'")),
            ("connector", "settings", format!("id = {one}")),
            ("meta", "value", format!("key = '{GENERATIONS}'")),
        ] {
            tampers.push(format!(
                "UPDATE {table} SET {column} = CAST({} AS BLOB) WHERE {which}",
                flip(column, at)
            ));
            if at % 4 == 0 {
                tampers.push(format!("UPDATE {table} SET {column} = CAST(substr({column}, 1, {at}) AS BLOB) WHERE {which}"));
            }
        }
    }
    let token = |id: i64| format!("WHERE connector_id = {id} AND name = 'token'");
    tampers.extend([
        // One older value is put back.
        format!("UPDATE secret SET value = (SELECT value FROM old_secret {0}) {0}", token(one)),
        format!("UPDATE secret SET value = (SELECT value FROM old_secret {0}) {0}", token(two)),
        format!("UPDATE connector SET settings = (SELECT settings FROM old_connector WHERE id = {one}) WHERE id = {one}"),
        format!("INSERT INTO secret SELECT * FROM old_secret WHERE connector_id = {two} AND name = 'client_secret'"),
        format!("UPDATE meta SET value = (SELECT value FROM old_meta WHERE key = '{GENERATIONS}') WHERE key = '{GENERATIONS}'"),
        // A value is moved.
        format!("UPDATE secret SET value = (SELECT value FROM secret {1}) {0}", token(one), token(two)),
        format!("UPDATE secret SET value = (SELECT value FROM secret WHERE connector_id = {one} AND name = 'client_secret') {}", token(one)),
        format!("UPDATE secret SET connector_id = {two} WHERE connector_id = {one} AND name = 'client_secret'"),
        format!("UPDATE secret SET name = 'client_secret' {}", token(two)),
        // What a value is bound to is changed.
        format!("UPDATE connector SET domain = 'attacker' WHERE id = {one}"),
        format!("UPDATE connector SET client_id = 'attacker' WHERE id = {two}"),
        format!("UPDATE connector SET domain = 'north' WHERE id = {two}"),
        format!("DELETE FROM meta WHERE key = '{GENERATIONS}'"),
    ]);
    assert!(tampers.len() >= 200, "{}", tampers.len());
    let mut unchanged = 0;
    for tamper in &tampers {
        case.change(tamper);
        let same: bool = case
            .store
            .read(|c| {
                Ok(c.query_row(
                    "SELECT NOT EXISTS(SELECT * FROM secret EXCEPT SELECT * FROM now_secret)
                        AND NOT EXISTS(SELECT * FROM connector EXCEPT SELECT * FROM now_connector)
                        AND NOT EXISTS(SELECT * FROM now_meta EXCEPT SELECT * FROM meta)",
                    [],
                    |row| row.get(0),
                )?)
            })
            .unwrap();
        unchanged += usize::from(same);
        let now = read();
        if !same {
            assert_ne!(now, whole, "{tamper}");
        }
        for (now, whole) in now.iter().zip(&whole) {
            // A value is the right one or none at all.
            let gone = now.as_deref() == Some("none") && tamper.contains("SET connector_id")
                || now.as_deref() == Some("none") && tamper.contains("SET name");
            assert!(now.is_none() || now == whole || gone, "{tamper}: {now:?}");
        }
        case.change("DELETE FROM secret");
        case.change("INSERT INTO secret SELECT * FROM now_secret");
        case.change(
            "UPDATE connector SET (domain, client_id, settings) =
            (SELECT domain, client_id, settings FROM now_connector n WHERE n.id = connector.id)",
        );
        case.change("INSERT OR REPLACE INTO meta SELECT * FROM now_meta");
        assert_eq!(read(), whole, "after {tamper}");
    }
    assert!(unchanged <= 4, "{unchanged} changed nothing");
}

#[test]
fn a_store_without_its_key_check_list_or_journal_key_is_never_given_new_ones() {
    for name in [KEY_CHECK, GENERATIONS, JOURNAL_KEY] {
        let case = case();
        connector(&case, &case.vault().unwrap(), "c");
        case.change(&format!("DELETE FROM meta WHERE key = '{name}'"));
        for key in [true, false] {
            let error = case.vault().unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Sealed, "{name}");
            if key && name == KEY_CHECK {
                std::fs::remove_file(case.key()).unwrap();
            }
        }
        assert_eq!(case.key().exists(), name != KEY_CHECK, "no key is made");
    }
}

#[test]
fn values_that_an_older_program_sealed_are_bound_at_the_first_opening_and_then_no_longer_accepted()
{
    let case = case();
    let vault = case.vault().unwrap();
    let id = connector(&case, &vault, "c");
    let aad = |name: &str| format!("endpoint-server/1/{id}/{name}");
    drop(vault);
    let key = super::key_file::read_key(&case.key()).unwrap().unwrap();
    let cipher = Cipher::new(&key);
    let old = |name: &str, value: &str| cipher.seal_as_before(&aad(name), value);
    case.store
        .write(|transaction| {
            transaction.execute(
                "UPDATE secret SET value = ?1 WHERE name = 'token'",
                [old("token", "t")],
            )?;
            transaction.execute(
                "UPDATE secret SET value = ?1 WHERE name = 'client_secret'",
                [old("client_secret", "s")],
            )?;
            transaction.execute("UPDATE connector SET settings = ?1", [old(SETTINGS, "{}")])?;
            transaction
                .execute("DELETE FROM meta WHERE key IN (?1, ?2)", [GENERATIONS, JOURNAL_KEY])?;
            Ok(())
        })
        .unwrap();
    let vault = case.vault().unwrap();
    assert_eq!(vault.secret(&case.store, id, "token").unwrap().unwrap().expose(), "t");
    assert_eq!(vault.settings(&case.store, id).unwrap().expose(), "{}");
    let back = old("token", "t");
    case.store
        .write(|t| Ok(t.execute("UPDATE secret SET value = ?1 WHERE name = 'token'", [back])?))
        .unwrap();
    assert!(vault.secret(&case.store, id, "token").is_err());
    assert!(vault.secret(&case.store, id, "client_secret").is_ok());
}

#[test]
fn an_edit_seals_what_it_did_not_change_again_and_a_key_change_keeps_all() {
    let case = case();
    let vault = case.vault().unwrap();
    let id = connector(&case, &vault, "c");
    case.store
        .connectors()
        .update(&vault, id, &plain("c", "south"), "{}", &changes("token", "new"))
        .unwrap();
    let read = |vault: &Vault, name| {
        vault.secret(&case.store, id, name).unwrap().unwrap().expose().to_owned()
    };
    assert_eq!(
        (read(&vault, "token"), read(&vault, "client_secret")),
        ("new".into(), "secret of c".into())
    );
    drop(vault);
    Vault::change_key(&case.store, &KeyPlace::default(), None).unwrap();
    let vault = case.vault().unwrap();
    assert_eq!(
        (read(&vault, "token"), read(&vault, "client_secret")),
        ("new".into(), "secret of c".into())
    );
}

#[test]
fn a_store_from_an_earlier_time_is_accepted_and_noted_as_such() {
    let case = case();
    let vault = case.vault().unwrap();
    let id = connector(&case, &vault, "c");
    let copy = case.folder.path().join("copy.db");
    case.store.back_up(&copy).unwrap();
    case.store.secrets().put(&vault, id, &changes("token", "newer")).unwrap();
    let noted = || std::fs::read_to_string(case.store.folder().generation_file()).unwrap();
    let later = noted();
    drop(vault);
    let Case { folder, store } = case;
    let place = store.folder().clone();
    drop(store);
    crate::restore(&place, &copy).unwrap();
    let store = Store::open(&place).unwrap();
    let vault = Vault::open(&store, &KeyPlace::default()).unwrap();
    assert_eq!(vault.secret(&store, id, "token").unwrap().unwrap().expose(), "token of c");
    let now = std::fs::read_to_string(place.generation_file()).unwrap();
    assert!(now.trim().parse::<u64>().unwrap() < later.trim().parse().unwrap());
    drop(folder);
}
