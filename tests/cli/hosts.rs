//! Hosts: whatever address an answer or a setting names, no byte goes to a host that is not an org's.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use salesforce_sim::{Action, Fault, SimulatedOrg, Violation};
use serde_json::json;

use crate::host::{Host, NAME};

/// Hand-made addresses that must never get a credential; what they are is said in the file.
fn hostile_urls() -> Vec<String> {
    let text = include_str!("../fixtures/hostile_urls.txt");
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| serde_json::from_str(line).expect("a JSON string"))
        .collect()
}

/// The attacker: counts connections and the bytes they bring.
struct Attacker {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<(u64, u64)>>,
    /// One message for each connection that brought bytes.
    read: Receiver<()>,
}

impl Attacker {
    fn listen() -> Attacker {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let seen = Arc::new(Mutex::new((0, 0)));
        let (counted, (told, read)) = (Arc::clone(&seen), channel());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.lock().expect("the counts").0 += 1;
                let Ok(mut stream) = stream else { continue };
                let mut buffer = [0_u8; 4096];
                if let Ok(count) = stream.read(&mut buffer) {
                    counted.lock().expect("the counts").1 += count as u64;
                    let _ = told.send(());
                }
            }
        });
        Attacker { address, seen, read }
    }

    fn seen(&self) -> (u64, u64) {
        *self.seen.lock().expect("the counts")
    }
}

/// An org with small pages, whose proxy would lead to the attacker's name too.
fn org() -> SimulatedOrg {
    SimulatedOrg::builder()
        .users(30)
        .logins_per_user(1)
        .foreign_host("evil.example")
        .policy(|policy| {
            policy.page_size = Some(10);
            policy.approvals_per_user = 1_000;
        })
        .start()
}

#[track_caller]
fn only_the_org_was_asked(org: &SimulatedOrg, about: &str) {
    let hosts: BTreeSet<String> = org.journal().into_iter().map(|entry| entry.host).collect();
    let known = [org.my_domain_host(), org.login_host()];
    assert!(hosts.iter().all(|host| known.contains(&host.as_str())), "{about}: {hosts:?}");
    assert!(org.violations().is_empty(), "{about}: {:#?}", org.violations());
}

#[test]
fn a_hostile_domain_is_refused_before_anything_is_sent() {
    let org = org();
    let host = Host::behind(&org);
    host.run(&["features", "enable", "salesforce"]).ok();
    let urls = hostile_urls();
    assert!(urls.len() >= 300, "{} addresses", urls.len());
    for url in urls.iter().filter(|url| !url.contains('\0')) {
        let ran = host.run(&[
            "connectors",
            "new",
            "salesforce",
            "--name",
            NAME,
            &format!("--domain={url}"),
            "--client-id",
            org.client_id(),
        ]);
        assert_eq!(ran.code, 2, "{url:?}: {ran:#?}");
        assert!(ran.stderr.contains("domain") && ran.stderr.contains("hint:"), "{ran:#?}");
    }
    assert_eq!(host.json(&["connectors", "list"]).0, json!([]));
    assert!(org.journal().is_empty(), "{:#?}", org.journal());
}

#[test]
fn hostile_addresses_in_answers_get_neither_connection_nor_byte() {
    let attacker = Attacker::listen();
    let mut urls: Vec<String> = hostile_urls().into_iter().step_by(4).collect();
    for scheme in ["http", "https"] {
        urls.push(format!("{scheme}://{}/services/oauth2/token", attacker.address));
        urls.push(format!("{scheme}://localhost:{}/services/data", attacker.address.port()));
    }
    let org = org();
    let host = Host::authorized(&org);
    let set =
        |pointer: &str, url: &str| Action::SetJson { pointer: pointer.into(), value: json!(url) };
    let redirect = |code: u16, url: &str| Action::Status {
        code,
        body: String::new(),
        content_type: None,
        headers: vec![("Location".into(), url.replace(['\r', '\n', '\0'], ""))],
    };
    for (number, url) in urls.iter().enumerate() {
        let code = [301, 302, 303, 307, 308][number % 5];
        // At the token endpoint: the instance, or the identity, or a redirect of the request itself.
        let fault = match number % 3 {
            0 => set("/instance_url", url),
            1 => set("/id", url),
            _ => redirect(code, url),
        };
        org.faults().set([Fault::new(fault).on_path("/services/oauth2/token")]);
        let token = org.issue_refresh_token();
        let pasted =
            host.run_with_input(&["connectors", "authorize", NAME, "--token-file", "-"], &token);
        if number % 3 != 1 {
            assert_ne!(pasted.code, 0, "{url:?}: {pasted:#?}");
        }
        only_the_org_was_asked(&org, url);

        // In the data: the next page, or a redirect of a page; and of the revocation.
        let (fault, codes) = match number % 2 {
            0 => (Fault::new(set("/nextRecordsUrl", url)).on_object("User").always(), [0, 1, 4]),
            // A redirect is no answer of the org's: the page is asked for again, there. Only what
            // looks like the org's new name ends the run, until a person agrees to it.
            _ => (Fault::new(redirect(code, url)).on_object("User"), [0, 1, 1]),
        };
        let revocation = Fault::new(redirect(code, url)).on_path("/services/oauth2/revoke");
        org.faults().set([fault, revocation]);
        let collected = host.run(&["collect", NAME, "--dataset", "user"]);
        assert!(codes.contains(&collected.code), "{url:?}: {collected:#?}");
        if number % 2 == 1 && collected.code == 1 {
            assert!(collected.stderr.contains("--accept-host"), "{url:?}: {collected:#?}");
        }
        if number % 10 == 0 {
            host.run(&["connectors", "deauthorize", NAME]).code(4);
            org.faults().clear();
            host.authorize(&org).ok();
        }
        org.faults().clear();
        only_the_org_was_asked(&org, url);
    }
    assert_eq!(attacker.seen(), (0, 0), "the attacker was reached");
    host.run(&["collect", NAME, "--dataset", "user"]).ok();

    // Positive control: a client without the guard reaches the attacker by the same means.
    let mut stream = std::net::TcpStream::connect(attacker.address).expect("a connection");
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").expect("bytes");
    drop(stream);
    attacker.read.recv_timeout(std::time::Duration::from_secs(10)).expect("bytes arrive");
    assert!(attacker.seen().0 == 1 && attacker.seen().1 > 0, "{:?}", attacker.seen());
}

/// Positive control: a client that follows what an answer says is noticed by the org that plays the
/// attacker's host.
#[test]
fn a_client_without_the_guard_is_noticed_at_the_attackers_host() {
    let org = org();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder()
        .proxy(reqwest::Proxy::all(org.proxy_url()).expect("a proxy"))
        .tls_certs_only([reqwest::Certificate::from_pem(org.ca_pem().as_bytes()).expect("a CA")])
        .build()
        .expect("a client");
    let evil = "https://evil.example/services/oauth2/token";
    let redirect = Action::Status {
        code: 307,
        body: String::new(),
        content_type: None,
        headers: vec![("Location".into(), evil.into())],
    };
    org.faults().push(Fault::new(redirect).on_path("/services/oauth2/token"));
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &org.issue_refresh_token()),
        ("client_id", org.client_id()),
        ("client_secret", org.client_secret()),
    ];
    let url = format!("https://{}/services/oauth2/token", org.my_domain_host());
    client.post(url).form(&form).send().expect("an answer");
    let noticed: Vec<Violation> = org.violations().into_iter().map(|(kind, _)| kind).collect();
    assert!(noticed.contains(&Violation::ForeignHost), "{noticed:?}");
    assert!(noticed.contains(&Violation::SecretToForeignHost), "{noticed:?}");
}
