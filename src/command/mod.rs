//! The commands that are not the daemon: each reads, prints and is done.
//!
//! They write to what they are given and answer with an exit code (sysexits), so that tests can read along.

pub mod check;
pub mod firewall;
pub mod generate;
pub mod test_alert;
