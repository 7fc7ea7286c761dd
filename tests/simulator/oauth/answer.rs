//! What the token endpoint answers, and in which form.

use serde_json::json;
use url::form_urlencoded::Serializer;

use super::error::OAuthError;
use super::store::Session;
use super::{AUTHORIZE_PATH, ERROR_PATH};
use crate::core::Core;
use crate::http::{Request, Response};
use crate::policy::Policy;
use crate::random::signature;

/// The pairs of a token answer, in the order they are written.
#[derive(Debug)]
pub(super) struct TokenAnswer {
    pairs: Vec<(&'static str, String)>,
    pub(super) user_id: String,
    pub(super) generation: u64,
}

impl TokenAnswer {
    /// The answer that hands `session` out.
    pub(super) fn new(
        core: &Core,
        policy: &Policy,
        session: &Session,
        refresh_token: Option<String>,
    ) -> Self {
        let id = core.identity_url(&session.user_id);
        let issued_at = session.issued_at.timestamp_millis().to_string();
        let mut pairs = vec![("access_token", session.token.clone())];
        pairs.extend(refresh_token.map(|token| ("refresh_token", token)));
        if !policy.omit_signature {
            pairs.push((
                "signature",
                signature(&core.app.client_secret, &format!("{id}{issued_at}")),
            ));
        }
        if !policy.omit_scope {
            pairs.push(("scope", session.scopes.iter().cloned().collect::<Vec<_>>().join(" ")));
        }
        pairs.push(("instance_url", core.instance_url()));
        pairs.push(("id", id));
        pairs.push(("token_type", "Bearer".to_owned()));
        pairs.push(("issued_at", issued_at));
        if policy.extra_token_keys {
            pairs.push(("token_format", "opaque".to_owned()));
            pairs.push(("api_instance_url", "https://api.salesforce.com".to_owned()));
        }
        Self { pairs, user_id: session.user_id.clone(), generation: session.generation }
    }

    /// A refusal in the same forms.
    pub(super) fn refusal(error: &OAuthError) -> Self {
        let pairs = vec![
            ("error", error.error.to_owned()),
            ("error_description", error.description.to_string()),
        ];
        Self { pairs, user_id: String::new(), generation: 0 }
    }

    /// Appends a pair.
    pub(super) fn push(&mut self, name: &'static str, value: &str) {
        self.pairs.push((name, value.to_owned()));
    }

    /// Leaves a pair out.
    pub(super) fn remove(&mut self, name: &str) {
        self.pairs.retain(|(key, _)| *key != name);
    }

    /// As a form, or as what follows the hash of a callback.
    pub(super) fn to_form(&self) -> String {
        let mut form = Serializer::new(String::new());
        for (name, value) in &self.pairs {
            form.append_pair(name, value);
        }
        form.finish()
    }

    fn to_json(&self) -> String {
        let pairs: Vec<String> = self
            .pairs
            .iter()
            .map(|(name, value)| format!("{}:{}", json!(name), json!(value)))
            .collect();
        format!("{{{}}}", pairs.join(","))
    }

    fn to_xml(&self) -> String {
        let escape =
            |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let fields: String = self
            .pairs
            .iter()
            .map(|(name, value)| format!("<{name}>{}</{name}>", escape(value)))
            .collect();
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><OAuth>{fields}</OAuth>")
    }

    /// The answer in `format`.
    pub(super) fn respond(&self, status: u16, format: Format) -> Response {
        match format {
            Format::Form => Response::new(
                status,
                "application/x-www-form-urlencoded;charset=UTF-8",
                self.to_form(),
            ),
            Format::Xml => Response::new(status, "application/xml;charset=UTF-8", self.to_xml()),
            Format::Json => Response::json(status, self.to_json()),
        }
    }
}

/// A refusal that a fault script words: on the error page for the authorization endpoint, as
/// an answer in the form that was asked for everywhere else.
pub(crate) fn scripted_refusal(
    request: &Request,
    status: u16,
    error: &str,
    description: &str,
) -> Response {
    let pairs = vec![("error", error.to_owned()), ("error_description", description.to_owned())];
    let answer = TokenAnswer { pairs, user_id: String::new(), generation: 0 };
    if request.path == AUTHORIZE_PATH {
        return Response::found(&format!("{ERROR_PATH}?{}", answer.to_form()));
    }
    let form = request.form();
    let accept = request.header("accept").unwrap_or_default();
    answer.respond(status, Format::of(form.filled("format"), accept))
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Form,
    Xml,
}

impl Format {
    /// What the client asked for: the parameter `format`, else the first type of `Accept`,
    /// else JSON.
    pub(super) fn of(parameter: Option<&str>, accept: &str) -> Self {
        let first = accept.split([',', ';']).next().unwrap_or_default().trim();
        match parameter.unwrap_or(first) {
            "urlencoded" | "application/x-www-form-urlencoded" => Self::Form,
            "xml" | "application/xml" => Self::Xml,
            _ => Self::Json,
        }
    }
}
