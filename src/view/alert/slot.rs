//! The slot of its schedule that a monitor has missed, by the clocks that the schedule goes by.

use crate::domain::alert::message::Subject;
use crate::domain::lang::Lang;
use crate::domain::time::Wall;
use crate::domain::zone::Zone;
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
    match (lang, last) {
        (Lang::En, Some(last)) => {
            let none = if one.near { " and did not count for it" } else { "" };
            format!(", expected at {at} {name}; the last beat was at {last}{none}")
        }
        (Lang::En, None) => format!(", no first beat in time, expected at {at} {name}"),
        (Lang::Zh, Some(last)) => {
            let none = if one.near { "，不计入这一次" } else { "" };
            format!("，应于 {at}（{name}）收到心跳；最近一次心跳在 {last}{none}")
        }
        (Lang::Zh, None) => format!("，未按时收到首次心跳，应于 {at}（{name}）收到"),
    }
}

/// The time of day, and the date where it is another than that of `near`.
fn moment(at: DateTime, near: Option<DateTime>) -> String {
    let same_day = near.is_some_and(|near| near.date() == at.date());
    at.strftime(if same_day { "%H:%M" } else { "%Y-%m-%d %H:%M" }).to_string()
}
