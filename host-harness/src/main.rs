//! The endpoint server's program: takes the environment, runs the command line.

use std::process::ExitCode;

use host_harness::settings::Environment;

fn main() -> ExitCode {
    // SAFETY: nothing ran before this line, so no other thread reads the environment.
    let environment = unsafe { Environment::take() };
    host_harness::cli::main(environment)
}
