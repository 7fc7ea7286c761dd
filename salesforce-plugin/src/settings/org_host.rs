//! Which hosts may see a credential.
//!
//! # Source
//! Salesforce Help, "My Domain URL formats"; the rules are pinned by the vectors in the tests.

/// The generic login host.
pub(crate) const LOGIN_HOST: &str = "login.salesforce.com";
/// The generic login host of sandboxes.
pub(crate) const TEST_HOST: &str = "test.salesforce.com";

const MY_DOMAIN_SUFFIXES: [&str; 3] =
    ["my.salesforce.com", "my.salesforce.mil", "my.sfcrmproducts.cn"];

/// Whether a request with a credential may go to that host: a My Domain host, a generic login host,
/// or an instance host; compared at label boundaries, never by plain suffix.
pub(crate) fn is_org_host(host: &str) -> bool {
    let well_formed = host.len() <= 253
        && host.split('.').all(|label| is_label(label) && !label.starts_with("xn--"));
    well_formed
        && (host == LOGIN_HOST
            || host == TEST_HOST
            || MY_DOMAIN_SUFFIXES.iter().any(|domain| strip_domain(host, domain).is_some())
            || is_instance_host(host))
}

/// Whether it is the host of an instance.
pub(crate) fn is_instance_host(host: &str) -> bool {
    strip_domain(host, "salesforce.com").is_some_and(is_instance_name)
}

/// `na123`, `eu55`, `cs91a`: two to four letters, one to four digits, perhaps a letter.
pub(crate) fn is_instance_name(label: &str) -> bool {
    let letters = label.bytes().take_while(u8::is_ascii_lowercase).count();
    let digits = label.bytes().skip(letters).take_while(u8::is_ascii_digit).count();
    let rest = &label[letters + digits..];
    (2..=4).contains(&letters)
        && (1..=4).contains(&digits)
        && (rest.is_empty() || (rest.len() == 1 && rest.as_bytes()[0].is_ascii_lowercase()))
}

/// Whether it is a label of a host name.
pub(crate) fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|b| edge(b) || *b == b'-')
        && bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
}

/// The labels before `domain`, if `host` ends with it at a label boundary.
pub(crate) fn strip_domain<'a>(host: &'a str, domain: &str) -> Option<&'a str> {
    host.strip_suffix(domain)?.strip_suffix('.').filter(|labels| !labels.is_empty())
}
