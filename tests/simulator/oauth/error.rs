//! Refusals of the OAuth endpoints.

use std::borrow::Cow;

/// `error` and `error_description`, as the platform spells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) error: &'static str,
    pub(crate) description: Cow<'static, str>,
}

impl OAuthError {
    pub(crate) const fn new(error: &'static str, description: &'static str) -> Self {
        Self { error, description: Cow::Borrowed(description) }
    }

    pub(crate) const fn grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }
}

pub(crate) const EXPIRED_TOKEN: OAuthError = OAuthError::grant("expired access/refresh token");
pub(crate) const UNKNOWN_CLIENT: OAuthError =
    OAuthError::new("invalid_client_id", "client identifier invalid");
pub(crate) const BAD_SECRET: OAuthError =
    OAuthError::new("invalid_client", "invalid client credentials");
pub(crate) const AUTHENTICATION_FAILURE: OAuthError = OAuthError::grant("authentication failure");
pub(crate) const NOT_APPROVED: OAuthError =
    OAuthError::new("invalid_app_access", "user is not admin approved to access this app");
