//! Log records to standard error: one event one line, live secrets masked.

use std::io::Write;

use log::LevelFilter;

use super::serve::LogFormat;
use crate::redact;
use crate::time;

/// Installs the logger: warnings by default, `-v` information, `-vv` debug, `-vvv` everything. A
/// server, which has a format of its own, begins at information.
pub(crate) fn install(verbose: u8, quiet: bool, server: Option<LogFormat>) {
    let verbose = if server.is_some() { verbose.max(1) } else { verbose };
    let json = server == Some(LogFormat::Json);
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::Error,
        (_, 0) => LevelFilter::Warn,
        (_, 1) => LevelFilter::Info,
        (_, 2) => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    let detailed = level >= LevelFilter::Info;
    // A second command line in one process keeps the first one's logger.
    let _ = env_logger::Builder::new()
        .filter_level(level)
        .target(env_logger::Target::Pipe(Box::new(AboveProgress)))
        .format(move |buffer, record| {
            let message = redact::shown(&record.args().to_string());
            let word = record.level().as_str().to_ascii_lowercase();
            if json {
                let record = serde_json::json!({
                    "at": time::rfc3339(time::now()),
                    "level": word,
                    "target": redact::shown(record.target()),
                    "message": message,
                });
                writeln!(buffer, "{record}")
            } else if detailed {
                let target = redact::shown(record.target());
                writeln!(buffer, "{} {word} {target}: {message}", time::rfc3339(time::now()))
            } else {
                writeln!(buffer, "{word}: {message}")
            }
        })
        .try_init();
    log::set_max_level(level);
}

struct AboveProgress;

impl Write for AboveProgress {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut result = Ok(());
        super::bars::above(|| result = std::io::stderr().lock().write_all(bytes));
        result.map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
    }
}
