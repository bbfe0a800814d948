//! The outcome that an answer means.

use super::WebhookOptions;
use super::http::HttpAnswer;
use crate::domain::time::{Span, Wall};
use crate::i18n::{self, Text};
use crate::notify::preset::Verdict;
use crate::notify::{Envelope, Outcome, Secrets};
use hyper::StatusCode;
use hyper::header::{LOCATION, RETRY_AFTER};
use jiff::fmt::rfc2822;
use serde_json::Value;

/// The longest pause that a receiver may ask for.
const LEFT_ALONE_MAX: Span = Span::secs(86_400);

pub(super) fn judge(
    answer: &HttpAnswer,
    options: &WebhookOptions,
    host: &str,
    secrets: &Secrets,
    envelope: &Envelope<'_>,
) -> Outcome {
    let status = answer.status;
    let body = String::from_utf8_lossy(&answer.body);
    let said = secrets.answer(options.show_answers, &body);
    let answered = i18n::notify::answered(&host, &status);
    if status.is_success() {
        return match options.verdict {
            Verdict::Status => Outcome::Sent,
            // The code in the body decides, and the body is incomplete.
            Verdict::Code { .. } if answer.broken => Outcome::retry(i18n::notify::answer_broke_off(&host)),
            Verdict::Code { .. } => judge_code(&body, options.verdict, host, &said),
        };
    }
    if status.is_redirection() {
        let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).and_then(origin);
        let to = to.filter(|_| options.show_answers).map(|to| secrets.redact(&to));
        let to = to.map(|to| i18n::notify::to(&to)).unwrap_or_default();
        return Outcome::refused(i18n::notify::redirects_not_followed_write(&answered, &to));
    }
    let reason = answered.and(&said);
    let later = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS]
            .contains(&status);
    if !later {
        return Outcome::refused(reason);
    }
    let asked = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = asked.and_then(|text| retry_after(text, envelope.now())).or_else(|| retry_in_body(&body));
    Outcome::Retry { after: after.map(|after| after.min(LEFT_ALONE_MAX)), reason }
}

fn judge_code(body: &str, verdict: Verdict, host: &str, said: &Text) -> Outcome {
    let Verdict::Code { keys, busy, refusals } = verdict else { return Outcome::Sent };
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let code = keys.iter().find_map(|key| json.get(key)).and_then(Value::as_i64);
    match code {
        Some(0) => Outcome::Sent,
        Some(code) => {
            let meaning = refusals.iter().find(|meaning| meaning.code == code);
            let meaning = meaning.map(|meaning| i18n::notify::code_means(&meaning.word.into()));
            let reason = i18n::notify::refuses_with_code(&host, &code, &meaning.unwrap_or_default(), said);
            if busy.contains(&code) { Outcome::retry(reason) } else { Outcome::refused(reason) }
        }
        // The answer of a gateway, not of the service.
        None => Outcome::retry(i18n::notify::does_not_say_whether(&host, said)),
    }
}

/// RFC 9110, 10.2.3: seconds or a date.
fn retry_after(text: &str, now: Wall) -> Option<Span> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        // Some services write a fraction.
        return Span::from_secs_f64(seconds);
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?.as_millisecond();
    Some(Span(u64::try_from(at.saturating_sub(now.0)).unwrap_or(0)))
}

/// Telegram, Discord and Matrix have it in the body (too).
fn retry_in_body(body: &str) -> Option<Span> {
    let json: Value = serde_json::from_str(body).ok()?;
    if let Some(ms) = json["retry_after_ms"].as_u64() {
        return Some(Span(ms));
    }
    let seconds = json["retry_after"].as_f64().or_else(|| json["parameters"]["retry_after"].as_f64())?;
    Span::from_secs_f64(seconds)
}

/// Scheme and host of an address; its path may be a secret.
fn origin(location: &str) -> Option<String> {
    let uri: hyper::Uri = location.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.host()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_wait_is_read_in_all_its_forms() {
        let now = Wall(1_445_412_400_000); // Wed, 21 Oct 2015 07:26:40 GMT
        for (text, want) in [
            ("120", Some(Span::secs(120))),
            (" 0.5 ", Some(Span(500))),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(Span::secs(80))),
            ("Wed, 21 Oct 2015 07:20:00 GMT", Some(Span(0))),
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(retry_after(text, now), want, "{text}");
        }
        assert_eq!(
            retry_in_body(r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2000}"#),
            Some(Span(2000))
        );
        assert_eq!(retry_in_body(r#"{"message":"x","retry_after":0.25}"#), Some(Span(250)));
        let telegram = r#"{"ok":false,"error_code":429,"parameters":{"retry_after":14}}"#;
        assert_eq!(retry_in_body(telegram), Some(Span::secs(14)));
        assert_eq!(retry_in_body("<html>"), None);
    }

    #[test]
    fn of_where_a_redirect_leads_only_the_host_is_said() {
        assert_eq!(origin("https://a.example/hook/SECRET"), Some("https://a.example".into()));
        assert_eq!(origin("/login"), None);
    }
}
