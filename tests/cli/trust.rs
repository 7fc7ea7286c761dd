//! Which libraries are loaded: who could have changed them, who installed or signed them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::host::{Host, library};

fn host(config: &str) -> (Host, PathBuf) {
    let host = Host::new();
    fs::create_dir_all(host.home()).expect("the home folder");
    fs::write(host.home().join("config.toml"), config).expect("config.toml");
    let name = library("chaos_plugin");
    let installed = host.plugins().join(name.file_name().expect("a name"));
    (host, installed)
}

fn install(host: &Host) {
    host.run(&["plugins", "install", library("chaos_plugin").to_str().expect("a path")]).ok();
}

/// Why the file was refused; none if it was loaded.
fn refusal(host: &Host, file: &Path) -> Option<String> {
    let (list, _) = host.json(&["plugins", "list"]);
    let of = |entry: &&serde_json::Value| entry["path"] == file.to_str().expect("a path");
    let refused = list["refused"].as_array().expect("refused").iter().find(of);
    let loaded = list["plugins"].as_array().expect("plugins").iter().any(|entry| of(&entry));
    assert_ne!(refused.is_some(), loaded, "{list:#}");
    refused.map(|entry| entry["reason"].as_str().expect("a reason").to_owned())
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_library_that_others_could_have_changed_is_not_loaded() {
    let (host, file) = host("plugins_policy = 'pinned'");
    install(&host);
    let folder = host.plugins();
    let above = folder.parent().expect("a folder").to_owned();
    assert_eq!(refusal(&host, &file), None);
    let usual = |path: &Path| if path.is_dir() { 0o755 } else { 0o644 };
    for (place, bits, reason) in [
        (&file, 0o664, "others may write to it"),
        (&file, 0o646, "every account may write"),
        (&folder, 0o775, "others may write to `"),
        (&folder, 0o757, "others may write to `"),
        (&above, 0o770, "others may write to `"),
        (&above, 0o707, "others may write to `"),
    ] {
        mode(place, bits);
        let refused = refusal(&host, &file).unwrap_or_else(|| panic!("{bits:o} was loaded"));
        assert!(refused.contains(reason), "{bits:o}: {refused}");
        mode(place, usual(place));
        assert_eq!(refusal(&host, &file), None, "the control");
    }
    // Only root can give files away.
    for place in [&file, &folder] {
        if chown(place, Some(65_534), None).is_ok() {
            let refused = refusal(&host, &file).expect("refused");
            assert!(refused.contains("another account"), "{refused}");
            chown(place, Some(0), None).expect("given back");
        }
    }
}

#[test]
fn a_shared_temporary_folder_is_no_place_for_libraries_unless_it_is_named() {
    let (host, file) = host("plugins_policy = 'any'");
    install(&host);
    assert_eq!(refusal(&host, &file), None);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_host-harness"));
    command.env_clear().env("CONNECTOR_PLUGINS", host.plugins());
    command.arg("--home").arg(host.home()).args(["plugins", "list"]);
    let shown = String::from_utf8(command.output().expect("it runs").stdout).expect("text");
    assert!(shown.contains("shared temporary folder"), "{shown}");
}

#[test]
fn by_the_policy_pinned_only_what_was_installed_or_signed_is_loaded() {
    let (host, file) = host("plugins_policy = 'pinned'");
    host.add_plugin(&library("chaos_plugin"));
    let refused = refusal(&host, &file).expect("refused");
    assert!(refused.contains("plugins install"), "{refused}");
    install(&host);
    assert_eq!(refusal(&host, &file), None);
}

#[test]
fn a_signature_of_a_trusted_key_is_enough_and_any_other_is_refused() {
    let pair = minisign::KeyPair::generate_unencrypted_keypair().expect("a key");
    let stranger = minisign::KeyPair::generate_unencrypted_keypair().expect("a key");
    let config = format!("plugins_policy = 'signed'\ntrusted_keys = ['{}']", pair.pk.to_base64());
    let (host, file) = host(&config);
    host.add_plugin(&library("chaos_plugin"));
    let bytes = fs::read(&file).expect("the library");
    let mut beside = file.clone().into_os_string();
    beside.push(".minisig");
    let sign = |pair: &minisign::KeyPair, bytes: &[u8]| {
        let signed = minisign::sign(None, &pair.sk, bytes, None, None).expect("a signature");
        fs::write(&beside, signed.into_string()).expect("written");
    };
    assert!(refusal(&host, &file).expect("refused").contains("no signature"));
    sign(&pair, &bytes);
    assert_eq!(refusal(&host, &file), None);
    host.run(&["plugins", "list"]).ok().shows("signed");
    sign(&stranger, &bytes);
    assert!(refusal(&host, &file).expect("refused").contains("not one of a trusted key"));
    sign(&pair, b"another file");
    assert!(refusal(&host, &file).expect("refused").contains("not one of a trusted key"));
    fs::write(&beside, "cut short").expect("written");
    assert!(refusal(&host, &file).expect("refused").contains("damaged"));
    // Installed alone is not enough for this policy.
    fs::remove_file(&beside).expect("removed");
    install(&host);
    assert!(refusal(&host, &file).expect("refused").contains("no signature"));
}

#[test]
fn a_lower_version_than_one_installed_before_is_refused_unless_it_is_meant() {
    let (host, file) = host("");
    install(&host);
    let pins = host.plugins().join("pins.toml");
    let text = fs::read_to_string(&pins).expect("the pins");
    assert!(text.contains("chaos = \"1.0.0\""), "{text}");
    fs::write(&pins, text.replace("chaos = \"1.0.0\"", "chaos = \"1.0.1\"")).expect("the pins");
    assert!(refusal(&host, &file).expect("refused").contains("lower than 1.0.1"));
    let library = library("chaos_plugin");
    let library = library.to_str().expect("a path");
    host.run(&["plugins", "install", library]).code(6).one_error("lower than 1.0.1", "nothing");
    host.run(&["plugins", "install", library, "--allow-downgrade"]).ok();
    assert_eq!(refusal(&host, &file), None);
}

#[test]
fn a_wrong_key_or_policy_in_the_settings_is_an_error_that_says_which() {
    let (host, _) = host("trusted_keys = ['nonsense']");
    host.run(&["plugins", "list"]).code(2).one_error("key 1", "minisign");
    fs::write(host.home().join("config.toml"), "plugins_policy = 'all'").expect("config.toml");
    let ran = host.run(&["plugins", "list"]).code(2);
    assert!(ran.stderr.contains("plugins_policy") || ran.stderr.contains("line 1"), "{ran:#?}");
}
