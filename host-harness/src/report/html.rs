//! The report as one HTML file: no script, nothing loaded from elsewhere, light and dark, for print too.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use position::listing::Listing;
use position::model::{Bound, Family as LicenseFamily, License, Position, RuleStatus, Unit};
use position::money::{Amount, Amounts, Point};
use position::rules::{Effect, PoolFinding, PoolFindings, RuleId, RuleResult};
use position::{counted, grouped};
use sha2::{Digest, Sha256};

use super::chart;
use super::show::{self, FamilyTable};
use crate::error::HostError;
use crate::redact;
use crate::time::rfc3339;

/// The page's one style sheet; the policy in its head allows nothing else.
const STYLE: &str = include_str!("../../templates/report.css");
/// People shown under each rule; all are in `findings --rule`.
const SHOWN: usize = 25;

/// The page. Askama escapes every value; control and direction characters are spelt out before.
#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    style: &'static str,
    style_hash: String,
    partial: Option<String>,
    headline: String,
    connector: String,
    organization: String,
    provenance: String,
    as_of: String,
    as_of_day: String,
    legend: String,
    cards: Vec<[String; 3]>,
    supposed: Vec<String>,
    coverage: Vec<String>,
    seats: Option<String>,
    classes: Vec<(usize, &'static str)>,
    families: Vec<Family>,
    money: Vec<Money>,
    trends: Vec<(String, String)>,
    rules: Vec<RuleSection>,
    quiet: Vec<[String; 4]>,
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

struct Money {
    name: String,
    cells: Vec<String>,
    /// Rules whose findings make the seats.
    rules: Vec<RuleId>,
}

struct RuleSection {
    id: RuleId,
    title: String,
    facts: Vec<String>,
    pools: Vec<[String; 3]>,
    people: Vec<[String; 4]>,
    left_out: Option<String>,
}

impl Family {
    /// Whether the column of that number holds numbers.
    fn is_number(&self, column: &usize) -> bool {
        *column >= FamilyTable::FIRST_NUMBER
    }
}

/// Renders the report with the findings of `listing` under their rules.
///
/// # Errors
/// When a chart or the template fails, which they do not.
pub fn render(position: &Position, listing: &Listing) -> Result<String, HostError> {
    let safe = |texts: Vec<String>| -> Vec<String> {
        texts.iter().map(|text| redact::shown(text)).collect()
    };
    let number = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), grouped);
    let (found, quiet): (Vec<&RuleResult>, Vec<&RuleResult>) =
        position.rules.iter().partition(|rule| rule.status == RuleStatus::Found);
    let digest = Sha256::digest(STYLE.as_bytes());
    let user = |paid: bool| -> Vec<&License> {
        let of = position.licenses.iter().filter(|license| license.family == LicenseFamily::User);
        of.filter(|license| !paid || license.money.paid).collect()
    };
    // A pool of thousands that cost nothing would leave the others no room.
    let seats = match chart::seats(&user(true))? {
        Some(svg) => Some(svg),
        None => chart::seats(&user(false))?,
    };
    let mut trends = Vec::new();
    for license in position.licenses.iter().filter(|license| license.money.paid) {
        if let Some(svg) = chart::trend(&license.trend)? {
            trends.push((trend_title(license, &license.trend), svg));
        }
    }
    let page = Page {
        style: STYLE,
        style_hash: STANDARD.encode(digest),
        partial: position.unseen.first_line().map(|line| redact::shown(&line)),
        headline: redact::shown(&position.headline),
        connector: redact::shown(&position.connector),
        organization: redact::shown(&show::organization(position)),
        provenance: redact::shown(&show::provenance(position)),
        as_of: rfc3339(position.as_of),
        as_of_day: position.as_of.date_naive().to_string(),
        legend: show::legend(position),
        cards: cards(position),
        supposed: position
            .supposed
            .iter()
            .map(|(name, value)| redact::shown(&format!("{name} = {value}")))
            .collect(),
        coverage: safe(show::coverage(position)),
        seats,
        classes: chart::CLASSES.iter().map(|(name, _)| *name).enumerate().collect(),
        families: show::families(position)
            .into_iter()
            .map(|table| Family {
                name: redact::shown(&table.family),
                head: table.head,
                rows: table.rows.into_iter().map(safe).collect(),
                remark: table.remark,
            })
            .collect(),
        money: money(position),
        trends,
        rules: found.into_iter().map(|rule| section(rule, listing)).collect(),
        quiet: quiet
            .into_iter()
            .map(|rule| {
                let labels: Vec<&str> =
                    rule.permissions.iter().map(|right| right.label.as_str()).collect();
                [
                    rule.id.to_string(),
                    rule.title.to_owned(),
                    if rule.status == RuleStatus::None {
                        "nothing found"
                    } else {
                        rule.status.as_str()
                    }
                    .to_owned(),
                    match (&rule.reason, labels.is_empty()) {
                        (Some(reason), true) => redact::shown(reason),
                        (Some(reason), false) => {
                            let labels = labels.join(" or ");
                            redact::shown(&format!("{reason}; freed by: {labels}"))
                        }
                        (None, _) => redact::shown(&rule.predicate),
                    },
                ]
            })
            .collect(),
        footnotes: safe(position.unknown.iter().map(show::footnote).collect()),
        lines: position
            .reconciliation
            .iter()
            .map(|line| {
                [
                    line.id.to_string(),
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

/// The answers at the top: a figure, its unit, and what it means.
fn cards(position: &Position) -> Vec<[String; 3]> {
    let paid =
        || position.licenses.iter().filter(|l| l.family == LicenseFamily::User && l.money.paid);
    let sum = |figure: fn(&License) -> Option<i64>| {
        paid()
            .filter(|license| license.unit == Unit::Seats)
            .map(figure)
            .sum::<Option<i64>>()
            .map_or_else(|| "?".to_owned(), grouped)
    };
    let money = &position.money;
    let or_seats = |amounts: &Amounts, seats: String| {
        if amounts.is_empty() { format!("{seats} seats") } else { amounts.to_string() }
    };
    let over = position.rules.iter().find(|rule| rule.id == RuleId::R13);
    vec![
        [
            format!(
                "{}{} seats",
                show::at_least(paid().find_map(|license| {
                    let bounded = license.money.bounds.get("reclaimable")?;
                    (bounded.is == Bound::AtLeast).then_some(bounded)
                })),
                sum(|license| license.money.reclaimable)
            ),
            "can be taken back now".into(),
            "paid user licences of people who do not use them; it frees seats, the bill stays"
                .into(),
        ],
        [
            show::at_least(money.bounds.get("reducible_at_renewal"))
                + &or_seats(
                    &money.reducible_at_renewal,
                    sum(|license| license.money.reducible_at_renewal),
                ),
            "can be dropped at renewal".into(),
            match (money.reducible_at_renewal.is_empty(), money.list_price_estimate) {
                (true, _) => "no prices were imported, so these are seats and no amount".to_owned(),
                (false, list) => {
                    let what = if list { "list-price estimate over" } else { "over" };
                    let unpriced = money.unpriced_reducible_seats;
                    let more = if unpriced > 0 {
                        format!("; {} more seats have no price", grouped(unpriced))
                    } else {
                        String::new()
                    };
                    format!("{what} the next term{more}")
                }
            },
        ],
        [
            over.map_or_else(
                || "?".into(),
                |rule| match rule.status {
                    RuleStatus::Withheld => "?".into(),
                    _ => grouped(rule.details.iter().map(|pool| pool.quantity).sum()),
                },
            ) + " seats",
            "are assigned beyond what was bought".into(),
            "exposure to a true-up".into(),
        ],
    ]
}

fn money(position: &Position) -> Vec<Money> {
    let number = |value: Option<i64>| value.map_or_else(|| "?".to_owned(), grouped);
    let or_dash = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), grouped);
    let amount =
        |amount: &Option<Amount>| amount.as_ref().map_or_else(|| "-".to_owned(), Amount::to_string);
    position
        .licenses
        .iter()
        .filter(|license| {
            license.money.paid && license.unit == Unit::Seats && !license.is_dormant()
        })
        .map(|license| {
            let money = &license.money;
            let price = money.price.as_ref().map_or_else(
                || "unpriced".to_owned(),
                |price| format!("{} ({})", price.times(1), price.basis),
            );
            let forecast = money.forecast.as_ref().map_or_else(
                || "-".to_owned(),
                |f| {
                    let [low, expected, high] = [f.low, f.expected, f.high].map(grouped);
                    format!("{expected} on {} ({low} to {high})", f.on)
                },
            );
            let rules = position.rules.iter().filter(|rule| {
                let here = |pool: &PoolFindings| {
                    pool.family == license.family && pool.license_id == license.id
                };
                let of_pool = |pool: &PoolFinding| {
                    pool.family == license.family && pool.license_id == license.id
                };
                match rule.effect {
                    Effect::Reclaim => rule.pools.iter().any(here),
                    Effect::Reduce => rule.details.iter().any(of_pool),
                    _ => false,
                }
            });
            Money {
                name: redact::shown(&license.name),
                cells: vec![
                    price,
                    amount(&money.cost_per_year),
                    show::claim(license, "reclaimable", money.reclaimable),
                    or_dash(money.reusable_now),
                    number(money.needed),
                    show::claim(license, "reducible_at_renewal", money.reducible_at_renewal),
                    amount(&money.reducible_at_renewal_amount),
                    forecast,
                ],
                rules: rules.map(|rule| rule.id).collect(),
            }
        })
        .collect()
}

fn section(rule: &RuleResult, listing: &Listing) -> RuleSection {
    let confidence = format!("{:?}", rule.confidence).to_lowercase();
    let mut facts = vec![
        format!("Predicate: {}", rule.predicate),
        format!("Confidence: {confidence}; what to do: {}", words(rule.effect)),
    ];
    facts.extend(rule.cautions.iter().map(|caution| format!("Caution: {caution}")));
    if let Some(seen) = &rule.coverage {
        let from = seen.from.as_deref().map_or("no use at all", day);
        facts.push(format!("Uses seen: from {from} to {} UTC", day(&seen.to)));
    }
    facts.push(format!("Rests on: {}", rule.sources_by_object()));
    let seats = |number: i64| counted(number, "finding", "findings");
    let mut title = format!("{}: {}", rule.title, seats(rule.findings));
    if rule.exempt > 0 {
        title.push_str(&format!(", {} more exempt", grouped(rule.exempt)));
    }
    if !rule.saving_per_year.is_empty() {
        let amount = &rule.saving_per_year;
        title.push_str(&match rule.effect {
            Effect::Review | Effect::Risk | Effect::Deadline => {
                format!(", which cost {amount} a year")
            }
            Effect::Shortage => format!(", an exposure of {amount} a year"),
            Effect::Reclaim | Effect::Move | Effect::Reduce => {
                format!(", worth {amount} a year at most")
            }
        });
    }
    if rule.unpriced > 0 {
        title.push_str(&format!(", {} seats unpriced", grouped(rule.unpriced)));
    }
    let mut pools: Vec<[String; 3]> = rule
        .pools
        .iter()
        .map(|pool| {
            [
                pool.name.clone(),
                format!("{} seats", grouped(pool.seats)),
                pool.saving_per_year
                    .as_ref()
                    .map_or_else(|| "unpriced".to_owned(), |amount| format!("{amount} a year")),
            ]
        })
        .collect();
    pools.extend(rule.details.iter().map(|detail| {
        let exempt = detail.exempt.as_deref().map(|why| format!("exempt: {why}"));
        [
            detail.name.clone(),
            detail.message.clone(),
            exempt.unwrap_or_else(|| {
                detail
                    .saving_per_year
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |amount| format!("{amount} a year"))
            }),
        ]
    }));
    let all = listing.seats.iter().filter(|finding| finding.rule == rule.id);
    let people: Vec<[String; 4]> = all
        .take(SHOWN)
        .map(|finding| {
            let because: Vec<String> = finding
                .values
                .iter()
                .map(|value| {
                    let known = value.value.as_deref().map_or("none known", day);
                    format!("{}: {known}", value.name)
                })
                .collect();
            let who = finding.username.clone().unwrap_or_else(|| finding.person_id.clone());
            let mut because = because.join("; ");
            if let Some(why) = &finding.exempt {
                because.push_str(&format!("; exempt: {why}"));
            }
            [who, finding.name.clone().unwrap_or_default(), finding.license.clone(), because]
                .map(|text| redact::shown(&text))
        })
        .collect();
    let rest = rule.findings + rule.exempt - rule.details.len() as i64 - people.len() as i64;
    RuleSection {
        id: rule.id,
        title: redact::shown(&title),
        facts: facts.iter().map(|fact| redact::shown(fact)).collect(),
        pools: pools.into_iter().map(|row| row.map(|text| redact::shown(&text))).collect(),
        left_out: (rest > 0).then(|| {
            format!("{} more: `findings NAME --rule {}` lists all", grouped(rest), rule.id)
        }),
        people,
    }
}

/// The day of an instant; any other text as it is.
fn day(text: &str) -> &str {
    let is_instant =
        text.len() >= 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    if is_instant { &text[..10] } else { text }
}

fn words(effect: Effect) -> &'static str {
    match effect {
        Effect::Reclaim => "take the seat back after asking",
        Effect::Review => "look at it",
        Effect::Move => "move it to a cheaper licence",
        Effect::Reduce => "buy less at renewal",
        Effect::Shortage => "buy more, or use less",
        Effect::Deadline => "decide before the day",
        Effect::Risk => "take the right away, or say why it stays",
    }
}

fn trend_title(license: &License, points: &[Point]) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let day = |at: i64| crate::time::from_ms(at).date_naive();
    let moved = last.assigned - first.assigned;
    let since = match moved {
        0 => "unchanged since".to_owned(),
        1.. => format!("{} more than on", grouped(moved)),
        _ => format!("{} fewer than on", grouped(-moved)),
    };
    redact::shown(&format!(
        "{}: {} {} {} on {}, {since} {}",
        license.name,
        grouped(last.assigned),
        license.unit,
        if license.unit == Unit::Seats { "assigned" } else { "used" },
        day(last.at),
        day(first.at)
    ))
}

#[cfg(test)]
mod tests {
    use connector_api::message::DatasetStatus;

    use super::*;
    use crate::test_estate::Estate;

    fn page(estate: &Estate) -> String {
        let nothing = Listing { seats: vec![], pools: vec![], left_out: 0 };
        render(&estate.position(), &nothing).unwrap()
    }

    #[test]
    fn hostile_names_reach_the_page_as_text() {
        let estate = Estate::with_plan(10, 2);
        let sql = "UPDATE plan SET Name = ?1, Key = ?2";
        let name = "<script>alert(1)</script>\u{202e}\u{1b}[31m\"'&";
        estate.connection.execute(sql, [name, "</td><img src=x onerror=1>"]).unwrap();
        let page = page(&estate);
        assert!(
            !page.contains("<script") && !page.contains("<img") && !page.contains("<b>&"),
            "{page}"
        );
        assert!(!page.contains(['\u{202e}', '\u{1b}']));
        assert!(page.contains("alert(1)") && page.contains("lang=\"en\""));
        assert!(page.contains("2026-03-01T04:05:06Z"));
    }

    #[test]
    fn the_page_explains_what_is_unknown() {
        let mut estate = Estate::with_plan(10, 2);
        estate.status("use", DatasetStatus::Denied).reason = Some("no <right>".into());
        let page = page(&estate);
        assert!(
            page.contains("?[1]") && page.contains("See use") && page.contains("no &#60;right"),
            "{page}"
        );
    }
}
