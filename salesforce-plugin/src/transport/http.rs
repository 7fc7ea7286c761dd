//! One request over the network: the only user of `reqwest`.
//!
//! It goes to an [`OrgUrl`] and nowhere else. Redirects are never followed, TLS is 1.2 or later with full
//! verification against the system's roots and the settings' CA file. An answer is read to its end, up
//! to the limit of its kind, before it is used; only results in CSV, which have no limit, are taken as
//! they arrive.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Request, Response};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::settings::Network;
use crate::settings::org_url::OrgUrl;
use crate::transport::answer::{Answer, AnswerKind, Consume};
use crate::transport::body::Body;
use crate::transport::http_error::{self, Failure, HttpError, TunnelFailure};
use crate::transport::masker::Masker;
use crate::transport::proxy::{self, Route};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

const IDLE_CONNECTIONS: usize = 8;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Fields of a form whose values are secrets.
const SECRET_FIELDS: [&str; 7] =
    ["client_secret", "refresh_token", "code", "code_verifier", "assertion", "password", "token"];

/// Names product and version, always the same, so that an administrator can tell these requests.
pub(crate) const USER_AGENT: &str =
    concat!("endpoint-server-salesforce-connector/", env!("CARGO_PKG_VERSION"));

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a OrgUrl,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<Vec<u8>>,
    /// Time limit from the connection to the last byte.
    pub(crate) timeout: Duration,
    pub(crate) kind: AnswerKind,
}

impl<'a> Call<'a> {
    /// A GET that asks for JSON, without a token.
    pub(crate) fn get(url: &'a OrgUrl, timeout: Duration, kind: AnswerKind) -> Call<'a> {
        let headers = &[("Accept", "application/json")];
        Call { method: "GET", url, headers, body: None, timeout, kind }
    }
}

/// Sends requests, for one connector.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    /// For requests that must not be repeated: each has a connection of its own, since one that was
    /// kept and closed meanwhile would leave the outcome unknown.
    single: Client,
    network: Network,
    /// For the question why a proxy refused.
    tls: Arc<rustls::ClientConfig>,
    masker: Masker,
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
        let masker = Masker::default();
        for secret in network.proxy.as_deref().map(proxy::passwords).unwrap_or_default() {
            masker.remember(&secret);
        }
        Ok(Http {
            client: build(IDLE_CONNECTIONS)?,
            single: build(0)?,
            network: network.clone(),
            tls: Arc::new(tls),
            masker,
        })
    }

    /// Masks what was sent, in texts that come back.
    pub(crate) fn masker(&self) -> &Masker {
        &self.masker
    }

    /// Sends one request and reads its answer to the end.
    ///
    /// # Errors
    /// [`HttpError`]; an answer of any status is not an error.
    pub(crate) fn send(&self, call: &Call<'_>) -> Result<Answer, HttpError> {
        self.exchange(call, None)
    }

    /// As [`Http::send`]; but the body of a successful answer is given to `consume` as it arrives, if
    /// there is one. Refusals, and pages of proxies, are read to the end all the same.
    ///
    /// # Errors
    /// As for [`Http::send`]; a body that breaks off while it is taken is one.
    pub(crate) fn exchange(
        &self,
        call: &Call<'_>,
        consume: Option<Consume<'_>>,
    ) -> Result<Answer, HttpError> {
        self.remember(call);
        let (host, timeout) = (call.url.host(), call.timeout);
        let started = Instant::now();
        let request = self.build(call)?;
        let client = if request.body().is_some() { &self.single } else { &self.client };
        let response =
            client.execute(request).map_err(|error| self.failure(host, &error, timeout))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let gzip = is_gzip(&response);
        let mut source = Body::new(response, gzip);
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
            taken: None,
            length: 0,
            duration: Duration::ZERO,
            masker: self.masker.clone(),
        };
        let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
        match consume {
            Some(consume) if status == 200 && !kind.contains("html") && !kind.contains("json") => {
                answer.taken = Some(consume(&mut source));
                if let Some(error) = source.failure.take() {
                    return Err(http_error::of_body(host, &error, timeout));
                }
            }
            _ => answer.body = read_whole(host, &mut source, status, call)?,
        }
        answer.length = source.length;
        answer.duration = started.elapsed();
        Ok(answer)
    }

    /// Remembers the secrets of a request, so that no answer can show them.
    fn remember(&self, call: &Call<'_>) {
        for (name, value) in call.headers {
            if name.eq_ignore_ascii_case("authorization")
                && let Some((_, credentials)) = value.split_once(' ')
            {
                self.masker.remember(credentials);
            }
        }
        for (name, value) in url::form_urlencoded::parse(call.body.as_deref().unwrap_or_default()) {
            if SECRET_FIELDS.contains(&&*name) {
                self.masker.remember(&value);
            }
        }
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

    fn build(&self, call: &Call<'_>) -> Result<Request, HttpError> {
        let invalid = |what: &str| HttpError::Setup(format!("the request's {what} is not valid"));
        let method =
            reqwest::Method::from_bytes(call.method.as_bytes()).map_err(|_| invalid("method"))?;
        let mut request = self
            .client
            .request(method, call.url.as_url().clone())
            .timeout(call.timeout)
            .header(reqwest::header::ACCEPT_ENCODING, "gzip");
        for (name, value) in call.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("header"))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| invalid("header"))?;
            value.set_sensitive(name == reqwest::header::AUTHORIZATION);
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.body(body.clone());
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

/// Whether there is a body to decode.
fn is_gzip(response: &Response) -> bool {
    let encoded = |headers: &HeaderMap| {
        headers
            .get(reqwest::header::CONTENT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| matches!(value.trim(), "gzip" | "x-gzip"))
    };
    encoded(response.headers()) && response.content_length() != Some(0)
}

/// Reads a body up to the limit of its kind. The end of a refusal that is longer than any is left out.
fn read_whole(
    host: &str,
    source: &mut Body<Response>,
    status: u16,
    call: &Call<'_>,
) -> Result<Vec<u8>, HttpError> {
    let refused = status >= 400;
    let kind = if refused { AnswerKind::Token } else { call.kind };
    let mut body = Vec::new();
    let read = source.by_ref().take(kind.most_bytes() + 1).read_to_end(&mut body);
    if let Err(error) = read {
        let error = source.failure.take().unwrap_or(error);
        return Err(http_error::of_body(host, &error, call.timeout));
    }
    if body.len() as u64 > kind.most_bytes() && !refused {
        return Err(HttpError::TooLarge { host: host.into(), limit: kind.most_bytes() });
    }
    if body.starts_with(BYTE_ORDER_MARK) {
        body.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(body)
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
