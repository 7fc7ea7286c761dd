//! Refresh under strict rotation: each refresh token works once, and using an old one again kills the
//! new one too. Processes are killed around it, and race each other for it.

use std::process::Child;
use std::time::{Duration, Instant};

use salesforce_sim::SimulatedOrg;

use crate::dice::{Dice, number};
use crate::host::{Host, NAME};

/// Kills; `KILLS` asks for another number.
const KILLS: u64 = 200;

fn strict_org() -> SimulatedOrg {
    let org = SimulatedOrg::builder()
        .users(20)
        .logins_per_user(1)
        .policy(|policy| policy.rotate_refresh_tokens = true);
    org.start()
}

const COLLECT: [&str; 4] = ["collect", NAME, "--dataset", "organization"];

#[test]
fn a_host_killed_around_a_refresh_loses_no_grant_but_the_provably_unknown_one() {
    let kills = number("KILLS").unwrap_or(KILLS);
    let mut dice = Dice::new();
    let org = strict_org();
    let host = Host::authorized(&org);
    org.expire_sessions();
    let whole = Instant::now();
    host.run(&COLLECT).ok();
    let whole = whole.elapsed();

    let (mut inside, mut unknown) = (0, 0);
    for round in 0..kills {
        org.expire_sessions();
        let (refreshed, lost) = (org.refreshes(), org.grants_lost_to_replay());
        let mut child = host.start(&COLLECT);
        if round % 2 == 0 {
            // Any moment of the run.
            let moment = dice.below(u64::try_from(whole.as_micros()).expect("a short run"));
            testkit::pass(child.id(), Duration::from_micros(moment));
        } else {
            // The moments after Salesforce replaced the token.
            assert!(org.wait_for_refresh(refreshed, Duration::from_secs(60)), "round {round}");
            let moment = dice.below(3_000);
            testkit::pass(child.id(), Duration::from_micros(moment));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        let rotated_meanwhile = org.refreshes() > refreshed;
        inside += u64::from(rotated_meanwhile);
        assert_eq!(
            org.grants_lost_to_replay(),
            lost,
            "round {round}: the killed run replayed a token"
        );

        let ran = host.run(&COLLECT);
        if ran.code == 0 {
            assert_eq!(org.grants_lost_to_replay(), lost, "round {round}: {ran:#?}");
            continue;
        }
        // Salesforce replaced the token and the answer never reached the disk: one clear end.
        assert!(rotated_meanwhile, "round {round}: nothing was unknown: {ran:#?}");
        ran.code(3).one_error("interrupted", "authorize");
        unknown += 1;
        assert!(org.grants_lost_to_replay() <= lost + 1, "round {round}: replayed twice");
        // It stays at one clear end: nothing is sent with the dead token again.
        let (lost, requests) = (org.grants_lost_to_replay(), token_requests(&org));
        host.run(&COLLECT).code(3);
        assert_eq!((org.grants_lost_to_replay(), token_requests(&org)), (lost, requests));
        host.authorize(&org).ok();
        host.run(&COLLECT).ok();
    }
    println!("{kills} kills, {inside} after a rotation, {unknown} provably unknown");
    assert!(inside * 10 >= kills * 3, "only {inside} of {kills} kills came after a rotation");
    assert!(
        unknown < inside,
        "every kill after a rotation lost its grant: nothing is stored in time"
    );
}

fn token_requests(org: &SimulatedOrg) -> usize {
    org.journal().iter().filter(|entry| entry.path == "/services/oauth2/token").count()
}

#[test]
fn two_processes_on_one_store_refresh_once() {
    let org = strict_org();
    let host = Host::authorized(&org);
    for round in 0..10 {
        org.expire_sessions();
        let before = org.refreshes();
        let mut children: Vec<Child> =
            (0..3).map(|_| host.start(&["connectors", "check", NAME])).collect();
        for child in &mut children {
            assert!(child.wait().expect("ended").success(), "round {round}");
        }
        assert_eq!(org.refreshes(), before + 1, "round {round}");
        assert_eq!(org.grants_lost_to_replay(), 0, "round {round}");
    }
}

/// Positive control: the org does what the stories above are afraid of.
#[test]
fn a_client_that_uses_an_old_refresh_token_again_loses_its_grant() {
    let org = strict_org();
    let host = Host::authorized(&org);
    // An older copy of the store, as a careless restore brings it back.
    let files = ["inventory.db", "inventory.db-wal"].map(|name| host.home().join(name));
    let copies = files.clone().map(|file| std::fs::read(file).ok());
    org.expire_sessions();
    host.run(&COLLECT).ok();
    for (file, copy) in files.iter().zip(copies) {
        match copy {
            Some(copy) => std::fs::write(file, copy).expect("the old file"),
            None => drop(std::fs::remove_file(file)),
        }
    }
    let _ = std::fs::remove_file(host.home().join("inventory.db-shm"));
    org.expire_sessions();
    host.run(&COLLECT).code(3);
    assert_eq!(org.grants_lost_to_replay(), 1);
}
