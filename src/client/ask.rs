//! What is asked of the server about its monitors, and wished for them: list, show, pause, resume, remove.

use super::cli::{List, Named, Pause, Show};
use super::config::Settings;
use super::failure::Failure;
use super::not_yet;

/// `heartbeat list`.
pub async fn list(_settings: &Settings, _list: &List) -> Result<u8, Failure> {
    Err(not_yet())
}

/// `heartbeat show`.
pub async fn show(_settings: &Settings, _show: &Show) -> Result<u8, Failure> {
    Err(not_yet())
}

/// `heartbeat pause`.
pub async fn pause(_settings: &Settings, _pause: &Pause) -> Result<u8, Failure> {
    Err(not_yet())
}

/// `heartbeat resume`.
pub async fn resume(_settings: &Settings, _named: &Named) -> Result<u8, Failure> {
    Err(not_yet())
}

/// `heartbeat remove`.
pub async fn remove(_settings: &Settings, _named: &Named) -> Result<u8, Failure> {
    Err(not_yet())
}
