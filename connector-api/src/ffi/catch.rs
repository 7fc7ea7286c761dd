//! Panics become errors on both sides of the boundary.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::abi::{PResult, to_wire};
use crate::error::{Error, ErrorKind};

thread_local! {
    static PANIC_PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes where a panic happened, so that the guard can say it; prints nothing. Each library has a
/// panic hook of its own: this sets it once for the library it is linked into.
pub fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().map(ToString::to_string);
            PANIC_PLACE.with(|slot| *slot.borrow_mut() = place);
        }));
    });
}

/// Runs `f`; a panic becomes an [`ErrorKind::PANIC`] error that names `what` and the place.
///
/// # Errors
/// Those of `f`, and the panic.
pub fn catch<T>(what: &str, f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    PANIC_PLACE.with(|slot| slot.borrow_mut().take());
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result,
        Err(payload) => {
            let text = payload_text(payload);
            let place = PANIC_PLACE.with(|slot| slot.borrow_mut().take());
            let place = place.map_or_else(String::new, |place| format!(" at {place}"));
            Err(Error::new(ErrorKind::PANIC, format_args!("panic in `{what}`{place}: {text}")))
        }
    }
}

fn payload_text(payload: Box<dyn Any + Send>) -> String {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "no message".to_owned(),
    };
    // The payload's own Drop may panic, and so may what that throws.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    text
}

/// [`catch`], with the result as it crosses the boundary. Both sides wrap what the other one calls:
/// a callback of the host runs under the connector's frames.
pub(super) fn guarded<T>(what: &str, f: impl FnOnce() -> Result<T, Error>) -> PResult<T> {
    to_wire(catch(what, f))
}
