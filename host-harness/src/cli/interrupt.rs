//! Ctrl-C and SIGTERM as a request to stop.

use super::Reporter;
use crate::cancel::Cancel;

/// A request to stop that Ctrl-C sets; a second Ctrl-C ends the process at once.
pub(crate) fn cancel_on_interrupt(reporter: Reporter) -> Cancel {
    let cancel = Cancel::default();
    let asked = cancel.clone();
    let handler = crate::process::on_request_to_stop(move || {
        if asked.is_set() {
            std::process::exit(130);
        }
        reporter.note("stopping; press Ctrl-C again to stop at once");
        asked.set();
    });
    if let Err(error) = handler {
        log::warn!("a request to stop ends this process at once: {error}");
    }
    cancel
}
