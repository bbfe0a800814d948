//! `heartbeat send`: one beat, and success only when the server has acknowledged it.

use super::beat::OutgoingBeat;
use super::channel::send_one;
use super::cli;
use super::complain;
use super::config::ClientSettings;
use super::error::ClientError;
use super::server_url::ServerProtocol;
use crate::domain::beat::Warning;
use crate::domain::lang::Lang;
use crate::domain::limits::MESSAGE_BYTES_MAX;
use crate::i18n;
use std::fmt::Display;

/// Sends it.
///
/// # Errors
/// When the beat is not known to be accepted.
pub async fn send(settings: &ClientSettings, wanted: &cli::SendArgs) -> Result<u8, ClientError> {
    let beat = OutgoingBeat::of(&settings.id_or_host()?)
        .every(wanted.interval)
        .grace(wanted.grace)
        .status(wanted.status.unwrap_or_default())
        .rid(wanted.rid.clone())
        .tags(wanted.tags.clone().map(|tags| tags.0))
        .message(wanted.message.as_deref());
    let lang = settings.lang;
    if wanted.message.as_ref().is_some_and(|text| text.len() > MESSAGE_BYTES_MAX) {
        complain(warned(Warning::MessageCut.sentence(), lang));
    }
    if settings.to.protocol == ServerProtocol::Tcp {
        for field in beat.unfit_for_a_line() {
            complain(i18n::client::left_out_raw_tcp(&field).in_lang(lang));
        }
    }
    for warning in send_one(settings, beat).await? {
        complain(warned(warning, lang));
    }
    Ok(0)
}

/// A warning of the server about an accepted beat.
pub(super) fn warned(warning: impl Display, lang: Lang) -> String {
    i18n::client::beat_counts_but(&warning).in_lang(lang)
}
