//! Turns what an administrator typed as the domain into the login hosts to try.
//!
//! # Source
//! Salesforce Help, "My Domain URL formats"; the rules are pinned by the vectors in the tests.

use url::{Host, Url};

use crate::settings::org_host::{
    LOGIN_HOST, TEST_HOST, is_instance_host, is_instance_name, is_label, strip_domain,
};
use crate::settings::org_url::OrgHost;

const LONGEST_INPUT: usize = 2_000;
const PARTITIONS: [&str; 7] =
    ["sandbox", "develop", "scratch", "trailblaze", "demo", "patch", "free"];
const TWINS: [(&str, &str); 4] = [
    ("lightning.force.com", "my.salesforce.com"),
    ("my.salesforce-setup.com", "my.salesforce.com"),
    ("lightning.crmforce.mil", "my.salesforce.mil"),
    ("lightning.sfcrmapps.cn", "my.sfcrmproducts.cn"),
];

/// The login hosts a typed domain can mean, the likeliest first. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginHosts {
    /// The hosts.
    pub(crate) candidates: Vec<OrgHost>,
    /// What the administrator should know.
    pub(crate) warning: Option<String>,
}

/// Why a domain was refused, and what to enter instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) message: String,
    pub(crate) hint: String,
}

const HINT: &str = "enter the first part of the address shown in the browser after login, e.g. \
                    `acme` of https://acme.my.salesforce.com, or the whole address";

fn refuse<T>(message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { message: message.into(), hint: HINT.into() })
}

impl LoginHosts {
    /// Reads a domain as typed or pasted: a name, a host, or an address from the browser.
    ///
    /// # Errors
    /// [`Refused`] for anything that is not an org's own login host.
    pub(crate) fn parse(input: &str) -> Result<LoginHosts, Refused> {
        let typed = clean(input);
        check_characters(typed)?;
        let (host, bare) = host_of(typed)?;
        if !host.contains('.') {
            if !bare {
                return refuse(format!("`{host}` is not a full host name"));
            }
            return from_label(&host);
        }
        let host = expand_shorthand(&host);
        let host = to_login_twin(&host);
        explain_wrong_kind(&host)?;
        if host == "welcome.salesforce.com" {
            return LoginHosts::one(LOGIN_HOST);
        }
        let mut hosts = LoginHosts::one(&host)?;
        if is_instance_host(&host) {
            hosts.warning = Some(format!(
                "`{host}` is an instance host: it changes when Salesforce moves the org; prefer the My Domain name"
            ));
        }
        Ok(hosts)
    }

    fn one(host: &str) -> Result<LoginHosts, Refused> {
        match OrgHost::new(host) {
            Some(host) => Ok(LoginHosts { candidates: vec![host], warning: None }),
            None => refuse(format!("`{host}` is not a Salesforce login host")),
        }
    }
}

/// Drops what copying adds around a name: space, quotes, angle brackets, a list's comma.
fn clean(input: &str) -> &str {
    input.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ',' | '\u{201c}' | '\u{201d}')
    })
}

fn check_characters(typed: &str) -> Result<(), Refused> {
    if typed.is_empty() {
        return refuse("the domain is empty");
    }
    if typed.len() > LONGEST_INPUT {
        return refuse(format!("the domain has more than {LONGEST_INPUT} characters"));
    }
    if typed.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return refuse("the domain holds a space, a backslash or a control character");
    }
    let authority = authority_of(typed);
    if authority.contains(['@', '%'])
        || !authority.is_ascii()
        || authority.to_ascii_lowercase().contains("xn--")
    {
        return refuse("the host name holds a character that Salesforce host names never have");
    }
    Ok(())
}

/// The raw text between `//` (or the start) and the next `/`, `?` or `#`.
fn authority_of(typed: &str) -> &str {
    let rest = typed.split_once("//").map_or(typed, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// The host in lower case, and whether nothing but a host was typed.
fn host_of(typed: &str) -> Result<(String, bool), Refused> {
    let (address, had_scheme) = match typed.split_once("://") {
        Some((scheme, rest))
            if matches!(scheme.to_ascii_lowercase().as_str(), "https" | "http") =>
        {
            (format!("https://{rest}"), true)
        }
        Some((scheme, _)) => return refuse(format!("`{scheme}://` is not a web address")),
        None => (format!("https://{typed}"), false),
    };
    let Ok(url) = Url::parse(&address) else {
        return refuse("the domain cannot be read as a host name");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("the address holds a user name");
    }
    if url.port_or_known_default() != Some(443) {
        return refuse("the address names a port; Salesforce answers on 443 only");
    }
    let host = match url.host() {
        Some(Host::Domain(host)) => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
        Some(_) => return refuse("the address is an IP address; Salesforce orgs have names"),
        None => return refuse("the address has no host"),
    };
    // A parser that normalises a host must not turn one name into another.
    let typed_host =
        authority_of(&address).split(':').next().unwrap_or_default().to_ascii_lowercase();
    if typed_host.strip_suffix('.').unwrap_or(&typed_host) != host
        || host.split('.').any(str::is_empty)
    {
        return refuse("the domain cannot be read as a host name");
    }
    let bare = !had_scheme && authority_of(typed).len() == typed.len();
    Ok((host, bare))
}

fn from_label(label: &str) -> Result<LoginHosts, Refused> {
    match label {
        "login" => return LoginHosts::one(LOGIN_HOST),
        "test" => return LoginHosts::one(TEST_HOST),
        _ if !is_label(label) => {
            return refuse(format!(
                "`{label}` is not a My Domain name: letters, digits and hyphens only"
            ));
        }
        _ => {}
    }
    let tails: &[&str] = if label.contains("--") {
        &["sandbox.my", "my"]
    } else if label.ends_with("-dev-ed") {
        &["my", "develop.my", "trailblaze.my", "scratch.my"]
    } else {
        &["my"]
    };
    let candidates: Vec<OrgHost> = tails
        .iter()
        .filter_map(|tail| OrgHost::new(&format!("{label}.{tail}.salesforce.com")))
        .collect();
    if candidates.is_empty() {
        return refuse(format!("`{label}` is not a My Domain name"));
    }
    Ok(LoginHosts { candidates, warning: None })
}

/// `acme.develop` and `acme.my` lack only the rest of the name.
fn expand_shorthand(host: &str) -> String {
    match host.split_once('.') {
        Some((_, "my")) => format!("{host}.salesforce.com"),
        Some((_, tail)) if PARTITIONS.contains(&tail) => format!("{host}.my.salesforce.com"),
        _ => host.to_owned(),
    }
}

fn to_login_twin(host: &str) -> String {
    for (twin, login) in TWINS {
        if let Some(labels) = strip_domain(host, twin) {
            if twin == "lightning.force.com" && is_instance_name(labels) {
                return format!("{labels}.salesforce.com");
            }
            return format!("{labels}.{login}");
        }
    }
    host.to_owned()
}

fn explain_wrong_kind(host: &str) -> Result<(), Refused> {
    let is = |domain: &str| strip_domain(host, domain).is_some();
    let kind = if ["www", "help", "developer", "trailhead"]
        .iter()
        .any(|site| host == format!("{site}.salesforce.com"))
    {
        "is a public Salesforce web site"
    } else if is("vf.force.com") || is("visual.force.com") || is("visualforce.com") {
        "serves Visualforce pages"
    } else if is("file.force.com") || is("content.force.com") || host.contains("--c.") {
        "serves files"
    } else if is("my.site.com") || is("force.com") {
        "is an Experience Cloud site"
    } else if is("cloudforce.com") || is("database.com") {
        "is a retired kind of Salesforce host"
    } else if is("my-salesforce.com") || is("my-lightning.com") {
        "uses Salesforce's alternative brand, which is not supported"
    } else {
        return Ok(());
    };
    refuse(format!("`{host}` {kind}, not the org's login host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(typed: &str) -> Vec<OrgHost> {
        LoginHosts::parse(typed)
            .unwrap_or_else(|refused| panic!("{typed}: {}", refused.message))
            .candidates
    }

    #[test]
    fn the_forms_an_administrator_types_or_pastes_are_understood() {
        for (typed, expected) in [
            ("acme", vec!["acme.my.salesforce.com"]),
            (" \"ACME\", ", vec!["acme.my.salesforce.com"]),
            (
                "d1t000000czokeak-dev-ed",
                vec![
                    "d1t000000czokeak-dev-ed.my.salesforce.com",
                    "d1t000000czokeak-dev-ed.develop.my.salesforce.com",
                    "d1t000000czokeak-dev-ed.trailblaze.my.salesforce.com",
                    "d1t000000czokeak-dev-ed.scratch.my.salesforce.com",
                ],
            ),
            (
                "https://d1t000000czokeak-dev-ed.lightning.force.com/lightning/page/home",
                vec!["d1t000000czokeak-dev-ed.my.salesforce.com"],
            ),
            (
                "acme--uat",
                vec!["acme--uat.sandbox.my.salesforce.com", "acme--uat.my.salesforce.com"],
            ),
            ("ACME--UAT.sandbox.lightning.force.com", vec!["acme--uat.sandbox.my.salesforce.com"]),
            ("acme.my.salesforce-setup.com/lightning/setup/x", vec!["acme.my.salesforce.com"]),
            ("acme.develop", vec!["acme.develop.my.salesforce.com"]),
            ("acme.my", vec!["acme.my.salesforce.com"]),
            ("login", vec!["login.salesforce.com"]),
            ("test", vec!["test.salesforce.com"]),
            ("welcome.salesforce.com", vec!["login.salesforce.com"]),
            ("https://acme.my.salesforce.com:443/", vec!["acme.my.salesforce.com"]),
            ("http://acme.my.salesforce.com", vec!["acme.my.salesforce.com"]),
            ("acme.my.salesforce.com.", vec!["acme.my.salesforce.com"]),
            ("acme.my.salesforce.mil", vec!["acme.my.salesforce.mil"]),
            ("acme.lightning.crmforce.mil", vec!["acme.my.salesforce.mil"]),
            ("acme.lightning.sfcrmapps.cn", vec!["acme.my.sfcrmproducts.cn"]),
            ("na44.lightning.force.com", vec!["na44.salesforce.com"]),
            ("https://acme.my.salesforce.com/?q=%20@#x%", vec!["acme.my.salesforce.com"]),
        ] {
            assert_eq!(accepts(typed), expected, "{typed}");
        }
    }

    #[test]
    fn an_instance_host_is_accepted_with_a_warning() {
        let hosts = LoginHosts::parse("https://na44.salesforce.com/").unwrap();
        assert_eq!(hosts.candidates, ["na44.salesforce.com"]);
        assert!(hosts.warning.unwrap().contains("prefer the My Domain"));
    }

    #[test]
    fn everything_that_is_not_an_orgs_login_host_is_refused() {
        for typed in [
            "",
            "https://acme.my.salesforce.com@evil.example",
            "https://user:pw@acme.my.salesforce.com",
            "acme.my.salesforce.com:8443",
            "acme.my.salesforce.com\\@evil.example",
            "acme/../evil",
            "127.0.0.1",
            "0x7f.1",
            "[::1]",
            "javascript:alert(1)",
            "acme.my.salesforce.com%2eevil.example",
            "evil.example/",
            "acme.my.salesforce.com.evil.example",
            "foo.salesforce.com",
            "evilmy.salesforce.com",
            "my.salesforce.com",
            "xn--acme.my.salesforce.com",
            "acm\u{e9}.my.salesforce.com",
            "acme.my.salesforce.com\n.evil.example",
            "ac me",
            "-acme",
            "acme..my.salesforce.com",
            "ftp://acme.my.salesforce.com",
            "www.salesforce.com",
            "help.salesforce.com",
            "acme--c.vf.force.com",
            "acme.file.force.com",
            "acme.my.site.com",
            "acme.force.com",
            "acme.my-salesforce.com",
            "evilcrmforce.mil",
            "https:///acme.my.salesforce.com",
            "https:acme.my.salesforce.com",
        ] {
            assert!(
                LoginHosts::parse(typed).is_err(),
                "{typed:?} was accepted: {:?}",
                LoginHosts::parse(typed)
            );
        }
    }
}
