//! Who a token belongs to.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::store::Session;
use crate::core::Core;
use crate::http::{Request, Response, TEXT_HTML};
use crate::journal::Trace;
use crate::sync::lock;

/// `GET /services/oauth2/userinfo`.
pub(crate) fn userinfo(core: &Core, request: &Request, trace: &mut Trace) -> Response {
    let person = match session(core, request, trace) {
        Ok(session) => core.estate.person_by_id(&session.user_id),
        Err(refusal) => return refusal,
    };
    let Some(person) = person else { return plain(trace, 403, "Inactive") };
    let instance = core.instance_url();
    let picture = format!("{instance}/profilephoto/005/F");
    let body = json!({
        "sub": core.identity_url(&person.user_id),
        "user_id": person.user_id,
        "organization_id": person.organization_id,
        "preferred_username": person.username,
        "nickname": person.nickname,
        "name": person.name,
        "email": person.email,
        "email_verified": true,
        "given_name": person.first_name,
        "family_name": person.last_name,
        "zoneinfo": person.time_zone,
        "photos": {"picture": picture, "thumbnail": format!("{instance}/profilephoto/005/T")},
        "profile": format!("{instance}/{}", person.user_id),
        "picture": picture,
        "address": {},
        "urls": urls(&instance, &person.organization_id, &person.user_id, "{version}"),
        "active": person.is_active,
        "user_type": person.user_type,
        "language": person.language,
        "locale": person.locale,
        "utcOffset": 0,
        "updated_at": instant(person.updated_at),
    });
    Response::json(200, body.to_string())
}

/// `GET /id/<organization>/<user>`.
pub(crate) fn identity(core: &Core, request: &Request, trace: &mut Trace) -> Response {
    let session = match session(core, request, trace) {
        Ok(session) => session,
        Err(refusal) => return refusal,
    };
    if !["id", "api", "full"].iter().any(|scope| session.scopes.contains(*scope)) {
        return plain(trace, 403, "No_Access");
    }
    let mut parts = request.path.trim_start_matches("/id/").split('/');
    let same = |asked: &str, id: &str| asked == id || asked.len() == 15 && id.starts_with(asked);
    if !same(parts.next().unwrap_or_default(), &core.estate.organization_id()) {
        return plain(trace, 403, "Wrong_Org");
    }
    let user = parts.next().unwrap_or_default();
    let Some(person) = core.estate.person_by_id(user) else { return plain(trace, 404, "Bad_Id") };
    if !same(user, &session.user_id) {
        return plain(trace, 403, "No_Access");
    }
    let instance = core.instance_url();
    let latest = format!("{}.0", core.policy().newest_version);
    let version =
        if request.query.get("version") == Some("latest") { latest.as_str() } else { "{version}" };
    let body = json!({
        "id": core.identity_url(&person.user_id),
        "asserted_user": true,
        "user_id": person.user_id,
        "organization_id": person.organization_id,
        "username": person.username,
        "nick_name": person.nickname,
        "display_name": person.name,
        "email": person.email,
        "email_verified": true,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "timezone": person.time_zone,
        "photos": {
            "picture": format!("{instance}/profilephoto/005/F"),
            "thumbnail": format!("{instance}/profilephoto/005/T"),
        },
        "urls": urls(&instance, &person.organization_id, &person.user_id, version),
        "active": person.is_active,
        "user_type": person.user_type,
        "language": person.language,
        "locale": person.locale,
        "utcOffset": 0,
        "last_modified_date": instant(person.updated_at),
    });
    Response::json(200, body.to_string())
}

/// `GET /.well-known/openid-configuration`.
pub(crate) fn discovery(core: &Core, host: &str) -> Response {
    let base = format!("https://{host}");
    let body = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/services/oauth2/authorize"),
        "token_endpoint": format!("{base}/services/oauth2/token"),
        "revocation_endpoint": format!("{base}/services/oauth2/revoke"),
        "userinfo_endpoint": format!("{base}/services/oauth2/userinfo"),
        "introspection_endpoint": format!("{base}/services/oauth2/introspect"),
        "scopes_supported": core.policy().scopes,
        "response_types_supported": ["code", "token"],
        "subject_types_supported": ["public"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    });
    Response::json(200, body.to_string())
}

/// The session behind the bearer token; these endpoints refuse in plain text, with 403.
fn session(core: &Core, request: &Request, trace: &mut Trace) -> Result<Session, Response> {
    let Some(token) = request.bearer() else {
        return Err(plain(trace, 403, "Missing_OAuth_Token"));
    };
    let policy = core.policy();
    match lock(&core.grants).use_session(token, core.clock.now(), &policy) {
        Some(session) => {
            trace.user_id = Some(session.user_id.clone());
            trace.token_generation = Some(session.generation);
            Ok(session)
        }
        None => Err(plain(trace, 403, "Bad_OAuth_Token")),
    }
}

fn plain(trace: &mut Trace, status: u16, text: &str) -> Response {
    trace.error = Some(text.to_owned());
    Response::new(status, TEXT_HTML, text)
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn urls(instance: &str, organization: &str, user: &str, version: &str) -> Value {
    let organization: String = organization.chars().take(15).collect();
    let data = format!("{instance}/services/data/v{version}");
    let soap = |kind: &str| format!("{instance}/services/Soap/{kind}/{version}/{organization}");
    json!({
        "enterprise": soap("c"),
        "metadata": soap("m"),
        "partner": soap("u"),
        "rest": format!("{data}/"),
        "sobjects": format!("{data}/sobjects/"),
        "search": format!("{data}/search/"),
        "query": format!("{data}/query/"),
        "recent": format!("{data}/recent/"),
        "tooling_soap": soap("T"),
        "tooling_rest": format!("{data}/tooling/"),
        "profile": format!("{instance}/{user}"),
        "feeds": format!("{data}/chatter/feeds"),
        "groups": format!("{data}/chatter/groups"),
        "users": format!("{data}/chatter/users"),
        "feed_items": format!("{data}/chatter/feed-items"),
        "feed_elements": format!("{data}/chatter/feed-elements"),
    })
}
