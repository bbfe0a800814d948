//! Tests that cannot run where they are.
//!
//! libtest decides what is ignored before a test runs, so a test that finds out later that something is missing has no
//! way to say so and would count as passed. [`skip`] writes such a test down with its reason: on stderr, past libtest's
//! capture, and in the file named by `HEARTBEAT_SKIPS`, from which the closing line of `make test` is made. Where `CI` is
//! set everything must run, and a skip is a failure.

use std::io::Write;

/// Writes down that the test of this thread does not run, and why. Panics where `CI` is set.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test").to_string();
    assert!(std::env::var_os("CI").is_none(), "{test} must run in CI: {reason}");
    let line = format!("SKIPPED {test}: {reason}\n");
    // Only the print macros are captured by libtest.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("HEARTBEAT_SKIPS") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        assert!(written.is_ok(), "HEARTBEAT_SKIPS={}: {written:?}", path.to_string_lossy());
    }
}
