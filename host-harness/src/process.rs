//! What a process that holds secrets keeps from others, what it may use, and how it uses memory.

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

/// The pipes of a worker, taken away from the standard streams: what a library prints must not get
/// between the frames.
#[cfg(unix)]
pub(crate) fn take_standard_streams() -> std::io::Result<(std::fs::File, std::fs::File)> {
    use rustix::io::fcntl_dupfd_cloexec;
    use rustix::stdio::{dup2_stdin, dup2_stdout, stderr, stdin, stdout};
    let input = fcntl_dupfd_cloexec(stdin(), 3)?;
    let output = fcntl_dupfd_cloexec(stdout(), 3)?;
    dup2_stdin(std::fs::File::open("/dev/null")?)?;
    dup2_stdout(stderr())?;
    Ok((input.into(), output.into()))
}

/// The pipes of a worker.
#[cfg(windows)]
pub(crate) fn take_standard_streams() -> std::io::Result<(std::fs::File, std::fs::File)> {
    use std::os::windows::io::AsHandle;
    let input = std::io::stdin().as_handle().try_clone_to_owned()?;
    let output = std::io::stdout().as_handle().try_clone_to_owned()?;
    Ok((input.into(), output.into()))
}

/// Limits this process for good, and lets it end with the one that started it.
pub(crate) fn limit(limits: crate::worker::Limits) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::Resource;
        bound(Resource::As, limits.memory_mib.saturating_mul(1 << 20))?;
        bound(Resource::Cpu, limits.cpu_s)?;
        bound(Resource::Nofile, limits.files)?;
    }
    #[cfg(not(unix))]
    let _ = limits;
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        rustix::thread::set_no_new_privs(true)?;
    }
    Ok(())
}

/// From here on, writing to a file ends this process. Pipes and connections are no files.
pub(crate) fn write_no_files() -> std::io::Result<()> {
    #[cfg(unix)]
    bound(rustix::process::Resource::Fsize, 0)?;
    Ok(())
}

#[cfg(unix)]
fn bound(resource: rustix::process::Resource, most: u64) -> std::io::Result<()> {
    use rustix::process::{Rlimit, getrlimit, setrlimit};
    // An account's own, lower limit stays.
    let most = getrlimit(resource).maximum.map_or(most, |limit| limit.min(most));
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    Ok(())
}
