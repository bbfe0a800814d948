//! `heartbeat watch`: a table of monitors that follows the server's events.

use super::cli::Watch;
use super::config::Settings;
use super::failure::Failure;
use super::not_yet;

/// `heartbeat watch`.
pub async fn watch(_settings: &Settings, _watch: &Watch) -> Result<u8, Failure> {
    Err(not_yet())
}
