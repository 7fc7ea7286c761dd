//! Pages of a query, and the locators between them.

use std::collections::BTreeSet;
use std::time::Duration;

use salesforce_sim::SimulatedOrg;
use serde_json::Value;

use crate::client::{Answer, Story, query_path};

const SOQL: &str = "SELECT Id FROM User ORDER BY Id";

fn large() -> Story {
    Story::of(SimulatedOrg::builder().users(4_500).start())
}

/// Every page, from the first to the last.
fn pages(story: &Story, first: Answer) -> Vec<Value> {
    let mut pages = vec![first.json()];
    while let Some(next) =
        pages.last().and_then(|page| page["nextRecordsUrl"].as_str()).map(str::to_owned)
    {
        pages.push(story.get(&next).json());
    }
    pages
}

fn sizes(pages: &[Value]) -> Vec<usize> {
    pages.iter().map(|page| page["records"].as_array().map_or(0, Vec::len)).collect()
}

#[test]
fn a_large_result_comes_in_pages_of_2000_and_is_complete() {
    let story = large();
    let total = story.org.truth().total_users;
    let pages = pages(&story, story.query(SOQL));
    let rest = usize::try_from(total).expect("a size") - 4_000;
    assert_eq!(sizes(&pages), [2_000, 2_000, rest]);
    assert!(pages.iter().all(|page| page["totalSize"] == total));
    assert_eq!(
        pages.iter().map(|page| page["done"] == true).collect::<Vec<_>>(),
        [false, false, true]
    );
    let ids: BTreeSet<&str> = pages
        .iter()
        .flat_map(|page| page["records"].as_array().expect("records"))
        .filter_map(|record| record["Id"].as_str())
        .collect();
    assert_eq!(ids.len() as u64, total);
}

#[test]
fn a_locator_names_its_result_and_the_next_row() {
    let story = large();
    let next = story.query(SOQL).json()["nextRecordsUrl"].as_str().expect("a locator").to_owned();
    let locator = next.strip_prefix("/services/data/v60.0/query/").expect("the query path");
    let (id, offset) = locator.split_once('-').expect("an offset");
    assert!(id.starts_with("0r8") && id.len() == 18, "{id}");
    assert_eq!(offset, "2000");
    let page = story.get(&next);
    assert_eq!(story.get(&next).text, page.text, "a page can be read again");
    let other_path = next.replace("/query/", "/queryAll/");
    assert_eq!(story.get(&format!("{other_path}?ignored=1")).text, page.text);
}

#[test]
fn the_batch_size_is_a_hint_between_200_and_2000() {
    let story = large();
    let request = |size: &str| {
        let request = story.client.get(story.url(&query_path(SOQL))).bearer_auth(&story.token);
        Answer::of(
            request
                .header("Sforce-Query-Options", format!("batchSize={size}"))
                .send()
                .expect("an answer"),
        )
    };
    assert_eq!(sizes(&pages(&story, request("1500")))[0], 1_500);
    assert_eq!(sizes(&[request("1").json()]), [200]);
    assert_eq!(sizes(&[request("9999").json()]), [2_000]);
    story.org.set_policy(|policy| policy.page_size = Some(7));
    assert_eq!(sizes(&[request("2000").json()]), [7], "the server chooses");
}

#[test]
fn a_long_text_field_makes_pages_smaller() {
    let story = large();
    let page = story.query("SELECT Id, AboutMe FROM User ORDER BY Id").json();
    assert_eq!(sizes(&[page]), [1_000]);
}

#[test]
fn a_locator_is_good_for_two_days_and_for_its_user_only() {
    let story = large();
    story.org.set_policy(|policy| policy.session_timeout = Duration::from_secs(30 * 24 * 3_600));
    let next = story.query(SOQL).json()["nextRecordsUrl"].as_str().expect("a locator").to_owned();
    let stranger = {
        let rows = story
            .query("SELECT Username FROM User WHERE IsActive = true AND UserType = 'Standard'")
            .json();
        let names = rows["records"].as_array().expect("records");
        let usable = |name: &&str| {
            story
                .org
                .estate()
                .person_by_username(name)
                .is_some_and(|person| person.is_active && !person.is_frozen)
        };
        let others = names.iter().filter_map(|row| row["Username"].as_str());
        others.filter(|name| *name != story.org.username()).find(usable).expect("a user").to_owned()
    };
    let address = story.org.approve_as(&stranger, &story.authorize_url(&[]));
    let token = story.exchange(&crate::client::parameter(&address, "code"), &[]).json();
    let request = story
        .client
        .get(story.url(&next))
        .bearer_auth(token["access_token"].as_str().expect("a token"));
    let refused = Answer::of(request.send().expect("an answer"));
    assert_eq!(refused.refusal(), (400, "INVALID_QUERY_LOCATOR".to_owned()));
    assert_eq!(refused.json()[0]["message"], "invalid query locator");
    assert_eq!(story.get(&next).status, 200);
    story.org.advance(Duration::from_secs(2 * 24 * 3_600));
    assert_eq!(story.get(&next).refusal().1, "INVALID_QUERY_LOCATOR");
}

#[test]
fn a_locator_can_die_with_its_session() {
    let mut story = Story::of(
        SimulatedOrg::builder()
            .users(2_500)
            .policy(|policy| policy.locators_die_with_session = true)
            .start(),
    );
    let next = story.query(SOQL).json()["nextRecordsUrl"].as_str().expect("a locator").to_owned();
    assert_eq!(story.get(&next).status, 200);
    story.token = story.org.issue_access_token();
    assert_eq!(story.get(&next).refusal().1, "INVALID_QUERY_LOCATOR");
    story.org.set_policy(|policy| policy.locators_die_with_session = false);
    assert_eq!(story.get(&next).status, 200);
}

#[test]
fn a_locator_nobody_gave_is_invalid() {
    let story = large();
    let next = story.query(SOQL).json()["nextRecordsUrl"].as_str().expect("a locator").to_owned();
    for wrong in
        [next.replace("-2000", "-999999"), next.replace("-2000", ""), next.replace("0r8", "0r9")]
    {
        assert_eq!(story.get(&wrong).refusal().1, "INVALID_QUERY_LOCATOR", "{wrong}");
    }
    story.org.kill_locators();
    assert_eq!(story.get(&next).refusal().1, "INVALID_QUERY_LOCATOR");
}

#[test]
fn a_query_without_text_is_malformed() {
    let story = Story::new();
    assert_eq!(
        story.get("/services/data/v60.0/query").refusal(),
        (400, "MALFORMED_QUERY".to_owned())
    );
    assert_eq!(story.query("SELECT Id FROM").refusal(), (400, "MALFORMED_QUERY".to_owned()));
}
