//! The keys of `[tcp]`, `[websocket]` and `[governor]`.

use super::bounds::{TIMEOUT_MAX, TIMEOUT_MIN};
use crate::config::declare::section;
use crate::domain::governor::STRETCH_MAX;
use crate::domain::policy::Anonymous;
use crate::domain::time::Span;

section! {
    /// `[tcp]`.
    TcpDraft {
    ping_interval: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "3s",
        en: r#"How often "ping" is sent to those who have said nothing yet or answer it with "pong"; also the interval
        that clients are held to who send pong, frames or text and give no name. Default {default}."#,
        zh: r#"对还什么都没说、或用 "pong" 回答的客户端，多久发一次 "ping"；发 pong、帧或文本而没有报标识的客户端，
        间隔也是它。默认 {default}。"#,
    }
    timeout: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "10s",
        en: "Silence after which such a connection, or one that has said nothing, is closed; longer than
        ping_interval. Default {default}.",
        zh: "这样的连接，或什么都没说的连接，沉默多久就断开；要比 ping_interval 长。默认 {default}。",
    }
    frame_timeout: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "15s",
        en: "The same for frames. Default {default}.",
        zh: "帧的沉默期限。默认 {default}。",
    }
    line_timeout: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "75s",
        en: "The same for lines, unless interval and grace of their monitor are longer. Default {default}.",
        zh: "文本行的沉默期限，其监控项的间隔加宽限更长时以后者为准。默认 {default}。",
    }
    anonymous: Anonymous {
        read: parsed(),
        form: r#""ip" | "ip:port""#,
        default: "ip",
        en: "Which monitor a client is that gives no name: that of its address, which all connections from there
        share, or one of its own, which is removed when the connection ends. Default {default}.",
        zh: "没有报标识的客户端算哪个监控项：来源地址的，同一地址的所有连接共用；或者每个连接自己的，连接结束就移
        除。默认 {default}。",
        sample: r#"Which monitor a client is that gives no name: "ip", that of its address; "ip:port", one of its own while
        it is connected."#,
    }
    }
}

section! {
    /// `[websocket]`.
    WebSocketDraft {
    ping_interval: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "30s",
        en: "How often each is pinged; also the interval of a client that names no monitor. {range}, default
        {default}.",
        zh: "多久发一次 ping；没有报标识的客户端，间隔也是它。{range}，默认 {default}。",
        sample: "How often a WebSocket is pinged; also how often a client beats that names no monitor.",
    }
    timeout: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "75s",
        en: "How long one may be silent before it is closed; longer than `ping_interval`. {range}, default {default}.",
        zh: "沉默多久就断开；要比 `ping_interval` 长。{range}，默认 {default}。",
        sample: "How long it may be silent before it is closed; longer than ping_interval.",
    }
    }
}

section! {
    /// `[governor]`.
    GovernorDraft {
    beats_per_second: Option<u32> {
        read: integer_or("off", 0..=10_000_000),
        default: "off",
        en: "Above so many beats a second longer intervals are asked for. Default {default}, as is 0.",
        zh: "每秒心跳超过这个数，就请发送方延长间隔。默认 {default}，0 也一样。",
        sample: r#"Beats a second above which clients that follow the interval in our answers are asked for longer ones, or
        "off"."#,
    }
    stretch_max: u32 {
        read: integer(1..=STRETCH_MAX as u64),
        default: 8,
        en: "How many times longer than its own an interval may become, {range}, default {default}.",
        zh: "间隔最多变成原来的几倍，{range}，默认 {default}。",
        sample: "How many times longer at most, 1 to 100; whoever was asked is held to the longer interval.",
    }
    }
}
