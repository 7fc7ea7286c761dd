//! How many requests run at the same time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connector_api::{Error, Host};

/// Lets requests through, all of them until the org says that too many run at once, and then one
/// after the other.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: u32,
    one_at_a_time: bool,
}

impl Gate {
    /// Waits for a place, until the value is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::CANCELLED`](connector_api::ErrorKind::CANCELLED).
    pub(crate) fn enter(&self, host: &Host) -> Result<Inside<'_>, Error> {
        let mut state = self.lock();
        while state.one_at_a_time && state.running > 0 {
            host.stop_if_cancelled()?;
            (state, _) = self
                .left
                .wait_timeout(state, Duration::from_millis(200))
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.running += 1;
        Ok(Inside(self))
    }

    /// From here on one request runs at a time.
    pub(crate) fn narrow(&self) {
        self.lock().one_at_a_time = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running = state.running.saturating_sub(1);
        drop(state);
        self.0.left.notify_one();
    }
}
