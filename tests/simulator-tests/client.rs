//! An ordinary HTTP client, and the few calls every story needs.

use std::collections::HashMap;
use std::sync::Once;

use reqwest::blocking::{Client, Response};
use reqwest::{Certificate, Proxy, redirect};
use salesforce_sim::SimulatedOrg;
use serde_json::Value;

/// A client that trusts the org's authority and uses its proxy.
pub(crate) fn client(org: &SimulatedOrg) -> Client {
    client_through(org, &org.proxy_url_with_credentials())
}

/// A client that uses the proxy at `url`.
pub(crate) fn client_through(org: &SimulatedOrg, url: &str) -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another client of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
        .proxy(Proxy::all(url).expect("a proxy URL"))
        .tls_certs_only([Certificate::from_pem(org.ca_pem().as_bytes()).expect("a certificate")])
        .redirect(redirect::Policy::none())
        .build()
        .expect("a client")
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HashMap<String, String>,
    pub(crate) text: String,
}

impl Answer {
    /// Reads `response` to its end.
    pub(crate) fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let text =
            |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        Self { status, headers, text: response.text().expect("a body") }
    }

    /// A header's value; names in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// `error` and `error_description` of an OAuth refusal.
    pub(crate) fn oauth_error(&self) -> (String, String) {
        assert_eq!(self.status, 400, "{}", self.text);
        let body = self.json();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        (text("error"), text("error_description"))
    }

    /// Status and `errorCode` of a data refusal, which is an array of one.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(body.as_array().map(Vec::len), Some(1), "{}", self.text);
        (self.status, body[0]["errorCode"].as_str().unwrap_or_default().to_owned())
    }
}

/// One org with one client and one access token.
pub(crate) struct Story {
    pub(crate) org: SimulatedOrg,
    pub(crate) client: Client,
    pub(crate) token: String,
}

impl Story {
    /// A small org with the default settings.
    pub(crate) fn new() -> Self {
        Self::of(SimulatedOrg::builder().users(60).seed(7).start())
    }

    /// A story of this org.
    pub(crate) fn of(org: SimulatedOrg) -> Self {
        let (client, token) = (client(&org), org.issue_access_token());
        Self { org, client, token }
    }

    /// The URL of a path of the org.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.org.my_domain_host())
    }

    /// `GET` with the access token.
    pub(crate) fn get(&self, path: &str) -> Answer {
        Answer::of(self.try_get(path).expect("an answer"))
    }

    /// As [`Story::get`]; the connection may break before the head of the answer is there.
    pub(crate) fn try_get(&self, path: &str) -> reqwest::Result<Response> {
        self.client.get(self.url(path)).bearer_auth(&self.token).send()
    }

    /// A query at version 60.
    pub(crate) fn query(&self, soql: &str) -> Answer {
        self.get(&query_path(soql))
    }

    /// `POST` of a form.
    pub(crate) fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        Answer::of(self.client.post(self.url(path)).form(form).send().expect("an answer"))
    }

    /// A token request with the app's key and secret.
    pub(crate) fn token_request(&self, fields: &[(&str, &str)]) -> Answer {
        let mut form =
            vec![("client_id", self.org.client_id()), ("client_secret", self.org.client_secret())];
        form.extend_from_slice(fields);
        self.post("/services/oauth2/token", &form)
    }

    /// A refresh.
    pub(crate) fn refresh(&self, refresh_token: &str) -> Answer {
        self.token_request(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    /// An authorize URL with the usual parameters, then `more`.
    pub(crate) fn authorize_url(&self, more: &[(&str, &str)]) -> String {
        let redirect_uri = self.org.redirect_uri();
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", self.org.client_id()),
            ("redirect_uri", &redirect_uri),
        ];
        pairs.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        pairs.extend(more);
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.url(&format!("/services/oauth2/authorize?{query}"))
    }

    /// The code of an approved authorization request.
    pub(crate) fn code(&self, more: &[(&str, &str)]) -> String {
        parameter(&self.org.approve(&self.authorize_url(more)), "code")
    }

    /// Exchanges a code.
    pub(crate) fn exchange(&self, code: &str, more: &[(&str, &str)]) -> Answer {
        let redirect_uri = self.org.redirect_uri();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
        ];
        fields.extend_from_slice(more);
        self.token_request(&fields)
    }
}

/// The path of a query at version 60.
pub(crate) fn query_path(soql: &str) -> String {
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("q", soql).finish();
    format!("/services/data/v60.0/query?{query}")
}

/// A parameter of a URL's query string, decoded; empty if it is not there.
pub(crate) fn parameter(address: &str, name: &str) -> String {
    let url = url::Url::parse(address).expect("a URL");
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
