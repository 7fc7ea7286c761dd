//! The endpoint server as a service: the binary runs, other commands change things beside it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::{FolderWatch, StoreProbe, has_ended};

use crate::host::{Host, library};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `serve` in progress.
pub(crate) struct Served {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Served {
    pub(crate) fn start(host: &Host, arguments: &[&str]) -> Served {
        Served::of(host.command(&[&["serve"], arguments].concat()))
    }

    fn of(mut command: Command) -> Served {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let stderr = child.stderr.take().expect("its log");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Served { child, lines, seen: Vec::new() }
    }

    /// As [`Served::start`], and waits until it is ready.
    pub(crate) fn ready(host: &Host) -> Served {
        let mut served = Served::start(host, &[]);
        served.wait_for("the server is ready");
        served
    }

    /// Waits for a line of the log that holds that text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("no `{text}` in the log:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Waits until a worker of it has made a connector of the chaos plugin; returns its process.
    #[track_caller]
    pub(crate) fn worker(&mut self) -> u32 {
        self.wait_for("a chaos connector was made");
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).expect("its threads");
        let children = tasks.flatten().map(|task| task.path().join("children"));
        let children = children.filter_map(|children| std::fs::read_to_string(children).ok());
        let mut children = children.collect::<String>();
        children.truncate(children.trim_end().len());
        children.parse().unwrap_or_else(|_| panic!("not one worker: `{children}`"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the server is there");
    }

    /// Its exit code, and how long it took to end.
    pub(crate) fn ended(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let status = self.child.wait().expect("the server ends");
        (status.code(), began.elapsed())
    }

    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let began = Instant::now();
        let status = self.child.wait().expect("the server ends");
        let took = began.elapsed();
        self.seen.extend(self.lines.iter());
        assert!(status.success(), "{status}:\n{}", self.seen.join("\n"));
        assert!(took < Duration::from_secs(10), "it took {took:?}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_started_with_nohup_ignores_a_hangup_and_stops_in_order_when_it_is_asked_to() {
    let host = host("nothing");
    long_down(&host);
    let server = host.command(&["serve"]);
    let mut shell = Command::new("sh");
    shell.env_clear().args(["-c", "trap '' HUP INT; exec \"$0\" \"$@\""]);
    shell.arg(server.get_program()).args(server.get_args());
    let mut served = Served::of(shell);
    served.wait_for("the server is ready");
    served.signal(Signal::HUP);
    served.signal(Signal::INT);
    served.wait_for("runs next");
    served.stop();
}

/// A host with the connector `c` of the chaos plugin, that runs daily and behaves so.
pub(crate) fn host(behaviour: &str) -> Host {
    let host = Host::new();
    host.add_plugin(&library("chaos_plugin"));
    host.run(&["features", "enable", "chaos"]).ok();
    let behaviour = format!("behaviour={behaviour}");
    host.run(&[
        "connectors",
        "new",
        "chaos",
        "--name",
        "c",
        "--domain",
        "d",
        "--client-id",
        "i",
        "--schedule",
        "daily 02:30",
        "--set",
        &behaviour,
    ])
    .ok();
    host
}

/// The server was down since long ago, as far as the store knows.
pub(crate) fn long_down(host: &Host) {
    let state = r#"{"schedule":"daily 02:30","served_to":"2020-01-01T00:00:00Z"}"#;
    let remember = "INSERT OR REPLACE INTO schedule_state SELECT id, ?1 FROM connector";
    StoreProbe::of(&host.home()).change(remember, [state]);
}

/// A page of the server, as its answer.
pub(crate) fn page(address: &str, name: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {name} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn standing(host: &Host) -> Value {
    let (status, _) = host.json(&["status"]);
    status["connectors"][0].clone()
}

#[test]
fn a_slot_missed_while_the_server_was_down_is_made_up_for_once() {
    let host = host("nothing");
    long_down(&host);
    let (status, ran) = host.json(&["status"]);
    ran.code(4);
    assert_eq!(status["server"], Value::Null);
    assert_eq!(status["connectors"][0]["next_run"], Value::Null, "no server, no next run");

    let mut served = Served::ready(&host);
    served.wait_for("complete");
    served.wait_for("runs next");
    let (runs, _) = host.json(&["runs", "list"]);
    assert_eq!(runs.as_array().expect("runs").len(), 1, "{runs:#}");
    let (status, ran) = host.json(&["status"]);
    ran.ok();
    assert_eq!(status["ok"], true, "{status:#}");
    assert_eq!(status["connectors"][0]["standing"], "waiting");
    assert!(status["server"].as_str().expect("a server").starts_with("process "));
    assert!(status["store_bytes"].as_u64().expect("a size") > 0);
    let next = status["connectors"][0]["next_run"].as_str().expect("a time").to_owned();
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors[0]["next_run"], next.as_str());
    host.run(&["connectors", "list"]).ok().shows(&next);
    served.stop();
}

#[test]
fn a_second_server_on_one_home_is_refused_and_names_the_first() {
    let host = host("nothing");
    let mut served = Served::ready(&host);
    let first = format!("process {}", served.child.id());
    host.run(&["serve"]).code(1).one_error(&first, "--home");
    // The lock ends with its process, however that ends.
    served.signal(Signal::KILL);
    served.ended();
    Served::ready(&host).stop();
}

#[test]
fn a_disabled_feature_stops_its_run_and_comes_back_without_a_restart() {
    let host = host("slow");
    long_down(&host);
    let mut served = Served::ready(&host);
    served.wait_for("began");
    host.run(&["features", "disable", "chaos"]).ok().shows("disabled");
    let (runs, _) = host.json(&["runs", "list"]);
    assert_eq!(runs[0]["status"], "failed", "{runs:#}");
    let reason = runs[0]["error"]["message"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("disabled"), "{reason}");
    assert_eq!(standing(&host)["standing"], "held");
    let watch = FolderWatch::new(&host.home());
    host.run(&["features", "enable", "chaos"]).ok();
    watch.until(PATIENCE, || standing(&host)["standing"] == "waiting");
    served.stop();
}

#[test]
fn what_a_person_must_mend_stops_visibly_and_runs_at_once_when_mended() {
    let host = host("auth");
    long_down(&host);
    let mut served = Served::ready(&host);
    served.wait_for("the grant was revoked");
    served.wait_for("not by itself");
    let job = standing(&host);
    assert_eq!(job["standing"], "stopped", "{job}");
    assert_eq!(job["reason"], "the grant was revoked");
    host.run(&["status"]).code(4).shows("the grant was revoked");
    host.run(&["connectors", "edit", "c", "--set", "behaviour=nothing"]).ok();
    served.wait_for("complete");
    served.stop();
}

#[test]
fn a_passing_failure_is_tried_again_later_and_a_pause_goes_on_by_itself() {
    for (behaviour, standing_word) in [("transient", "backing_off"), ("limited", "paused")] {
        let host = host(behaviour);
        long_down(&host);
        let mut served = Served::ready(&host);
        served.wait_for("runs next");
        let job = standing(&host);
        assert_eq!(job["standing"], standing_word, "{job}");
        assert!(job["next_run"].is_string() && job["reason"].is_string(), "{job}");
        served.stop();
        // What was decided outlives the server.
        let mut served = Served::ready(&host);
        assert_eq!(standing(&host), job);
        served.signal(Signal::TERM);
        served.ended();
    }
}

#[test]
fn a_server_asked_to_stop_ends_its_runs_and_goes_on_at_the_next_start() {
    let host = host("slow");
    long_down(&host);
    let mut served = Served::ready(&host);
    served.wait_for("began");
    served.stop();
    let (runs, _) = host.json(&["runs", "list"]);
    assert_eq!(runs[0]["status"], "failed");
    host.run(&["connectors", "edit", "c", "--set", "behaviour=nothing"]).ok();
    let mut served = Served::ready(&host);
    served.wait_for("complete");
    served.stop();
}

#[test]
fn a_second_signal_ends_the_server_at_once_even_if_a_run_hangs() {
    let host = host("hang");
    long_down(&host);
    let mut served = Served::ready(&host);
    served.wait_for("began");
    served.signal(Signal::TERM);
    served.wait_for("stopping");
    served.signal(Signal::TERM);
    let (code, took) = served.ended();
    assert_ne!(code, Some(0));
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_killed_server_leaves_a_home_that_the_next_one_goes_on_with() {
    let host = host("slow");
    long_down(&host);
    let mut served = Served::ready(&host);
    let worker = served.worker();
    served.signal(Signal::KILL);
    served.ended();
    // The run's process ends with its server, which may take a moment.
    assert!(has_ended(worker, PATIENCE), "the worker outlives its server");
    let mut served = Served::ready(&host);
    let job = standing(&host);
    assert_eq!(job["standing"], "backing_off", "{job}");
    assert!(job["reason"].as_str().expect("a reason").contains("ended during the run"), "{job}");
    let (runs, _) = host.json(&["runs", "list"]);
    assert_eq!(runs[0]["status"], "failed");
    served.signal(Signal::TERM);
    assert_eq!(served.ended().0, Some(0));
}

#[test]
fn a_failed_run_calls_the_operators_program_with_what_happened() {
    let host = host("transient");
    long_down(&host);
    let told = host.path("told.json");
    let config =
        format!("on_failure = ['sh', '-c', 'cat > {0}.new && mv {0}.new {0}']", told.display());
    std::fs::write(host.home().join("config.toml"), config).expect("config.toml");
    let watch = FolderWatch::new(told.parent().expect("a folder"));
    let served = Served::ready(&host);
    watch.until(PATIENCE, || told.exists());
    let told: Value = serde_json::from_slice(&std::fs::read(told).expect("told")).expect("JSON");
    assert_eq!(told["connector"], "c");
    assert_eq!(told["error"]["message"], "the network is down");
    served.stop();
}

#[test]
fn logs_can_be_json_and_metrics_and_health_are_shown_on_loopback_only() {
    let host = host("nothing");
    long_down(&host);
    let config = host.home().join("config.toml");
    std::fs::write(&config, "metrics = '0.0.0.0:0'").expect("config.toml");
    host.run(&["serve"]).code(2).one_error("not a loopback address", "127.0.0.1");
    std::fs::write(&config, "metrics = '127.0.0.1:0'").expect("config.toml");
    let mut served = Served::start(&host, &["--log-format", "json"]);
    let line = served.wait_for("http://");
    let record: Value = serde_json::from_str(&line).expect("a JSON line");
    assert_eq!(record["level"], "info");
    let message = record["message"].as_str().expect("a message");
    let address = message.split("http://").nth(1).expect("an address").split('/').next();
    let address = address.expect("an address").to_owned();
    served.wait_for("runs next");
    let get = |name: &str| page(&address, name);
    assert!(get("/healthz").starts_with("HTTP/1.1 200"), "{}", get("/healthz"));
    let metrics = get("/metrics");
    let line = "endpoint_server_runs_total{connector=\"c\",status=\"complete\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    served.stop();
}

#[test]
fn completions_and_manual_pages_come_from_the_program_itself() {
    let host = Host::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        host.run(&["shell", "completions", shell]).ok().shows("connectors");
    }
    let folder = host.path("man");
    host.run(&["shell", "manual", folder.to_str().expect("a path")]).ok();
    let page = std::fs::read_to_string(folder.join("host-harness-serve.1")).expect("a page");
    assert!(page.contains("schedules"), "{page}");
}
