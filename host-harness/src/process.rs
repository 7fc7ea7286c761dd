//! What a process that holds secrets keeps from others.

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
