//! What a worker process may use, and its pipes.

/// The pipes of a worker, taken away from the standard streams: what a library prints must not get
/// between the frames.
#[cfg(unix)]
pub(super) fn take_standard_streams() -> std::io::Result<(std::fs::File, std::fs::File)> {
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
pub(super) fn take_standard_streams() -> std::io::Result<(std::fs::File, std::fs::File)> {
    use std::os::windows::io::AsHandle;
    let input = std::io::stdin().as_handle().try_clone_to_owned()?;
    let output = std::io::stdout().as_handle().try_clone_to_owned()?;
    Ok((input.into(), output.into()))
}

/// Limits this process for good, and lets it end with the one that started it.
pub(super) fn limit(limits: super::Limits) -> std::io::Result<()> {
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
pub(super) fn write_no_files() -> std::io::Result<()> {
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
