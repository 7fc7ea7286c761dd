//! The person in front of the browser, in process.

use std::sync::Arc;

use url::form_urlencoded::Serializer;

use crate::core::Core;
use crate::http::{Request, Response};
use crate::router::answer;

const USER_AGENT: &str = "simulated browser";
/// More redirects than any page of the org makes.
const MAX_REDIRECTS: usize = 5;

/// Opens `authorize_url`, logs in as `username`, presses the button and answers what the
/// address bar shows in the end.
pub(crate) fn press(
    core: &Arc<Core>,
    authorize_url: &str,
    username: &str,
    password: &str,
    allow: bool,
) -> String {
    let mut address = authorize_url.to_owned();
    let mut response = get(core, &address);
    for _ in 0..MAX_REDIRECTS {
        match followed(core, &address, &response) {
            Step::Here => break,
            Step::Elsewhere(location) => return location,
            Step::Next(location) => {
                address = location;
                response = get(core, &address);
            }
        }
    }
    let page = String::from_utf8_lossy(&response.body).into_owned();
    let Some(source) = attribute(&page, "name=\"source\" value=\"") else { return address };
    let action = attribute(&page, "action=\"").unwrap_or_default();
    let form = Serializer::new(String::new())
        .append_pair("source", source)
        .append_pair("username", username)
        .append_pair("password", password)
        .append_pair("action", if allow { "allow" } else { "deny" })
        .finish();
    let mut post = request("POST", &resolve(&address, action));
    post.headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    post.body = form.into_bytes();
    let response = answer(core, &post);
    match followed(core, &address, &response) {
        Step::Here => resolve(&address, action),
        Step::Elsewhere(location) => location,
        Step::Next(location) => {
            // The org's own pages are shown; a callback may be one of them.
            get(core, &location);
            location
        }
    }
}

enum Step {
    /// The page stays.
    Here,
    /// On to another page of the org.
    Next(String),
    /// On to a callback at somebody else's host.
    Elsewhere(String),
}

fn followed(core: &Core, address: &str, response: &Response) -> Step {
    let Some(location) = response.header("Location") else { return Step::Here };
    let location = resolve(address, location);
    let host = url::Url::parse(&location)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    if core.hosts.door(&host).is_some() { Step::Next(location) } else { Step::Elsewhere(location) }
}

fn get(core: &Arc<Core>, address: &str) -> Response {
    answer(core, &request("GET", address))
}

fn request(method: &str, address: &str) -> Request {
    // What follows `#` stays in the browser.
    let address = address.split('#').next().unwrap_or_default();
    let (plain, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (scheme == "http", rest),
        None => (false, address),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    let mut request = Request::new(method, host, if target.is_empty() { "/" } else { target });
    request.plain = plain;
    request.headers.push(("User-Agent".to_owned(), USER_AGENT.to_owned()));
    request
}

/// `location` seen from `address`.
fn resolve(address: &str, location: &str) -> String {
    if !location.starts_with('/') {
        return location.to_owned();
    }
    let start = address.find("://").map_or(0, |at| at + 3);
    let end = address[start..].find(['/', '?', '#']).map_or(address.len(), |at| start + at);
    format!("{}{location}", &address[..end])
}

fn attribute<'a>(page: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(before)?;
    rest.split_once('"').map(|(value, _)| value)
}
