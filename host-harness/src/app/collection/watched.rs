//! A connector's collection in a thread of its own, watched for silence and time.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use connector_api::message::CollectSummary;
use connector_api::{Error, ErrorKind};

use crate::app::collection::options::Options;
use crate::services::Context;
use crate::sink::RunSink;

/// Collects in a thread of its own, so that one that hangs can be left behind.
pub(crate) fn in_own_thread(
    work: impl FnOnce() -> Result<CollectSummary, Error> + Send + 'static,
    leave: impl Fn(),
    sink: &RunSink,
    options: &Options,
    context: &Arc<Context>,
) -> Result<CollectSummary, Error> {
    let (done, finished) = channel();
    let began = Instant::now();
    let thread = std::thread::Builder::new()
        .name("collect".into())
        .stack_size(8 << 20)
        .spawn(move || {
            let result = work();
            // Nobody listens any more if the run was abandoned.
            let _ = done.send(result);
        })
        .map_err(|error| {
            Error::new(ErrorKind::OTHER, format_args!("no thread for the run: {error}"))
        })?;
    // Why the host itself asked to stop.
    let mut stopped: Option<Error> = None;
    loop {
        match finished.recv_timeout(Duration::from_millis(100).min(options.grace)) {
            Ok(result) => {
                if thread.join().is_err() {
                    log::error!("the run's thread ended in a panic");
                }
                return stopped.map_or(result, Err);
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::new(ErrorKind::PANIC, "the run's thread ended in a panic"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(since) = context.cancel.since() {
            if since.elapsed() >= options.grace {
                sink.close();
                leave();
                return Err(stopped.unwrap_or_else(Error::cancelled));
            }
        } else if context.last_sign().elapsed() >= options.silence {
            stopped = Some(gave_no_sign(options));
            context.cancel.set();
        } else if began.elapsed() >= options.longest {
            stopped = Some(took_too_long(options));
            context.cancel.set();
        }
    }
}

fn took_too_long(options: &Options) -> Error {
    Error::new(
        ErrorKind::OTHER,
        format_args!(
            "the run took longer than {} hours and was stopped",
            options.longest.as_secs() / 3_600
        ),
    )
}

fn gave_no_sign(options: &Options) -> Error {
    Error::new(
        ErrorKind::PANIC,
        format_args!(
            "the connector gave no sign for {} seconds and was stopped",
            options.silence.as_secs()
        ),
    )
    .with_hint("collect again; with `-vv` the log shows what it was doing")
}
