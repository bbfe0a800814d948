//! What stands behind `?`: the parameters of lists, read into values that cannot be wrong, and the fields of beats.
//!
//! A parameter that is not known is passed over, since links and tools like to add their own; of one given twice the
//! last holds; an empty one is the same as none, because a form sends it so. What is wrong names its parameter.
//!
//! A cursor is `KEY:ID`: what the list was ordered by at its last row, and that row's id. It points behind a place, not
//! at a row, so it holds though the row is gone. Clients hand it back as they got it.

use super::control::{ControlError, moment};
use super::fields::Fields;
use crate::domain::beat::Warning;
use crate::domain::id::Id;
use crate::domain::lang::Lang;
use crate::domain::limits::{LIST_DEFAULT, LIST_MAX, SEARCH_CHARS_MAX, TAG_BYTES_MAX};
use crate::domain::notice::State;
use crate::domain::pattern;
use crate::domain::registry::{Cursor, MonitorView, Order};
use crate::domain::time::Wall;
use percent_encoding::percent_decode_str;

/// Parameters of one query that are looked at.
const PARAMETERS_MAX: usize = 64;

/// Which monitors to list, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those whose id fits a pattern with `*`, or holds this text where it has none; empty: all.
    pub search: String,
    /// Only those with this label; empty: all.
    pub tag: String,
    /// In which order; `None`: as the place that asks finds best.
    pub order: Option<Order>,
    /// At most so many.
    pub limit: usize,
    /// Only those behind this place.
    pub after: Option<Cursor>,
    /// The cursor as it was given.
    pub after_text: Option<String>,
    /// Whether a page is to load itself again.
    pub refresh: bool,
}

/// Which incidents to list.
#[derive(Clone, Debug, PartialEq)]
pub struct Incidents {
    /// Only of this monitor.
    pub monitor: Option<String>,
    /// Only those that began or lasted then or later.
    pub since: Option<Wall>,
    /// Only those that have not ended.
    pub open: bool,
    /// At most so many.
    pub limit: usize,
    /// Only those behind the one that began then and has that name.
    pub after: Option<(Wall, String)>,
}

/// Reads which monitors are wanted.
pub fn selection(query: &str) -> Result<Selection, ControlError> {
    let mut selection = Selection {
        state: None,
        search: String::new(),
        tag: String::new(),
        order: None,
        limit: LIST_DEFAULT,
        after: None,
        after_text: None,
        refresh: true,
    };
    each(query, |key, value| {
        match key {
            "state" => selection.state = choice(&value, "state", STATES)?,
            "match" => {
                let text = value.trim();
                if text.chars().count() > SEARCH_CHARS_MAX {
                    return Err(ControlError::of("match", "must be at most 128 characters"));
                }
                selection.search = text.into();
            }
            "tag" if value.chars().count() > TAG_BYTES_MAX => {
                return Err(ControlError::of("tag", "must be at most 64 characters"));
            }
            "tag" => selection.tag = value,
            "sort" => selection.order = choice(&value, "sort", ORDERS)?,
            "limit" => selection.limit = limit(&value)?,
            "after" => {
                selection.after = (!value.is_empty()).then(|| cursor(&value)).transpose()?;
                selection.after_text = selection.after.is_some().then_some(value);
            }
            "refresh" => selection.refresh = value != "off",
            _ => {}
        }
        Ok(())
    })?;
    Ok(selection)
}

/// Reads which incidents are wanted.
pub fn incidents(query: &str) -> Result<Incidents, ControlError> {
    let mut wanted = Incidents { monitor: None, since: None, open: false, limit: LIST_DEFAULT, after: None };
    each(query, |key, value| {
        match key {
            "monitor" if value.is_empty() => wanted.monitor = None,
            "monitor" => {
                Id::new(&value).map_err(|error| ControlError::of("monitor", error.to_string()))?;
                wanted.monitor = Some(value);
            }
            "since" if value.is_empty() => wanted.since = None,
            "since" => wanted.since = Some(moment(&value, "since")?),
            "open" => {
                wanted.open = choice(&value, "open", &[("true", true), ("false", false)])?.unwrap_or(false);
            }
            "limit" => wanted.limit = limit(&value)?,
            "after" => {
                let place = (!value.is_empty()).then(|| cursor(&value)).transpose()?;
                wanted.after = place.map(|place| (Wall(place.key), place.id));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(wanted)
}

/// Reads the fields of a beat. What is not UTF-8 once decoded is repaired; an id or a status in which that was needed is
/// wrong.
pub fn beat(query: &str) -> Fields<'static> {
    let mut fields = Fields::default();
    for (key, value) in pairs(query).filter(|(_, value)| !value.is_empty()) {
        let (key, _) = decoded(key);
        let (value, repaired) = decoded(value);
        if fields.put(&key, value) && repaired {
            fields.warn(Warning::Encoding);
        }
    }
    fields
}

/// A parameter as text, repaired where it is not UTF-8; of one given twice the last.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let found = pairs(query).filter(|(key, _)| decoded(key).0 == name).last();
    found.map(|(_, value)| decoded(value).0)
}

/// Which alerts to list.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertsQuery {
    /// Only those of this state, one of `states`.
    pub state: Option<&'static str>,
    /// At most so many.
    pub limit: usize,
    /// Only those before this place.
    pub before: Option<u64>,
}

/// Reads the query of a list of alerts, whose states are named so.
pub fn alerts(query: &str, states: &[&'static str]) -> Result<AlertsQuery, ControlError> {
    let mut wanted = AlertsQuery { state: None, limit: LIST_DEFAULT, before: None };
    let states: Vec<(&str, &'static str)> = states.iter().map(|name| (*name, *name)).collect();
    each(query, |key, value| {
        match key {
            "state" => wanted.state = choice(&value, "state", &states)?,
            "limit" => wanted.limit = limit(&value)?,
            "after" if value.is_empty() => wanted.before = None,
            "after" => {
                let place =
                    value.parse().map_err(|_| ControlError::of("after", "not a place in this list"))?;
                wanted.before = Some(place);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(wanted)
}

/// The language that `?lang=` asks for.
pub fn lang(query: &str) -> Option<Lang> {
    let mut lang = None;
    let read = each(query, |key, value| {
        if key == "lang" {
            lang =
                [("en", Lang::En), ("zh", Lang::Zh)].into_iter().find(|(n, _)| *n == value).map(|(_, l)| l);
        }
        Ok(())
    });
    read.ok().and(lang)
}

/// A cursor as text.
pub fn cursor_text(key: i64, id: &str) -> String {
    format!("{key}:{id}")
}

impl Selection {
    /// Whether it takes a monitor.
    pub fn wants(&self, seen: &MonitorView<'_>) -> bool {
        let MonitorView { id, state, .. } = *seen;
        let found = || match self.search.as_str() {
            "" => true,
            search if search.contains('*') => pattern::matches(search, id),
            search => id.contains(search),
        };
        self.state.is_none_or(|wanted| wanted == state)
            && found()
            && (self.tag.is_empty() || seen.has_tag(&self.tag))
    }
}

const STATES: &[(&str, State)] = &[
    ("new", State::New),
    ("up", State::Up),
    ("late", State::Late),
    ("down", State::Down),
    ("paused", State::Paused),
];

const ORDERS: &[(&str, Order)] =
    &[("id", Order::Id), ("state", Order::State), ("last_beat", Order::LastBeat), ("since", Order::Since)];

/// One of a few words; an empty text is none of them and no fault.
fn choice<T: Copy>(text: &str, field: &'static str, words: &[(&str, T)]) -> Result<Option<T>, ControlError> {
    if text.is_empty() {
        return Ok(None);
    }
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| Some(*value));
    found.ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        ControlError::of(field, format!("must be one of {}", words.join(", ")))
    })
}

fn limit(text: &str) -> Result<usize, ControlError> {
    // "+5" is a number to the parser; nobody means it.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|n| digits && (1..=LIST_MAX).contains(n));
    number.ok_or(ControlError::of("limit", "must be from 1 to 10000"))
}

fn cursor(text: &str) -> Result<Cursor, ControlError> {
    let wrong = || ControlError::of("after", "must be the `next` of an earlier page, as it was given");
    let (key, id) = text.split_once(':').ok_or_else(wrong)?;
    let digits = key.strip_prefix('-').unwrap_or(key);
    if digits.is_empty() || digits.len() > 19 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    // Nineteen digits may say more than a number holds; such a place lies at the end of every list.
    let key = key.parse::<i128>().map_err(|_| wrong())?.clamp(i64::MIN.into(), i64::MAX.into());
    Ok(Cursor { key: key as i64, id: id.into() })
}

/// Visits the parameters, decoded.
fn each(
    query: &str,
    mut visit: impl FnMut(&str, String) -> Result<(), ControlError>,
) -> Result<(), ControlError> {
    for (key, value) in pairs(query) {
        match (decoded(key), decoded(value)) {
            ((key, false), (value, false)) => visit(&key, value)?,
            _ => return Err(ControlError::of("query", "not UTF-8 once percent-decoded")),
        }
    }
    Ok(())
}

/// The parameters as they stand.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX);
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// A text as forms write it (`+` is a space, `%XX` a byte), and whether it was not UTF-8. A `%` without two digits behind it
/// stands for itself.
fn decoded(text: &str) -> (String, bool) {
    let text = text.replace('+', " ");
    let bytes = percent_decode_str(&text);
    match bytes.clone().decode_utf8() {
        Ok(text) => (text.into_owned(), false),
        Err(_) => (bytes.decode_utf8_lossy().into_owned(), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    #[test]
    fn a_list_is_asked_for_as_people_write_it() {
        let asked =
            selection("state=up&match=a%20b&tag=x+y&sort=last_beat&limit=5&after=-7:web:1&x=y").unwrap();
        let want = Selection {
            state: Some(State::Up),
            search: "a b".into(),
            tag: "x y".into(),
            order: Some(Order::LastBeat),
            limit: 5,
            after: Some(Cursor { key: -7, id: "web:1".into() }),
            after_text: Some("-7:web:1".into()),
            refresh: true,
        };
        assert_eq!(asked, want);
        let empty = selection("state=&match=&tag=&sort=&after=").unwrap();
        assert_eq!(empty, selection("").unwrap());
        assert!(!selection("refresh=off").unwrap().refresh);
    }

    #[test]
    fn what_is_wrong_names_its_parameter() {
        for (query, field) in [
            ("state=dead", "state"),
            ("limit=0", "limit"),
            ("limit=10001", "limit"),
            ("limit=+5", "limit"),
            ("limit=", "limit"),
            ("sort=name", "sort"),
            ("after=web-1", "after"),
            ("after=:x", "after"),
            ("after=12345678901234567890:x", "after"),
            ("match=%ff", "query"),
        ] {
            assert_eq!(selection(query).map_err(|w| w.field), Err(Some(field)), "{query}");
        }
        assert!(selection(&format!("match={}", "x".repeat(129))).is_err());
        for (query, field) in [
            ("monitor=a%20b", "monitor"),
            ("since=yesterday", "since"),
            ("open=maybe", "open"),
            ("limit=-1", "limit"),
            ("after=x", "after"),
        ] {
            assert_eq!(incidents(query).map_err(|w| w.field), Err(Some(field)), "{query}");
        }
    }

    #[test]
    fn incidents_are_asked_for_by_monitor_and_time() {
        let asked =
            incidents("monitor=web-1&since=2026-02-08T00%3A00%3A00Z&open=true&limit=2&after=5:1-2").unwrap();
        assert_eq!((asked.monitor.as_deref(), asked.open, asked.limit), (Some("web-1"), true, 2));
        assert_eq!(asked.since.map(Wall::rfc3339).as_deref(), Some("2026-02-08T00:00:00.000Z"));
        assert_eq!(asked.after, Some((Wall(5), "1-2".into())));
    }

    #[test]
    fn the_fields_of_a_beat_are_those_of_json() {
        for (query, id, message) in [
            ("id=nas", "nas", "-"),
            ("id=a%2Db&message=two+words%21", "a-b", "two words!"),
            ("id=%E5%BF%83%e8%b7%b3", "心跳", "-"),
            ("message=100%&id=x", "x", "100%"),
            ("message=%zz%4&id=x", "x", "%zz%4"),
            ("id=a%2bb&message=a%2Bb", "a+b", "a+b"),
            ("%69d=x&mess%61ge=y", "x", "y"),
            ("id=first&id=last", "last", "-"),
            ("id=x&id=", "x", "-"),
            ("id=x&message=a=b=c", "x", "a=b=c"),
            ("&&id=x&&colour=red&message", "x", "-"),
            ("id=x&message=%F0%9F%98%80", "x", "\u{1f600}"),
            ("id=x&message=a%00b%0Ac", "x", "a\0b\nc"),
            ("id=x&message=%2525", "x", "%25"),
        ] {
            let mut fields = beat(query);
            let beat = fields.beat().unwrap();
            assert_eq!((beat.id.unwrap().as_str(), beat.message.unwrap_or("-")), (id, message), "{query}");
            assert!(beat.warnings.is_empty(), "{query}");
        }
        let mut fields = beat("id=x&seq=7&status=3&interval=90&grace=5s&rid=r&tags=a,b%20c&ts=0&ip=10.0.0.1");
        let read = fields.beat().unwrap();
        assert_eq!(
            (read.seq, read.interval, read.grace),
            (Some(7), Some(Span::secs(90)), Some(Span::secs(5)))
        );
        assert_eq!((read.status.verdict(), read.rid, read.ts), (Some(false), Some("r"), Some(Wall(0))));
        assert_eq!(
            (read.tags.unwrap(), read.ip.unwrap().as_str()),
            (&["a".into(), "b c".into()][..], "10.0.0.1")
        );
        for (query, field) in
            [("id=a+b", "id"), ("id=%ff", "id"), ("id=50%", "id"), ("id=x&status=%ff", "status")]
        {
            assert_eq!(beat(query).beat().map_err(|error| error.field), Err(Some(field)), "{query}");
        }
        let mut fields = beat("id=x&message=caf%E9&rid=");
        let read = fields.beat().unwrap();
        assert_eq!(
            (read.message, read.warnings.iter().collect()),
            (Some("caf\u{fffd}"), vec![Warning::Encoding])
        );
    }

    proptest! {
        #[test]
        fn a_field_comes_back_as_it_went(message in "\\PC{1,40}", tag in "[a-z心 +%&=]{1,20}") {
            let coded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let query = format!("message={}&tags={}&x=%", coded(&message), coded(&tag));
            let mut fields = beat(&query);
            let read = fields.beat().unwrap();
            prop_assert_eq!(read.message, Some(&*message));
            prop_assert_eq!(read.tags.unwrap(), [tag]);
            prop_assert!(read.warnings.is_empty());
        }

        #[test]
        fn no_query_breaks_a_beat(query in "([&=+%a-f0-9]|id|ip|seq|ts|tags|rid|message|%[0-9a-f]{2}){0,30}") {
            let _ = beat(&query).beat();
        }

        #[test]
        fn a_cursor_comes_back_as_it_went(key: i64, id in "[^\\p{Cc}]{0,60}") {
            let text = cursor_text(key, &id);
            let query = format!("after={}", utf8_percent_encode(&text, NON_ALPHANUMERIC));
            prop_assert_eq!(selection(&query).map(|s| s.after), Ok(Some(Cursor { key, id: id.clone() })));
            prop_assert_eq!(incidents(&query).map(|i| i.after), Ok(Some((Wall(key), id))));
        }

        #[test]
        fn nothing_that_is_asked_breaks_anything(query in "(state|match|tag|sort|limit|after|monitor|since|open|x)?[=&%+:a-z0-9\\-]{0,40}.{0,20}") {
            let _ = lang(&query);
            for error in [selection(&query).err(), incidents(&query).err()].into_iter().flatten() {
                prop_assert!(error.field.is_some() && !error.reason.is_empty());
            }
        }
    }
}
