//! The checks. Each makes its own instances and knows nothing of the others.

use std::path::Path;
use std::time::{Duration, Instant};

use connector_api::host::TOKEN;
use connector_api::manifest::Manifest;
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CollectMode, CollectRequest, CollectSummary,
};
use connector_api::module::{HANDSHAKE_SYMBOL, ROOT_MODULE_SYMBOL};
use connector_api::{ErrorKind, Secret};
use serde_json::{Value, json};

use super::subject::{Session, Subject};
use super::{Unmet, failed, not_applicable};
use crate::owned::owned;
use crate::{manifest_check, preflight, redact};

type Result = std::result::Result<(), Unmet>;

/// `describe` must be cheap.
const DESCRIBE_WITHIN: Duration = Duration::from_secs(1);
/// Time a cancelled call may still run.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// So many instances are made and dropped.
const INSTANCES: usize = 20;
/// Threads that end take a moment to be gone.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);
/// No connector knows these.
const NO_SUCH: &str = "conformance_no_such";

type Check = fn(&Subject) -> Result;

/// The checks of a loaded library, in the order they are reported.
pub(super) const CHECKS: [(&str, Check); 16] = [
    ("load", |_| Ok(())),
    ("describe", describe),
    ("missing_settings", missing_settings),
    ("unknown_keys", unknown_keys),
    ("bad_requests", bad_requests),
    ("unknown_operation", unknown_operation),
    ("before_configure", before_configure),
    ("life_cycle", life_cycle),
    ("instances", instances),
    ("without_grant", without_grant),
    ("unknown_dataset", unknown_dataset),
    ("cancel", cancel),
    ("collect", collect),
    ("resume", resume),
    ("secrets", secrets),
    (STDOUT, whole_life),
];

/// The check whose process must not print.
pub(super) const STDOUT: &str = "stdout";

/// The check of the file itself, which needs no loading.
pub(super) fn symbols(file: &Path) -> Result {
    match preflight::exported_names(file) {
        Ok(names) => exactly_two(names),
        Err(refusal) => failed(refusal.reason()),
    }
}

pub(super) fn exactly_two(mut names: Vec<String>) -> Result {
    names.retain(|name| name != HANDSHAKE_SYMBOL && name != ROOT_MODULE_SYMBOL);
    match names.len() {
        0 => Ok(()),
        _ => failed(format_args!("it also exports {}", names.join(", "))),
    }
}

fn describe(subject: &Subject) -> Result {
    let text = || -> std::result::Result<String, Unmet> {
        let began = Instant::now();
        let text = match subject.plugin.describe_again() {
            Ok(text) => text,
            Err(error) => return failed(error.message),
        };
        match began.elapsed() {
            took if took > DESCRIBE_WITHIN => failed(format_args!("it took {took:?}")),
            _ => Ok(text),
        }
    };
    let first = text()?;
    if first != text()? || first != text()? {
        return failed("it describes itself differently at each call");
    }
    let manifest: Manifest = match serde_json::from_str(&first) {
        Ok(manifest) => manifest,
        Err(error) => return failed(format_args!("it is not understood: {error}")),
    };
    manifest_check::check(&manifest).or_else(failed)?;
    for spec in &manifest.settings {
        if spec.title.is_empty() || spec.help.is_empty() {
            return failed(format_args!("setting `{}` has no title or no help", spec.name));
        }
        if spec.secret && (spec.default.is_some() || spec.example.is_some()) {
            return failed(format_args!("the secret `{}` has a default or an example", spec.name));
        }
    }
    for view in &manifest.position.views {
        if let Some(name) = view.needs.iter().find(|name| manifest.dataset(name).is_none()) {
            return failed(format_args!("its licence position needs `{name}`, no dataset of its"));
        }
    }
    Ok(())
}

fn missing_settings(subject: &Subject) -> Result {
    let required: Vec<&str> = subject
        .plugin
        .manifest
        .settings
        .iter()
        .filter(|spec| spec.required)
        .map(|spec| spec.name.as_str())
        .collect();
    if required.is_empty() {
        return not_applicable("it requires no setting");
    }
    let each = required.iter().map(|name| vec![*name]);
    for left_out in each.chain([required.clone()]) {
        let mut request = subject.request();
        for name in &left_out {
            request.settings.remove(*name);
            request.secrets.remove(*name);
        }
        let problems = subject.fresh()?.configure(&request)?;
        let named = |name: &&&str| {
            problems.iter().any(|one| {
                one.field == ***name || one.field.is_empty() && one.message.contains(**name)
            })
        };
        if let Some(name) = left_out.iter().find(|name| !named(name)) {
            let without = left_out.join("`, `");
            return failed(format_args!("without `{without}`, `configure` does not name `{name}`"));
        }
    }
    Ok(())
}

fn unknown_keys(subject: &Subject) -> Result {
    let session = subject.configured()?;
    let later = |mut request: Value| {
        request[NO_SUCH] = json!({ "of": ["a later contract"] });
        request.to_string()
    };
    let configure = json!(subject.request());
    let reply = session.instance.operation("configure", &later(configure));
    let reply: Value = serde_json::from_str(&session.must("configure with an unknown key", reply)?)
        .unwrap_or_default();
    if reply["problems"].as_array().is_some_and(|problems| !problems.is_empty()) {
        return failed("`configure` has a problem with a key of a later contract");
    }
    // Without a grant both may be refused, but alike.
    session.must("enable", session.instance.enable())?;
    let request = json!(CollectRequest::default());
    let mut collected = Vec::new();
    for json in [request.to_string(), later(request)] {
        let result = session.instance.collect_json(&json, session.recorder.sink());
        collected.push(session.answer("collect", result)?.err().map(|error| error.kind));
    }
    match collected[0] == collected[1] {
        true => Ok(()),
        false => failed("`collect` is answered differently with a key of a later contract"),
    }
}

fn bad_requests(subject: &Subject) -> Result {
    let session = subject.configured()?;
    session.must("enable", session.instance.enable())?;
    let long = "x".repeat(1 << 20);
    for json in [
        "",
        "{",
        "[]",
        "null",
        "7",
        "\"text\"",
        "{\"step\":7,\"settings\":7,\"datasets\":7}",
        "\0",
        &long,
    ] {
        let shown: String = json.chars().take(20).collect();
        for operation in ["configure", "authorize"] {
            let result = session.instance.operation(operation, json);
            if session.answer(operation, result)?.is_ok() {
                return failed(format_args!("`{operation}` takes `{}`", shown.escape_debug()));
            }
        }
        let result = session.instance.collect_json(json, session.recorder.sink());
        if session.answer("collect", result)?.is_ok() {
            return failed(format_args!("`collect` takes `{}`", shown.escape_debug()));
        }
    }
    match session.configure(&subject.request())?.is_empty() {
        true => Ok(()),
        false => failed("after bad requests it does not accept its settings any more"),
    }
}

fn unknown_operation(subject: &Subject) -> Result {
    let session = subject.configured()?;
    let result = session.instance.operation(NO_SUCH, "{}");
    session.must_refuse("an unknown operation", result, ErrorKind::UNSUPPORTED)
}

fn before_configure(subject: &Subject) -> Result {
    let session = subject.fresh()?;
    let instance = &session.instance;
    let begin = instance.authorize(&AuthorizeRequest::Begin);
    session.must_refuse("`authorize` before `configure`", begin, ErrorKind::STATE)?;
    session.must_refuse("`check` before `configure`", instance.check(), ErrorKind::STATE)?;
    let collected = instance.collect(&CollectRequest::default(), session.recorder.sink());
    session.must_refuse("`collect` before `configure`", collected, ErrorKind::STATE)
}

fn life_cycle(subject: &Subject) -> Result {
    let session = subject.configured()?;
    let instance = &session.instance;
    let collect_refused = |when: &str| {
        let result = instance.collect(&CollectRequest::default(), session.recorder.sink());
        session.must_refuse(when, result, ErrorKind::STATE)
    };
    collect_refused("`collect` before `enable`")?;
    session.must("enable", instance.enable())?;
    session.must("enable, the second time", instance.enable())?;
    session.must("disable", instance.disable())?;
    collect_refused("`collect` while disabled")?;
    session.must("disable, the second time", instance.disable())?;
    session.must("enable, after disable", instance.enable())?;
    let problems = session.configure(&subject.request())?;
    if !problems.is_empty() {
        return failed("while enabled it does not accept its settings again");
    }
    session.must("disable, at the end", instance.disable())
}

fn instances(subject: &Subject) -> Result {
    let live_and_die = || -> Result {
        let session = subject.fresh()?;
        session.configure(&subject.request())?;
        session.must("enable", session.instance.enable())?;
        session.must("disable", session.instance.disable())
    };
    // What is made once in a process, such as a thread of the library itself, is no growth.
    live_and_die()?;
    let Some(before) = owned() else {
        return not_applicable("threads and open files cannot be counted on this system");
    };
    for _ in 0..INSTANCES {
        live_and_die()?;
    }
    let until = Instant::now() + SETTLE_WITHIN;
    loop {
        let now = owned().unwrap_or(before);
        if now.threads <= before.threads && now.files <= before.files {
            return Ok(());
        }
        if Instant::now() > until {
            return failed(format_args!(
                "after {INSTANCES} instances there are {} threads instead of {}, and {} open \
                 files instead of {}",
                now.threads, before.threads, now.files, before.files
            ));
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn without_grant(subject: &Subject) -> Result {
    if subject.plugin.manifest.grants.is_empty() {
        return not_applicable("it knows no grants");
    }
    let session = subject.enabled()?;
    match session.collect(&CollectRequest::default())? {
        Err(error) if error.kind == ErrorKind::AUTH => Ok(()),
        Err(error) => failed(format_args!(
            "the error is of kind `{:?}` instead of `{:?}`: {error}",
            error.kind,
            ErrorKind::AUTH
        )),
        Ok(_) => failed("it collects without a grant"),
    }
}

fn unknown_dataset(subject: &Subject) -> Result {
    let session = subject.ready()?;
    let request = CollectRequest { datasets: vec![NO_SUCH.into()], ..CollectRequest::default() };
    match session.collect(&request)? {
        Err(error) if error.message.contains(NO_SUCH) => Ok(()),
        Err(error) => failed(format_args!("the error does not name the dataset: {error}")),
        Ok(_) => failed("it collects a dataset that it does not declare"),
    }
}

fn cancel(subject: &Subject) -> Result {
    let cancelled = |session: &Session, when: &str| -> Result {
        let began = Instant::now();
        let answer = session.collect(&CollectRequest::default())?;
        let took = session.recorder.cancel.since().unwrap_or(began).elapsed();
        if took > STOP_WITHIN {
            return failed(format_args!("cancelled {when}, it went on for {took:?}"));
        }
        match answer {
            Err(error) if error.kind == ErrorKind::CANCELLED => Ok(()),
            // All there was is handed over already.
            Ok(_) if session.recorder.lock().batches == 1 => Ok(()),
            Ok(_) => failed(format_args!("cancelled {when}, it went on to its end")),
            Err(error) => failed(format_args!(
                "cancelled {when}, it ended with an error of kind `{:?}`: {error}",
                error.kind
            )),
        }
    };
    let session = subject.ready()?;
    session.recorder.cancel.set();
    cancelled(&session, "before it collects")?;
    let session = subject.ready()?;
    session.recorder.lock().cancel_at_first_batch = true;
    cancelled(&session, "at its first batch")
}

fn collect(subject: &Subject) -> Result {
    let session = subject.ready()?;
    let summary = collected(&session, &CollectRequest::default())?;
    let manifest = &subject.plugin.manifest;
    for spec in manifest.datasets.iter().filter(|spec| !spec.optional) {
        if !summary.datasets.iter().any(|said| said.dataset == spec.name) {
            return failed(format_args!("its summary says nothing of `{}`", spec.name));
        }
    }
    for said in &summary.datasets {
        if manifest.dataset(&said.dataset).is_none() {
            return failed(format_args!("its summary names `{}`, no dataset of its", said.dataset));
        }
        let arrived = session.recorder.lock().rows.get(&said.dataset).copied().unwrap_or(0);
        if said.rows != arrived {
            return failed(format_args!(
                "it counted {} records of `{}`, {arrived} arrived",
                said.rows, said.dataset
            ));
        }
        if said.status != connector_api::message::DatasetStatus::Complete && said.reason.is_none() {
            return failed(format_args!(
                "it says no reason why `{}` is {}",
                said.dataset,
                said.status.as_str()
            ));
        }
    }
    Ok(())
}

fn collected(
    session: &Session,
    request: &CollectRequest,
) -> std::result::Result<CollectSummary, Unmet> {
    match session.collect(request)? {
        Ok(summary) => Ok(summary),
        Err(error) => failed(format_args!("`collect` ended with an error: {error}")),
    }
}

fn resume(subject: &Subject) -> Result {
    let first = subject.ready()?;
    collected(&first, &CollectRequest::default())?;
    let checkpoints = first.recorder.lock().checkpoints.clone();
    if checkpoints.is_empty() {
        return not_applicable("it makes no checkpoints");
    }
    for (mode, resume) in [(CollectMode::Incremental, false), (CollectMode::Full, true)] {
        let later = subject.ready()?;
        later.recorder.lock().earlier = checkpoints.clone();
        let request = CollectRequest { mode, resume, ..CollectRequest::default() };
        collected(&later, &request)?;
    }
    Ok(())
}

fn secrets(subject: &Subject) -> Result {
    let session = subject.fresh()?;
    let instance = &session.instance;
    let recorder = &session.recorder;
    recorder.note("its description", &subject.plugin.describe_again().unwrap_or_default());
    for problem in session.configure(&subject.request())? {
        recorder.note("a problem of `configure`", &json!(problem).to_string());
    }
    // Each of these may be refused; it is what they say that counts.
    let _ = session.answer("enable", instance.enable())?;
    let mut links = Vec::new();
    for step in [AuthorizeRequest::Begin, AuthorizeRequest::Finish] {
        if let (AuthorizeRequest::Finish, Some(token)) = (&step, subject.profile.token()) {
            recorder.lock().secrets.insert(TOKEN.into(), token);
        }
        match session.answer("authorize", instance.authorize(&step))? {
            Ok(AuthorizeReply::Link { url, instructions }) => links.push(url + &instructions),
            Ok(AuthorizeReply::Granted(summary)) => {
                recorder.note("the summary of its grant", &json!(summary).to_string());
            }
            Err(_) => {}
        }
    }
    recorder.lock().secrets.remove(TOKEN);
    if let Ok(report) = session.answer("check", instance.check())? {
        recorder.note("a finding of `check`", &json!(report).to_string());
    }
    if let Ok(summary) = session.collect(&CollectRequest::default())? {
        recorder.note("the summary of `collect`", &json!(summary).to_string());
    }
    let _ = session.answer("disable", instance.disable())?;
    let mut planted: Vec<Secret> = subject.profile.secrets().into_values().collect();
    planted.extend(subject.profile.token());
    // The link of an authorization holds what the connector keeps as a secret to know its answer by.
    if links.iter().any(|link| holds(link, &planted)) {
        return failed("the link of `authorize` holds a secret");
    }
    let state = recorder.lock();
    planted.extend(state.stored.iter().cloned());
    match state.said.iter().find(|(_, text)| holds(text, &planted)) {
        Some((place, _)) => failed(format_args!("{place} holds a secret")),
        None => Ok(()),
    }
}

fn holds(text: &str, secrets: &[Secret]) -> bool {
    let forms = secrets.iter().flat_map(|secret| redact::forms(secret.expose()));
    forms.filter(|form| form.len() >= redact::SHORTEST).any(|form| text.contains(&form))
}

/// Everything once, as far as it goes.
fn whole_life(subject: &Subject) -> Result {
    let session = match (subject.ready(), subject.enabled()) {
        (Ok(session), _) | (Err(Unmet::NotApplicable(_)), Ok(session)) => session,
        (Err(Unmet::NotApplicable(_)), Err(_)) => subject.fresh()?,
        (Err(unmet), _) => return Err(unmet),
    };
    let instance = &session.instance;
    let _ = session.answer("check", instance.check())?;
    let _ = session.collect(&CollectRequest::default())?;
    let _ = session.answer("disable", instance.disable())?;
    Ok(())
}
