//! Asking a run to stop, and sleeping until then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A request to stop, shared by everyone it concerns.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<(Mutex<Option<Instant>>, Condvar)>);

impl Cancel {
    /// Asks to stop; wakes every sleeper. Asking again changes nothing.
    pub fn set(&self) {
        let (state, wake) = &*self.0;
        state.lock().get_or_insert_with(Instant::now);
        wake.notify_all();
    }

    /// Whether someone asked.
    pub fn is_set(&self) -> bool {
        self.since().is_some()
    }

    /// When someone asked first.
    pub fn since(&self) -> Option<Instant> {
        *self.0.0.lock()
    }

    /// Sleeps; true as soon as someone asked to stop.
    pub fn sleep(&self, duration: Duration) -> bool {
        let (state, wake) = &*self.0;
        let mut state = state.lock();
        wake.wait_while_for(&mut state, |asked| asked.is_none(), duration);
        state.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeper_wakes_at_once_when_asked_to_stop() {
        let cancel = Cancel::default();
        let sleeper = {
            let cancel = cancel.clone();
            std::thread::spawn(move || cancel.sleep(Duration::from_secs(3_600)))
        };
        cancel.set();
        assert!(sleeper.join().unwrap());
        assert!(!Cancel::default().sleep(Duration::from_millis(1)));
    }
}
