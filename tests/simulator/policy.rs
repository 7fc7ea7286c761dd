//! The settings an administrator could change, and the moods a platform could be in.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::data_policy::{BudgetPolicy, BulkPolicy};

/// Whether authorization requests carry a code challenge (RFC 7636).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pkce {
    /// A challenge is ignored.
    Off,
    /// A challenge that was sent must be answered by its verifier.
    #[default]
    Optional,
    /// Requests without a challenge are refused.
    Required,
}

/// How long a refresh token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefreshTokenPolicy {
    /// Until somebody revokes it.
    #[default]
    UntilRevoked,
    /// It never works.
    ImmediatelyExpire,
    /// It dies when it was not used for this long.
    ExpireIfIdleFor(Duration),
    /// It dies this long after the approval.
    ExpireAfter(Duration),
}

/// Which token requests are refused because of the address they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IpRestriction {
    /// None.
    #[default]
    None,
    /// Only the exchange of an authorization code.
    CodeExchange,
    /// Only the refresh.
    Refresh,
    /// Every one.
    All,
}

/// What the data API says to a live access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionAnswer {
    /// It is accepted.
    #[default]
    Accepted,
    /// 401 `Session expired or invalid`, whatever the token.
    AlwaysExpired,
    /// 401 `This session is not valid for use with the REST API`.
    NotForRest,
    /// 401 `Connected app is not attached to Agent`.
    NotAttached,
}

/// Everything about an org that can be switched, before it starts and while it runs.
///
/// The defaults are those of an org with an external client app whose owner changed
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one check box of the platform")]
pub struct Policy {
    /// Proof Key for Code Exchange.
    pub pkce: Pkce,
    /// "Require Secret for Web Server Flow".
    pub require_secret_for_web_server_flow: bool,
    /// "Require Secret for Refresh Token Flow".
    pub require_secret_for_refresh_token_flow: bool,
    /// Each refresh returns a new refresh token and kills the old one; a replay of a
    /// rotated-out token kills the whole family.
    pub rotate_refresh_tokens: bool,
    /// With rotation, a refresh ends the family's earlier sessions as well. If not, an old
    /// access token lives on until its own end.
    pub rotation_ends_sessions: bool,
    /// A refresh answers with the access token that is still alive, if there is one.
    pub repeat_access_token: bool,
    /// Every refresh answers as if another one were being processed.
    pub refresh_in_progress: bool,
    /// How long refresh tokens live.
    pub refresh_token_policy: RefreshTokenPolicy,
    /// Idle time after which a session ends; each API call starts it again.
    pub session_timeout: Duration,
    /// Life of an authorization code.
    pub authorization_code_lifetime: Duration,
    /// Approvals one user can have for the app; one more evicts the oldest.
    pub approvals_per_user: usize,
    /// Token requests one user may make in an hour.
    pub logins_per_hour: usize,
    /// Scopes assigned to the app.
    pub scopes: BTreeSet<String>,
    /// Whether the client credentials flow is enabled on the app.
    pub client_credentials_flow: bool,
    /// The Run As user of the client credentials flow, by user name.
    pub run_as: Option<String>,
    /// User names that are admin pre-authorized for the app: the JWT bearer flow needs it,
    /// unless the user approved the app and that refresh token is still live.
    pub pre_authorized: BTreeSet<String>,
    /// Whether the org allows the username-password flow.
    pub password_flow: bool,
    /// Whether the org allows the user-agent flow (`response_type=token`).
    pub user_agent_flow: bool,
    /// Whether `GET` and `POST` to the introspection endpoint are answered for this app.
    pub introspection: bool,
    /// The app is so new that the key is not known yet.
    pub app_propagating: bool,
    /// The app comes from elsewhere and is not installed.
    pub app_not_installed: bool,
    /// The app is blocked by the administrator.
    pub app_blocked: bool,
    /// The user has neither profile nor permission set that admits to the app.
    pub not_admin_approved: bool,
    /// The authorised user is inactive, whatever the records say.
    pub user_inactive: bool,
    /// The org is locked, closed or suspended.
    pub org_inactive: bool,
    /// Addresses that are refused.
    pub ip_restriction: IpRestriction,
    /// It is outside the profile's login hours.
    pub outside_login_hours: bool,
    /// How far ahead of the true time the org's clock is, in the `Date` of its answers and
    /// when it looks at the `exp` of an assertion; negative is behind.
    pub clock_offset_seconds: i32,
    /// Leave `signature` out of token answers.
    pub omit_signature: bool,
    /// Leave `scope` out of token answers.
    pub omit_scope: bool,
    /// Add keys nobody knows to token answers.
    pub extra_token_keys: bool,
    /// Whether the org's edition has the API.
    pub api_enabled: bool,
    /// What live sessions are told.
    pub session_answer: SessionAnswer,
    /// API calls in a rolling day; the next one is refused.
    pub daily_api_limit: u64,
    /// Pages smaller than asked, as the server may choose.
    pub page_size: Option<u64>,
    /// Life of a query locator.
    pub locator_lifetime: Duration,
    /// A query locator dies with the session that made it.
    pub locators_die_with_session: bool,
    /// The newest API version, as a whole number.
    pub newest_version: u16,
    /// Compress answers for clients that accept gzip.
    pub gzip: bool,
    /// Send bodies in chunks, as the platform does, rather than with `Content-Length`.
    pub chunked: bool,
    /// Record more than one refresh per expired session as a violation.
    pub watch_refreshes: bool,
    /// Bulk API 2.0 queries.
    pub bulk: BulkPolicy,
    /// Allowances, and queries that take too long.
    pub budget: BudgetPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            pkce: Pkce::default(),
            require_secret_for_web_server_flow: true,
            require_secret_for_refresh_token_flow: true,
            rotate_refresh_tokens: false,
            rotation_ends_sessions: true,
            repeat_access_token: false,
            refresh_in_progress: false,
            refresh_token_policy: RefreshTokenPolicy::default(),
            session_timeout: Duration::from_secs(2 * 3_600),
            authorization_code_lifetime: Duration::from_secs(15 * 60),
            approvals_per_user: 5,
            logins_per_hour: 3_600,
            scopes: ["api", "id", "refresh_token"].map(str::to_owned).into(),
            client_credentials_flow: false,
            run_as: None,
            pre_authorized: BTreeSet::new(),
            password_flow: false,
            user_agent_flow: true,
            introspection: true,
            app_propagating: false,
            app_not_installed: false,
            app_blocked: false,
            not_admin_approved: false,
            user_inactive: false,
            org_inactive: false,
            ip_restriction: IpRestriction::default(),
            outside_login_hours: false,
            clock_offset_seconds: 0,
            omit_signature: false,
            omit_scope: false,
            extra_token_keys: false,
            api_enabled: true,
            session_answer: SessionAnswer::default(),
            daily_api_limit: 15_000,
            page_size: None,
            locator_lifetime: Duration::from_secs(2 * 24 * 3_600),
            locators_die_with_session: false,
            newest_version: 66,
            gzip: true,
            chunked: true,
            watch_refreshes: false,
            bulk: BulkPolicy::default(),
            budget: BudgetPolicy::default(),
        }
    }
}
