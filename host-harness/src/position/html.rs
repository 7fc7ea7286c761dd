//! The report as one HTML file: no script, nothing loaded from elsewhere, light and dark.

use askama::Template;

use super::model::Position;
use super::show::{self, FamilyTable};
use crate::error::HostError;
use crate::redact;
use crate::time::rfc3339;

/// The page. Askama escapes every value; control and direction characters are spelt out before.
#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    headline: String,
    connector: String,
    organization: String,
    provenance: String,
    as_of: String,
    legend: String,
    coverage: Vec<String>,
    families: Vec<Family>,
    footnotes: Vec<String>,
    lines: Vec<[String; 6]>,
    incomplete: Vec<Vec<String>>,
}

struct Family {
    name: String,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    remark: Option<String>,
}

impl Family {
    /// Whether the column of that number holds numbers.
    fn is_number(&self, column: &usize) -> bool {
        *column >= FamilyTable::FIRST_NUMBER
    }
}

/// Renders the report.
///
/// # Errors
/// When the template fails, which it does not.
pub fn render(position: &Position) -> Result<String, HostError> {
    let safe = |texts: Vec<String>| -> Vec<String> {
        texts.iter().map(|text| redact::shown(text)).collect()
    };
    let number = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), super::grouped);
    let page = Page {
        headline: redact::shown(&position.headline),
        connector: redact::shown(&position.connector),
        organization: redact::shown(&show::organization(position)),
        provenance: redact::shown(&show::provenance(position)),
        as_of: rfc3339(position.as_of),
        legend: show::legend(position),
        coverage: safe(show::coverage(position)),
        families: show::families(position)
            .into_iter()
            .map(|table| Family {
                name: redact::shown(&table.family),
                head: table.head,
                rows: table.rows.into_iter().map(safe).collect(),
                remark: table.remark,
            })
            .collect(),
        footnotes: safe(position.unknown.iter().map(show::footnote).collect()),
        lines: position
            .reconciliation
            .iter()
            .map(|line| {
                [
                    line.id.to_owned(),
                    line.status.as_str().to_owned(),
                    redact::shown(&line.subject),
                    number(line.left),
                    number(line.right),
                    redact::shown(&line.message),
                ]
            })
            .collect(),
        incomplete: show::incomplete(position).into_iter().map(safe).collect(),
    };
    page.render().map_err(HostError::failed)
}
