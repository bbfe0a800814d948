//! An alert in words: a title, one sentence in the configured language, and what is said besides.
//!
//! What is common to many is said first, then the names, as many as a line on a telephone bears; how late the message is
//! comes last.

use super::slot;
use crate::domain::alert::message::{CommonCause, Message, MessageKind, Subject, SuspicionCause, age};
use crate::domain::lang::Lang;
use crate::domain::record::{Cause, Reason};
use crate::domain::time::{Span, Wall};
use crate::domain::zone::Zone;
use crate::i18n::{self, Text};
use crate::view::reason;
use crate::view::words::{lines, one_line};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Monitors that a sentence names; the others are counted.
const NAMED_MAX: usize = 10;
/// What stands as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A few words: the subject of a mail, the head of a card.
pub fn title(lang: Lang, message: &Message) -> String {
    if let Some((up, gone)) = parted(message) {
        return i18n::view::up_and_removed(&up_again(up), &were_removed(gone), &up, &gone).in_lang(lang);
    }
    let whom = match (message.first(), message.count) {
        (Some(one), 0 | 1) => one_line(&one.id).into_owned(),
        (_, count) => i18n::view::monitors(&count).in_lang(lang),
    };
    let be = if message.count > 1 { "are" } else { "is" };
    match message.kind {
        MessageKind::Down => i18n::view::down(&whom, &be).in_lang(lang),
        MessageKind::Recovered if all_removed(message) => {
            let were = if message.count > 1 { "were" } else { "was" };
            i18n::view::removed(&whom, &were).in_lang(lang)
        }
        MessageKind::Recovered => i18n::view::up_again(&whom, &be).in_lang(lang),
        MessageKind::Reminder if has_failed_again(message) => i18n::view::failed_again(&whom).in_lang(lang),
        MessageKind::Reminder => i18n::view::still_down(&whom, &be).in_lang(lang),
        MessageKind::Flapping => i18n::view::flapping(&whom, &be).in_lang(lang),
        MessageKind::Own if is_of_disk(message) => {
            i18n::view::DISK_HEARTBEAT_SERVER_FULL.in_lang(lang).into()
        }
        MessageKind::Own => i18n::view::HEARTBEAT_SERVER_SUSPECTS_ITSELF.in_lang(lang).into(),
        MessageKind::Test => i18n::view::TEST_NOTHING_WRONG.in_lang(lang).into(),
    }
}

/// The message in one sentence, always one line.
pub fn sentence(lang: Lang, message: &Message) -> String {
    one_line(&said_whole(lang, message)).into_owned()
}

/// The same for who reads more than a line: what a monitor said keeps its line breaks and tabs.
pub fn text(lang: Lang, message: &Message) -> String {
    lines(&said_whole(lang, message))
}

/// When it was, from where it was heard, who tells it and where to look: some lines.
pub fn details(lang: Lang, message: &Message) -> String {
    let mut parts = Vec::new();
    let zone = zone_of(message);
    let local = |at: Wall| shown_in(&zone, at);
    let one = message.first().filter(|_| message.count <= 1);
    match one {
        Some(Subject { since, ended: Some(ended), .. }) => {
            parts.push(i18n::view::from(&local(*since), &local(*ended)).in_lang(lang))
        }
        _ if message.first().is_some() => {
            let since = local(message.since());
            parts.push(i18n::view::since(&since).in_lang(lang));
        }
        _ => parts.push(local(message.made)),
    }
    if let Some(address) = one.and_then(|one| one.address.as_ref()) {
        let address = one_line(address);
        parts.push(i18n::view::last_heard_from(&address).in_lang(lang));
    }
    if !message.server.name.is_empty() {
        let name = one_line(&message.server.name);
        parts.push(i18n::view::told(&name).in_lang(lang));
    }
    let text = parts.join(i18n::view::SEMICOLON.in_lang(lang));
    link(message).map_or(text.clone(), |link| format!("{text}\n{link}"))
}

/// The page of the monitor, or of all, where it is known under which address people reach it.
pub(super) fn link(message: &Message) -> Option<String> {
    let url = message.server.page_url.as_ref()?;
    Some(match message.first().filter(|one| message.count <= 1 && !one.removed) {
        Some(one) => format!("{url}/monitors/{}", utf8_percent_encode(&one.id, PATH)),
        None => format!("{url}/"),
    })
}

/// Whose clocks the times in a message go by: those of the monitors, if they share a zone, or else this machine's.
fn zone_of(message: &Message) -> Zone {
    let name = message.first().and_then(|one| one.zone.as_deref());
    let shared = name.filter(|name| message.monitors.iter().all(|one| one.zone.as_deref() == Some(*name)));
    shared.and_then(|name| Zone::parse(name).ok()).unwrap_or_default()
}

/// A moment as clocks show it there.
pub(super) fn shown_in(zone: &Zone, at: Wall) -> String {
    zone.stamp_s(at).unwrap_or_else(|| at.rfc3339())
}

fn said_whole(lang: Lang, message: &Message) -> String {
    let mut text = undelayed(lang, message);
    if message.delayed > Span(0) {
        let late = shown(message.delayed);
        text.push_str(&i18n::view::message_late(&late).in_lang(lang));
    }
    if message.unstored {
        text.push_str(i18n::view::NOT_STORED_SINCE_SERVER.in_lang(lang));
    }
    text
}

/// Whether it says that our own disk is full.
fn is_of_disk(message: &Message) -> bool {
    matches!(message.doubt, Some((SuspicionCause::Disk, _)))
}

/// The sentence but for how late it is.
fn undelayed(lang: Lang, message: &Message) -> String {
    let lasted = shown(message.duration());
    let mut text = match (message.kind, message.first()) {
        (MessageKind::Test, _) => i18n::view::test_notifier_nothing_wrong(&message.notifier).in_lang(lang),
        (MessageKind::Own, _) if is_of_disk(message) => {
            i18n::view::DISK_SERVER_FULL_WHAT.in_lang(lang).to_string()
        }
        (MessageKind::Own, _) => {
            let (doubt, all) = message.doubt.unwrap_or((SuspicionCause::Restart, message.count));
            let event = match doubt {
                SuspicionCause::Network => i18n::view::MACHINE_LOST_NETWORK.in_lang(lang),
                SuspicionCause::Restart | SuspicionCause::Disk => {
                    i18n::view::SERVER_STARTED_AGAIN_STOOD.in_lang(lang)
                }
            };
            i18n::view::monitors_not_been_heard(&message.count, &all, &event).in_lang(lang)
        }
        (_, None) => title(lang, message),
        (kind, Some(one)) if message.count <= 1 => {
            let id = &one.id;
            match kind {
                MessageKind::Down if message.flaps.is_some() => {
                    i18n::view::does_not_flap_any(&id, &lasted).in_lang(lang)
                }
                MessageKind::Down => match (clause(lang, one), one.last_beat) {
                    _ if one.slot.is_some() => {
                        i18n::view::alert_down(&id, &slot::missed(lang, one, message.now)).in_lang(lang)
                    }
                    (Some(why), _) => i18n::view::alert_down_why(&id, &why).in_lang(lang),
                    (None, Some(last)) => {
                        i18n::view::alert_down_silent(&id, &shown(silence(last, one, message.now)))
                            .in_lang(lang)
                    }
                    (None, None) => i18n::view::alert_down_never_heard(&id).in_lang(lang),
                },
                MessageKind::Recovered if one.removed => {
                    i18n::view::removed_been_down(&id, &lasted).in_lang(lang)
                }
                MessageKind::Recovered if message.flaps.is_some() => {
                    i18n::view::does_not_flap_any_more(&id).in_lang(lang)
                }
                MessageKind::Recovered => i18n::view::up_again_down(&id, &lasted).in_lang(lang),
                MessageKind::Flapping => {
                    let (times, within) = message.flaps.unwrap_or((2, Span::secs(3600)));
                    i18n::view::flapping_down_times_within(&id, &times, &shown(within)).in_lang(lang)
                }
                _ if one.failures > 0 => {
                    i18n::view::alert_again_down_for(&id, &failed_again(lang, one), &lasted).in_lang(lang)
                }
                _ if one.slot.is_some() => {
                    i18n::view::alert_still_down(&id, &lasted, &slot::missed(lang, one, message.now))
                        .in_lang(lang)
                }
                _ => match clause(lang, one) {
                    Some(why) => i18n::view::alert_still_down_why(&id, &lasted, &why).in_lang(lang),
                    None => i18n::view::alert_still_down_for(&id, &lasted).in_lang(lang),
                },
            }
        }
        (kind, Some(_)) => {
            let what = match kind {
                MessageKind::Recovered if all_removed(message) => {
                    i18n::view::removed_down_up(&lasted).in_lang(lang)
                }
                MessageKind::Recovered => i18n::view::up_again_down_up(&lasted).in_lang(lang),
                MessageKind::Reminder if has_failed_again(message) => {
                    i18n::view::failed_again_down_up(&lasted).in_lang(lang)
                }
                MessageKind::Reminder => i18n::view::still_down_up(&lasted).in_lang(lang),
                MessageKind::Flapping => i18n::view::FLAPPING_NOTHING_MORE_SAID.in_lang(lang).to_string(),
                _ => i18n::view::DOWN_2.in_lang(lang).to_string(),
            };
            let lead = match &message.shared {
                Some(CommonCause::After(id)) => i18n::view::behind(&id).in_lang(lang),
                Some(CommonCause::Network(network)) => i18n::view::in_network(&network).in_lang(lang),
                None => String::new(),
            };
            match parted(message) {
                Some(parted) => i18n::view::lead_and_parts(&lead, &both(lang, message, parted)).in_lang(lang),
                None => i18n::view::alert_of_several(&lead, &message.count, &what, &names(lang, message))
                    .in_lang(lang),
            }
        }
    };
    if let Some(said) = said(message) {
        text.push_str(&i18n::view::after_colon(&said).in_lang(lang));
    }
    if message.dependants_count > 0 {
        let named = some(&message.dependants, message.dependants_count, lang);
        text.push_str(&i18n::view::silent_behind(&named).in_lang(lang));
    }
    text.trim_start().to_string()
}

/// What a monitor said when it reported that it fails, or since then; or what a test says.
fn said(message: &Message) -> Option<&str> {
    let one = message.first().filter(|_| message.count == 1)?;
    let tells = message.kind == MessageKind::Test
        || has_failed_again(message)
        || matches!(message.kind, MessageKind::Down | MessageKind::Reminder)
            && matches!(one.cause, Some(Cause::Fail | Cause::RunTooLong));
    one.said.as_deref().filter(|_| tells)
}

/// Whether a message tells of failed runs of monitors that were down before.
fn has_failed_again(message: &Message) -> bool {
    message.kind == MessageKind::Reminder && message.first().is_some_and(|one| one.failures > 0)
}

fn failed_again(lang: Lang, one: &Subject) -> String {
    let how = one.exit.map(|exit| reason::exit(lang, exit));
    let text: Text = match (one.failures, how) {
        (1, None) => i18n::view::FAILED_AGAIN.into(),
        (1, Some(how)) => i18n::view::failed_again_how(&how),
        (times, None) => i18n::view::failed_more_times(&times),
        (times, Some(how)) => i18n::view::failed_more_times_last(&times, &how),
    };
    text.in_lang(lang)
}

/// Why it is down, where that is something else than silence.
fn clause(lang: Lang, one: &Subject) -> Option<String> {
    let reason = Reason { cause: one.cause?, exit: one.exit, run_started: one.run_started };
    reason::clause(lang, &reason, one.since)
}

/// Whether none of those of whom a message speaks is up again: they are gone.
fn all_removed(message: &Message) -> bool {
    !message.monitors.is_empty() && message.monitors.iter().all(|one| one.removed)
}

/// Of those of whom it is told that it is over, how many are up again and how many are gone, where there are both.
fn parted(message: &Message) -> Option<(u64, u64)> {
    let listed = message.monitors.iter().filter(|one| one.removed).count() as u64;
    // Versions before 0.5 counted those that they listed.
    let gone = message.removed_count.max(listed).min(message.count);
    let up = message.count - gone;
    (message.kind == MessageKind::Recovered && up > 0 && gone > 0).then_some((up, gone))
}

/// The same with how long those that are up again were down, and with the names of both.
fn both(lang: Lang, message: &Message, (up, gone): (u64, u64)) -> String {
    let [back, removed] = [(false, up), (true, gone)].map(|(removed, count)| {
        let ids: Vec<&str> = message
            .monitors
            .iter()
            .filter(|one| one.removed == removed)
            .take(NAMED_MAX)
            .map(|one| one.id.as_str())
            .collect();
        // Of more than are listed there may be none to name.
        match ids.is_empty() {
            true => String::new(),
            false => i18n::view::COLON.in_lang(lang).to_string() + &some(&ids, count, lang),
        }
    });
    let lasted = message.monitors.iter().filter(|one| !one.removed);
    let lasted = lasted.map(|one| age(one.since, one.ended.unwrap_or(message.now))).max();
    let lasted = shown(lasted.unwrap_or_default());
    let (up_again, were_removed) = (up_again(up), were_removed(gone));
    i18n::view::down_up(&up_again, &lasted, &back, &were_removed, &removed, &up, &gone).in_lang(lang)
}

fn up_again(count: u64) -> String {
    if count == 1 { "1 monitor is up again".into() } else { format!("{count} monitors are up again") }
}

fn were_removed(count: u64) -> String {
    format!("{count} {} removed", if count == 1 { "was" } else { "were" })
}

/// For how long a monitor that is down, or was, has been silent.
fn silence(last_beat: Wall, one: &Subject, now: Wall) -> Span {
    age(last_beat, one.ended.unwrap_or(now))
}

fn names(lang: Lang, message: &Message) -> String {
    let named = || message.monitors.iter().take(NAMED_MAX);
    // What is over says no more how it began.
    let tells = matches!(message.kind, MessageKind::Down | MessageKind::Reminder)
        && named().any(|one| one.exit.is_some());
    let name = |one: &Subject| match one.exit.filter(|_| tells) {
        Some(how) => format!("{}{}{}", one.id, i18n::view::COMMA.in_lang(lang), reason::exit(lang, how)),
        None => one.id.clone(),
    };
    let between =
        if tells { i18n::view::SEMICOLON.in_lang(lang) } else { i18n::view::LIST_COMMA.in_lang(lang) };
    parted_by(between, &named().map(name).collect::<Vec<_>>(), message.count, lang)
}

fn some<T: AsRef<str>>(names: &[T], count: u64, lang: Lang) -> String {
    parted_by(i18n::view::LIST_COMMA.in_lang(lang), names, count, lang)
}

fn parted_by<T: AsRef<str>>(between: &str, names: &[T], count: u64, lang: Lang) -> String {
    let named: Vec<&str> = names.iter().take(NAMED_MAX).map(AsRef::as_ref).collect();
    let text = named.join(between);
    match count.saturating_sub(named.len() as u64) {
        0 => text,
        more => i18n::view::more(&text, &more).in_lang(lang),
    }
}

/// A length of time as people want to read it: whole seconds, and whole minutes from an hour on.
fn shown(span: Span) -> Span {
    let unit_ms = if span >= Span::secs(3600) { 60_000 } else { 1000 };
    Span(span.0 / unit_ms * unit_ms)
}
