//! Notifications to the service manager that started this process, if there is one.

#[cfg(target_os = "linux")]
use sd_notify::NotifyState;

#[cfg(target_os = "linux")]
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::debug!("the service manager could not be notified: {error}");
    }
}

/// The server is ready.
pub(crate) fn ready() {
    #[cfg(target_os = "linux")]
    tell(&[NotifyState::Ready]);
}

/// The server's loop turned: feeds the watchdog.
pub(crate) fn alive() {
    #[cfg(target_os = "linux")]
    if std::env::var_os("WATCHDOG_USEC").is_some() {
        tell(&[NotifyState::Watchdog]);
    }
}

/// The server is about to stop.
pub(crate) fn stopping() {
    #[cfg(target_os = "linux")]
    tell(&[NotifyState::Stopping]);
}
