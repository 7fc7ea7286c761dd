//! One request over the network: the only user of `reqwest`.
//!
//! It goes to an [`OrgUrl`] and nowhere else. Redirects are never followed, TLS is 1.2 or later with full verification against the system's
//! roots and the settings' CA file. An answer is read whole, up to a limit, before it is used; only
//! results in CSV, which have no limit, are taken as they arrive.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::settings::Network;
use crate::settings::org_url::OrgUrl;
use crate::transport::http_error::{self, Failure, HttpError, TunnelFailure};
use crate::transport::proxy::{self, Route};
use reqwest::blocking::{Client, Request, Response};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Decoded bytes of one answer; a page of 2,000 records stays far below.
const LARGEST_ANSWER: u64 = 64 << 20;

const IDLE_CONNECTIONS: usize = 8;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Names product and version, always the same, so that an administrator can tell these requests.
pub(crate) const USER_AGENT: &str =
    concat!("endpoint-server-salesforce-connector/", env!("CARGO_PKG_VERSION"));

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Empty where it was taken as it arrived.
    pub(crate) body: Vec<u8>,
    /// Records that were taken as they arrived, or why not all were.
    pub(crate) taken: Option<Result<u64, Unfinished>>,
    /// Decoded bytes of the body.
    pub(crate) length: u64,
    pub(crate) duration: Duration,
}

/// Why a body was not taken to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// It does not have the documented shape.
    Malformed(String),
    /// Nobody wants the rest.
    Unwanted,
}

/// Takes a body as it arrives; answers its records.
pub(crate) type Consume<'a> = &'a mut dyn FnMut(&mut dyn Read) -> Result<u64, Unfinished>;

impl Answer {
    /// An answer as a test needs it.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(status: u16, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        Answer {
            status,
            headers: HeaderMap::new(),
            body: body.to_vec(),
            taken: None,
            length: body.len() as u64,
            duration: Duration::ZERO,
        }
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Whether the body claims, or looks, to be HTML: a maintenance, login or proxy page.
    pub(crate) fn is_html(&self) -> bool {
        let start = self.body.iter().copied().find(|b| !b.is_ascii_whitespace());
        start == Some(b'<')
    }
}

/// Sends requests, for one connector.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    /// For requests that may not be repeated: each has a connection of its own, since one that was
    /// kept and closed meanwhile would leave the outcome unknown.
    single: Client,
    network: Network,
    /// For the question why a proxy refused.
    tls: Arc<rustls::ClientConfig>,
}

impl Http {
    /// Builds the client; no network.
    ///
    /// # Errors
    /// [`HttpError::Setup`] when the CA file or the proxy cannot be used.
    pub(crate) fn new(network: &Network) -> Result<Http, HttpError> {
        let setup = |text: String| HttpError::Setup(text);
        let tls = tls_config(network.ca_file.as_deref())?;
        let build = |idle_connections: usize| -> Result<Client, HttpError> {
            let mut builder = Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .pool_max_idle_per_host(idle_connections)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .https_only(true)
                .http1_only()
                .no_proxy()
                .gzip(true)
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(None)
                .user_agent(USER_AGENT);
            if let Some(proxy) = &network.proxy {
                let no_proxy = network.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
                let proxy = reqwest::Proxy::all(proxy.as_str()).map_err(|error| {
                    setup(format!("the proxy cannot be used: {}", http_error::reason(&error)))
                })?;
                builder = builder.proxy(proxy.no_proxy(no_proxy));
            }
            builder.build().map_err(|error| {
                setup(format!("the HTTP client cannot be made: {}", http_error::reason(&error)))
            })
        };
        Ok(Http {
            client: build(IDLE_CONNECTIONS)?,
            single: build(0)?,
            network: network.clone(),
            tls: Arc::new(tls),
        })
    }

    /// Sends one request and reads its answer whole.
    ///
    /// # Errors
    /// [`HttpError`]; an answer of any status is not an error.
    pub(crate) fn send(
        &self,
        method: &str,
        url: &OrgUrl,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
        timeout: Duration,
    ) -> Result<Answer, HttpError> {
        self.exchange(method, url, headers, body, timeout, None)
    }

    /// As [`Http::send`]; but the body of a successful answer is given to `consume` as it arrives, if
    /// there is one. Refusals, and pages of proxies, are read whole all the same.
    ///
    /// # Errors
    /// As for [`Http::send`]; a body that breaks off while it is taken is one.
    pub(crate) fn exchange(
        &self,
        method: &str,
        url: &OrgUrl,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
        timeout: Duration,
        consume: Option<Consume<'_>>,
    ) -> Result<Answer, HttpError> {
        let host = url.host().to_owned();
        let started = Instant::now();
        let request = self.build(method, url, headers, body, timeout)?;
        let client = if request.body().is_some() { &self.single } else { &self.client };
        let response =
            client.execute(request).map_err(|error| self.failure(&host, &error, timeout))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let kind = header(&headers, "content-type").unwrap_or_default().to_ascii_lowercase();
        if let Some(consume) = consume
            && status == 200
            && !kind.contains("html")
            && !kind.contains("json")
        {
            let mut arriving = Arriving { response, length: 0, broke: None };
            let taken = consume(&mut arriving);
            if let Some(error) = arriving.broke {
                return Err(http_error::of_body(&host, &error, timeout));
            }
            let (length, duration) = (arriving.length, started.elapsed());
            let body = Vec::new();
            return Ok(Answer { status, headers, body, taken: Some(taken), length, duration });
        }
        let mut body = read_whole(&host, response, timeout)?;
        if body.starts_with(BYTE_ORDER_MARK) {
            body.drain(..BYTE_ORDER_MARK.len());
        }
        let (length, duration) = (body.len() as u64, started.elapsed());
        Ok(Answer { status, headers, body, taken: None, length, duration })
    }

    /// Sorts a failure to send; a proxy that refused is asked for its reason.
    fn failure(&self, host: &str, error: &reqwest::Error, timeout: Duration) -> HttpError {
        let route = proxy::route(&self.network, host);
        let failure = match http_error::of_request(host, error, timeout, route.is_some()) {
            Failure::Http(error) => return error,
            Failure::Tunnel(failure) => failure,
        };
        let reason = match failure {
            TunnelFailure::Resolve(reason) => format!("its name cannot be resolved ({reason})"),
            TunnelFailure::Connect(reason) => format!("it cannot be reached ({reason})"),
            TunnelFailure::Refused => refusal(route.as_ref(), host, &self.tls),
        };
        HttpError::Proxy { host: host.into(), reason }
    }

    fn build(
        &self,
        method: &str,
        url: &OrgUrl,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
        timeout: Duration,
    ) -> Result<Request, HttpError> {
        let invalid = |what: &str| HttpError::Setup(format!("the request's {what} is not valid"));
        let method =
            reqwest::Method::from_bytes(method.as_bytes()).map_err(|_| invalid("method"))?;
        let mut request = self.client.request(method, url.as_url().clone()).timeout(timeout);
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("header"))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| invalid("header"))?;
            value.set_sensitive(name == reqwest::header::AUTHORIZATION);
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        request.build().map_err(|_| invalid("address"))
    }
}

/// What a proxy said instead of giving a tunnel.
fn refusal(route: Option<&Route>, host: &str, tls: &Arc<rustls::ClientConfig>) -> String {
    match route.and_then(|route| route.status_of_refusal(host, tls)) {
        Some(407) => "it asks for a user name and password (407), or for other ones".into(),
        Some(status) => format!("it refuses the connection (HTTP {status})"),
        None => "it gave no tunnel".into(),
    }
}

fn read_whole(host: &str, response: Response, timeout: Duration) -> Result<Vec<u8>, HttpError> {
    let expected = response.content_length().unwrap_or(0).min(LARGEST_ANSWER);
    let mut body = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    response
        .take(LARGEST_ANSWER + 1)
        .read_to_end(&mut body)
        .map_err(|error| http_error::of_body(host, &error, timeout))?;
    if body.len() as u64 > LARGEST_ANSWER {
        return Err(HttpError::TooLarge { host: host.into(), limit: LARGEST_ANSWER >> 20 });
    }
    Ok(body)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A body on its way; remembers how the connection failed, which its reader cannot tell.
struct Arriving {
    response: Response,
    length: u64,
    broke: Option<std::io::Error>,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.response.read(buffer) {
            Ok(read) => {
                self.length += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.broke = Some(error);
                Err(kind.into())
            }
        }
    }
}

fn tls_config(ca_file: Option<&str>) -> Result<rustls::ClientConfig, HttpError> {
    let mut roots = rustls::RootCertStore::empty();
    // A system without a usable root store still works with a CA file.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let unusable = |reason: String| {
            HttpError::Setup(format!("the CA file `{path}` cannot be used: {reason}"))
        };
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| unusable(error.to_string()))?;
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(unusable("it holds no certificate".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Setup(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
