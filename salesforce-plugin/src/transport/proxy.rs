//! The proxy of the settings: which hosts it is for, and what it says when it gives no tunnel.
//!
//! Whether a host is reached through it is decided by hyper-util's matcher, which `reqwest` uses too.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls_pki_types::ServerName;

use crate::settings::Network;

/// Time limit of each step of the question about a refused tunnel.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a proxy's answer that are read: its first line is all that is used.
const MOST_READ: usize = 1_024;

/// The proxy through which a host is reached.
pub(crate) struct Route(Intercept);

/// The proxy for a host; `None` if the host is reached directly.
pub(crate) fn route(network: &Network, host: &str) -> Option<Route> {
    let matcher = Matcher::builder()
        .all(network.proxy.clone()?)
        .no(network.no_proxy.clone().unwrap_or_default())
        .build();
    let destination = format!("https://{host}/").parse().ok()?;
    matcher.intercept(&destination).map(Route)
}

/// The secrets in a proxy's address, as written and decoded.
pub(crate) fn passwords(proxy: &str) -> Vec<String> {
    let Ok(url) = url::Url::parse(proxy) else { return Vec::new() };
    let Some(password) = url.password() else { return Vec::new() };
    let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
    vec![password.to_owned(), decoded.into_owned()]
}

impl Route {
    /// The proxy's name and port, without its credentials.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.name(), self.port())
    }

    fn name(&self) -> &str {
        self.0.uri().host().unwrap_or_default()
    }

    fn is_tls(&self) -> bool {
        self.0.uri().scheme_str() == Some("https")
    }

    fn port(&self) -> u16 {
        self.0.uri().port_u16().unwrap_or(if self.is_tls() { 443 } else { 80 })
    }

    /// Asks the proxy once more for a tunnel to a host and returns the status it answers, which
    /// hyper-util drops. `None` if there is no answer, or a tunnel this time.
    pub(crate) fn status_of_refusal(
        &self,
        host: &str,
        tls: &Arc<rustls::ClientConfig>,
    ) -> Option<u16> {
        let address = (self.name(), self.port()).to_socket_addrs().ok()?.next()?;
        let stream = TcpStream::connect_timeout(&address, STEP_TIMEOUT).ok()?;
        stream.set_read_timeout(Some(STEP_TIMEOUT)).ok()?;
        stream.set_write_timeout(Some(STEP_TIMEOUT)).ok()?;
        if self.is_tls() {
            let name = ServerName::try_from(self.name().to_owned()).ok()?;
            let session = rustls::ClientConnection::new(Arc::clone(tls), name).ok()?;
            self.ask(rustls::StreamOwned::new(session, stream), host)
        } else {
            self.ask(stream, host)
        }
    }

    fn ask(&self, mut stream: impl Read + Write, host: &str) -> Option<u16> {
        let mut request =
            format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n").into_bytes();
        if let Some(credentials) = self.0.basic_auth() {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(credentials.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).ok()?;
        stream.flush().ok()?;
        let mut head = Vec::new();
        let mut buffer = [0; 256];
        while !head.contains(&b'\n') && head.len() < MOST_READ {
            let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
            head.extend_from_slice(&buffer[..read]);
        }
        status_of(&head).filter(|status| *status != 200)
    }
}

/// The status in the first line of an HTTP answer.
fn status_of(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\n').next()?).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_is_named_without_its_password_and_not_for_exempt_hosts() {
        let network = |no_proxy: Option<&str>| Network {
            proxy: Some("http://user:canary@proxy.example:8080".into()),
            no_proxy: no_proxy.map(Into::into),
            ca_file: None,
        };
        let shown = |no_proxy| {
            route(&network(no_proxy), "acme.my.salesforce.com").map(|route| route.address())
        };
        assert_eq!(shown(None).as_deref(), Some("proxy.example:8080"));
        assert!(shown(Some("intranet.example, force.com, 10.0.0.0/8")).is_some());
        for exempt in ["*", "salesforce.com", ".salesforce.com", "x, acme.my.salesforce.com"] {
            assert_eq!(shown(Some(exempt)), None, "{exempt}");
        }
        // What has a port is no rule for a host, here as in a run.
        assert!(shown(Some("acme.my.salesforce.com:443")).is_some());
    }

    #[test]
    fn a_proxys_status_is_read_from_its_first_line() {
        assert_eq!(status_of(b"HTTP/1.1 403 Forbidden by policy\r\nVia: x"), Some(403));
        assert_eq!(status_of(b"HTTP/1.0 502 \r\n"), Some(502));
        for nonsense in [&b"SSH-2.0-x\r\n"[..], b"HTTP/1.1", b"HTTP/1.1 abc\n", b"\xff\n", b""] {
            assert_eq!(status_of(nonsense), None);
        }
    }
}
