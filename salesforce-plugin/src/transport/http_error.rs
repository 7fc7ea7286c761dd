//! Why a request got no answer: sorted by the types in the error's chain of causes, never by its words.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use connector_api::{Error, ErrorKind};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use tower_service::Service;

use crate::transport::body::Abuse;

/// A failed TCP connection: hyper-util's type, which has no public name.
type TcpError = <HttpConnector as Service<http::Uri>>::Error;
/// A proxy that gave no tunnel: hyper-util's type, which has no public name.
type TunnelError = <Tunnel<HttpConnector> as Service<http::Uri>>::Error;

/// Why no answer came. Holds no address and no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The settings cannot be used.
    #[error("{0}")]
    Setup(String),
    /// The name is not known: nothing was sent.
    #[error("the name `{host}` cannot be resolved: {reason}")]
    Resolve { host: String, reason: String },
    /// No connection: nothing was sent.
    #[error("cannot connect to `{host}`: {reason}")]
    Connect { host: String, reason: String },
    /// The handshake failed for another reason than the certificate.
    #[error("no TLS connection to `{host}`: {reason}")]
    Tls { host: String, reason: String },
    /// The proxy refused, or could not be reached.
    #[error("no connection to `{host}` through the proxy: {reason}")]
    Proxy { host: String, reason: String },
    /// The certificate was refused.
    #[error("the TLS certificate of `{host}` was not accepted: {reason}")]
    Certificate { host: String, reason: String },
    /// The answer did not come in time.
    #[error("`{host}` did not answer within {seconds} s")]
    Timeout { host: String, seconds: u64 },
    /// The connection broke after the request was sent.
    #[error("the connection to `{host}` broke: {reason}")]
    Broken { host: String, reason: String },
    /// More bytes than any documented answer of its kind has.
    #[error("the answer of `{host}` is larger than {limit} bytes")]
    TooLarge { host: String, limit: u64 },
    /// The answer came too slowly, or decodes to far more than was sent.
    #[error("the answer of `{host}` was not read to its end: {abuse}")]
    Abused { host: String, abuse: Abuse },
}

impl HttpError {
    /// Whether nothing reached the server, so that even a request that must not be repeated can be.
    pub(crate) fn before_sending(&self) -> bool {
        matches!(
            self,
            HttpError::Setup(_)
                | HttpError::Resolve { .. }
                | HttpError::Connect { .. }
                | HttpError::Tls { .. }
                | HttpError::Proxy { .. }
                | HttpError::Certificate { .. }
        )
    }

    /// The next step for an operator.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            HttpError::Setup(_) => "correct the network settings",
            HttpError::Resolve { .. } => {
                "check the domain and this server's name resolution; where only a proxy reaches the internet, give it as `proxy`"
            }
            HttpError::Connect { .. } => {
                "check the domain, the name resolution and that this server may open port 443 to it"
            }
            HttpError::Proxy { .. } => {
                "check the domain, the proxy address and its user name and password"
            }
            HttpError::Tls { .. } => {
                "TLS 1.2 or later must pass between this server and Salesforce: look at the proxy or firewall in between"
            }
            HttpError::Certificate { .. } => {
                "if a proxy inspects TLS, give its certificate as `ca_file`"
            }
            HttpError::Timeout { .. }
            | HttpError::Broken { .. }
            | HttpError::Abused { abuse: Abuse::TooSlow, .. } => {
                "try again; if it happens often, look at the network or proxy between this server and Salesforce"
            }
            HttpError::TooLarge { .. } | HttpError::Abused { abuse: Abuse::TooDense, .. } => {
                "the answer does not come from Salesforce's API: check proxy and domain"
            }
        }
    }
}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Error {
        let kind = match error {
            HttpError::Setup(_) => ErrorKind::CONFIG,
            _ => ErrorKind::RETRYABLE,
        };
        let hint = error.hint();
        Error::new(kind, error).with_hint(hint)
    }
}

/// What a proxy's refusal looks like once its own answer is known.
pub(crate) enum TunnelFailure {
    /// The proxy's name is not known.
    Resolve(String),
    /// The proxy cannot be reached.
    Connect(String),
    /// The proxy was reached and gave no tunnel.
    Refused,
}

/// A failure of `reqwest`, sorted.
pub(crate) enum Failure {
    /// The proxy gave no tunnel.
    Tunnel(TunnelFailure),
    /// Anything else.
    Http(HttpError),
}

/// Sorts a failure to send a request. `proxied`: the host is reached through a proxy.
pub(crate) fn of_request(
    host: &str,
    error: &reqwest::Error,
    timeout: Duration,
    proxied: bool,
) -> Failure {
    let host = host.to_owned();
    let reason = reason(error);
    // Only a failure to connect is known to come before the request was sent.
    if !error.is_connect() {
        return Failure::Http(if error.is_timeout() {
            HttpError::Timeout { host, seconds: timeout.as_secs() }
        } else {
            HttpError::Broken { host, reason }
        });
    }
    if find::<TunnelError>(error).is_some() {
        return Failure::Tunnel(if error.is_dns() {
            TunnelFailure::Resolve(reason)
        } else if find::<io::Error>(error).is_some() {
            TunnelFailure::Connect(reason)
        } else {
            TunnelFailure::Refused
        });
    }
    Failure::Http(match find::<rustls::Error>(error) {
        Some(rustls::Error::InvalidCertificate(_)) => HttpError::Certificate { host, reason },
        Some(_) => HttpError::Tls { host, reason },
        None if error.is_timeout() && proxied => HttpError::Proxy { host, reason },
        None if error.is_timeout() => HttpError::Connect { host, reason },
        None if error.is_dns() => HttpError::Resolve { host, reason },
        None if find::<TcpError>(error).is_some() => HttpError::Connect { host, reason },
        // The connection was there and ended during the handshake.
        None => HttpError::Tls { host, reason },
    })
}

/// Sorts a failure to read an answer.
pub(crate) fn of_body(host: &str, error: &io::Error, timeout: Duration) -> HttpError {
    let host = host.to_owned();
    let timed_out = error.kind() == io::ErrorKind::TimedOut
        || find::<reqwest::Error>(error).is_some_and(reqwest::Error::is_timeout);
    if let Some(abuse) = find::<Abuse>(error) {
        return HttpError::Abused { host, abuse: *abuse };
    }
    if timed_out {
        return HttpError::Timeout { host, seconds: timeout.as_secs() };
    }
    HttpError::Broken { host, reason: format!("the answer was cut off ({})", reason(error)) }
}

/// The first error of a type in a chain of causes, the contents of `io::Error`s included, which
/// `source()` passes over.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = cause(error);
    }
    None
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// The last cause, which says most; a text that may hold an address is left out.
pub(crate) fn reason(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(next) = cause(last) {
        last = next;
    }
    let text = last.to_string();
    if text.contains("://") { "unknown reason".into() } else { text }
}
