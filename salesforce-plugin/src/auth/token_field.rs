//! What a person pasted into the Token field.
//!
//! After "Allow" the browser shows the value only in its address bar, encoded, so every form a copy
//! of it can take is understood, and the two values most often pasted by mistake are named.

use base64::Engine as _;
use connector_api::Secret;
use serde::Deserialize;
use url::form_urlencoded;

/// The pasted text, classified.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pasted {
    /// An authorization code, with the `state` it came back with, if it was part of a URL.
    Code { code: Secret, state: Option<String> },
    /// A refresh token, and the access token's details where they came along.
    RefreshToken { refresh_token: Secret, instance_url: Option<String>, state: Option<String> },
    /// Only an access token: it works now and cannot be renewed.
    AccessToken { access_token: Secret, instance_url: Option<String>, state: Option<String> },
    /// An `sf` CLI auth URL of another client.
    CliAuthUrl { client_id: String, refresh_token: Secret, host: String },
    /// The authorize page answered an error.
    AuthorizeError { error: String, description: String, state: Option<String> },
    /// The Security Token Salesforce sends by e-mail.
    SecurityToken,
    /// The Consumer Key, which belongs into Client ID.
    ConsumerKey,
    /// Long enough to be a token of some kind.
    Unknown(Secret),
    /// Nothing, or nothing that could be a token.
    Unusable(&'static str),
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: Option<String>,
    refresh_token: Option<String>,
    instance_url: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Raw values hold no percent sign, so what is encoded can only have been so on its way.
const MOST_DECODINGS: u8 = 2;

/// Words of the authorize side's pages that show no address worth copying.
const PAGE_WORDS: [(&str, &str); 3] = [
    ("OAUTH_APPROVAL_ERROR_GENERIC", "OAUTH_APPROVAL_ERROR_GENERIC"),
    ("OAUTH_APP_BLOCKED", "OAUTH_APP_BLOCKED"),
    ("missing required code challenge", "invalid_request"),
];

/// Classifies a pasted text.
pub(crate) fn classify(text: &str) -> Pasted {
    let text = clean(text);
    classify_clean(&text, MOST_DECODINGS)
}

/// Drops what copying adds: surrounding space, quotes and brackets, zero-width characters, line
/// breaks inside.
fn clean(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| {
            !matches!(
                c,
                '\r' | '\n' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{00ad}'
            )
        })
        .collect();
    let trimmed = kept.trim();
    if trimmed.starts_with('{') {
        return trimmed.to_owned();
    }
    trimmed
        .trim_matches(|c| {
            matches!(
                c,
                '"' | '\'' | '`' | '<' | '>' | '[' | ']' | '(' | ')' | '\u{201c}' | '\u{201d}'
            )
        })
        .trim()
        .to_owned()
}

fn classify_clean(text: &str, decodings: u8) -> Pasted {
    if text.is_empty() {
        return Pasted::Unusable("it is empty");
    }
    if text.starts_with('{') {
        return from_json(text);
    }
    if let Some(rest) = text.strip_prefix("force://") {
        return from_cli_auth_url(rest);
    }
    if let Some(pasted) = from_parameters(text) {
        return pasted;
    }
    if let Some((words, error)) = PAGE_WORDS.iter().find(|(words, _)| text.contains(words)) {
        let description = if words == error { String::new() } else { (*words).to_owned() };
        return Pasted::AuthorizeError { error: (*error).to_owned(), description, state: None };
    }
    if text.contains("://") {
        return Pasted::Unusable("it is an address without a code or token in it");
    }
    if decodings > 0 && holds_percent_escape(text) {
        return classify_clean(&percent_decode(text), decodings - 1);
    }
    if is_session_id(text) || is_jwt(text) {
        return Pasted::AccessToken {
            access_token: Secret::new(text),
            instance_url: None,
            state: None,
        };
    }
    if text.starts_with("5Aep") && is_token_text(text) {
        return Pasted::RefreshToken {
            refresh_token: Secret::new(text),
            instance_url: None,
            state: None,
        };
    }
    if text.starts_with("aPrx") && is_token_text(text) {
        return Pasted::Code { code: Secret::new(text), state: None };
    }
    if text.starts_with("3MVG") {
        return Pasted::ConsumerKey;
    }
    if (24..=25).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Pasted::SecurityToken;
    }
    if text.len() >= 40 && is_token_text(text) {
        return Pasted::Unknown(Secret::new(text));
    }
    Pasted::Unusable("it is neither a code nor a token")
}

fn from_json(text: &str) -> Pasted {
    let Ok(response) = serde_json::from_str::<TokenResponse>(text) else {
        return Pasted::Unusable("it looks like JSON, but not like a token response");
    };
    if let (Some(error), None) = (&response.error, &response.access_token) {
        return Pasted::AuthorizeError {
            error: error.clone(),
            description: response.error_description.unwrap_or_default(),
            state: None,
        };
    }
    from_tokens(response.refresh_token, response.access_token, response.instance_url, None)
        .unwrap_or(Pasted::Unusable("the JSON holds no token"))
}

fn from_tokens(
    refresh_token: Option<String>,
    access_token: Option<String>,
    instance_url: Option<String>,
    state: Option<String>,
) -> Option<Pasted> {
    match (refresh_token.filter(|t| !t.is_empty()), access_token.filter(|t| !t.is_empty())) {
        (Some(token), _) => {
            Some(Pasted::RefreshToken { refresh_token: Secret::new(token), instance_url, state })
        }
        (None, Some(token)) => {
            Some(Pasted::AccessToken { access_token: Secret::new(token), instance_url, state })
        }
        (None, None) => None,
    }
}

/// `<client id>:<secret>:<refresh token>@<host>`; the secret may be empty.
fn from_cli_auth_url(rest: &str) -> Pasted {
    let parsed = rest.rsplit_once('@').and_then(|(credentials, host)| {
        let mut parts = credentials.splitn(3, ':');
        let (client_id, _secret, refresh_token) = (parts.next()?, parts.next()?, parts.next()?);
        let complete = !client_id.is_empty() && !refresh_token.is_empty() && !host.is_empty();
        complete.then(|| Pasted::CliAuthUrl {
            client_id: client_id.to_owned(),
            refresh_token: Secret::new(refresh_token),
            host: host.to_owned(),
        })
    });
    parsed.unwrap_or(Pasted::Unusable(
        "it starts like an sf CLI auth URL, but parts of it are missing",
    ))
}

/// A redirect URL, or the part of it behind `?` or `#`. Values are decoded once.
fn from_parameters(text: &str) -> Option<Pasted> {
    const NAMES: [&str; 4] = ["code=", "access_token=", "refresh_token=", "error="];
    let starts_parameter =
        |at: usize| at == 0 || matches!(text.as_bytes()[at - 1], b'?' | b'#' | b'&' | b' ');
    let start = NAMES
        .iter()
        .flat_map(|name| text.match_indices(name).map(|(at, _)| at))
        .filter(|at| starts_parameter(*at))
        .min()?;
    let mut values = Parameters::default();
    // `state` may stand before the others: read from the start of the query or fragment.
    let from = text[..start].rfind(['?', '#', ' ']).map_or(0, |at| at + 1);
    for part in text[from..].split(['#', '?']) {
        // A plus is never a space in these values.
        for (name, value) in form_urlencoded::parse(part.replace('+', "%2B").as_bytes()) {
            values.take(&name, value.into_owned());
        }
    }
    if let Some(code) = values.code.filter(|code| !code.is_empty()) {
        return Some(Pasted::Code { code: Secret::new(decode_again(code)), state: values.state });
    }
    if let Some(error) = values.error {
        return Some(Pasted::AuthorizeError {
            error,
            description: values.error_description.unwrap_or_default().replace('+', " "),
            state: values.state,
        });
    }
    let decoded = |token: Option<String>| token.map(decode_again);
    from_tokens(
        decoded(values.refresh_token),
        decoded(values.access_token),
        values.instance_url,
        values.state,
    )
}

/// A value that was encoded twice on its way; raw values never hold a percent sign.
fn decode_again(value: String) -> String {
    if holds_percent_escape(&value) { percent_decode(&value) } else { value }
}

#[derive(Default)]
struct Parameters {
    code: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    instance_url: Option<String>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Parameters {
    fn take(&mut self, name: &str, value: String) {
        let slot = match name {
            "code" => &mut self.code,
            "access_token" => &mut self.access_token,
            "refresh_token" => &mut self.refresh_token,
            "instance_url" => &mut self.instance_url,
            "state" => &mut self.state,
            "error" => &mut self.error,
            "error_description" => &mut self.error_description,
            _ => return,
        };
        slot.get_or_insert(value);
    }
}

fn holds_percent_escape(text: &str) -> bool {
    text.as_bytes()
        .windows(3)
        .any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit())
}

fn percent_decode(text: &str) -> String {
    let encoded = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(encoded.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// `00D` and 12 or 15 more letters and digits, `!`, then the session.
fn is_session_id(text: &str) -> bool {
    let Some((org, session)) = text.split_once('!') else { return false };
    org.starts_with("00D")
        && matches!(org.len(), 15 | 18)
        && org.bytes().all(|b| b.is_ascii_alphanumeric())
        && !session.is_empty()
        && session.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
}

fn is_jwt(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, _, _] = parts.as_slice() else { return false };
    let Ok(json) =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header.trim_end_matches('='))
    else {
        return false;
    };
    serde_json::from_slice::<serde_json::Value>(&json)
        .is_ok_and(|header| header.get("alg").is_some())
}

fn is_token_text(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'=' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "aPrxSampleCode.0123456789_abcdefghijklmnopqrstuvwxyz==";
    const REFRESH: &str = "5Aep861SampleRefresh.0123456789_abcdefghijklmnopqrstuvwxyz==";
    const ACCESS: &str = "00D000000000001AAA!AQ8AQSample.Session_0123456789";

    fn code(state: Option<&str>) -> Pasted {
        Pasted::Code { code: Secret::new(CODE), state: state.map(Into::into) }
    }

    #[test]
    fn a_code_is_found_in_every_form_the_address_bar_gives() {
        let encoded = CODE.replace('=', "%3D");
        let twice = encoded.replace('%', "%25");
        let page = "https://login.salesforce.com/services/oauth2/success";
        for (text, state) in [
            (CODE.to_owned(), None),
            (format!("  \"{CODE}\"\n"), None),
            (encoded.clone(), None),
            (twice.clone(), None),
            (format!("[{page}?code={encoded}]"), None),
            (format!("\u{201c}{page}?code={encoded}\u{201d}"), None),
            (format!("{page}?code={encoded}#"), None),
            (format!("copied: code={encoded}"), None),
            (format!("{page}?code={encoded}"), None),
            (format!("{page}?code={encoded}&state=s1"), Some("s1")),
            (format!("{page}?state=s1&code={encoded}"), Some("s1")),
            (format!("<{page}?code={encoded}&state=s1>"), Some("s1")),
            (format!("code={encoded}&state=s1"), Some("s1")),
            (format!("?code={encoded}"), None),
            (format!("{page}?code={twice}"), None),
            (format!("{}\r\n{}", &CODE[..20], &CODE[20..]), None),
            (format!("\u{200b}{CODE}\u{feff}"), None),
        ] {
            assert_eq!(classify(&text), code(state), "{text}");
        }
    }

    #[test]
    fn tokens_are_found_in_a_fragment_in_json_and_alone() {
        let refresh = |instance_url: Option<&str>, state: Option<&str>| Pasted::RefreshToken {
            refresh_token: Secret::new(REFRESH),
            instance_url: instance_url.map(Into::into),
            state: state.map(Into::into),
        };
        let instance = "https://acme.my.salesforce.com";
        let fragment = format!(
            "https://login.salesforce.com/services/oauth2/success#access_token={}&refresh_token={}&instance_url=https%3A%2F%2Facme.my.salesforce.com&scope=id+api&state=s2&token_type=Bearer",
            ACCESS.replace('!', "%21"),
            REFRESH.replace('=', "%3D"),
        );
        assert_eq!(classify(&fragment), refresh(Some(instance), Some("s2")));
        let json = format!(
            r#" {{"access_token":"{ACCESS}","refresh_token":"{REFRESH}","instance_url":"{instance}","x":1}} "#
        );
        assert_eq!(classify(&json), refresh(Some(instance), None));
        assert_eq!(classify(REFRESH), refresh(None, None));
        assert_eq!(classify(&REFRESH.replace('=', "%3D")), refresh(None, None));
        let access = Pasted::AccessToken {
            access_token: Secret::new(ACCESS),
            instance_url: None,
            state: None,
        };
        assert_eq!(classify(ACCESS), access);
        assert_eq!(classify(&ACCESS.replace('!', "%21")), access);
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln";
        assert!(matches!(classify(jwt), Pasted::AccessToken { .. }));
    }

    #[test]
    fn a_code_with_two_dots_is_not_taken_for_a_jwt() {
        let dotted = "aPrxabc.defghijklmnopqrstuvwxyz0123456789.ABCDEFG==";
        assert!(matches!(classify(dotted), Pasted::Code { .. }));
    }

    #[test]
    fn wrong_pastes_are_named() {
        assert_eq!(classify("AbCdEfGhIjKlMnOpQrStUvWx"), Pasted::SecurityToken);
        assert_eq!(classify("AbCdEfGhIjKlMnOpQrStUvWxY"), Pasted::SecurityToken);
        assert_eq!(classify("3MVG9sampleConsumerKey.0123456789"), Pasted::ConsumerKey);
        assert!(matches!(classify(""), Pasted::Unusable(_)));
        assert!(matches!(classify("hello"), Pasted::Unusable(_)));
        assert!(matches!(
            classify("https://login.salesforce.com/services/oauth2/success"),
            Pasted::Unusable(_)
        ));
        assert!(matches!(classify("{\"a\":1}"), Pasted::Unusable(_)));
        assert!(matches!(classify("force://x"), Pasted::Unusable(_)));
        assert!(matches!(classify(&"Z".repeat(50)), Pasted::Unknown(_)));
    }

    #[test]
    fn an_error_from_the_authorize_page_is_read_from_query_and_fragment() {
        for mark in ["?", "#"] {
            let url = format!(
                "https://login.salesforce.com/services/oauth2/success{mark}error=access_denied&error_description=end-user+denied+authorization&state=s"
            );
            let expected = Pasted::AuthorizeError {
                error: "access_denied".into(),
                description: "end-user denied authorization".into(),
                state: Some("s".into()),
            };
            assert_eq!(classify(&url), expected);
        }
    }

    #[test]
    fn what_a_page_says_is_taken_for_the_refusal_it_is() {
        let refused = |text: &str, expected: &str| {
            let pasted = classify(text);
            assert!(
                matches!(&pasted, Pasted::AuthorizeError { error, .. } if error == expected),
                "{text}: {pasted:?}"
            );
        };
        refused("OAUTH_APP_BLOCKED : this app is blocked by admin", "OAUTH_APP_BLOCKED");
        refused("error: OAUTH_APPROVAL_ERROR_GENERIC", "OAUTH_APPROVAL_ERROR_GENERIC");
        refused("missing required code challenge", "invalid_request");
        refused(
            r#"{"error":"invalid_grant","error_description":"inactive user"}"#,
            "invalid_grant",
        );
        refused(
            "https://acme.my.salesforce.com/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_scope",
            "invalid_scope",
        );
    }

    #[test]
    fn a_plus_never_becomes_a_space_in_a_value() {
        let pasted =
            classify(&format!("https://x/success?state=a+b&code={}", CODE.replace('=', "%3D")));
        assert_eq!(pasted, code(Some("a+b")));
    }

    #[test]
    fn a_pasted_text_does_not_show_in_debug_output() {
        for text in [CODE, REFRESH, ACCESS, &"Z".repeat(50)] {
            let shown = format!("{:?}", classify(text));
            assert!(!shown.contains(&text[20..]), "{shown}");
        }
    }

    #[test]
    fn an_sf_cli_auth_url_gives_its_parts() {
        let pasted = classify(&format!("force://PlatformCLI::{REFRESH}@acme.my.salesforce.com"));
        let expected = Pasted::CliAuthUrl {
            client_id: "PlatformCLI".into(),
            refresh_token: Secret::new(REFRESH),
            host: "acme.my.salesforce.com".into(),
        };
        assert_eq!(pasted, expected);
    }
}
