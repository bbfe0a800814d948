//! `heartbeat show`: everything about one monitor, with its latest incidents.

use super::cli::ShowArgs;
use super::config::ClientSettings;
use super::error::ClientError;
use super::http::ApiRequest;
use super::print;
use super::query::{PLAIN, api_settings, path_of, request_monitor, request_ok, table_style};
use super::sanitize;
use super::table::{TableStyle, facts, percent};
use crate::domain::beat::Exit;
use crate::domain::time::Span;
use crate::i18n::{self, Word};
use crate::view::reason;
use crate::view::words::one_line;
use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

/// Incidents that are shown of a monitor.
const INCIDENTS_SHOWN: usize = 10;

/// `heartbeat show`.
pub async fn show(settings: &ClientSettings, show: &ShowArgs) -> Result<u8, ClientError> {
    let settings = &api_settings(settings).await;
    let monitor = request_monitor(settings, &show.id, ApiRequest::get(path_of(&show.id, ""))).await?;
    let id = utf8_percent_encode(&show.id, PLAIN);
    let path = format!("/api/v1/incidents?monitor={id}&limit={INCIDENTS_SHOWN}");
    let page = request_ok(settings, ApiRequest::get(path)).await?;
    let of = |page: Value| page.get("incidents").cloned().unwrap_or_default();
    if show.json {
        let incidents = of(page.raw_json(&settings.to)?);
        let both = json!({ "monitor": monitor.raw_json(&settings.to)?, "incidents": incidents });
        return print(&sanitize::json(&format!("{both:#}\n"))).map(|()| 0);
    }
    let (monitor, page) = (monitor.json(&settings.to)?, page.json(&settings.to)?);
    let are_more = page.get("next").is_some_and(Value::is_string);
    let incidents = of(page);
    print(&(about(&monitor, table_style(settings)) + &past(&incidents, are_more, table_style(settings))))
        .map(|()| 0)
}

/// Everything about a monitor that is anything.
fn about(monitor: &Value, style: TableStyle) -> String {
    let text = |key: &str| monitor.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| monitor.get(key).and_then(Value::as_u64);
    let span = |key: &str| monitor.get(key).and_then(Value::as_f64).and_then(Span::from_secs_f64);
    let list = |key: &str| {
        let all = monitor.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(Value::as_str).map(String::from).collect::<Vec<_>>()
    };
    let say = |word: Word| word.in_lang(style.lang);
    let when = |at: &str| format!("{} ({})", style.stamp(at), style.ago(at));
    let mut rows: Vec<(&str, String)> = vec![
        (say(i18n::client::ABOUT_MONITOR), text("id").into()),
        (say(i18n::client::ABOUT_STATE), {
            format!("{}{}{}", style.state(text("state")), say(i18n::client::ABOUT_SINCE), when(text("since")))
        }),
    ];
    let mut row = |name, value: String| rows.extend((!value.is_empty()).then_some((name, value)));
    row(
        say(i18n::client::ABOUT_LAST_BEAT),
        match text("last_beat") {
            "" => say(i18n::client::NEVER).into(),
            at => when(at),
        },
    );
    let from = [text("address"), text("transport"), text("reported_ip")];
    row(
        say(i18n::client::ABOUT_FROM),
        match from {
            ["", ..] => String::new(),
            [address, transport, ""] => format!("{address} ({transport})"),
            [address, transport, ip] => format!("{address} ({transport}), IP {ip}"),
        },
    );
    let exit = number("signal").and_then(|number| number.try_into().ok()).map(Exit::Signal);
    let exit =
        exit.or(monitor.get("exit_code").and_then(Value::as_i64).filter(|code| *code != 0).map(Exit::Code));
    row(
        say(i18n::client::ABOUT_STATUS),
        exit.map_or_else(|| text("status").into(), |exit| reason::exit(style.lang, exit)),
    );
    row(
        say(i18n::client::ABOUT_MESSAGE),
        match text("message_at") {
            "" => text("message").into(),
            at => format!("{} ({})", text("message"), style.stamp(at)),
        },
    );
    row(say(i18n::client::ABOUT_TAGS), list("tags").join(", "));
    if monitor.get("schedule").is_some_and(Value::is_string) {
        row(say(i18n::client::ABOUT_SCHEDULE), format!("{} ({})", text("schedule"), text("timezone")));
    } else {
        let asked = span("asked_interval_s").map(|asked| i18n::client::asked(&asked).in_lang(style.lang));
        row(
            say(i18n::client::ABOUT_INTERVAL),
            format!("{}{}", span("interval_s").unwrap_or_default(), asked.unwrap_or_default()),
        );
    }
    row(say(i18n::client::ABOUT_GRACE), span("grace_s").unwrap_or_default().to_string());
    row(
        say(i18n::client::ABOUT_NEXT_DEADLINE),
        match text("next_deadline") {
            "" => String::new(),
            at => format!("{} ({})", style.stamp(at), style.ahead(at)),
        },
    );
    row(
        say(i18n::client::ABOUT_PAUSED_UNTIL),
        match (text("state"), text("paused_until")) {
            ("paused", "") => say(i18n::client::ABOUT_RESUMED_BY_SOMEBODY).into(),
            ("paused", at) => format!("{} ({})", style.stamp(at), style.ahead(at)),
            _ => String::new(),
        },
    );
    row(say(i18n::client::ABOUT_BEATS), number("beats").unwrap_or_default().to_string());
    if let Some(seq) = number("seq") {
        let (gaps, repeats) = (number("gaps").unwrap_or(0), number("repeats").unwrap_or(0));
        row(
            say(i18n::client::ABOUT_COUNTER),
            i18n::client::missing_repeated(&seq, &gaps, &repeats).in_lang(style.lang),
        );
    }
    row(
        say(i18n::client::ABOUT_RUNS_SINCE),
        list("runs").iter().map(|at| when(at)).collect::<Vec<_>>().join("\n"),
    );
    row(
        say(i18n::client::ABOUT_LAST_RUN_TOOK),
        span("run_took_s").map(|took| took.to_string()).unwrap_or_default(),
    );
    let uptimes = [
        ("uptime_24h", say(i18n::client::ABOUT_24_HOURS)),
        ("uptime_7d", say(i18n::client::ABOUT_7_DAYS)),
        ("uptime_90d", say(i18n::client::ABOUT_90_DAYS)),
    ];
    let uptimes = uptimes.map(|(key, name)| {
        monitor.get(key).and_then(Value::as_f64).map(|share| format!("{} ({name})", percent(share)))
    });
    row(
        say(i18n::client::ABOUT_UPTIME),
        uptimes.into_iter().flatten().collect::<Vec<_>>().join(say(i18n::client::COMMA)),
    );
    facts(&rows)
}

/// The latest incidents of a monitor.
fn past(incidents: &Value, are_more: bool, style: TableStyle) -> String {
    let all = incidents.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return i18n::client::NO_INCIDENTS.in_lang(style.lang).into();
    }
    let mut text = i18n::client::INCIDENTS_NEWEST_FIRST.in_lang(style.lang).to_string();
    for incident in all {
        let field = |key: &str| incident.get(key).and_then(Value::as_str).unwrap_or_default();
        let lasted = incident.get("duration_s").and_then(Value::as_f64).and_then(Span::from_secs_f64);
        let lasted = style.span(lasted.unwrap_or_default());
        let number = |key: &str| incident.get(key).and_then(Value::as_i64);
        let cause = match (field("cause"), number("exit_code"), number("signal")) {
            ("silence", ..) => i18n::client::SILENCE.in_lang(style.lang).to_string(),
            ("fail", Some(code), _) => reason::exit(style.lang, Exit::Code(code)),
            ("fail", _, Some(number)) => {
                reason::exit(style.lang, Exit::Signal(number.try_into().unwrap_or(0)))
            }
            ("fail", ..) => i18n::client::FAILURE.in_lang(style.lang).to_string(),
            ("run_too_long", ..) => i18n::client::RUN_TOO_LONG.in_lang(style.lang).to_string(),
            ("never_heard", ..) => i18n::client::NO_FIRST_BEAT_TIME.in_lang(style.lang).to_string(),
            (other, ..) => other.to_string(),
        };
        let open = incident.get("ended").is_none_or(Value::is_null);
        let lasted = match open {
            true => i18n::client::not_over(&lasted).in_lang(style.lang),

            false => i18n::client::for_(&lasted).in_lang(style.lang),
        };
        text += &format!("  {}  {}  {lasted}\n", style.stamp(field("started")), one_line(&cause));
    }
    if are_more {
        text += i18n::client::OLDER_ONES_SEE_PAGE.in_lang(style.lang);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;
    use crate::domain::time::Wall;

    #[test]
    fn a_monitor_is_told_of_with_what_there_is_and_without_what_is_not() {
        let monitor = json!({
            "id": "web", "state": "paused", "since": "2026-02-08T03:00:00Z", "last_beat": null, "interval_s": 60,
            "asked_interval_s": 480, "grace_s": 30, "address": null, "beats": 0, "seq": null, "tags": ["a", "b"],
            "runs": [], "paused_until": null, "uptime_24h": 0.5, "message": "one\ntwo",
        });
        let style = TableStyle { now: Wall(1_770_521_420_000), lang: Lang::En, colours: false };
        let text = about(&monitor, style);
        for part in [
            "paused since",
            "last beat     never",
            "1m, asked for 8m",
            "a, b",
            "somebody resumes it",
            "50.00 % (24 h)",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        for part in ["from", "counter", "schedule", "null"] {
            assert!(!text.contains(part), "{part:?} in\n{text}");
        }
        assert!(past(&json!([]), false, style).contains("no incidents"));
        let one = json!([{ "started": "2026-02-08T03:00:00Z", "ended": null, "duration_s": 90, "cause": "silence" }]);
        assert!(
            past(&one, true, style).contains("silence  for 1 min, not over\n  … older"),
            "{}",
            past(&one, true, style)
        );
    }
}
