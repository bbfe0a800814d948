//! `heartbeat-server check-config`: reads the configuration as the daemon would, and says what would run.
//!
//! Nothing is opened, bound or created. What would run goes to standard output, warnings and faults to standard
//! error; the faults are `file:line: key: reason`, one a line.

use crate::config::cli::Args;
use crate::config::{Env, Settings};
use crate::i18n;
use std::io::Write;

/// Checks and prints. Answers 0, or the exit code of the first fault: 64, 66, 74, 77 or 78; 74 too when the output
/// cannot be written.
pub fn run(args: &Args, env: &Env, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    const EX_IOERR: u8 = 74;
    let (code, written) = match Settings::load(args, env) {
        Ok(settings) => {
            let warning = i18n::command::WARNING.in_lang(settings.lang);
            let warnings: String =
                settings.warnings.iter().map(|text| format!("{warning}{text}\n")).collect();
            // -q: only what is wrong, for a unit whose output goes to the journal at every reload.
            let described = if args.quiet > 0 { String::new() } else { settings.describe(settings.lang) };
            let written =
                err.write_all(warnings.as_bytes()).and_then(|()| out.write_all(described.as_bytes()));
            (0, written)
        }
        Err(error) => (error.exit_code(), writeln!(err, "{}", error.sentence(error.lang()))),
    };
    if written.and_then(|()| out.flush()).is_ok() { code } else { EX_IOERR }
}
