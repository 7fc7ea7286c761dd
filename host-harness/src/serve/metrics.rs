//! Health and metrics on a loopback address: two pages, read only, for one scraper.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::HostError;
use crate::owned::owned;
use crate::schedule::scheduler::{JobView, ScheduleStatus};
use crate::serve::server::StatusView;
use crate::time;

/// Read and write timeout of a client.
const IO_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest request, in bytes.
const MAX_REQUEST_BYTES: usize = 8 * 1024;
/// Time without a turn of the server's loop after which it hangs; it turns four times a second.
const HUNG: Duration = Duration::from_secs(30);

/// Listens until the process ends; returns the address.
///
/// # Errors
/// When the address cannot be used.
pub fn listen(at: SocketAddr, status: Arc<Mutex<StatusView>>) -> Result<SocketAddr, HostError> {
    let failed = |error: std::io::Error| {
        HostError::failed(format_args!("cannot listen on {at} for metrics: {error}"))
            .with_hint("choose another port with `metrics` in config.toml")
    };
    let listener = TcpListener::bind(at).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let answer_all = move || {
        for stream in listener.incoming().flatten() {
            // One at a time: a slow client delays only the next one.
            if let Err(error) = answer(stream, bound, &status) {
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
    status: &Mutex<StatusView>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IO_TIMEOUT))?;
    stream.set_write_timeout(Some(IO_TIMEOUT))?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n")
        && request.len() < MAX_REQUEST_BYTES
    {
        match stream.read(&mut buffer)? {
            0 => break,
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
    let text = String::from_utf8_lossy(&request);
    let (status, body) = page(&text, bound, status);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Only a request that names this very address is answered: a page in a browser whose own name
/// leads here could otherwise read it.
fn page(request: &str, bound: SocketAddr, status: &Mutex<StatusView>) -> (&'static str, String) {
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
    let view = status.lock().clone();
    match first.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["GET", "/healthz", _] if view.turned_at.is_some_and(|at| at.elapsed() < HUNG) => {
            ("200 OK", "ok\n".into())
        }
        ["GET", "/healthz", _] => ("503 Service Unavailable", "the server does not turn\n".into()),
        ["GET", "/metrics", _] => ("200 OK", metrics(&view)),
        ["GET", _, _] => ("404 Not Found", "there are /healthz and /metrics\n".into()),
        _ => ("405 Method Not Allowed", "only GET\n".into()),
    }
}

/// The metrics in Prometheus' text format.
fn metrics(status: &StatusView) -> String {
    let mut text = Exposition::default();
    push_runs(&mut text, status);
    push_connectors(&mut text, status);
    push_libraries(&mut text, status);
    push_process(&mut text);
    text.0
}

#[derive(Default)]
struct Exposition(String);

impl Exposition {
    /// A family of samples: labels and value.
    fn family(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (String, String)>,
    ) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (String, String)>,
    ) {
        self.family(name, "gauge", help, samples);
    }
}

fn push_runs(text: &mut Exposition, status: &StatusView) {
    let runs = status.runs.iter().map(|((connector, status), count)| {
        let labels = format!("{{connector=\"{}\",status=\"{status}\"}}", label(connector));
        (labels, count.to_string())
    });
    text.family(
        "endpoint_server_runs_total",
        "counter",
        "Runs since the start of the server.",
        runs,
    );
    text.family(
        "endpoint_server_api_calls_total",
        "counter",
        "Requests that count against a vendor's allowance.",
        status.api_calls.iter().map(|(name, calls)| (of_connector(name), calls.to_string())),
    );
    text.gauge(
        "endpoint_server_last_run_seconds",
        "Duration of the last run.",
        status.last_run_seconds.iter().map(|(name, s)| (of_connector(name), format!("{s:.3}"))),
    );
    text.gauge(
        "endpoint_server_last_published_timestamp_seconds",
        "When a run of this server last published something.",
        status
            .last_published
            .iter()
            .map(|(name, at)| (of_connector(name), at.timestamp().to_string())),
    );
}

fn push_connectors(text: &mut Exposition, status: &StatusView) {
    let each = |value: fn(&JobView) -> Option<String>| {
        status
            .connectors
            .iter()
            .filter_map(move |job| Some((of_connector(&job.connector), value(job)?)))
    };
    text.gauge(
        "endpoint_server_next_run_timestamp_seconds",
        "When the connector runs next.",
        each(|job| job.next_run.map(|at| at.timestamp().to_string())),
    );
    text.gauge(
        "endpoint_server_consecutive_failures",
        "Failed runs in a row.",
        each(|job| Some(job.failures.to_string())),
    );
    text.gauge(
        "endpoint_server_stopped",
        "1 if only a person can set the connector going again.",
        each(|job| Some(flag(job.standing == ScheduleStatus::Stopped))),
    );
    text.gauge(
        "endpoint_server_running",
        "1 while a run of the connector is in progress.",
        each(|job| Some(flag(job.standing == ScheduleStatus::Running))),
    );
}

fn push_libraries(text: &mut Exposition, status: &StatusView) {
    let now = time::now();
    let held = status.plugins.iter().map(|(feature, plugin)| {
        let held = plugin.held_until.is_some_and(|until| until > now);
        (format!("{{feature=\"{}\"}}", label(feature)), flag(held))
    });
    text.gauge(
        "endpoint_server_library_held_back",
        "1 while a connector library is held back because it crashed.",
        held,
    );
}

fn push_process(text: &mut Exposition) {
    let Some(owned) = owned() else { return };
    let mut gauge = |name: &str, help: &str, value: u64| {
        text.gauge(name, help, [(String::new(), value.to_string())]);
    };
    gauge(
        "process_resident_memory_bytes",
        "Memory of the server, without that of the runs' own processes.",
        owned.memory_bytes,
    );
    gauge("process_open_fds", "Open files and connections of the server.", owned.files as u64);
    gauge("process_threads", "Threads of the server.", owned.threads as u64);
}

fn of_connector(name: &str) -> String {
    format!("{{connector=\"{}\"}}", label(name))
}

fn flag(on: bool) -> String {
    if on { "1" } else { "0" }.to_owned()
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
