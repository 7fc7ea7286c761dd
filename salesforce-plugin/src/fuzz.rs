//! What a fuzzer drives: each takes bytes from outside and checks what must hold of them whatever they
//! are. The targets are in `fuzz/`; only built for them.

use std::io::Read;

use connector_api::manifest::FieldType;

use crate::auth::grant::Grant;
use crate::auth::oauth::TokenAnswer;
use crate::auth::oauth_error::as_json;
use crate::client::api_error::verdict;
use crate::read::csv_rows::Results;
use crate::read::page::{Columns, Page};
use crate::settings::org_host::is_org_host;
use crate::settings::org_url::OrgHost;
use crate::transport::answer::{Answer, Unfinished};
use crate::transport::proof::Expected;

fn columns() -> Columns {
    Columns::new(vec![
        ("Id".into(), FieldType::Text),
        ("LoginTime".into(), FieldType::Timestamp),
        ("IsActive".into(), FieldType::Boolean),
        ("Number".into(), FieldType::Integer),
        ("Share".into(), FieldType::Double),
        ("Day".into(), FieldType::Date),
        ("Profile.Name".into(), FieldType::Text),
    ])
}

/// A page of records: what is taken has as many records as the JSON has, and the same text in them.
pub fn json_page(body: &[u8]) {
    let Ok(page) = Page::parse(body, &columns()) else { return };
    assert_eq!(page.batch.num_columns(), columns().fields().len());
    page.batch.columns().iter().for_each(|column| assert_eq!(column.len(), page.batch.num_rows()));
    // Of keys that stand twice the first counts here and the last there: their values are not compared.
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body)
        && let Some(records) = json["records"].as_array()
        && body.windows(9).filter(|w| *w == b"\"records\"").count() == 1
    {
        assert_eq!(page.batch.num_rows(), records.len());
    }
}

/// Results in CSV: broken off anywhere and read again, each record is handed over once.
pub fn csv_results(bytes: &[u8]) {
    let columns = columns();
    let [cut, batch, body @ ..] = bytes else { return };
    let most = usize::from(*batch % 5) + 1;
    let read = |results: &mut Results, body: &mut dyn Read, rows: &mut u64| {
        results.read(body, &columns, most, &mut |batch, _| {
            *rows += batch.num_rows() as u64;
            true
        })
    };
    let mut at_once = 0;
    let whole = read(&mut Results::default(), &mut &*body, &mut at_once);
    let (mut results, mut rows) = (Results::default(), 0);
    let end = body.len() * usize::from(*cut) / 255;
    let broken = body[..end].chain(Broken);
    assert!(read(&mut results, &mut { broken }, &mut rows).is_err());
    let again = read(&mut results, &mut &*body, &mut rows);
    assert_eq!(again.is_ok(), whole.is_ok());
    if let Ok(count) = whole {
        assert_eq!((count, at_once, rows), (count, count, count));
    }
    assert_ne!(again, Err(Unfinished::Unwanted));
}

/// A connection that breaks.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::ConnectionReset.into())
    }
}

/// An answer of the token endpoint: no token is shown, and none is kept for a host that is no org's.
pub fn token_answer(body: &[u8]) {
    let answer = Answer::of(400, body);
    let _ = verdict(&answer, Expected::Json);
    let Some(json) = as_json(body) else { return };
    let Ok(answer) = serde_json::from_slice::<TokenAnswer>(&json) else { return };
    let token = answer.access();
    let Some(login) = OrgHost::new("acme.my.salesforce.com") else { return };
    let Ok(grant) = Grant::from_answer("authorization_code", &login, &answer) else { return };
    let shown = format!("{grant:?}");
    // Without the `!` of Salesforce's own tokens it could be the name of the host that is shown.
    let token = token.expose();
    assert!(token.len() < 12 || !token.contains('!') || !shown.contains(token), "a token is shown");
    assert!(is_org_host(grant.instance_host.as_str()));
}

/// An address from outside: what becomes of it leads to an org's host by https, exactly as written.
pub fn url_guard(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, second) = text.split_once('\n').unwrap_or((text, text));
    let _ = crate::settings::domain::LoginHosts::parse(first);
    let known = OrgHost::new("acme.my.salesforce.com");
    for host in [OrgHost::of_url(first), OrgHost::new(first), known].into_iter().flatten() {
        let next = host.next_records_path(second);
        for path in [Some(second.to_owned()), next].into_iter().flatten() {
            let Some(url) = host.url(&path) else { continue };
            let url = url.as_url();
            assert_eq!((url.scheme(), url.port()), ("https", None));
            assert_eq!(url.host_str(), Some(host.as_str()));
            assert!(url.username().is_empty() && url.password().is_none());
            let name = host.as_str();
            let ends = [".salesforce.com", ".salesforce.mil", ".sfcrmproducts.cn"];
            let shape = ends.iter().any(|end| name.ends_with(end));
            assert!(shape && name.split('.').all(|label| !label.is_empty()), "{name}");
        }
    }
}
