//! Grants: how a person or a key opens an org, and how its tokens are kept fresh.

pub(crate) mod authorize;
pub(crate) mod deauthorize;
pub(crate) mod grant;
pub(crate) mod identity;
pub(crate) mod mint;
pub(crate) mod oauth;
pub(crate) mod oauth_error;
pub(crate) mod pending;
pub(crate) mod renew;
pub(crate) mod token_field;
