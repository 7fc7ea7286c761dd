//! The proxy itself, and the port beside it.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::Certificate;
use reqwest::blocking::Client;
use salesforce_sim::{Action, Fault, SimulatedOrg, Violation};

use crate::client::{Story, client, client_through};

/// Sends `text` to the proxy and reads the head of the answer.
fn raw(org: &SimulatedOrg, text: &str) -> String {
    let address = org.proxy_url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(text.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let mut byte = [0_u8; 1];
    while !answer.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("an answer") == 1 {
        answer.push(byte[0]);
    }
    String::from_utf8(answer).expect("text")
}

#[test]
fn hosts_of_others_and_other_ports_are_refused_and_noted() {
    let story = Story::new();
    let refused =
        raw(&story.org, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 502 "), "{refused}");
    let port = raw(&story.org, "CONNECT acme.my.salesforce.com:8443 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(port.starts_with("HTTP/1.1 403 "), "{port}");
    let entries = story.org.journal();
    assert_eq!((entries[0].method.as_str(), entries[0].host.as_str()), ("CONNECT", "example.com"));
    assert_eq!((entries[0].status, entries[1].status), (Some(502), Some(403)));
    assert!(entries.iter().all(|entry| entry.violations == [Violation::ForeignHost]));
}

#[test]
fn a_proxy_with_a_password_asks_for_it() {
    let org = SimulatedOrg::builder().proxy_auth("egress", "s3cret:+/ä").start();
    let refused = raw(&org, "CONNECT acme.my.salesforce.com:443 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 407 "), "{refused}");
    assert!(refused.contains("Proxy-Authenticate: Basic realm="), "{refused}");
    let url = "https://acme.my.salesforce.com/services/data";
    assert!(client_through(&org, &org.proxy_url()).get(url).send().is_err());
    let wrong = org.proxy_url().replace("http://", "http://egress:wrong@");
    assert!(client_through(&org, &wrong).get(url).send().is_err());
    assert_eq!(org.journal().last().and_then(|entry| entry.status), Some(407));
    assert_eq!(client(&org).get(url).send().expect("an answer").status(), 200);
}

#[test]
fn plain_http_is_redirected_and_noted() {
    let story = Story::new();
    let answer = story
        .client
        .get("http://acme.my.salesforce.com/services/data?x=1")
        .send()
        .expect("an answer");
    assert_eq!(answer.status(), 301);
    assert_eq!(answer.headers()["location"], "https://acme.my.salesforce.com/services/data?x=1");
    assert_eq!(story.org.violations()[0].0, Violation::PlainHttp);
}

#[test]
fn a_client_without_proxy_support_can_use_the_tls_port() {
    let story = Story::new();
    let direct = Client::builder()
        .no_proxy()
        .resolve("acme.my.salesforce.com", story.org.tls_address())
        .tls_certs_only([
            Certificate::from_pem(story.org.ca_pem().as_bytes()).expect("a certificate")
        ])
        .build()
        .expect("a client");
    let url =
        format!("https://acme.my.salesforce.com:{}/services/data", story.org.tls_address().port());
    assert_eq!(direct.get(url).send().expect("an answer").status(), 200);
}

#[test]
fn what_is_no_http_is_told_so() {
    let story = Story::new();
    assert!(raw(&story.org, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert!(
        raw(&story.org, "GET / HTTP/1.1\r\nHost: acme.my.salesforce.com\r\n\r\n")
            .starts_with("HTTP/1.1 400 ")
    );
}

#[test]
fn many_orgs_live_in_one_process_and_free_their_ports() {
    let first = SimulatedOrg::builder().my_domain("first").start();
    let second = SimulatedOrg::builder().my_domain("second").start();
    assert_ne!(first.proxy_url(), second.proxy_url());
    assert_ne!(first.ca_pem(), second.ca_pem());
    let status = |org: &SimulatedOrg, host: &str| {
        client(org)
            .get(format!("https://{host}.my.salesforce.com/services/data"))
            .send()
            .map(|answer| answer.status().as_u16())
    };
    assert_eq!(status(&first, "first").expect("an answer"), 200);
    assert!(status(&first, "second").is_err());
    let address = second.proxy_url().trim_start_matches("http://").to_owned();
    drop(second);
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(status(&first, "first").expect("an answer"), 200);
}

#[test]
fn the_proxy_itself_can_fail() {
    let story = Story::new();
    let connect = "CONNECT acme.my.salesforce.com:443 HTTP/1.1\r\nHost: x\r\n\r\n";
    let status = |code| Action::Status {
        code,
        body: String::new(),
        content_type: None,
        headers: Vec::new(),
    };
    story.org.faults().set([
        Fault::new(status(503)).on_method("CONNECT"),
        Fault::new(Action::CloseBeforeAnswer).on_method("CONNECT").nth(2),
        Fault::new(Action::HtmlPage),
    ]);
    assert!(raw(&story.org, connect).starts_with("HTTP/1.1 503 "));
    assert_eq!(raw(&story.org, connect), "");
    assert!(raw(&story.org, connect).starts_with("HTTP/1.1 200 "));
    let inside = story.client.get(story.url("/services/data")).send().expect("an answer");
    assert!(
        inside.text().expect("a body").starts_with("<!DOCTYPE html>"),
        "a fault for any request is for those inside"
    );
    assert!(story.org.violations().is_empty());
}
