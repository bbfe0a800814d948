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

/// Sends it, to several servers at once: what one does not take is no matter of the others.
///
/// # Errors
/// When no server is known to have accepted the beat.
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
    if settings.servers().any(|server| server.protocol == ServerProtocol::Tcp) {
        for field in beat.unfit_for_a_line() {
            complain(i18n::client::left_out_raw_tcp(&field).in_lang(lang));
        }
    }
    for warning in to_any(settings, beat).await? {
        complain(warned(warning, lang));
    }
    Ok(0)
}

/// Sends a beat to each server at the same time. The warnings of those that have accepted it, each once; who has not is
/// said on standard error.
///
/// # Errors
/// That of the first server when none is known to have accepted it; those of the others are said too.
pub(super) async fn to_any(
    settings: &ClientSettings,
    beat: OutgoingBeat,
) -> Result<Vec<String>, ClientError> {
    if !settings.has_several() {
        return send_one(settings, beat).await;
    }
    let sending = settings.per_server().into_iter().map(|one| {
        let beat = beat.clone();
        async move { send_one(&one, beat).await }
    });
    let mut warnings = Vec::new();
    any_of(all_of(sending).await, settings.lang)?.into_iter().flatten().for_each(|warning| {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    });
    Ok(warnings)
}

/// Runs all at the same time; what came of each, in their order.
pub(super) async fn all_of<T: Send + 'static>(
    all: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = all.map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        // Only a panic could be the error.
        done.extend(task.await.ok());
    }
    done
}

/// Those that went well, if any did; the errors of the others are said on standard error.
///
/// # Errors
/// The first, when nothing went well.
pub(super) fn any_of<T>(all: Vec<Result<T, ClientError>>, lang: Lang) -> Result<Vec<T>, ClientError> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    all.into_iter().for_each(|one| match one {
        Ok(value) => done.push(value),
        Err(failure) => failed.push(failure),
    });
    let own = if done.is_empty() && !failed.is_empty() { Some(failed.remove(0)) } else { None };
    failed.iter().for_each(|failure| complain(failure.sentence(lang)));
    own.map_or(Ok(done), Err)
}

/// A warning of the server about an accepted beat.
pub(super) fn warned(warning: impl Display, lang: Lang) -> String {
    i18n::client::beat_counts_but(&warning).in_lang(lang)
}
