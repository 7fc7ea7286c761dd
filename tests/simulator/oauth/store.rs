//! Codes, approvals and sessions: everything that was granted.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar};

use chrono::{DateTime, TimeDelta, Utc};

use super::error::{EXPIRED_TOKEN, OAuthError};
use crate::clock::delta;
use crate::policy::{Policy, RefreshTokenPolicy};
use crate::random::{alphanumeric, token_characters};

/// Scope names, in the order a token answer lists them.
pub(crate) type Scopes = BTreeSet<String>;

/// An authorization request between the page and the button.
#[derive(Debug, Clone)]
pub(crate) struct Authorization {
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scopes: Scopes,
    pub(crate) challenge: Option<String>,
    /// `response_type=token`.
    pub(crate) implicit: bool,
    pub(crate) login_hint: String,
}

/// An authorization code.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) user_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Scopes,
    pub(crate) challenge: Option<String>,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) used: bool,
}

/// One press of Allow: a refresh token and its successors.
#[derive(Debug)]
pub(crate) struct Approval {
    pub(crate) id: u64,
    pub(crate) user_id: String,
    pub(crate) scopes: Scopes,
    pub(crate) refresh_token: String,
    rotated_out: HashSet<String>,
    approved_at: DateTime<Utc>,
    used_at: DateTime<Utc>,
    revoked: bool,
    pub(crate) refreshing: bool,
    refreshes_since_expiry: u32,
}

/// An access token.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) user_id: String,
    pub(crate) scopes: Scopes,
    pub(crate) approval: Option<u64>,
    pub(crate) generation: u64,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) used_at: DateTime<Utc>,
    ended: bool,
}

impl Approval {
    /// Whether `token` was this family's refresh token and has been replaced.
    pub(crate) fn has_rotated_out(&self, token: &str) -> bool {
        self.rotated_out.contains(token)
    }
}

impl Session {
    /// Whether it may be used at `now`.
    pub(crate) fn is_alive(&self, now: DateTime<Utc>, policy: &Policy) -> bool {
        !self.ended && now - self.used_at < delta(policy.session_timeout)
    }
}

/// What became of a refresh.
#[derive(Debug)]
pub(crate) struct Refreshed {
    pub(crate) session: Session,
    /// The new refresh token, if tokens rotate.
    pub(crate) rotated: Option<String>,
    /// The session of the last refresh was still good.
    pub(crate) needless: bool,
}

/// Everything that was granted.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) pending: HashMap<String, Authorization>,
    pub(crate) codes: HashMap<String, Code>,
    approvals: Vec<Approval>,
    sessions: HashMap<String, Session>,
    logins: HashMap<String, VecDeque<DateTime<Utc>>>,
    last_approval: u64,
    last_generation: u64,
    /// Refreshes that were granted.
    pub(crate) refreshes: u64,
    /// Notified at each refresh.
    pub(crate) refreshed: Arc<Condvar>,
    /// Families that were alive until a rotated-out token was replayed.
    pub(crate) families_lost_to_replay: u64,
}

impl Store {
    /// Counts one login; `false` if the user has had too many within the hour.
    pub(crate) fn count_login(
        &mut self,
        user_id: &str,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> bool {
        let logins = self.logins.entry(user_id.to_owned()).or_default();
        while logins.front().is_some_and(|at| now - *at >= TimeDelta::hours(1)) {
            logins.pop_front();
        }
        if logins.len() >= policy.logins_per_hour {
            return false;
        }
        logins.push_back(now);
        true
    }

    /// Records an approval that yields a refresh token; the oldest ones beyond the limit go.
    pub(crate) fn approve(
        &mut self,
        user_id: &str,
        scopes: Scopes,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> u64 {
        let live: Vec<u64> = self
            .approvals
            .iter()
            .filter(|approval| !approval.revoked && approval.user_id == user_id)
            .map(|approval| approval.id)
            .collect();
        let surplus = (live.len() + 1).saturating_sub(policy.approvals_per_user.max(1));
        for id in live.into_iter().take(surplus) {
            self.revoke_approval(id);
        }
        self.last_approval += 1;
        self.approvals.push(Approval {
            id: self.last_approval,
            user_id: user_id.to_owned(),
            scopes,
            refresh_token: new_refresh_token(),
            rotated_out: HashSet::new(),
            approved_at: now,
            used_at: now,
            revoked: false,
            refreshing: false,
            refreshes_since_expiry: 0,
        });
        self.last_approval
    }

    /// The approval with this id.
    pub(crate) fn approval(&mut self, id: u64) -> Option<&mut Approval> {
        self.approvals.iter_mut().find(|approval| approval.id == id)
    }

    /// The live approval that `token` is the refresh token of.
    pub(crate) fn approval_by_token(&mut self, token: &str) -> Option<&mut Approval> {
        self.approvals
            .iter_mut()
            .find(|approval| !approval.revoked && approval.refresh_token == token)
    }

    /// The approval a refresh with `token` is about, live or not, present or rotated out.
    pub(crate) fn family(&mut self, token: &str) -> Option<&mut Approval> {
        self.approvals
            .iter_mut()
            .find(|approval| approval.refresh_token == token || approval.has_rotated_out(token))
    }

    /// Opens a session, that is: makes an access token.
    pub(crate) fn open_session(
        &mut self,
        organization_id: &str,
        user_id: &str,
        scopes: Scopes,
        approval: Option<u64>,
        now: DateTime<Utc>,
    ) -> Session {
        self.last_generation += 1;
        let organization: String = organization_id.chars().take(15).collect();
        let session = Session {
            token: format!("{organization}!{}", token_characters(96)),
            user_id: user_id.to_owned(),
            scopes,
            approval,
            generation: self.last_generation,
            issued_at: now,
            used_at: now,
            ended: false,
        };
        self.sessions.insert(session.token.clone(), session.clone());
        session
    }

    /// Exchanges a refresh token for a session.
    pub(crate) fn refresh(
        &mut self,
        organization_id: &str,
        token: &str,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Result<Refreshed, OAuthError> {
        let Some(family) = self.family(token) else { return Err(EXPIRED_TOKEN) };
        let id = family.id;
        if family.refresh_token != token {
            // A replay of a rotated-out token is taken for theft.
            self.families_lost_to_replay += u64::from(!family.revoked);
            self.revoke_approval(id);
            return Err(EXPIRED_TOKEN);
        }
        if family.revoked {
            return Err(EXPIRED_TOKEN);
        }
        match policy.refresh_token_policy {
            RefreshTokenPolicy::ImmediatelyExpire => return Err(EXPIRED_TOKEN),
            RefreshTokenPolicy::ExpireIfIdleFor(limit) if now - family.used_at >= delta(limit) => {
                return Err(EXPIRED_TOKEN);
            }
            RefreshTokenPolicy::ExpireAfter(limit) if now - family.approved_at >= delta(limit) => {
                return Err(OAuthError::grant("token validity expired"));
            }
            _ => {}
        }
        family.used_at = now;
        let (user_id, scopes) = (family.user_id.clone(), family.scopes.clone());
        let alive = self
            .sessions
            .values()
            .filter(|session| session.approval == Some(id) && session.is_alive(now, policy))
            .max_by_key(|session| session.generation)
            .cloned();
        let mut rotated = None;
        let mut needless = false;
        if let Some(family) = self.approval(id) {
            if alive.is_none() {
                family.refreshes_since_expiry = 0;
            }
            family.refreshes_since_expiry += 1;
            needless = family.refreshes_since_expiry > 1;
            if policy.rotate_refresh_tokens {
                let next = new_refresh_token();
                let old = std::mem::replace(&mut family.refresh_token, next.clone());
                family.rotated_out.insert(old);
                rotated = Some(next);
            }
        }
        let session = match alive {
            Some(session) if policy.repeat_access_token => session,
            _ => self.open_session(organization_id, &user_id, scopes, Some(id), now),
        };
        if rotated.is_some() && policy.rotation_ends_sessions {
            self.end_family(id, Some(&session.token));
        }
        self.refreshes += 1;
        self.refreshed.notify_all();
        Ok(Refreshed { session, rotated, needless })
    }

    /// Looks an access token up without using it.
    pub(crate) fn session(&self, token: &str) -> Option<&Session> {
        self.sessions.get(token)
    }

    /// Uses an access token: its idle time starts again. `None` if it is dead, and then the
    /// next refresh is a needed one.
    pub(crate) fn use_session(
        &mut self,
        token: &str,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Option<Session> {
        let session = self.sessions.get_mut(token)?;
        if session.is_alive(now, policy) {
            session.used_at = now;
            return Some(session.clone());
        }
        let approval = session.approval;
        self.note_refusal(approval);
        None
    }

    /// Notes that a client was told to refresh.
    pub(crate) fn note_refusal(&mut self, approval: Option<u64>) {
        if let Some(approval) = approval.and_then(|id| self.approval(id)) {
            approval.refreshes_since_expiry = 0;
        }
    }

    /// Ends one session.
    pub(crate) fn end_session(&mut self, token: &str) -> bool {
        match self.sessions.get_mut(token) {
            Some(session) if !session.ended => {
                session.ended = true;
                true
            }
            _ => false,
        }
    }

    /// Ends every session; refresh tokens stay good.
    pub(crate) fn end_sessions(&mut self) {
        for session in self.sessions.values_mut() {
            session.ended = true;
        }
    }

    /// Revokes every refresh token and ends every session.
    pub(crate) fn revoke_all(&mut self) {
        for approval in &mut self.approvals {
            approval.revoked = true;
        }
        self.end_sessions();
    }

    /// Revokes an approval with its sessions.
    pub(crate) fn revoke_approval(&mut self, id: u64) {
        if let Some(approval) = self.approval(id) {
            approval.revoked = true;
        }
        self.end_family(id, None);
    }

    /// Whether the user approved the app and the refresh token of it is still live.
    pub(crate) fn has_approval(&self, user_id: &str) -> bool {
        self.approvals.iter().any(|approval| !approval.revoked && approval.user_id == user_id)
    }

    /// Every authorization code and every token that was ever given out.
    pub(crate) fn issued(&self) -> Vec<String> {
        let refresh_tokens = self.approvals.iter().flat_map(|approval| {
            std::iter::once(&approval.refresh_token).chain(&approval.rotated_out)
        });
        self.codes.keys().chain(self.sessions.keys()).chain(refresh_tokens).cloned().collect()
    }

    /// Ends the sessions of an approval, but not the one with the token `but`.
    fn end_family(&mut self, id: u64, but: Option<&str>) {
        for session in self.sessions.values_mut().filter(|session| session.approval == Some(id)) {
            if but != Some(session.token.as_str()) {
                session.ended = true;
            }
        }
    }
}

fn new_refresh_token() -> String {
    format!("5Aep861{}==", token_characters(78))
}

/// A fresh authorization code.
pub(crate) fn new_code() -> String {
    format!("aPrx{}==", token_characters(86))
}

/// The opaque handle of a pending authorization.
pub(crate) fn new_source() -> String {
    alphanumeric(40)
}
