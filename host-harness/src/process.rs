//! What a process that holds secrets keeps from others, how it uses memory, and who may stop it.

/// No core dump, and no reading of this process's memory by other processes of the account: both
/// would hold secrets in clear. Best effort; the programs it starts dump no core either.
pub(crate) fn keep_memory_private() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        if let Err(error) = setrlimit(Resource::Core, none) {
            log::debug!("core dumps could not be switched off: {error}");
        }
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            log::debug!("the process stays readable for its account: {error}");
        }
    }
}

/// Lets freed memory serve every thread, and large blocks go back to the system. By itself glibc gives
/// each thread a place of its own and never takes what one thread freed to serve another: a run that
/// has nine threads for a while then keeps nine times what it needs, for years in a server. Allocation
/// is no hot spot here; the threads wait for the network most of the time.
pub(crate) fn share_memory_among_threads() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes two numbers and no pointer.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
    }
}

/// Calls `handler` at Ctrl-C and SIGTERM, and at SIGHUP. Whoever started this process with Ctrl-C or
/// SIGHUP ignored (`nohup`, a shell's job in the background) wants it to continue: these stay ignored.
///
/// # Errors
/// When the system refuses; then the signals mean what they always do.
pub(crate) fn on_request_to_stop(
    handler: impl FnMut() + Send + 'static,
) -> Result<(), ctrlc::Error> {
    #[cfg(unix)]
    let ignored: Vec<libc::c_int> =
        [libc::SIGINT, libc::SIGHUP].into_iter().filter(|signal| is_ignored(*signal)).collect();
    ctrlc::set_handler(handler)?;
    #[cfg(unix)]
    for signal in ignored {
        // SAFETY: ignoring a signal runs no code.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    Ok(())
}

#[cfg(unix)]
fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: no new action is given; the present one is written where there is room for it, and read
    // only if it was.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
