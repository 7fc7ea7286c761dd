//! The OAuth 2.0 endpoints of an org.

mod answer;
mod assertion;
mod authorize;
mod error;
mod identity;
mod page;
mod revoke;
mod store;
mod token;

pub(crate) use answer::scripted_refusal;
pub(crate) use authorize::{authorize, decide, error_page, success};
pub(crate) use identity::{discovery, identity, userinfo};
pub(crate) use revoke::{introspect, revoke};
pub(crate) use store::{Session, Store};
pub(crate) use token::token;

/// Where authorization requests go.
pub(crate) const AUTHORIZE_PATH: &str = "/services/oauth2/authorize";
/// Where the authorize page's form is sent.
pub(crate) const DECISION_PATH: &str = "/setup/secur/RemoteAccessAuthorizationPage.apexp";
/// Where failures that must not reach the callback are shown.
pub(crate) const ERROR_PATH: &str = "/setup/secur/RemoteAccessErrorPage.apexp";
