//! Refresh tokens: rotation, repetition, eviction, expiry, concurrency.

use std::time::Duration;

use salesforce_sim::{Action, Fault, RefreshTokenPolicy, SimulatedOrg, Violation};

use crate::client::{Story, query_path};

const DEAD: &str = "expired access/refresh token";

fn text(answer: &crate::client::Answer, key: &str) -> String {
    answer.json()[key].as_str().unwrap_or_default().to_owned()
}

#[test]
fn without_rotation_the_refresh_token_stays_and_is_not_repeated() {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    let first = story.refresh(&token);
    assert!(first.json().get("refresh_token").is_none());
    assert_ne!(text(&first, "access_token"), text(&story.refresh(&token), "access_token"));
}

#[test]
fn the_same_access_token_can_be_given_again_while_it_lives() {
    let story = Story::of(
        SimulatedOrg::builder().policy(|policy| policy.repeat_access_token = true).start(),
    );
    let token = story.org.issue_refresh_token();
    let first = text(&story.refresh(&token), "access_token");
    assert_eq!(text(&story.refresh(&token), "access_token"), first);
    story.org.advance(Duration::from_secs(2 * 3_600));
    assert_ne!(text(&story.refresh(&token), "access_token"), first);
}

#[test]
fn a_replayed_token_kills_its_whole_family() {
    let story = Story::of(
        SimulatedOrg::builder().policy(|policy| policy.rotate_refresh_tokens = true).start(),
    );
    let first = story.org.issue_refresh_token();
    let answer = story.refresh(&first);
    let (second, access_token) = (text(&answer, "refresh_token"), text(&answer, "access_token"));
    assert!(second.starts_with("5Aep") && second != first);
    assert_eq!(story.refresh(&first).oauth_error().1, DEAD);
    assert_eq!(story.refresh(&second).oauth_error().1, DEAD, "the successor is dead as well");
    let request =
        story.client.get(story.url("/services/data/v60.0/limits")).bearer_auth(access_token);
    assert_eq!(request.send().expect("an answer").status(), 401);
}

#[test]
fn the_sixth_approval_evicts_the_first() {
    let story = Story::new();
    let tokens: Vec<String> = (0..6).map(|_| story.org.issue_refresh_token()).collect();
    assert_eq!(story.refresh(&tokens[0]).oauth_error().1, DEAD);
    for token in &tokens[1..] {
        assert_eq!(story.refresh(token).status, 200);
    }
}

#[test]
fn refresh_tokens_end_as_the_policy_says() {
    let story = Story::new();
    let hour = Duration::from_secs(3_600);
    let token = story.org.issue_refresh_token();
    story.org.set_policy(|policy| {
        policy.refresh_token_policy = RefreshTokenPolicy::ExpireIfIdleFor(hour * 2)
    });
    story.org.advance(hour);
    assert_eq!(story.refresh(&token).status, 200, "which starts the idle time again");
    story.org.advance(hour);
    assert_eq!(story.refresh(&token).status, 200);
    story.org.set_policy(|policy| {
        policy.refresh_token_policy = RefreshTokenPolicy::ExpireAfter(hour * 2)
    });
    assert_eq!(story.refresh(&token).oauth_error().1, "token validity expired");
    story
        .org
        .set_policy(|policy| policy.refresh_token_policy = RefreshTokenPolicy::ImmediatelyExpire);
    assert_eq!(story.refresh(&story.org.issue_refresh_token()).oauth_error().1, DEAD);
}

#[test]
fn a_second_refresh_while_the_first_is_unanswered_gets_the_lock_answer() {
    let story = Story::of(
        SimulatedOrg::builder().policy(|policy| policy.rotate_refresh_tokens = true).start(),
    );
    let token = story.org.issue_refresh_token();
    story.org.faults().push(Fault::new(Action::Stall { bytes: Some(0) }).on_grant("refresh_token"));
    // The head arrives, the body never does: the first request is still being answered.
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("client_id", story.org.client_id()),
        ("client_secret", story.org.client_secret()),
    ];
    let first =
        story.client.post(story.url("/services/oauth2/token")).form(&form).send().expect("a head");
    assert_eq!(first.status(), 200);
    let second = story.refresh(&token).oauth_error();
    assert_eq!(
        second,
        ("invalid_grant".to_owned(), "token request is already being processed".to_owned())
    );
}

#[test]
fn the_lock_answer_can_be_switched_on() {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    story.org.set_policy(|policy| policy.refresh_in_progress = true);
    assert_eq!(story.refresh(&token).oauth_error().1, "token request is already being processed");
    story.org.set_policy(|policy| policy.refresh_in_progress = false);
    assert_eq!(story.refresh(&token).status, 200);
}

#[test]
fn a_session_ends_after_two_idle_hours_and_each_call_starts_them_again() {
    let story = Story::new();
    let hour = Duration::from_secs(3_600);
    for _ in 0..3 {
        story.org.advance(hour);
        assert_eq!(story.query("SELECT Id FROM User LIMIT 1").status, 200);
    }
    story.org.advance(hour * 2);
    assert_eq!(
        story.query("SELECT Id FROM User LIMIT 1").refusal(),
        (401, "INVALID_SESSION_ID".to_owned())
    );
}

#[test]
fn one_refresh_per_expiry_is_fine_and_a_second_is_noted() {
    let story =
        Story::of(SimulatedOrg::builder().policy(|policy| policy.watch_refreshes = true).start());
    let token = story.org.issue_refresh_token();
    for _ in 0..3 {
        let access_token = text(&story.refresh(&token), "access_token");
        story.org.expire_sessions();
        let request = story
            .client
            .get(story.url(&query_path("SELECT Id FROM User")))
            .bearer_auth(access_token);
        assert_eq!(request.send().expect("an answer").status(), 401);
    }
    assert!(story.org.violations().is_empty());
    story.refresh(&token);
    story.refresh(&token);
    let violations: Vec<Violation> =
        story.org.violations().into_iter().map(|(violation, _)| violation).collect();
    assert_eq!(violations, [Violation::NeedlessRefresh]);
}

#[test]
fn rotation_ends_the_earlier_session_unless_the_org_is_lenient() {
    let story = Story::of(
        SimulatedOrg::builder().policy(|policy| policy.rotate_refresh_tokens = true).start(),
    );
    let works = |token: &str| {
        let request = story.client.get(story.url("/services/data/v60.0/limits")).bearer_auth(token);
        request.send().expect("an answer").status() == 200
    };
    let first = story.refresh(&story.org.issue_refresh_token());
    let second = story.refresh(&text(&first, "refresh_token"));
    assert!(!works(&text(&first, "access_token")));
    assert!(works(&text(&second, "access_token")));
    story.org.set_policy(|policy| policy.rotation_ends_sessions = false);
    let third = story.refresh(&text(&second, "refresh_token"));
    assert!(works(&text(&second, "access_token")), "it lives on until its own end");
    assert!(works(&text(&third, "access_token")));
}

#[test]
fn rotation_can_repeat_the_access_token_which_then_lives_on() {
    let story = Story::of(
        SimulatedOrg::builder()
            .policy(|policy| {
                policy.rotate_refresh_tokens = true;
                policy.repeat_access_token = true;
            })
            .start(),
    );
    let first = story.refresh(&story.org.issue_refresh_token());
    let second = story.refresh(&text(&first, "refresh_token"));
    assert_eq!(text(&first, "access_token"), text(&second, "access_token"));
    assert_ne!(text(&first, "refresh_token"), text(&second, "refresh_token"));
    let request = story
        .client
        .get(story.url("/services/data/v60.0/limits"))
        .bearer_auth(text(&second, "access_token"));
    assert_eq!(request.send().expect("an answer").status(), 200);
}

#[test]
fn refreshes_and_grants_lost_to_a_replay_are_counted() {
    let story = Story::of(
        SimulatedOrg::builder().policy(|policy| policy.rotate_refresh_tokens = true).start(),
    );
    let first = story.org.issue_refresh_token();
    story.refresh(&first);
    assert_eq!((story.org.refreshes(), story.org.grants_lost_to_replay()), (1, 0));
    assert!(story.org.violations().is_empty());
    story.refresh(&first);
    story.refresh(&first);
    assert_eq!((story.org.refreshes(), story.org.grants_lost_to_replay()), (1, 1));
    let violations: Vec<Violation> =
        story.org.violations().into_iter().map(|(violation, _)| violation).collect();
    assert_eq!(violations, [Violation::ReplayedRefreshToken; 2]);
}

#[test]
fn of_a_pair_at_once_exactly_one_is_refreshed_and_nothing_is_lost() {
    let story = Story::of(
        SimulatedOrg::builder().policy(|policy| policy.rotate_refresh_tokens = true).start(),
    );
    let token = story.org.issue_refresh_token();
    // Both answers take their time, so the second request meets the first.
    story.org.faults().push(
        Fault::new(Action::Drip { bytes: 40, pause_ms: 60 }).on_grant("refresh_token").times(1),
    );
    let mut descriptions: Vec<(u16, String)> = std::thread::scope(|scope| {
        let both = [scope.spawn(|| story.refresh(&token)), scope.spawn(|| story.refresh(&token))];
        both.map(|thread| {
            let answer = thread.join().expect("an answer");
            (answer.status, text(&answer, "error_description"))
        })
        .into()
    });
    descriptions.sort();
    assert_eq!(
        descriptions,
        [(200, String::new()), (400, "token request is already being processed".to_owned())]
    );
    assert_eq!(story.org.grants_lost_to_replay(), 0);
    assert!(story.org.violations().is_empty());
}
