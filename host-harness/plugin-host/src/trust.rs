//! Which library may be loaded. Native code is trusted code: whoever can put it here can do what the
//! endpoint server can.
//!
//! | checked | how |
//! |---|---|
//! | who could have changed it | file and every folder above it belong to root or to this account, and nobody else may write there |
//! | that it is the one installed | the SHA-256 that `plugins install` recorded |
//! | or who made it | a minisign signature beside it (`libx.so.minisig`) by a key of `trusted_keys` |
//! | that it is no older one | not below the highest version that was ever installed or signed here |

use std::path::Path;

use inventory::files;
use minisign_verify::{PublicKey, Signature};
use serde::Deserialize;

use crate::error::PluginError;
use crate::sealed::Sealed;

/// Which libraries are loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Only those with a signature by a trusted key.
    Signed,
    /// Those with a recorded SHA-256 or a signature by a trusted key.
    #[default]
    Pinned,
    /// All that others could not have changed.
    Any,
}

/// Keys whose signatures count.
#[derive(Clone, Default)]
pub struct TrustedKeys(Vec<PublicKey>);

impl std::fmt::Debug for TrustedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrustedKeys({})", self.0.len())
    }
}

impl TrustedKeys {
    /// Keys as minisign prints them, in base64.
    ///
    /// # Errors
    /// A settings error that says which one is wrong.
    pub fn read(keys: &[String]) -> Result<TrustedKeys, PluginError> {
        let read = |(at, key): (usize, &String)| {
            PublicKey::from_base64(key.trim()).map_err(|error| {
                PluginError::config(format_args!(
                    "`trusted_keys`: key {} is wrong: {error}",
                    at + 1
                ))
                .with_hint("enter the second line of minisign's public key file")
            })
        };
        Ok(TrustedKeys(keys.iter().enumerate().map(read).collect::<Result<_, _>>()?))
    }
}

/// Why a library is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// By its signature.
    Signed,
    /// By its recorded SHA-256.
    Pinned,
    /// By the policy alone.
    ByPolicy,
}

/// Decides whether the bytes that would be loaded are trusted; `pin` is the SHA-256 they had when the
/// file was installed.
///
/// # Errors
/// Why they are not trusted, in one line.
pub(crate) fn judge(
    path: &Path,
    sealed: &Sealed,
    pin: Option<&str>,
    policy: Policy,
    keys: &TrustedKeys,
) -> Result<Trust, String> {
    let pinned = match pin {
        Some(pin) if pin == sealed.digest => true,
        Some(_) => {
            return Err(
                "it was changed after it was installed (its SHA-256 is another): install it \
                        again"
                    .into(),
            );
        }
        None => false,
    };
    let signed = signed(path, sealed, keys)?;
    match policy {
        _ if signed => Ok(Trust::Signed),
        Policy::Signed => Err("it has no signature by a key of `trusted_keys`, and the policy in \
                               config.toml is `signed`"
            .into()),
        _ if pinned => Ok(Trust::Pinned),
        Policy::Any => Ok(Trust::ByPolicy),
        Policy::Pinned => {
            Err("it was neither installed nor signed: use `plugins install` on it, or \
                               set `plugins_policy` in config.toml"
                .into())
        }
    }
}

/// Whether a signature lies beside the file and holds. One that does not hold is an error.
fn signed(path: &Path, sealed: &Sealed, keys: &TrustedKeys) -> Result<bool, String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    if keys.0.is_empty() {
        return Ok(false);
    }
    let text = match files::read_regular_text(Path::new(&name), files::MOST_TEXT) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(format!("its signature cannot be read: {error}")),
    };
    let signature =
        Signature::decode(&text).map_err(|error| format!("its signature is damaged: {error}"))?;
    let bytes =
        std::fs::read(&sealed.path).map_err(|error| format!("it cannot be read: {error}"))?;
    if keys.0.iter().any(|key| key.verify(&bytes, &signature, false).is_ok()) {
        return Ok(true);
    }
    Err("its signature is not one of a trusted key over this file".into())
}

/// Whether anybody else could have put the file there or could swap it: owner and mode of the file
/// and of every folder above it. In a folder that was named, one of a system's shared temporary
/// folders may be among those above.
///
/// # Errors
/// What is open to whom, in one line.
#[cfg(unix)]
pub(crate) fn check_owners(path: &Path, named: bool) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    for place in path.ancestors() {
        let metadata = std::fs::symlink_metadata(place)
            .map_err(|error| format!("`{}` cannot be looked at: {error}", place.display()))?;
        let what =
            if place == path { "it".into() } else { format!("`{}` above it", place.display()) };
        if metadata.uid() != 0 && metadata.uid() != own {
            return Err(format!("{what} belongs to another account (number {})", metadata.uid()));
        }
        if metadata.mode() & 0o022 == 0 {
            continue;
        }
        // In a sticky folder others cannot rename or remove what is not theirs.
        let shared = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
        if shared && named {
            continue;
        }
        let mode = metadata.mode() & 0o7777;
        return Err(match shared {
            true => format!("{what} is a shared temporary folder: put it elsewhere"),
            false => {
                format!("others may write to {what} (mode {mode:04o}): run `chmod go-w` on it")
            }
        });
    }
    Ok(())
}

/// This system has no such owners and modes.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub(crate) fn check_owners(_: &Path, _: bool) -> Result<(), String> {
    Ok(())
}
