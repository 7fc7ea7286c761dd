use url::Url;

use super::*;
use crate::settings::domain::LoginHosts;

const CORPUS: &str = include_str!("../../../tests/fixtures/hostile_urls.txt");
const GENERATED: u32 = 100_000;

fn acme() -> OrgHost {
    OrgHost::new("acme.my.salesforce.com").unwrap()
}

/// Whether a name is an org's host, judged another way than the guard does: by its labels from the
/// end.
fn is_org(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let plain = |label: &&str| {
        !label.is_empty()
            && label.len() < 64
            && label.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
            && !label.starts_with("xn--")
    };
    if !labels.iter().all(plain) || host.len() > 253 {
        return false;
    }
    match labels.as_slice() {
        ["login" | "test", "salesforce", "com"] => true,
        [instance, "salesforce", "com"] => {
            let shape: String = instance
                .chars()
                .map(|c| {
                    if c.is_ascii_digit() {
                        '0'
                    } else if c == '-' {
                        '-'
                    } else {
                        'a'
                    }
                })
                .collect();
            let digits = shape.matches('0').count();
            let letters = shape.find('0').unwrap_or(0);
            let tail = shape.len() - letters - digits;
            let (head, zeros) = ("a".repeat(letters), "0".repeat(digits));
            (2..=4).contains(&letters)
                && (1..=4).contains(&digits)
                && tail <= 1
                && shape == format!("{head}{zeros}{}", "a".repeat(tail))
        }
        [_, .., "my", "salesforce", "com" | "mil"] | [_, .., "my", "sfcrmproducts", "cn"] => true,
        _ => false,
    }
}

/// What a browser and the HTTP client understand by an address.
fn understood(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && url.port().is_none()
    })
}

/// Panics when any guard lets something through that the oracle does not; returns how many did let
/// it through.
fn judge(text: &str) -> u32 {
    let mut accepted = 0;
    if let Some(host) = OrgHost::of_url(text) {
        accepted += 1;
        let url = understood(text).unwrap_or_else(|| panic!("instance_url {text:?}"));
        assert_eq!(url.host_str(), Some(host.as_str()), "instance_url {text:?}");
        assert!(is_org(host.as_str()), "instance_url {text:?}");
        let written = text.to_ascii_lowercase();
        let rest = written.strip_prefix(&format!("https://{host}"));
        let rest = rest.unwrap_or_else(|| panic!("instance_url {text:?}: not as written"));
        let rest = rest.strip_prefix(":443").unwrap_or(rest);
        assert!(rest.is_empty() || rest.starts_with(['/', '?', '#']), "instance_url {text:?}");
    }
    if let Some(host) = OrgHost::new(text) {
        accepted += 1;
        assert!(is_org(text) && host.as_str() == text, "host {text:?}");
    }
    if let Ok(hosts) = LoginHosts::parse(text) {
        accepted += 1;
        let typed = text.to_ascii_lowercase();
        for host in &hosts.candidates {
            assert!(is_org(host.as_str()), "domain {text:?}: {host}");
            let first = host.as_str().split('.').next().unwrap_or_default();
            assert!(typed.contains(first) || typed.contains("welcome"), "domain {text:?}: {host}");
        }
        // A full host must be the one that a browser would go to, or its twin with the same labels.
        let address =
            typed.trim_matches(|c: char| c.is_whitespace() || "\"'<>,\u{201c}\u{201d}".contains(c));
        let address = match address.split_once("://") {
            Some((_, rest)) => format!("https://{rest}"),
            None => format!("https://{address}"),
        };
        let url = understood(&address).unwrap_or_else(|| panic!("domain {text:?}"));
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        assert!(typed.contains(host), "domain {text:?}: {host}");
        let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let same =
            hosts.candidates.iter().all(|candidate| first(candidate.as_str()) == first(host));
        assert!(same || host == "welcome.salesforce.com", "domain {text:?}: {host}");
    }
    if let Some(path) = acme().next_records_path(text) {
        accepted += 1;
        let url = acme().url(&path).unwrap_or_else(|| panic!("next page {text:?}"));
        let again = understood(&format!("https://acme.my.salesforce.com{path}"));
        let again = again.unwrap_or_else(|| panic!("next page {text:?}"));
        assert_eq!(again.host_str(), Some("acme.my.salesforce.com"), "next page {text:?}");
        assert_eq!((again.path(), again.query(), again.fragment()), (path.as_str(), None, None));
        assert!(path.starts_with("/services/data/v"), "next page {text:?}");
        assert_eq!((url.host(), url.path()), ("acme.my.salesforce.com", path.as_str()));
        assert!(text == path || text == format!("https://acme.my.salesforce.com{path}"));
    }
    if let Some(url) = acme().url(text) {
        accepted += 1;
        assert_eq!(url.host(), "acme.my.salesforce.com", "path {text:?}");
        assert!(text.starts_with("/services/"), "path {text:?}");
        assert_eq!(Some(url.path()), text.split('?').next(), "path {text:?}");
        assert_eq!(url.as_url().scheme(), "https");
    }
    accepted
}

fn corpus() -> Vec<String> {
    CORPUS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

#[test]
fn three_hundred_hostile_addresses_are_refused_everywhere() {
    let corpus = corpus();
    assert!(corpus.len() >= 300, "{}", corpus.len());
    for text in &corpus {
        assert!(OrgHost::of_url(text).is_none(), "instance_url {text:?}");
        assert!(OrgHost::new(text).is_none(), "host {text:?}");
        assert!(LoginHosts::parse(text).is_err(), "domain {text:?}");
        assert!(acme().next_records_path(text).is_none(), "next page {text:?}");
        judge(text);
    }
}

#[test]
fn the_forms_that_salesforce_sends_are_accepted() {
    for text in [
        "https://acme.my.salesforce.com",
        "https://acme.my.salesforce.com/",
        "https://NA44.salesforce.com:443/",
        "https://acme--uat.sandbox.my.salesforce.com",
        "https://acme.my.salesforce.mil",
        "https://acme.my.sfcrmproducts.cn",
    ] {
        assert!(OrgHost::of_url(text).is_some(), "{text}");
        assert!(judge(text) > 0);
    }
    for text in [
        "/services/data/v66.0/query/01gRM000000abcdYAA-2000",
        "/services/data/v9.0/queryAll/0r8xx3d0EFNB2Vs-500",
        "/services/data/v66.0/tooling/query/01gRM000000abcd_YAA-2000",
        "https://acme.my.salesforce.com/services/data/v66.0/query/01gRM000000abcdYAA-2000",
    ] {
        let path = acme().next_records_path(text);
        assert!(path.is_some_and(|path| path.starts_with("/services/data/v")), "{text}");
        assert!(judge(text) > 0);
    }
    for path in [
        "/services/data",
        "/services/data/v66.0/query?q=SELECT+Id+FROM+User+WHERE+Name+%3D+%27a%2F%2Fb%27",
        "/services/data/v66.0/sobjects/User/describe",
        "/services/oauth2/token",
        "/services/oauth2/userinfo",
    ] {
        assert!(acme().url(path).is_some(), "{path}");
    }
}

#[test]
fn no_secret_can_stand_in_an_address() {
    for path in [
        "/services/oauth2/userinfo?access_token=x",
        "/services/oauth2/revoke?token=x",
        "/services/oauth2/token?client_secret=x",
        "/services/oauth2/authorize",
        "/id/00D000000000001AAA/005000000000001AAA",
        "/secur/frontdoor.jsp?sid=x",
    ] {
        assert!(acme().url(path).is_none(), "{path}");
    }
}

/// A small generator, so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn address(&mut self) -> String {
        const SCHEMES: [&str; 12] = [
            "https://",
            "https://",
            "https://",
            "https://",
            "",
            "",
            "http://",
            "//",
            "https:/",
            "https:",
            "HTTPS://",
            "javascript:",
        ];
        const USERS: [&str; 8] = ["", "", "", "", "", "user@", "a:b@", "acme.my.salesforce.com@"];
        const LABELS: [&str; 14] = [
            "acme",
            "acme--uat",
            "d1t-dev-ed",
            "evil",
            "na44",
            "login",
            "test",
            "xn--acme",
            "my",
            "sandbox",
            "-a",
            "",
            "127",
            "ACME",
        ];
        const TAILS: [&str; 16] = [
            ".my.salesforce.com",
            ".my.salesforce.com",
            ".my.salesforce.com",
            ".salesforce.com",
            ".my.salesforce.mil",
            ".lightning.force.com",
            ".my.salesforce-setup.com",
            ".my.sfcrmproducts.cn",
            ".develop",
            "",
            ".example",
            ".my.salesforce.com.evil.example",
            ".evilmy.salesforce.com",
            ".sandbox.my.salesforce.com",
            ".0.0.1",
            ".my.salesforce.com.",
        ];
        const AFTER: [&str; 14] = [
            "",
            "",
            "",
            ":443",
            ":8443",
            "/",
            "?x",
            "#x",
            "\\x",
            "@evil.example",
            "%2eevil.example",
            "/services/data/v66.0/query/01g-2000",
            "//x",
            "/../x",
        ];
        const STRAY: [&str; 16] = [
            "%", "@", "\\", "\t", "\n", "\u{0}", ".", "/", ":", "#", "?", "\u{3002}", "\u{430}",
            " ", "\u{ad}", "[",
        ];
        let mut text = String::new();
        if self.below(6) == 0 {
            text.push_str(self.pick(&[
                "",
                "",
                "https://acme.my.salesforce.com",
                "https://evil.example",
            ]));
            text.push_str(self.pick(&[
                "/services/data/v66.0",
                "/services/data/v7.0",
                "/services",
                "//services/data/v66.0",
            ]));
            text.push_str(self.pick(&[
                "/query/",
                "/queryAll/",
                "/tooling/query/",
                "/../",
                "/sobjects/",
            ]));
            text.push_str(self.pick(&["01gRM000000abcdYAA-2000", "x", "", "a/b", "a?b", "%2e%2e"]));
        } else {
            text.push_str(self.pick(&SCHEMES));
            text.push_str(self.pick(&USERS));
            text.push_str(self.pick(&LABELS));
            text.push_str(self.pick(&TAILS));
            text.push_str(self.pick(&AFTER));
        }
        for _ in 0..[0, 0, 0, 1, 1, 2][self.below(6)] {
            let mut places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            places.push(text.len());
            let at = places[self.below(places.len())];
            text.insert_str(at, self.pick(&STRAY));
        }
        text
    }
}

#[test]
fn a_hundred_thousand_generated_addresses_are_judged_as_a_browser_would_go() {
    const SEED: u64 = 0x5EED_0F10;
    let mut random = Random(SEED);
    let mut accepted = 0;
    for _ in 0..GENERATED {
        accepted += judge(&random.address());
    }
    // The control: the generator makes good addresses too, and the guards let them through.
    assert!(accepted > GENERATED / 10, "{accepted}");
}

#[test]
fn the_oracle_finds_what_a_careless_guard_would_let_through() {
    let careless = |text: &str| text.starts_with("https://") && text.contains(".my.salesforce.com");
    let missed = corpus().iter().filter(|text| careless(text)).count();
    assert!(missed > 50, "{missed}");
    assert!(!is_org("acme.my.salesforce.com.evil.example") && !is_org("evilmy.salesforce.com"));
}
