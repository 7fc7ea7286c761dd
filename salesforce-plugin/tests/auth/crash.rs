//! A refresh is interrupted, contended, refused: no token is lost and none used twice.

use connector_api::ErrorKind;
use salesforce_sim::{Action, Fault, SimulatedOrg, Violation};

use testkit::Death;

use crate::host::{Setup, assert_well_behaved, authorized, org, token_requests, violations};

fn rotating() -> SimulatedOrg {
    org(|policy| policy.rotate_refresh_tokens = true)
}

/// Refreshes that Salesforce took for theft, or for a dead token.
fn refused(org: &SimulatedOrg) -> usize {
    token_requests(org, "refresh_token").iter().filter(|entry| entry.error.is_some()).count()
}

fn works(setup: &Setup) {
    setup.start().run().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_process_that_dies_at_any_write_loses_nothing_but_an_answer_it_never_stored() {
    // How many writes one renewal has.
    let org = rotating();
    let setup = authorized(&org);
    org.expire_sessions();
    let server = setup.start();
    server.run().unwrap();
    let writes = server.writes();
    assert_eq!(writes, 2, "the start, and the new tokens");

    let deaths = (0..writes).flat_map(|number| [Death::Before(number), Death::After(number)]);
    for death in deaths {
        let org = rotating();
        let setup = authorized(&org);
        org.expire_sessions();
        org.clear_journal();
        assert!(setup.start_until(death).run().is_err(), "{death:?}");
        let next = setup.start().run();
        if death == Death::Before(1) {
            // The answer with the only good token came and was lost: nobody can know.
            let error = next.unwrap_err();
            assert_eq!(error.kind, ErrorKind::AUTH, "{error}");
            assert!(error.message.contains("outcome is lost"), "{error}");
            assert_eq!(error.hint.as_deref(), Some("authorize the connector again"));
            let before = token_requests(&org, "refresh_token").len();
            assert_eq!(setup.start().run().unwrap_err().kind, ErrorKind::AUTH);
            let after = token_requests(&org, "refresh_token").len();
            assert_eq!(after, before, "a dead token is not tried again");
            // The one replay that is allowed: nothing more could be lost by it.
            assert_eq!(violations(&org), [Violation::ReplayedRefreshToken]);
            org.clear_journal();
            setup.start().paste(&org.issue_refresh_token()).unwrap();
        } else {
            next.unwrap_or_else(|error| panic!("{death:?}: {error}"));
            assert_eq!(refused(&org), 0, "{death:?}");
        }
        works(&setup);
        assert_well_behaved(&org);
    }
}

#[test]
fn the_control_replaying_a_rotated_token_is_noticed() {
    let org = rotating();
    let setup = authorized(&org);
    let old = setup.store.copy();
    org.expire_sessions();
    works(&setup);
    // A server that goes on with an old copy of the store.
    let error = setup.over(old).start().run().unwrap_err();
    assert_eq!((error.kind, refused(&org)), (ErrorKind::AUTH, 1));
    assert_eq!(setup.start().run().unwrap_err().kind, ErrorKind::AUTH, "the family is dead");
}

#[test]
fn two_hundred_deaths_at_random_revoke_nothing_by_our_reuse() {
    const SEEDS: [u64; 4] = [0xF151, 0xF152, 0xF153, 0xF154];
    let (mut lost, mut died) = (0, 0);
    std::thread::scope(|scope| {
        let threads = SEEDS.map(|seed| scope.spawn(move || die_often(seed, 50)));
        for thread in threads {
            let (lost_here, died_here) = thread.join().unwrap();
            (lost, died) = (lost + lost_here, died + died_here);
        }
    });
    assert!(lost > 0 && died > lost, "{lost} of {died}");
}

/// Answers how often the outcome was lost, and how often a process died.
fn die_often(seed: u64, times: u32) -> (u32, u32) {
    let mut random = seed;
    let mut next = move |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % most
    };
    let org = rotating();
    let setup = authorized(&org);
    let (mut lost, mut died) = (0, 0);
    for _ in 0..times {
        org.expire_sessions();
        let number = usize::try_from(next(3)).unwrap();
        let death = if next(2) == 0 { Death::Before(number) } else { Death::After(number) };
        let before = refused(&org);
        died += u32::from(setup.start_until(death).run().is_err());
        if let Err(error) = setup.start().run() {
            assert_eq!(
                (death, error.kind),
                (Death::Before(1), ErrorKind::AUTH),
                "seed {seed:#x}: {error}"
            );
            assert_eq!(refused(&org), before + 1, "seed {seed:#x}: one clear refusal, no loop");
            lost += 1;
            // The one replay that is allowed: nothing more could be lost by it.
            assert_eq!(violations(&org), [Violation::ReplayedRefreshToken]);
            org.clear_journal();
            setup.start().paste(&org.issue_refresh_token()).unwrap();
        } else {
            assert_eq!(refused(&org), before, "seed {seed:#x}: {death:?}");
        }
    }
    (lost, died)
}

#[test]
fn an_answer_that_never_came_is_not_asked_for_again_at_once() {
    for rotation in [false, true] {
        let org = org(|policy| policy.rotate_refresh_tokens = rotation);
        let setup = authorized(&org);
        org.expire_sessions();
        org.clear_journal();
        org.faults().push(Fault::new(Action::CloseBeforeAnswer).on_grant("refresh_token"));
        let error = setup.start().run().unwrap_err();
        assert_eq!(error.kind, ErrorKind::RETRYABLE, "{error}");
        assert_eq!(token_requests(&org, "refresh_token").len(), 1);
        let next = setup.start().run();
        match rotation {
            false => assert!(next.is_ok(), "{next:?}"),
            true => assert_eq!(next.unwrap_err().kind, ErrorKind::AUTH),
        }
    }
}

#[test]
fn where_the_old_access_token_still_works_nothing_was_rotated() {
    let org = rotating();
    let setup = authorized(&org);
    let mut grant = setup.grant();
    grant["refresh_started"] = grant["version"].clone();
    setup.store.put("grant", &grant.to_string());
    org.clear_journal();
    works(&setup);
    assert_eq!(token_requests(&org, "refresh_token").len(), 0, "asked without a refresh");
    assert!(org.journal()[0].path.ends_with("/userinfo"));
    assert_eq!(setup.grant()["refresh_started"], serde_json::Value::Null);
}

#[test]
fn a_fault_of_the_server_leaves_the_outcome_open_and_the_next_run_resolves_it() {
    let org = rotating();
    let setup = authorized(&org);
    for action in [
        Action::HtmlPage,
        Action::ServerUnavailable,
        Action::Status {
            code: 400,
            body: r#"{"error":"server_error"}"#.into(),
            content_type: None,
            headers: vec![],
        },
    ] {
        org.expire_sessions();
        org.faults().set([Fault::new(action).on_grant("refresh_token")]);
        assert_eq!(setup.start().run().unwrap_err().kind, ErrorKind::RETRYABLE);
        assert_ne!(setup.grant()["refresh_started"], serde_json::Value::Null);
        works(&setup);
        assert_eq!(setup.grant()["refresh_started"], serde_json::Value::Null);
    }
}

#[test]
fn a_lock_is_waited_out_three_times_and_is_no_end_of_the_grant() {
    let org = rotating();
    let setup = authorized(&org);
    org.expire_sessions();
    org.set_policy(|policy| policy.refresh_in_progress = true);
    org.clear_journal();
    let server = setup.start();
    let error = server.run().unwrap_err();
    assert_eq!(error.kind, ErrorKind::RETRYABLE, "{error}");
    assert_eq!(token_requests(&org, "refresh_token").len(), 4);
    let pauses = server.pauses_ms();
    assert_eq!(pauses.len(), 3);
    assert!(pauses.iter().all(|ms| (500..=5_000).contains(ms)), "{pauses:?}");
    org.set_policy(|policy| policy.refresh_in_progress = false);
    works(&setup);
}

#[test]
fn the_old_text_of_the_lock_is_waited_out_too() {
    let org = rotating();
    let setup = authorized(&org);
    org.expire_sessions();
    let body = r#"{"error":"invalid_grant","error_description":"expired authorization code"}"#;
    let action =
        Action::Status { code: 400, body: body.into(), content_type: None, headers: vec![] };
    org.faults().push(Fault::new(action).on_grant("refresh_token").times(2));
    works(&setup);
    assert_eq!(org.faults().played(), 2);
}

#[test]
fn many_threads_of_two_servers_refresh_once() {
    let org = org(|policy| {
        policy.rotate_refresh_tokens = true;
        policy.watch_refreshes = true;
    });
    let setup = authorized(&org);
    org.expire_sessions();
    org.clear_journal();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| setup.start().run())).collect();
        for run in runs {
            run.join().unwrap().unwrap();
        }
    });
    assert_eq!(token_requests(&org, "refresh_token").len(), 1);
    assert_well_behaved(&org);
}

#[test]
fn the_same_access_token_again_is_as_good_as_a_new_one() {
    let org = org(|policy| policy.repeat_access_token = true);
    let setup = authorized(&org);
    works(&setup);
    org.expire_sessions();
    works(&setup);
    works(&setup);
}

#[test]
fn a_grant_that_was_stored_while_another_was_renewed_is_kept() {
    let org = org(|_| ());
    let setup = authorized(&org);
    let newer = setup.over(setup.store.copy());
    org.expire_sessions();
    newer.start().paste(&org.issue_refresh_token()).unwrap();
    let newer = newer.store.get("grant").unwrap();
    org.faults()
        .push(Fault::new(Action::Drip { bytes: 64, pause_ms: 50 }).on_grant("refresh_token"));
    std::thread::scope(|scope| {
        let run = scope.spawn(|| setup.start().run());
        let started = |grant: &str| {
            let grant: serde_json::Value = serde_json::from_str(grant).unwrap();
            !grant["refresh_started"].is_null()
        };
        setup.store.wait_for("grant", std::time::Duration::from_secs(60), started);
        setup.store.put("grant", &newer);
        run.join().unwrap().unwrap();
    });
    assert_eq!(setup.store.get("grant").unwrap(), newer);
    works(&setup);
}
