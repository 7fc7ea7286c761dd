//! A running org.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use std::{fs, io};

use chrono::{DateTime, Utc};
use estate::{EditError, Editor, Estate, RuleTruth, Truth};

use crate::authority::Authority;
use crate::browser;
use crate::builder::OrgBuilder;
use crate::core::Core;
use crate::fault::FaultScript;
use crate::journal::{Entry, Violation};
use crate::net::{ProxyAuth, Server};
use crate::policy::Policy;
use crate::sync::lock;

/// A running org. Dropping it ends every connection and frees its ports.
#[derive(Debug)]
pub struct SimulatedOrg {
    // Dropped first: no request may outlive what answers it.
    server: Server,
    core: Arc<Core>,
    authority: Arc<Authority>,
    proxy_auth: Option<ProxyAuth>,
}

impl SimulatedOrg {
    /// An org with every setting at its default.
    pub fn builder() -> OrgBuilder {
        OrgBuilder::default()
    }

    pub(crate) fn new(
        core: Arc<Core>,
        authority: Arc<Authority>,
        server: Server,
        proxy_auth: Option<ProxyAuth>,
    ) -> Self {
        Self { server, core, authority, proxy_auth }
    }

    /// URL of the HTTP proxy, without user and password.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.server.proxy_address())
    }

    /// URL of the HTTP proxy with the user and password it asks for, if it does.
    pub fn proxy_url_with_credentials(&self) -> String {
        match &self.proxy_auth {
            Some(auth) => {
                let encode = |text: &str| {
                    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let (user, password) = (encode(&auth.user), encode(&auth.password));
                format!("http://{user}:{password}@{}", self.server.proxy_address())
            }
            None => self.proxy_url(),
        }
    }

    /// Address that answers TLS without a proxy, by server name.
    pub fn tls_address(&self) -> SocketAddr {
        self.server.tls_address()
    }

    /// Certificate of the org's authority, PEM.
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// Writes the authority's certificate to a file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_ca(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, self.ca_pem())
    }

    /// The org's My Domain host, such as `acme.my.salesforce.com`.
    pub fn my_domain_host(&self) -> &str {
        &self.core.hosts.my_domain
    }

    /// Moves the org to another host, such as `acme2.my.salesforce.com`: token answers name
    /// it as `instance_url`, and the former host still gives tokens but knows no session.
    pub fn move_to(&self, host: &str) {
        self.core.hosts.move_to(host);
    }

    /// The host people log in at: `login.salesforce.com`, or `test.` for a sandbox.
    pub fn login_host(&self) -> &'static str {
        self.core.hosts.generic()
    }

    /// Consumer key of the app.
    pub fn client_id(&self) -> &str {
        &self.core.app.client_id
    }

    /// Consumer secret of the app.
    pub fn client_secret(&self) -> &str {
        &self.core.app.client_secret
    }

    /// The callback operators use: the login host's success page.
    pub fn redirect_uri(&self) -> String {
        format!("https://{}/services/oauth2/success", self.login_host())
    }

    /// User name of the user who authorizes the app.
    pub fn username(&self) -> &str {
        &self.core.login.username
    }

    /// Password of every user.
    pub fn password(&self) -> &str {
        &self.core.login.password
    }

    /// The security token that follows the password in the username-password flow.
    pub fn security_token(&self) -> &str {
        &self.core.login.security_token
    }

    /// The org's id, 18 characters.
    pub fn organization_id(&self) -> String {
        self.core.estate.organization_id()
    }

    /// What is true of the org.
    pub fn truth(&self) -> Truth {
        self.core.records().truth()
    }

    /// The org's records as they are now.
    pub fn records(&self) -> Arc<Estate> {
        self.core.records()
    }

    /// Changes records. Pages that are read later show the new values and lack what was removed, as on the platform;
    /// a `SystemModstamp` moves to the present unless the change says otherwise.
    ///
    /// # Errors
    /// What `change` answers.
    pub fn mutate<T>(
        &self,
        change: impl FnOnce(&mut Editor) -> Result<T, EditError>,
    ) -> Result<T, EditError> {
        self.core.edit(change)
    }

    /// From now on every seventh of the logins that come with the clock shows up this long after its `LoginTime`.
    pub fn delay_logins(&self, by: Duration) {
        let mut edited = lock(&self.core.edited);
        edited.estate = Arc::new(edited.estate.delay_logins(by));
    }

    /// Moves the `SystemModstamp` of some records to the present.
    ///
    /// # Errors
    /// If a record does not exist.
    pub fn touch<'i>(
        &self,
        object: &str,
        ids: impl IntoIterator<Item = &'i str>,
    ) -> Result<(), EditError> {
        self.core.touch(object, ids)
    }

    /// What rules about waste must find and must leave alone, as the records were made; R19 is about the keys of
    /// `/limits`.
    pub fn rules(&self) -> Vec<RuleTruth> {
        let mut rules = self.core.estate.rules();
        rules.push(crate::api::storage_rule());
        rules
    }

    /// The org's records as they were made.
    pub fn estate(&self) -> &Arc<Estate> {
        &self.core.estate
    }

    /// Every request so far, oldest first.
    pub fn journal(&self) -> Vec<Entry> {
        self.core.journal.entries()
    }

    /// Forgets the requests so far.
    pub fn clear_journal(&self) {
        self.core.journal.clear();
    }

    /// The requests no client should have made.
    pub fn violations(&self) -> Vec<(Violation, Entry)> {
        let violating = |entry: Entry| {
            let violations = entry.violations.clone();
            violations.into_iter().map(move |violation| (violation, entry.clone()))
        };
        self.journal().into_iter().flat_map(violating).collect()
    }

    /// The fault script, to be changed at any time.
    pub fn faults(&self) -> &FaultScript {
        &self.core.faults
    }

    /// Every authorization code, access token and refresh token the org ever gave out, to
    /// search a client's output for.
    pub fn issued_secrets(&self) -> Vec<String> {
        lock(&self.core.grants).issued()
    }

    /// How many refreshes were granted.
    pub fn refreshes(&self) -> u64 {
        lock(&self.core.grants).refreshes
    }

    /// Waits until more refreshes than these were granted, at most that long; whether they were.
    pub fn wait_for_refresh(&self, granted: u64, limit: Duration) -> bool {
        let grants = lock(&self.core.grants);
        let refreshed = Arc::clone(&grants.refreshed);
        let waited =
            refreshed.wait_timeout_while(grants, limit, |grants| grants.refreshes <= granted);
        let (grants, _) = waited.unwrap_or_else(PoisonError::into_inner);
        grants.refreshes > granted
    }

    /// How many grants were lost because a replaced refresh token was used again.
    pub fn grants_lost_to_replay(&self) -> u64 {
        lock(&self.core.grants).families_lost_to_replay
    }

    /// Changes settings of the org.
    pub fn set_policy(&self, change: impl FnOnce(&mut Policy)) {
        change(&mut lock(&self.core.policy));
    }

    /// The settings of the org.
    pub fn policy(&self) -> Policy {
        self.core.policy()
    }

    /// The present instant on the org's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.core.clock.now()
    }

    /// Moves the org's clock forward. In that time people and integrations log in, and each day gets its metrics.
    pub fn advance(&self, by: Duration) {
        self.core.advance(by);
    }

    /// Revokes every refresh token and ends every session.
    pub fn revoke_tokens(&self) {
        lock(&self.core.grants).revoke_all();
    }

    /// Ends every session; refresh tokens stay good.
    pub fn expire_sessions(&self) {
        lock(&self.core.grants).end_sessions();
    }

    /// Makes every query locator invalid.
    pub fn kill_locators(&self) {
        self.core.locators.clear();
    }

    /// Hides an object from everyone from now on.
    pub fn hide_object(&self, object: &str) {
        self.core.change_visibility(|visibility| {
            visibility.hidden_objects.insert(object.to_owned());
        });
    }

    /// Shows an object without records from now on: 200 and an empty list.
    pub fn empty_object(&self, object: &str) {
        self.core.change_visibility(|visibility| {
            visibility.emptied_objects.insert(object.to_owned());
        });
    }

    /// Shows names and labels in another language from now on; no stamp moves.
    pub fn translate_labels(&self) {
        // Only existing fields of existing records are set.
        let _ = self.core.edit(Editor::translate_labels);
    }

    /// Hides a field from everyone from now on.
    pub fn hide_field(&self, object: &str, field: &str) {
        self.core.change_visibility(|visibility| {
            visibility.hidden_fields.insert((object.to_owned(), field.to_owned()));
        });
    }

    /// Takes a permission from everyone from now on.
    pub fn without_permission(&self, permission: &str) {
        self.core.change_visibility(|visibility| {
            visibility.removed_permissions.insert(permission.to_owned());
        });
    }

    /// Undoes every hiding, taking and giving of permissions.
    pub fn show_everything(&self) {
        self.core.change_visibility(|visibility| *visibility = crate::core::Visibility::default());
    }

    /// Plays the person in the browser who opens `authorize_url`, logs in and presses
    /// Allow. Answers the address bar's content in the end: the callback with its code, or
    /// a page of the org that tells a refusal.
    pub fn approve(&self, authorize_url: &str) -> String {
        self.press(authorize_url, self.username(), true)
    }

    /// As [`SimulatedOrg::approve`], for the user `username`.
    pub fn approve_as(&self, username: &str, authorize_url: &str) -> String {
        self.press(authorize_url, username, true)
    }

    /// As [`SimulatedOrg::approve`], pressing Deny.
    pub fn deny(&self, authorize_url: &str) -> String {
        self.press(authorize_url, self.username(), false)
    }

    fn press(&self, authorize_url: &str, username: &str, allow: bool) -> String {
        browser::press(&self.core, authorize_url, username, self.password(), allow)
    }

    /// A refresh token for the user who authorizes the app, with every scope of the app, as
    /// one more approval gives it.
    pub fn issue_refresh_token(&self) -> String {
        let policy = self.core.policy();
        let mut grants = lock(&self.core.grants);
        let id = grants.approve(
            &self.core.login.user_id,
            policy.scopes.clone(),
            self.core.clock.now(),
            &policy,
        );
        grants.approval(id).map(|approval| approval.refresh_token.clone()).unwrap_or_default()
    }

    /// An access token for the same user, with every scope of the app but
    /// `refresh_token`.
    pub fn issue_access_token(&self) -> String {
        let mut scopes = self.core.policy().scopes;
        scopes.remove("refresh_token");
        let organization = self.core.estate.organization_id();
        let mut grants = lock(&self.core.grants);
        grants
            .open_session(
                &organization,
                &self.core.login.user_id,
                scopes,
                None,
                self.core.clock.now(),
            )
            .token
    }
}
