//! The host names one org answers to.

use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// What kind of org it is; it decides the host names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Edition {
    /// `acme.my.salesforce.com`.
    #[default]
    Production,
    /// `acme--uat.sandbox.my.salesforce.com`, logging in at `test.salesforce.com`.
    Sandbox {
        /// The sandbox's name, such as `uat`.
        name: String,
    },
    /// `acme-dev-ed.develop.my.salesforce.com`.
    Developer,
    /// `acme-dev-ed.my.salesforce.com`, the form without a partition.
    DeveloperUnpartitioned,
}

impl Edition {
    /// Whether the org is a sandbox.
    pub fn is_sandbox(&self) -> bool {
        matches!(self, Self::Sandbox { .. })
    }
}

/// Which door of the platform a host name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The org's own host: login, tokens and data.
    MyDomain,
    /// The host the org had before it moved: login and tokens, but no sessions.
    Former,
    /// The user interface, which sends everyone to the My Domain host.
    Lightning,
    /// The setup pages.
    Setup,
    /// `login.salesforce.com` or `test.salesforce.com`, whichever serves this kind of org.
    Generic,
    /// The other of the two, where this org's apps and users are unknown.
    OtherGeneric,
    /// A host of somebody else that is listening.
    Foreign,
}

/// The host names of one org.
///
/// Clones are the names of the same org, wherever it moves.
#[derive(Debug, Clone)]
pub(crate) struct HostNames {
    pub(crate) my_domain: String,
    lightning: String,
    setup: String,
    sandbox: bool,
    moved_to: Arc<Mutex<Option<String>>>,
    foreign: Vec<String>,
}

const LOGIN: &str = "login.salesforce.com";
const TEST: &str = "test.salesforce.com";

impl HostNames {
    /// The names of the org called `name` in `edition`.
    pub(crate) fn new(name: &str, edition: &Edition) -> Self {
        let name = name.to_ascii_lowercase();
        let stem = match edition {
            Edition::Production => name,
            Edition::Sandbox { name: sandbox } => {
                format!("{name}--{}.sandbox", sandbox.to_ascii_lowercase())
            }
            Edition::Developer => format!("{}.develop", developer(name)),
            Edition::DeveloperUnpartitioned => developer(name),
        };
        Self {
            my_domain: format!("{stem}.my.salesforce.com"),
            lightning: format!("{stem}.lightning.force.com"),
            setup: format!("{stem}.my.salesforce-setup.com"),
            sandbox: edition.is_sandbox(),
            moved_to: Arc::default(),
            foreign: Vec::new(),
        }
    }

    /// Adds hosts of somebody else, to be listened at.
    pub(crate) fn with_foreign(mut self, hosts: &[String]) -> Self {
        self.foreign = hosts.iter().map(|host| without_port(host)).collect();
        self
    }

    /// Moves the org to another host.
    pub(crate) fn move_to(&self, host: &str) {
        *lock(&self.moved_to) = Some(without_port(host));
    }

    /// The host data requests go to.
    pub(crate) fn instance(&self) -> String {
        lock(&self.moved_to).clone().unwrap_or_else(|| self.my_domain.clone())
    }

    /// The login host written into identity URLs.
    pub(crate) fn generic(&self) -> &'static str {
        if self.sandbox { TEST } else { LOGIN }
    }

    /// Which door `host` (lower case, without a port) is; `None` for a host of someone else.
    pub(crate) fn door(&self, host: &str) -> Option<Door> {
        if host == self.instance() {
            Some(Door::MyDomain)
        } else if host == self.my_domain {
            Some(Door::Former)
        } else if host == self.lightning {
            Some(Door::Lightning)
        } else if host == self.setup {
            Some(Door::Setup)
        } else if host == self.generic() {
            Some(Door::Generic)
        } else if host == LOGIN || host == TEST {
            Some(Door::OtherGeneric)
        } else if self.foreign.iter().any(|foreign| foreign == host) {
            Some(Door::Foreign)
        } else {
            None
        }
    }
}

fn developer(name: String) -> String {
    if name.ends_with("-dev-ed") { name } else { format!("{name}-dev-ed") }
}

/// Lower case, without a trailing dot and without the port.
pub(crate) fn without_port(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_org_has_its_own_host_names() {
        let host = |name: &str, edition: &Edition| HostNames::new(name, edition).my_domain;
        assert_eq!(host("Acme", &Edition::Production), "acme.my.salesforce.com");
        assert_eq!(
            host("acme", &Edition::Sandbox { name: "UAT".into() }),
            "acme--uat.sandbox.my.salesforce.com"
        );
        assert_eq!(host("acme", &Edition::Developer), "acme-dev-ed.develop.my.salesforce.com");
        assert_eq!(
            host("d1t-dev-ed", &Edition::DeveloperUnpartitioned),
            "d1t-dev-ed.my.salesforce.com"
        );
    }

    #[test]
    fn a_sandbox_logs_in_at_test_and_is_unknown_at_login() {
        let hosts = HostNames::new("acme", &Edition::Sandbox { name: "uat".into() });
        assert_eq!(hosts.door("test.salesforce.com"), Some(Door::Generic));
        assert_eq!(hosts.door("login.salesforce.com"), Some(Door::OtherGeneric));
        assert_eq!(hosts.door("acme--uat.sandbox.lightning.force.com"), Some(Door::Lightning));
        assert_eq!(hosts.door("acme.my.salesforce.com"), None);
    }

    #[test]
    fn a_port_and_a_trailing_dot_are_not_part_of_the_name() {
        assert_eq!(without_port("Acme.my.salesforce.com.:443"), "acme.my.salesforce.com");
        assert_eq!(without_port("acme.my.salesforce.com"), "acme.my.salesforce.com");
    }
}
