//! How many requests run at the same time.

use std::time::Duration;

use connector_api::{Error, Host};
use parking_lot::{Condvar, Mutex};

/// Time between two looks at the cancel flag while a request waits.
const CANCEL_POLL: Duration = Duration::from_millis(200);

/// Lets every request through until the org reports too many concurrent ones, and from then on one
/// after the other.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    traffic: Mutex<Traffic>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Traffic {
    running: u32,
    one_at_a_time: bool,
}

impl Gate {
    /// Waits for a place, which is held until the value is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`](connector_api::ErrorKind::CANCELLED).
    pub(crate) fn enter(&self, host: &Host) -> Result<Inside<'_>, Error> {
        let mut traffic = self.traffic.lock();
        while traffic.one_at_a_time && traffic.running > 0 {
            host.stop_if_cancelled()?;
            self.left.wait_for(&mut traffic, CANCEL_POLL);
        }
        traffic.running += 1;
        Ok(Inside(self))
    }

    /// Limits the session to one request at a time.
    pub(crate) fn narrow(&self) {
        self.traffic.lock().one_at_a_time = true;
    }
}

/// A place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut traffic = self.0.traffic.lock();
        traffic.running = traffic.running.saturating_sub(1);
        drop(traffic);
        self.0.left.notify_one();
    }
}
