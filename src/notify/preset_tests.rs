//! What each service publishes of its requests, as small schemas: the presets are held against them with every kind of
//! message. A schema is JSON: a name of a type, `=` and the only word allowed, `<` and the longest text, a list with the
//! schema of its elements, or an object with those of its keys, `?` before a key that may be missing.

use super::*;
use crate::domain::alert::message::SAID_BYTES_MAX;
use crate::domain::alert::{Message, MessageKind};
use crate::domain::record::Cause;
use crate::domain::time::{Span, Wall};
use crate::notify::testing::{NOW, Receiver, answer, envelope, message, wait};
use crate::notify::webhook::{Webhook, Written};
use crate::notify::{Outcome, Secret, Secrets};
use serde_json::{Value, json};

/// Where it is said, what must stand in the head (lower case), and what the body must be.
struct Published {
    preset: &'static str,
    source: &'static str,
    secrets: &'static [(&'static str, &'static str)],
    params: &'static [(&'static str, &'static str)],
    path: &'static str,
    head: &'static [&'static str],
    body: Value,
}

fn published() -> Vec<Published> {
    let entry = |preset, source, path, body| Published {
        preset,
        source,
        secrets: &[],
        params: &[],
        path,
        head: &["content-type: application/json"],
        body,
    };
    vec![
        entry(
            "slack",
            "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
            "POST /x",
            json!({"text": "<40000"}),
        ),
        entry(
            "mattermost",
            "https://developers.mattermost.com/integrate/webhooks/incoming/",
            "POST /x",
            json!({"text": "<16383"}),
        ),
        entry(
            "discord",
            "https://discord.com/developers/docs/resources/webhook#execute-webhook",
            "POST /x",
            json!({"content": "<2000", "allowed_mentions": {"parse": []}}),
        ),
        Published {
            secrets: &[("token", "123:abc")],
            params: &[("chat_id", "-100123")],
            ..entry(
                "telegram",
                "https://core.telegram.org/bots/api#sendmessage",
                "POST /bot123:abc/sendMessage",
                json!({"chat_id": "string", "text": "<4096"}),
            )
        },
        Published {
            secrets: &[("token", "tk_abc")],
            params: &[("topic", "alerts")],
            head: &["authorization: bearer tk_abc"],
            ..entry(
                "ntfy",
                "https://docs.ntfy.sh/publish/#publish-as-json",
                "POST /",
                json!({"topic": "=alerts", "title": "<250", "message": "<4096", "priority": "number", "tags": ["string"]}),
            )
        },
        Published {
            secrets: &[("token", "Aabc")],
            head: &["x-gotify-key: aabc", "content-type: application/json"],
            ..entry(
                "gotify",
                "https://gotify.net/api-docs#/message/createMessage",
                "POST /x",
                json!({"title": "string", "message": "string", "priority": "number"}),
            )
        },
        Published {
            secrets: &[("token", "syt_abc")],
            params: &[("homeserver", "{origin}"), ("room", "!a:b.example")],
            head: &["authorization: bearer syt_abc"],
            ..entry(
                "matrix",
                "https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid",
                "PUT /_matrix/client/v3/rooms/%21a%3Ab.example/send/m.room.message/KEY",
                json!({"msgtype": "=m.text", "body": "string", "m.mentions": "object"}),
            )
        },
        Published {
            secrets: &[("token", "t1"), ("sign", "SECabc")],
            ..entry(
                "dingtalk",
                "https://open.dingtalk.com/document/robots/custom-robot-access",
                "POST /robot/send?access_token=t1&timestamp=1770521420000&sign=KUNnE33FerYIxyQa5XiM6xK6krxy1qgvRY7DIq%2FfpDg%3D",
                json!({"msgtype": "=text", "text": {"content": "<20000"}, "at": {"isAtAll": "boolean"}}),
            )
        },
        Published {
            secrets: &[("token", "693a-91f6")],
            ..entry(
                "wecom",
                "https://developer.work.weixin.qq.com/document/path/91770",
                "POST /cgi-bin/webhook/send?key=693a-91f6",
                // 2,048 bytes, which is looked at below.
                json!({"msgtype": "=text", "text": {"content": "<2048"}}),
            )
        },
        Published {
            secrets: &[("token", "h1"), ("sign", "SECabc")],
            ..entry(
                "feishu",
                "https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot",
                "POST /open-apis/bot/v2/hook/h1",
                json!({
                    "timestamp": "=1770521420", "sign": "=Q34YDkND54u8xYi+Tzv8lWKsJpeKFOr3pQyKZ8GP3YU=", "msg_type": "=text",
                    "content": {"text": "<20000"}
                }),
            )
        },
        Published {
            secrets: &[("token", "R0UT1NG")],
            ..entry(
                "pagerduty",
                "https://developer.pagerduty.com/docs/events-api-v2-trigger-events",
                "POST /v2/enqueue",
                json!({
                    "routing_key": "=R0UT1NG", "event_action": "string", "dedup_key": "<255",
                    "payload": {
                        "summary": "<1024", "source": "string", "severity": "string", "timestamp": "string",
                        "component": "string", "class": "string", "custom_details": "object"
                    }
                }),
            )
        },
        entry(
            "alertmanager",
            "https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml",
            "POST /x",
            json!([{
                "labels": {"alertname": "string", "service": "string", "?monitor": "string"},
                "annotations": {"summary": "string", "description": "string"},
                "?startsAt": "string", "?endsAt": "string"
            }]),
        ),
    ]
}

/// The requests that a message becomes: method and path, head in lower case, body.
fn sent(published: &Published, message: &Message) -> Vec<(String, String, Value)> {
    let preset = find(published.preset).unwrap();
    let receiver = Receiver::answering(answer("200 OK", "", r#"{"errcode":0,"code":0}"#));
    let origin = format!("http://127.0.0.1:{}", receiver.port);
    // The service's own address, but for its host.
    let url = match preset.url {
        Some(url) if url.starts_with("https://") => {
            let path = url.splitn(4, '/').nth(3).unwrap();
            Some(format!("{origin}/{path}"))
        }
        Some(_) => None,
        None => Some(format!("{origin}/x")),
    };
    let names: Vec<&str> = published.secrets.iter().map(|(name, _)| *name).collect();
    let keys: Vec<&str> = published.params.iter().map(|(name, _)| *name).collect();
    let secrets =
        published.secrets.iter().map(|(n, t)| (n.to_string(), Secret::new(t.to_string()))).collect();
    let params =
        published.params.iter().map(|(n, t)| (n.to_string(), t.replace("{origin}", &origin))).collect();
    let options = Written {
        show_answers: false,
        proxy: None,
        preset,
        method: None,
        url: url.as_deref(),
        headers: &[],
        body: None,
        secrets: Secrets::new(secrets),
        params,
        ca: None,
        timeout: Span::secs(60),
    }
    .compose(&names, &keys)
    .unwrap_or_else(|wrong| {
        panic!("{}: {}", preset.name, wrong.text().in_lang(crate::domain::lang::Lang::En))
    });
    assert_eq!(wait(Webhook::new(options).send(&envelope(message))), Outcome::Sent, "{}", preset.name);
    let mut requests = Vec::new();
    while let Ok(request) = receiver.heard.try_recv() {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let first = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_string();
        let body = serde_json::from_str(body).unwrap_or_else(|e| panic!("{}: {e}: {body}", preset.name));
        requests.push((first, head.to_ascii_lowercase(), body));
    }
    requests
}

fn fits(schema: &Value, found: &Value) -> Result<(), String> {
    let no = |what: &str| Err(format!("{found} is not {what}"));
    match schema {
        Value::String(rule) => match (rule.as_str(), found) {
            ("string", Value::String(_)) | ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => {
                Ok(())
            }
            ("object", Value::Object(_)) => Ok(()),
            (rule, Value::String(text)) if rule.starts_with('=') => {
                if *text == rule[1..] {
                    Ok(())
                } else {
                    no(rule)
                }
            }
            (rule, Value::String(text)) if rule.starts_with('<') => {
                let most: usize = rule[1..].parse().unwrap();
                if (1..=most).contains(&text.chars().count()) { Ok(()) } else { no(rule) }
            }
            (rule, _) => no(rule),
        },
        Value::Array(element) => match (element.first(), found.as_array()) {
            (None, Some(all)) if all.is_empty() => Ok(()),
            (Some(element), Some(all)) if !all.is_empty() => {
                all.iter().try_for_each(|one| fits(element, one))
            }
            _ => no("that list"),
        },
        Value::Object(keys) => {
            let Some(object) = found.as_object() else { return no("an object") };
            for (key, schema) in keys {
                let (name, optional) =
                    key.strip_prefix('?').map_or((key.as_str(), false), |name| (name, true));
                match object.get(name) {
                    Some(found) => fits(schema, found).map_err(|why| format!("{name}: {why}"))?,
                    None if optional => {}
                    None => return Err(format!("{name} is missing")),
                }
            }
            let unknown =
                object.keys().find(|key| !keys.contains_key(*key) && !keys.contains_key(&format!("?{key}")));
            unknown.map_or(Ok(()), |key| Err(format!("{key} is not published")))
        }
        _ => no("anything"),
    }
}

/// Every kind, one and many, with what makes trouble.
fn messages() -> Vec<Message> {
    let ids: Vec<String> = (0..1000).map(|n| format!("监控项-{n}-{}", "x".repeat(100))).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut failed = message(MessageKind::Down, &["job"]);
    failed.monitors[0].cause = Some(Cause::Fail);
    failed.monitors[0].said = Some("\"\\\n\u{7}<@all> & <at user_id=\"all\">监".repeat(100));
    failed.monitors[0].said.as_mut().unwrap().truncate(SAID_BYTES_MAX - 10);
    let mut unheard = message(MessageKind::Down, &["new"]);
    (unheard.monitors[0].address, unheard.monitors[0].last_beat) = (None, None);
    vec![
        message(MessageKind::Down, &["web-1"]),
        failed,
        unheard,
        message(MessageKind::Down, &["web-1", "web-2"]),
        message(MessageKind::Recovered, &["web-1"]),
        message(MessageKind::Reminder, &["web-1"]).at(Wall(NOW.0), Span(0)),
        message(MessageKind::Flapping, &["web-1"]),
        message(MessageKind::Own, &ids),
        message(MessageKind::Test, &[]),
        message(MessageKind::Down, &ids[..50]),
    ]
}

#[test]
fn every_body_is_what_the_service_publishes() {
    let all = published();
    for preset in PRESETS.iter().filter(|preset| preset.name != "json") {
        assert!(
            all.iter().any(|published| published.preset == preset.name),
            "{} is not checked",
            preset.name
        );
    }
    for published in &all {
        for message in messages() {
            let requests = sent(published, &message);
            assert!(!requests.is_empty());
            for (first, head, body) in requests {
                let name = format!("{} ({}), {}", published.preset, published.source, message.kind.name());
                assert_eq!(first, published.path.replace("KEY", &message.key), "{name}");
                for line in published.head {
                    assert!(head.contains(line), "{name}: no {line} in {head}");
                }
                if let Err(why) = fits(&published.body, &body) {
                    panic!("{name}: {why}\n{body}");
                }
                let content = body["text"]["content"].as_str().unwrap_or_default();
                assert!(published.preset != "wecom" || content.len() <= 2048, "{} bytes", content.len());
                // The message limit is one of bytes; over it the text becomes an attachment.
                assert!(published.preset != "ntfy" || body["message"].as_str().unwrap().len() <= 4096);
            }
        }
    }
}

#[test]
fn nobody_is_mentioned_by_what_a_monitor_says() {
    let mut failed = message(MessageKind::Down, &["@all"]);
    failed.monitors[0].cause = Some(Cause::Fail);
    failed.monitors[0].said = Some("<!channel> @everyone <at user_id=\"all\">x</at> <@userid>".into());
    for published in published() {
        for (_, _, body) in sent(&published, &failed) {
            let text = body.to_string();
            match published.preset {
                "slack" => {
                    assert!(text.contains("&lt;!channel&gt;") && !text.contains("<!channel>"), "{text}")
                }
                "discord" => assert_eq!(body["allowed_mentions"]["parse"], json!([])),
                "mattermost" | "dingtalk" | "wecom" | "feishu" | "telegram" | "matrix" => {
                    assert!(
                        !text.contains("@all") && !text.contains("@every") && !text.contains("<at "),
                        "{text}"
                    );
                }
                _ => {}
            }
        }
    }
}

#[test]
fn what_opens_an_alert_is_what_ends_it() {
    let all = published();
    let named = |name: &str| all.iter().find(|published| published.preset == name).unwrap();
    let (down, up) = (message(MessageKind::Down, &["a", "b"]), message(MessageKind::Recovered, &["b"]));
    let pagerduty = named("pagerduty");
    let (opened, ended) = (sent(pagerduty, &down), sent(pagerduty, &up));
    assert_eq!((opened.len(), ended.len()), (2, 1));
    assert_eq!(opened[1].2["dedup_key"], ended[0].2["dedup_key"]);
    assert_eq!(
        (&opened[1].2["event_action"], &ended[0].2["event_action"]),
        (&"trigger".into(), &"resolve".into())
    );
    assert_eq!(opened[0].2["payload"]["severity"], "critical");
    let alertmanager = named("alertmanager");
    let (opened, ended) = (sent(alertmanager, &down), sent(alertmanager, &up));
    let (opened, ended) = (&opened[0].2[1], &ended[0].2[0]);
    assert_eq!(opened["labels"], ended["labels"]);
    // Without an end Alertmanager makes one itself, five minutes on.
    assert_eq!(opened["endsAt"], "2027-02-09T03:30:20.000Z");
    assert_eq!(ended["endsAt"], "2026-02-08T03:30:20.000Z");
    assert_eq!(opened["startsAt"], ended["startsAt"]);
}
