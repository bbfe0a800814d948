//! The slot of its schedule that a monitor has missed, by the clocks that the schedule goes by.

use crate::domain::alert::message::Subject;
use crate::domain::lang::Lang;
use crate::domain::time::Wall;
use crate::domain::zone::Zone;
use crate::i18n;
use jiff::civil::DateTime;

/// When it was expected, by which zone, and which beat came last, to be put behind `X is down`. Of one that came nearer to
/// this slot than to the one before people would think that it counts.
pub(super) fn missed(lang: Lang, one: &Subject, now: Wall) -> String {
    let zone = one.zone.as_deref().and_then(|name| Zone::parse(name).ok()).unwrap_or_default();
    let Some((slot, wall)) = one.slot.and_then(|slot| Some((zone.civil(slot)?, slot))) else {
        return String::new();
    };
    // The date is known to whoever is told at once.
    let at = moment(slot, zone.civil(now));
    let name = zone.public_name(wall);
    let last = one.last_beat.and_then(|last| zone.civil(last)).map(|last| moment(last, Some(slot)));
    let text = match last {
        Some(last) if one.near => i18n::view::expected_and_near(&at, &name, &last),
        Some(last) => i18n::view::expected_and_last(&at, &name, &last),
        None => i18n::view::no_first_beat_time(&at, &name),
    };
    text.in_lang(lang)
}

/// The time of day, and the date where it is another than that of `near`.
fn moment(at: DateTime, near: Option<DateTime>) -> String {
    let same_day = near.is_some_and(|near| near.date() == at.date());
    at.strftime(if same_day { "%H:%M" } else { "%Y-%m-%d %H:%M" }).to_string()
}
