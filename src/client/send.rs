//! `heartbeat send`: one beat, and success only when the server has acknowledged it.

use super::beat::Outgoing;
use super::channel::send_one;
use super::cli;
use super::config::Settings;
use super::failure::{EX_USAGE, Failure};
use super::target::Protocol;

/// Sends it.
///
/// # Errors
/// Whenever it is not known to be taken.
pub async fn send(settings: &Settings, wanted: &cli::Send) -> Result<u8, Failure> {
    let beat = Outgoing::of(&settings.id_or_host()?)
        .every(wanted.interval)
        .grace(wanted.grace)
        .status(wanted.status.unwrap_or_default())
        .rid(wanted.rid.clone())
        .tags(wanted.tags.clone().map(|tags| tags.0))
        .message(wanted.message.as_deref());
    if settings.to.protocol == Protocol::Tcp && beat.needs_json() {
        return Err(Failure::new(
            EX_USAGE,
            "raw TCP carries no tags: use http:// or ws://",
            "TCP 不能传送标签：请使用 http:// 或 ws://",
        ));
    }
    send_one(settings, beat).await?;
    Ok(0)
}
