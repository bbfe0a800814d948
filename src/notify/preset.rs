//! Presets: for each service the request that it publishes, written in our own template language and nothing more.
//!
//! What a preset sets a key of the configuration replaces. A service's credential is `secrets.token`, the key of its
//! signature `secrets.sign`; the addressee is in `params`. The tests name the source of each fact.

use crate::i18n::{self, Word};

/// A service that is known by name.
#[derive(Debug)]
pub struct Preset {
    /// Its name in the configuration.
    pub name: &'static str,
    /// The method.
    pub method: &'static str,
    /// The URL; `None`: it must be given.
    pub url: Option<&'static str>,
    /// Headers, each with the secret without which it is left out.
    pub headers: &'static [(&'static str, &'static str, Option<&'static str>)],
    /// The body.
    pub body: &'static str,
    /// What changes when there is a key to sign with.
    pub signed: Option<Signed>,
    /// Whether each monitor of a message has a request of its own, because the service keeps a state for each.
    pub each: bool,
    /// How to tell from an answer of 2xx whether the message was accepted.
    pub verdict: Verdict,
}

/// A request with a signature.
#[derive(Debug)]
pub struct Signed {
    /// Appended to the address.
    pub url: &'static str,
    /// In place of the body.
    pub body: Option<&'static str>,
}

/// How to read an answer of 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// By the status alone.
    Status,
    /// The body is JSON with a number under one of these keys, and only 0 is good.
    Code {
        /// The keys, the first that is there counts.
        keys: &'static [&'static str],
        /// Numbers that mean: too many at once, or not now.
        busy: &'static [i64],
        /// What refusals mean that a person can do something about.
        refusals: &'static [Meaning],
    },
}

/// What a number means that a service refuses with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The number.
    pub code: i64,
    /// What it means and what to do.
    pub word: Word,
}

const fn means(code: i64, word: Word) -> Meaning {
    Meaning { code, word }
}

const DINGTALK: &[Meaning] =
    &[means(310_000, i18n::notify::DINGTALK_SECURITY), means(300_001, i18n::notify::DINGTALK_NO_ROBOT)];
const WECOM: &[Meaning] = &[
    means(93_000, i18n::notify::WECOM_NO_ROBOT),
    means(93_004, i18n::notify::WECOM_SWITCHED_OFF),
    means(93_008, i18n::notify::WECOM_NOT_IN_GROUP),
];
const FEISHU: &[Meaning] = &[
    means(19_001, i18n::notify::FEISHU_NO_ROBOT),
    means(19_021, i18n::notify::FEISHU_SIGNATURE),
    means(19_022, i18n::notify::FEISHU_ADDRESS),
    means(19_024, i18n::notify::FEISHU_KEYWORD),
];

/// The default: the JSON of the message, or `body`.
pub const PLAIN: Preset = Preset {
    name: "json",
    method: "POST",
    url: None,
    headers: &[("Content-Type", JSON, None), BEARER],
    body: "{{payload}}",
    signed: None,
    each: false,
    verdict: Verdict::Status,
};

const JSON: &str = "application/json; charset=utf-8";
const BEARER: (&str, &str, Option<&str>) = ("Authorization", "Bearer {{secret.token}}", Some("token"));

/// All of them.
pub const PRESETS: &[Preset] = &[
    PLAIN,
    Preset {
        name: "slack",
        headers: &[("Content-Type", JSON, None)],
        body: r#"{"text":{{json html cut 3500 icon " " text "\n" details}}}"#,
        ..PLAIN
    },
    Preset {
        name: "mattermost",
        headers: &[("Content-Type", JSON, None)],
        body: r#"{"text":{{json cut 4000 quiet icon " " text "\n" details}}}"#,
        ..PLAIN
    },
    Preset {
        name: "discord",
        headers: &[("Content-Type", JSON, None)],
        body: r#"{"content":{{json cut 2000 icon " " text "\n" details}},"allowed_mentions":{"parse":[]}}"#,
        ..PLAIN
    },
    Preset {
        name: "telegram",
        url: Some("https://api.telegram.org/bot{{secret.token}}/sendMessage"),
        headers: &[("Content-Type", JSON, None)],
        body: r#"{"chat_id":{{json param.chat_id}},"text":{{json cut 4096 quiet icon " " text "\n" details}}}"#,
        ..PLAIN
    },
    Preset {
        name: "ntfy",
        url: Some("https://ntfy.sh/"),
        body: concat!(
            r#"{"topic":{{json param.topic}},"title":{{json cut 200 title}},"message":{{json cut_bytes 4000 text "\n" details}},"#,
            r#""priority":{{#if kind down}}4{{else}}3{{/if}},"#,
            r#""tags":[{{#if kind recovered}}"white_check_mark"{{else}}{{#if kind test}}"information_source""#,
            r#"{{else}}"rotating_light"{{/if}}{{/if}}]}"#
        ),
        ..PLAIN
    },
    Preset {
        name: "gotify",
        headers: &[("Content-Type", JSON, None), ("X-Gotify-Key", "{{secret.token}}", Some("token"))],
        body: r#"{"title":{{json title}},"message":{{json text "\n" details}},"priority":{{#if kind down}}8{{else}}5{{/if}}}"#,
        ..PLAIN
    },
    Preset {
        name: "matrix",
        method: "PUT",
        url: Some(
            "{{param.homeserver}}/_matrix/client/v3/rooms/{{url param.room}}/send/m.room.message/{{url key}}",
        ),
        body: r#"{"msgtype":"m.text","body":{{json cut 4000 quiet icon " " text "\n" details}},"m.mentions":{}}"#,
        ..PLAIN
    },
    Preset {
        name: "dingtalk",
        url: Some("https://oapi.dingtalk.com/robot/send?access_token={{url secret.token}}"),
        headers: &[("Content-Type", JSON, None)],
        body: r#"{"msgtype":"text","text":{"content":{{json cut_bytes 4000 quiet icon " " text "\n" details}}},"at":{"isAtAll":false}}"#,
        signed: Some(Signed { url: "&timestamp={{now_ms}}&sign={{url dingtalk_sign}}", body: None }),
        verdict: Verdict::Code { keys: &["errcode"], busy: &[-1, 130_101, 410_100], refusals: DINGTALK },
        ..PLAIN
    },
    Preset {
        name: "wecom",
        url: Some("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={{url secret.token}}"),
        headers: &[("Content-Type", JSON, None)],
        body: r#"{"msgtype":"text","text":{"content":{{json cut_bytes 2048 quiet icon " " text "\n" details}}}}"#,
        verdict: Verdict::Code { keys: &["errcode"], busy: &[-1, 45_009, 45_033], refusals: WECOM },
        ..PLAIN
    },
    Preset {
        name: "feishu",
        url: Some("https://open.feishu.cn/open-apis/bot/v2/hook/{{url secret.token}}"),
        headers: &[("Content-Type", JSON, None)],
        body: r#"{"msg_type":"text","content":{"text":{{json cut_bytes 4000 quiet icon " " text "\n" details}}}}"#,
        signed: Some(Signed {
            url: "",
            body: Some(concat!(
                r#"{"timestamp":"{{now_s}}","sign":{{json feishu_sign}},"msg_type":"text","#,
                r#""content":{"text":{{json cut_bytes 4000 quiet icon " " text "\n" details}}}}"#
            )),
        }),
        verdict: Verdict::Code {
            keys: &["code", "StatusCode"],
            busy: &[11_232, 99_991_400],
            refusals: FEISHU,
        },
        ..PLAIN
    },
    // One alert for each monitor, by its id: what opens it and what resolves it may come in groups of other members.
    Preset {
        name: "pagerduty",
        url: Some("https://events.pagerduty.com/v2/enqueue"),
        headers: &[("Content-Type", JSON, None)],
        body: concat!(
            r#"{"routing_key":{{json secret.token}},"event_action":"{{#if kind recovered}}resolve{{else}}trigger{{/if}}","#,
            r#""dedup_key":{{#if kind self test}}{{json "heartbeat:" kind}}{{else}}{{json "heartbeat:" monitor}}{{/if}},"#,
            r#""payload":{"summary":{{json cut 1024 text}},"#,
            r#""source":{{#if kind self test}}"heartbeat-server"{{else}}{{json monitor}}{{/if}},"#,
            r#""severity":"{{#if kind down reminder}}critical{{else}}{{#if kind test recovered}}info{{else}}warning{{/if}}{{/if}}","#,
            r#""timestamp":{{json at}},"component":{{json "" address}},"class":"heartbeat","#,
            r#""custom_details":{"details":{{json details}},"incident":{{json incident}},"since":{{json since}},"cause":{{json cause}},"#,
            r#""tags":{{json tags}},"delayed_s":{{delayed_s}}}}}"#
        ),
        each: true,
        ..PLAIN
    },
    // What has no end yet is given one far ahead: without, Alertmanager ends it itself after five minutes.
    Preset {
        name: "alertmanager",
        body: concat!(
            r#"[{{#if kind self test}}{"labels":{"alertname":"Heartbeat{{#if kind self}}Self{{else}}Test{{/if}}","#,
            r#""service":"heartbeat-server"},"annotations":{"summary":{{json title}},"description":{{json text "\n" details}}}}"#,
            r#"{{else}}{{#each monitors}}{{#unless first}},{{/unless}}{"labels":{"alertname":"HeartbeatDown","#,
            r#""service":"heartbeat-server","monitor":{{json id}}},"annotations":{"summary":{{json title}},"#,
            r#""description":{{json text "\n" details}}},"startsAt":{{json since}},"#,
            r#""endsAt":{{#if ended}}{{json ended}}{{else}}{{json in_a_year}}{{/if}}}{{/each}}{{/if}}]"#
        ),
        ..PLAIN
    },
];

/// A preset by its name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

#[cfg(test)]
#[path = "preset_tests.rs"]
mod tests;
