//! `heartbeat install`: writes the configuration, enables the service and shows the first beat answered.

use super::cli::Install;
use super::config::Settings;
use super::failure::Failure;
use super::not_yet;

/// `heartbeat install`.
pub async fn install(_settings: &Settings, _install: &Install) -> Result<u8, Failure> {
    Err(not_yet())
}
