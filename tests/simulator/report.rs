//! What the program says about the org it started.

use std::path::Path;

use estate::Viewer;
use salesforce_sim::SimulatedOrg;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const NEWEST_VERSION: u16 = 66;
/// Rows that are held at a time.
const PAGE: u64 = 10_000;

/// Everything a client needs.
pub(crate) struct Report {
    fields: Vec<(&'static str, &'static str, String)>,
}

impl Report {
    /// Reads the org and takes one refresh and one access token from it.
    pub(crate) fn of(org: &SimulatedOrg) -> Self {
        let fields = vec![
            ("proxy_url", "Proxy", org.proxy_url_with_credentials()),
            ("tls_address", "Direct TLS", org.tls_address().to_string()),
            ("my_domain_host", "My Domain host", org.my_domain_host().to_owned()),
            ("login_host", "Login host", org.login_host().to_owned()),
            ("organization_id", "Organization", org.organization_id()),
            ("client_id", "Consumer key", org.client_id().to_owned()),
            ("client_secret", "Consumer secret", org.client_secret().to_owned()),
            ("redirect_uri", "Callback", org.redirect_uri()),
            ("username", "Username", org.username().to_owned()),
            ("password", "Password", org.password().to_owned()),
            ("security_token", "Security token", org.security_token().to_owned()),
            ("refresh_token", "Refresh token", org.issue_refresh_token()),
            ("access_token", "Access token", org.issue_access_token()),
        ];
        Self { fields }
    }

    /// For people.
    pub(crate) fn text(&self, ca: &Path) -> String {
        let mut text = String::from("A simulated Salesforce org is running.\n\n");
        for (_, label, value) in &self.fields {
            text.push_str(&format!("  {label:<16} {value}\n"));
        }
        text.push_str(&format!("  {:<16} {}\n", "CA certificate", ca.display()));
        text.push_str(&format!(
            "\nRun a client against it:\n\n  HTTPS_PROXY={proxy} SSL_CERT_FILE={ca} your-client\n\n\
             Get an access token:\n\n  curl --proxy {proxy} --cacert {ca} https://{host}/services/oauth2/token \\\n\
             \x20   -d grant_type=refresh_token -d client_id='{id}' \\\n    -d client_secret='{secret}' \\\n\
             \x20   --data-urlencode refresh_token='{refresh}'\n\n\
             It runs until it gets SIGINT (Ctrl-C) or SIGTERM.\n",
            proxy = self.get("proxy_url"),
            ca = ca.display(),
            host = self.get("my_domain_host"),
            id = self.get("client_id"),
            secret = self.get("client_secret"),
            refresh = self.get("refresh_token"),
        ));
        text
    }

    /// For programs: one line.
    pub(crate) fn json(&self, ca: &Path) -> serde_json::Result<String> {
        let mut value = json!({"ca_file": ca.display().to_string()});
        for (name, _, field) in &self.fields {
            value[*name] = Value::String(field.clone());
        }
        Ok(format!("{}\n", serde_json::to_string(&value)?))
    }

    /// For shells.
    pub(crate) fn environment(&self, ca: &Path) -> String {
        let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let ca = quote(&ca.display().to_string());
        let mut text = format!("export HTTPS_PROXY={}\n", quote(self.get("proxy_url")));
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
        {
            text.push_str(&format!("export {name}={ca}\n"));
        }
        for (name, _, value) in &self.fields {
            text.push_str(&format!(
                "export SALESFORCE_SIM_{}={}\n",
                name.to_ascii_uppercase(),
                quote(value)
            ));
        }
        text
    }

    fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, ..)| *field == name).map_or("", |(_, _, value)| value)
    }
}

/// What is true of the org, as JSON.
pub(crate) fn truth(org: &SimulatedOrg) -> Result<String, Box<dyn std::error::Error>> {
    let truth = org.truth();
    let licenses: Vec<Value> = truth
        .licenses
        .iter()
        .map(|license| {
            json!({
                "id": license.id,
                "license_definition_key": license.license_definition_key,
                "name": license.name,
                "status": license.status,
                "purchased": license.purchased,
                "used": license.used,
                "assigned": license.assigned,
                "available": license.available,
                "active": license.active,
                "unknown": license.unknown,
                "machine_only": license.machine_only,
                "never": license.never,
                "inactive": license.inactive,
                "monthly_logins_entitlement": license.monthly_logins_entitlement,
                "monthly_logins_used": license.monthly_logins_used,
            })
        })
        .collect();
    let value = json!({
        "organization_id": org.organization_id(),
        "total_users": truth.total_users,
        "active_users": truth.active_users,
        "frozen_users": truth.frozen_users,
        "row_counts": truth.row_counts,
        "licenses": licenses,
        "users": users(org)?,
    });
    Ok(serde_json::to_string_pretty(&value)?)
}

/// Number, ends and digest of all user ids, in their order: what a client that reads every
/// page must find.
fn users(org: &SimulatedOrg) -> Result<Value, Box<dyn std::error::Error>> {
    let admin = org.estate().admin().user_id;
    let viewer = Viewer::guide(admin);
    let rows = estate::query(
        org.estate(),
        &viewer,
        "SELECT Id FROM User ORDER BY Id",
        NEWEST_VERSION,
        false,
    )
    .map_err(|error| error.message)?;
    let mut digest = Sha256::new();
    let (mut first, mut last) = (None, None);
    let mut offset = 0;
    while offset < rows.len() {
        let mut text = String::from("[");
        rows.write_records(offset, PAGE, &mut text);
        text.push(']');
        let records: Vec<Value> = serde_json::from_str(&text)?;
        for id in records.iter().filter_map(|record| record["Id"].as_str()) {
            if last.is_some() {
                digest.update(b"\n");
            }
            digest.update(id.as_bytes());
            first.get_or_insert_with(|| id.to_owned());
            last = Some(id.to_owned());
        }
        offset += PAGE;
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(json!({"count": rows.len(), "first_id": first, "last_id": last, "ids_sha256": digest}))
}
