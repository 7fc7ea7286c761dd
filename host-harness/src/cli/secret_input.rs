//! Secrets come in by file, standard input or a prompt, never as an argument.

use std::io::{IsTerminal, Read};
use std::path::Path;

use connector_api::Secret;
use zeroize::Zeroizing;

use super::Reporter;
use crate::error::HostError;
use crate::redact;

const LONGEST: u64 = 1 << 20;

/// Reads a value from a file, or from standard input for `-`. Line ends at its end do not count.
pub(crate) fn from_file(what: &str, path: &Path) -> Result<Secret, HostError> {
    if path == Path::new("-") {
        return from_stdin(what);
    }
    let file = std::fs::File::open(path).map_err(|error| {
        HostError::config(format_args!("{what}: `{}` cannot be read: {error}", path.display()))
    })?;
    read(what, file)
}

/// Reads a value from standard input up to its end.
pub(crate) fn from_stdin(what: &str) -> Result<Secret, HostError> {
    read(what, std::io::stdin().lock())
}

fn read(what: &str, source: impl Read) -> Result<Secret, HostError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut source = source.take(LONGEST + 1);
    source
        .read_to_end(&mut bytes)
        .map_err(|error| HostError::config(format_args!("{what} cannot be read: {error}")))?;
    if bytes.len() as u64 > LONGEST {
        return Err(HostError::config(format_args!("{what} is longer than {LONGEST} bytes")));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| HostError::config(format_args!("{what} is not text in UTF-8")))?;
    // Some editors put a byte order mark at the start of a file.
    let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(HostError::config(format_args!("{what} is empty")));
    }
    redact::remember(text);
    Ok(Secret::new(text))
}

/// Asks for a value without showing it; none if nothing is entered.
pub(crate) fn prompt(label: &str) -> Result<Option<Secret>, HostError> {
    let text = rpassword::prompt_password(format!("{label}: "))
        .map(Zeroizing::new)
        .map_err(|error| HostError::failed(format_args!("nothing could be read: {error}")))?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    redact::remember(text);
    Ok(Some(Secret::new(text)))
}

/// Asks a question whose answer may be seen; none if nothing is entered.
pub(crate) fn ask(reporter: Reporter, question: &str) -> Result<Option<String>, HostError> {
    reporter.problem(&format!("{question}:"));
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|error| HostError::failed(format_args!("nothing could be read: {error}")))?;
    Ok(Some(line.trim().to_owned()).filter(|line| !line.is_empty()))
}

/// Whether a person sits in front.
pub(crate) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_read_without_its_last_line_end() {
        let secret = read("client_secret", &b"\xef\xbb\xbf sec ret \r\n"[..]).unwrap();
        assert_eq!(secret.expose(), " sec ret ");
    }

    #[test]
    fn empty_binary_and_huge_secrets_are_refused_without_showing_them() {
        for bytes in [&b"\n"[..], &b"\xff\xfecanary"[..], &vec![b'x'; (1 << 20) + 1][..]] {
            let error = read("client_secret", bytes).unwrap_err();
            assert!(error.message.starts_with("client_secret ") && error.message.len() < 60);
            assert_eq!(error.kind.exit_code(), 2);
        }
    }
}
