//! The end of a reactor that the system leaves without readiness.

use crate::domain::notice::{Level, Notice};
use crate::engine::Engine;
use crate::i18n;
use crate::sys::clock;
use std::io;
use std::time::Duration;

/// How long the log may take to write why the process ends.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);

/// Ends the process as a panic does, and says why.
pub fn give_up(engine: &Engine, error: &io::Error) -> ! {
    let text = i18n::engine::system_does_not_say(error);
    engine.log().notice(clock::wall(), Notice::Other { level: Level::Error, kind: "gave_up", text });
    // A log that takes nothing at the moment does not keep the process alive.
    let (log, (done, written)) = (engine.log().clone(), std::sync::mpsc::channel());
    let writing = std::thread::Builder::new().spawn(move || {
        log.close();
        done.send(())
    });
    if writing.is_ok() {
        let _ = written.recv_timeout(LAST_WORDS_MAX);
    }
    std::process::abort()
}
