//! The three pages a person sees.
//!
//! The login page is one form: hidden `source`, then `username`, `password`, and a button
//! called `action` with the value `allow` or `deny`. A scripted client reads `source` out of
//! the page and posts the four fields to the form's `action`.

use super::DECISION_PATH;
use super::store::Authorization;

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem}\
label,input{display:block;width:100%;box-sizing:border-box}input{margin-bottom:1rem;padding:.5rem}\
button{padding:.5rem 1.5rem;margin-right:.5rem}[role=alert]{color:#b00020}";

/// The page at the end of the code flow. It shows neither code nor token: both are only in
/// the address bar.
pub(crate) const SUCCESS: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"UTF-8\"><title>Remote Access Application Authorization</title></head>\
<body><h1>Authorization Successful</h1><p>You have been authenticated and have approved the application. You can close this window.</p></body></html>\n";

/// Login with Allow and Deny.
pub(crate) fn login(source: &str, authorization: &Authorization, failure: Option<&str>) -> String {
    let alert =
        failure.map(|text| format!("<p role=\"alert\">{}</p>", escape(text))).unwrap_or_default();
    let scopes: String =
        authorization.scopes.iter().map(|scope| format!("<li>{}</li>", escape(scope))).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"UTF-8\"><title>Allow Access?</title><style>{STYLE}</style></head><body>\n\
<h1>Allow Access?</h1>{alert}\n<p>The application asks for:</p><ul>{scopes}</ul>\n\
<form method=\"post\" action=\"{DECISION_PATH}\">\n<input type=\"hidden\" name=\"source\" value=\"{source}\">\n\
<label for=\"username\">Username</label><input id=\"username\" name=\"username\" autocomplete=\"username\" value=\"{}\">\n\
<label for=\"password\">Password</label><input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\">\n\
<button name=\"action\" value=\"allow\">Allow</button><button name=\"action\" value=\"deny\">Deny</button>\n\
</form></body></html>\n",
        escape(&authorization.login_hint)
    )
}

/// A refusal.
pub(crate) fn error(error: &str, description: &str) -> String {
    // Apps that are not installed get a page under this name.
    let heading =
        if error == "invalid_client" { "OAUTH_APPROVAL_ERROR_GENERIC" } else { "OAuth Error" };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"UTF-8\"><title>OAuth Error</title><style>{STYLE}</style></head><body>\n\
<h1>{heading}</h1><p>We can't authorize you because of an OAuth error.</p>\n<p role=\"alert\">{} : {}</p></body></html>\n",
        escape(error),
        escape(description)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
