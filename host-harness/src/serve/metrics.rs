//! Health and metrics on a loopback address: two pages, read only, for one scraper.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::HostError;
use crate::owned::owned;
use crate::schedule::scheduler::Standing;
use crate::serve::server::StatusView;
use crate::time;

/// A client may take so long to ask and to read.
const PATIENCE: Duration = Duration::from_secs(5);
/// A request may have so many bytes.
const LONGEST: usize = 8 * 1024;
/// The server's loop comes around four times a second; later than this it hangs.
const HUNG: Duration = Duration::from_secs(30);

/// Listens until the process ends; answers the address.
///
/// # Errors
/// When the address cannot be used.
pub fn listen(at: SocketAddr, shown: Arc<Mutex<StatusView>>) -> Result<SocketAddr, HostError> {
    let failed = |error: std::io::Error| {
        HostError::failed(format_args!("cannot listen on {at} for metrics: {error}"))
            .with_hint("choose another port with `metrics` in config.toml")
    };
    let listener = TcpListener::bind(at).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let answer_all = move || {
        for stream in listener.incoming().flatten() {
            // One at a time: a slow client delays only the next one.
            if let Err(error) = answer(stream, bound, &shown) {
                log::debug!("metrics: {error}");
            }
        }
    };
    std::thread::Builder::new().name("metrics".into()).spawn(answer_all).map_err(failed)?;
    log::info!("health and metrics are on http://{bound}/healthz and http://{bound}/metrics");
    Ok(bound)
}

fn answer(
    mut stream: TcpStream,
    bound: SocketAddr,
    shown: &Mutex<StatusView>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") && request.len() < LONGEST {
        match stream.read(&mut buffer)? {
            0 => break,
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
    let text = String::from_utf8_lossy(&request);
    let (status, body) = page(&text, bound, shown);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Only a request that names this very address is answered: a page in a browser whose own name
/// leads here could otherwise read it.
fn page(request: &str, bound: SocketAddr, shown: &Mutex<StatusView>) -> (&'static str, String) {
    let mut lines = request.lines();
    let first = lines.next().unwrap_or_default();
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim().to_owned())
    });
    let local = [bound.to_string(), format!("localhost:{}", bound.port())];
    if !host.is_some_and(|host| local.contains(&host)) {
        return ("403 Forbidden", "the request must name this address\n".into());
    }
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match first.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["GET", "/healthz", _] if shown.turned_at.is_some_and(|at| at.elapsed() < HUNG) => {
            ("200 OK", "ok\n".into())
        }
        ["GET", "/healthz", _] => ("503 Service Unavailable", "the server does not turn\n".into()),
        ["GET", "/metrics", _] => ("200 OK", metrics(&shown)),
        ["GET", _, _] => ("404 Not Found", "there are /healthz and /metrics\n".into()),
        _ => ("405 Method Not Allowed", "only GET\n".into()),
    }
}

fn metrics(shown: &StatusView) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, String)>| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let name = |connector: &str| format!("{{connector=\"{}\"}}", label(connector));
    family(
        "endpoint_server_runs_total",
        "counter",
        "Runs since the start of the server.",
        shown
            .runs
            .iter()
            .map(|((connector, status), count)| {
                let labels = format!("{{connector=\"{}\",status=\"{status}\"}}", label(connector));
                (labels, count.to_string())
            })
            .collect(),
    );
    family(
        "endpoint_server_api_calls_total",
        "counter",
        "Requests that count against a vendor's allowance.",
        shown.api_calls.iter().map(|(c, calls)| (name(c), calls.to_string())).collect(),
    );
    family(
        "endpoint_server_last_run_seconds",
        "gauge",
        "How long the last run took.",
        shown.last_run_seconds.iter().map(|(c, s)| (name(c), format!("{s:.3}"))).collect(),
    );
    family(
        "endpoint_server_last_published_timestamp_seconds",
        "gauge",
        "When a run of this server last published something.",
        shown.last_published.iter().map(|(c, at)| (name(c), at.timestamp().to_string())).collect(),
    );
    family(
        "endpoint_server_next_run_timestamp_seconds",
        "gauge",
        "When the connector runs next.",
        shown
            .connectors
            .iter()
            .filter_map(|job| Some((name(&job.connector), job.next_run?.timestamp().to_string())))
            .collect(),
    );
    family(
        "endpoint_server_consecutive_failures",
        "gauge",
        "Failed runs in a row.",
        shown.connectors.iter().map(|j| (name(&j.connector), j.failures.to_string())).collect(),
    );
    let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
    family(
        "endpoint_server_stopped",
        "gauge",
        "1 where only a person can set the connector going again.",
        shown
            .connectors
            .iter()
            .map(|job| (name(&job.connector), flag(job.standing == Standing::Stopped)))
            .collect(),
    );
    family(
        "endpoint_server_running",
        "gauge",
        "1 while a run of the connector is in progress.",
        shown
            .connectors
            .iter()
            .map(|job| (name(&job.connector), flag(job.standing == Standing::Running)))
            .collect(),
    );
    let now = time::now();
    family(
        "endpoint_server_library_held_back",
        "gauge",
        "1 while a connector library is held back because it crashed.",
        shown
            .plugins
            .iter()
            .map(|(feature, plugin)| {
                let held = plugin.held_until.is_some_and(|until| until > now);
                (format!("{{feature=\"{}\"}}", label(feature)), flag(held))
            })
            .collect(),
    );
    if let Some(owned) = owned() {
        let mut gauge = |name: &str, help: &str, value: u64| {
            family(name, "gauge", help, vec![(String::new(), value.to_string())])
        };
        gauge(
            "process_resident_memory_bytes",
            "Memory of the server, without that of the runs' own processes.",
            owned.memory_bytes,
        );
        gauge("process_open_fds", "Open files and connections of the server.", owned.files as u64);
        gauge("process_threads", "Threads of the server.", owned.threads as u64);
    }
    text
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(request: &str) -> (&'static str, String) {
        let shown = StatusView {
            turned_at: Some(std::time::Instant::now()),
            runs: [(("a\"b".to_owned(), "failed"), 2)].into(),
            ..StatusView::default()
        };
        page(request, "127.0.0.1:9464".parse().unwrap(), &Mutex::new(shown))
    }

    #[test]
    fn health_and_metrics_are_shown_to_who_names_the_address() {
        let (status, body) = ask("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n");
        assert_eq!((status, body.as_str()), ("200 OK", "ok\n"));
        let (_, body) = ask("GET /metrics HTTP/1.1\r\nhost: localhost:9464\r\n\r\n");
        let line = "endpoint_server_runs_total{connector=\"a\\\"b\",status=\"failed\"} 2\n";
        assert!(body.contains(line), "{body}");
    }

    #[test]
    fn another_name_another_method_and_another_page_are_refused() {
        for (request, status) in [
            ("GET /metrics HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n", "403 Forbidden"),
            ("GET /metrics HTTP/1.1\r\n\r\n", "403 Forbidden"),
            ("POST /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n", "405 Method Not Allowed"),
            ("GET / HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n", "404 Not Found"),
            ("", "403 Forbidden"),
        ] {
            assert_eq!(ask(request).0, status, "{request}");
        }
    }

    #[test]
    fn a_server_that_does_not_turn_is_not_healthy() {
        let shown = Mutex::new(StatusView::default());
        let request = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n";
        let (status, _) = page(request, "127.0.0.1:1".parse().unwrap(), &shown);
        assert!(status.starts_with("503"));
    }
}
