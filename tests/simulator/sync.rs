//! Locking without panics: the org's state stays readable after a thread died holding it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`; a poisoned lock is taken over, since every critical section leaves its
/// data in a usable state.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
