//! The keys of `[[notifier]]`.

mod readers;

use super::source::{TokenSource, file};
use crate::config::declare::section;
use crate::config::value::{ConfigValue, Located};
use crate::domain::alert::policy::{
    GROUP_WAIT_MAX, MIN_DOWN_MAX, NOTIFY_MAX, REMIND_MAX, REMIND_MIN, RETRY_FOR_MAX,
};
use crate::domain::time::Span;
use crate::notify::mail::{MailTls, Mailbox};
use crate::notify::preset::Preset;
use crate::notify::webhook::{HeaderName, Method};
use crate::notify::{CONCURRENCY_MAX, TIMEOUT_MAX};
pub(in crate::config) use readers::{NotifierKind, SecretUrl};
use readers::{
    command, find_preset, headers, helo, kind, mail_tls, mailbox, mailboxes, method, notifier_name, params,
    secrets, server, url,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Most messages a minute through one notifier.
const RATE_MAX: u64 = 600;
/// Shortest time for a try.
const TIMEOUT_MIN: Span = Span::secs(1);

/// The types that have a key.
const WEBHOOK: &[&str] = &["webhook"];
const MAIL: &[&str] = &["mail"];
const EXEC: &[&str] = &["exec"];
const NETWORK: &[&str] = &["webhook", "mail"];
const ANSWERING: &[&str] = &["webhook", "mail", "exec"];

section! {
    /// One `[[notifier]]`.
    NotifierDraft {
    name: String {
        read: by(notifier_name),
        form: "<string>",
        example: r#""ops""#,
        en: "Needed. 1 to 64 letters, digits, '-', '_' or '.'.",
        zh: "必需。1 到 64 个字母、数字、'-'、'_' 或 '.'。",
        sample: "Its name, for notify and fallback.",
    }
    r#type: NotifierKind {
        read: by(kind),
        form: r#""webhook" | "mail" | "exec" | "journal" | "syslog""#,
        example: r#""webhook""#,
        en: "The way: a request over HTTP, a mail, a program, or an entry in a log of this machine. In the journal
        alerts have MESSAGE_ID=dfc4717891014f8d94ac7496e9fbd732 and fields such as HEARTBEAT_MONITOR. Needed,
        unless there is a preset.",
        zh: "途径：HTTP 请求、邮件、程序，或本机日志里的一条。systemd 的日志里，告警有 MESSAGE_ID=dfc4717891014f8d94ac7496e9fbd732，
        以及 HEARTBEAT_MONITOR 等字段。必需，除非有 preset。",
        sample: r#"The way: "webhook", "mail", "exec", "journal" or "syslog"."#,
    }
    preset: &'static Preset {
        read: by(find_preset),
        form: "<string>",
        example: r#""json""#,
        only: WEBHOOK,
        en: r#"Whose request it is; it sets what is not set here. "json" (the default), "slack", "mattermost",
        "discord", "telegram", "ntfy", "gotify", "matrix", "dingtalk", "wecom", "feishu", "pagerduty" or
        "alertmanager". The credential of a service is `secrets.token`, the key with which dingtalk and feishu
        have requests signed `secrets.sign`. telegram needs `params.chat_id`, ntfy `params.topic`, matrix
        `params.homeserver` and `params.room`. json, slack, mattermost, discord, gotify and alertmanager need a
        url."#,
        zh: r#"用谁的请求格式；这里没有写的由它决定。"json"（默认）、"slack"、"mattermost"、"discord"、"telegram"、"ntfy"、"gotify"、"matrix"、"dingtalk"、"wecom"、"feishu"、"pagerduty" 或 "alertmanager"。
        服务的凭据是 `secrets.token`，dingtalk 和 feishu 给请求签名用的密钥是 `secrets.sign`。telegram 需要 `params.chat_id`，ntfy 需
        要 `params.topic`，matrix 需要 `params.homeserver` 和 `params.room`。json、slack、mattermost、discord、gotify 和 alertmanager 需
        要 url。"#,
        sample: r#"Whose request it is: "json", "slack", "mattermost", "discord", "telegram", "ntfy", "gotify", "matrix",
        "dingtalk", "wecom", "feishu", "pagerduty" or "alertmanager". It sets what is not set here."#,
    }
    url: SecretUrl {
        read: by(url),
        form: "<template> | { `file` = <path> } | { `credential` = <name> }",
        example: r#""https://example.org/hook""#,
        only: WEBHOOK,
        en: "Where to, http or https; as a whole from a file if it is a secret itself. Scheme, host and port cannot
        come from the message. Redirects are not followed.",
        zh: "发到哪里，http 或 https；整个地址就是秘密时，可以从文件读取。协议、主机和端口不能来自消息。不跟随重定
        向。",
        sample: r#"Where to, with {{secret.NAME}} for what nobody else may know; or { file = "/path" } or { credential =
        "name" } with all of it."#,
    }
    method: Method {
        read: by(method),
        form: "<string>",
        example: r#""POST""#,
        only: WEBHOOK,
        en: r#"Default "POST", with matrix "PUT"."#,
        zh: r#"默认 "POST"，matrix 默认 "PUT"。"#,
        sample: "The method.",
    }
    headers: Vec<Located<(HeaderName, String)>> {
        read: by(headers),
        form: "{ <name> = <template>, ... }",
        example: r#"{ X-Room = "{{param.room}}" }"#,
        only: WEBHOOK,
        en: "More headers, or other ones than those of the preset. The key of the message always goes along as
        Idempotency-Key.",
        zh: "更多的请求头，或取代 preset 的。消息的键总是作为 Idempotency-Key 一起发送。",
        sample: "More headers.",
    }
    body: String {
        read: by(ConfigValue::owned),
        form: "<template>",
        example: r#""{{payload}}""#,
        only: NETWORK,
        en: "What is sent. In a body that is JSON whatever is put in is escaped for where it stands, with the filter
        json or without; it is tried when the configuration is read, with quotes, line breaks, control
        characters and long texts. A body that is no JSON is sent as text/plain.",
        zh: "发送的内容。内容是 JSON 时，填入的一切都按所在位置转义，写不写 json 过滤器都一样；读取配置时会用引号、
        换行、控制字符和长文本试一遍。不是 JSON 的以 text/plain 发送。",
        sample: "What is sent: a template, by default the message as JSON.",
    }
    secrets: BTreeMap<String, Located<TokenSource>> {
        read: by(secrets),
        form: "{ <name> = { `file` = <path> }, <name> = { `credential` = <name> }, ... }",
        example: r#"{ token = { file = "/etc/heartbeat-server/ops.secret" } }"#,
        only: NETWORK,
        en: "What nobody else may know, each in a file or a credential of `systemd`(1) by itself; also for mail,
        where `secrets.password` stands for the file of the password.",
        zh: "别人不该知道的，每一个单独放在文件或 `systemd`(1) 凭据里；也用于邮件，这时 `secrets.password` 代替密
        码文件。",
        sample: r#"Secrets by name, each { file = "/path" } or { credential = "name" }."#,
    }
    params: BTreeMap<String, String> {
        read: by(params),
        form: "{ <name> = <string>, ... }",
        example: r#"{ room = "7" }"#,
        only: WEBHOOK,
        en: "What templates need to know besides.",
        zh: "模板另外需要知道的。",
        sample: "What a template needs to know besides.",
    }
    proxy: SecretUrl {
        read: by(url),
        form: r#""http://[<user>:<password>@]<host>:<port>" | { `file` = <path> } | { `credential` = <name> } | "none""#,
        example: r#""http://proxy.example.org:3128""#,
        only: WEBHOOK,
        en: "The proxy on the way there: by CONNECT for https, so that it sees the host only. By default the
        environment decides: HTTPS_PROXY, HTTP_PROXY and NO_PROXY; this machine is reached without.",
        zh: "途中的代理：https 用 CONNECT，代理只看得到主机。默认由环境变量 HTTPS_PROXY、HTTP_PROXY 和 NO_PROXY 决
        定；本机不经代理。",
        sample: r#"The proxy on the way there, { file = "/path" } where it has a password, or "none"; by default
        HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment."#,
    }
    ca: PathBuf {
        read: by(ConfigValue::path),
        form: "<path>",
        example: r#""/etc/heartbeat-server/ca.pem""#,
        only: NETWORK,
        en: "A file of certificates in PEM: those authorities are believed, and not the system's. Also for mail.",
        zh: "PEM 格式的证书文件：只信任这些颁发机构，而不是系统的。也用于邮件。",
        sample: "Believe these authorities in place of the system's.",
    }
    smtp: (String, Option<u16>) {
        read: by(server),
        form: r#""<host>" | "<host>:<port>""#,
        example: r#""mail.example.org:587""#,
        only: MAIL,
        en: "Needed. The server; the port is 587 with STARTTLS, 465 with TLS and 25 without unless it is said.",
        zh: "必需。服务器；没有写端口时，STARTTLS 用 587，TLS 用 465，不加密用 25。",
        sample: "The server, and its port if it is not 587 with STARTTLS, 465 with TLS or 25 without.",
    }
    from: Mailbox {
        read: by(mailbox),
        form: "<address>",
        example: r#""Heartbeat <heartbeat@example.org>""#,
        only: MAIL,
        en: r#"Needed. "ops@example.org" or "Ops <ops@example.org>"."#,
        zh: r#"必需。"ops@example.org" 或 "Ops <ops@example.org>"。"#,
        sample: "The sender.",
    }
    to: Vec<Mailbox> {
        read: by(mailboxes),
        form: "[<address>, ...] | <address>",
        example: r#"["ops@example.org"]"#,
        only: MAIL,
        en: "Needed, at most 64. Every recipient stands alone: one whom the server refuses or puts off keeps nobody
        else from hearing, is tried by itself and is named in the log and in /readyz.",
        zh: "必需，最多 64 个。每个收件人各自独立：服务器拒绝或推迟其中一个，不影响其他人收到；会单独重试，并在日
        志和 /readyz 中写出是谁。",
        sample: "Who gets it, each whatever becomes of the others.",
    }
    helo: String {
        read: by(helo),
        form: "<string>",
        example: r#""mon.example.org""#,
        only: MAIL,
        en: r#"How we introduce ourselves to the server: a full host name, or an address as "[192.0.2.7]". By default
        the name of this machine if it is a full one, or else the address that we speak from."#,
        zh: r#"向服务器自报的名字：完整主机名，或 "[192.0.2.7]" 这样的地址。默认用本机的完整主机名；没有时用发信所用
        的地址。"#,
        sample: "How we introduce ourselves: a full host name or an address in brackets; by default this machine's name
        if it is full.",
    }
    tls: MailTls {
        read: by(mail_tls),
        form: r#""starttls" | "tls" | "none""#,
        example: r#""starttls""#,
        only: MAIL,
        en: r#"Default "starttls", and nothing is sent without it."#,
        zh: r#"默认 "starttls"，做不到就什么也不发。"#,
        sample: r#""starttls", "tls" from the first byte, or "none"."#,
    }
    username: String {
        read: by(ConfigValue::owned),
        form: "<string>",
        example: r#""heartbeat""#,
        only: MAIL,
        en: "Who we are, if the server wants to know.",
        zh: "服务器要求登录时的用户名。",
        sample: r#"Who we are, if the server wants to know; the password may also be secrets = { password = { credential =
        "name" } }."#,
    }
    password_file: TokenSource {
        read: by(file),
        form: "<path>",
        example: r#""/etc/heartbeat-server/mail.secret""#,
        only: MAIL,
        en: "A file with the password.",
        zh: "存有密码的文件。",
    }
    subject: String {
        read: by(ConfigValue::owned),
        form: "<template>",
        example: r#""{{cut 200 title}}""#,
        only: MAIL,
        en: "By default the title; `body` sets the text.",
        zh: "默认是标题；正文由 `body` 设定。",
        sample: "The subject, a template.",
    }
    command: Vec<String> {
        read: by(command),
        form: "[<program>, <argument>, ...]",
        example: r#"["logger", "-t", "heartbeat"]"#,
        only: EXEC,
        en: r#"Needed. No shell stands between; ["sh", "-c", "..."] brings one. The program is told by the variables
        HEARTBEAT_KIND, HEARTBEAT_TEXT, HEARTBEAT_DETAILS, HEARTBEAT_SERVER, HEARTBEAT_LINK, HEARTBEAT_TITLE,
        HEARTBEAT_KEY, HEARTBEAT_NOTIFIER, HEARTBEAT_MONITOR, HEARTBEAT_COUNT, HEARTBEAT_INCIDENT,
        HEARTBEAT_SINCE, HEARTBEAT_DURATION_S, HEARTBEAT_DELAYED_S, HEARTBEAT_CAUSE, HEARTBEAT_EXIT_CODE,
        HEARTBEAT_SIGNAL, HEARTBEAT_SLOT, HEARTBEAT_MESSAGE, HEARTBEAT_FAILURES, HEARTBEAT_ADDRESS and
        HEARTBEAT_TAGS, and by the message as JSON on its standard input. Exit status 0 means sent, any other
        that it is to be tried again. After `timeout` it is killed with its whole process group."#,
        zh: r#"必需。中间没有 shell；需要时写 ["sh", "-c", "..."]。内容通过环境变量 HEARTBEAT_KIND、HEARTBEAT_TEXT、HEARTBEAT_DETAILS、HEARTBEAT_SERVER、HEARTBEAT_LINK、HEARTBEAT_TITLE、HEARTBEAT_KEY、HEARTBEAT_NOTIFIER、HEARTBEAT_MONITOR、HEARTBEAT_COUNT、HEARTBEAT_INCIDENT、HEARTBEAT_SINCE、HEARTBEAT_DURATION_S、HEARTBEAT_DELAYED_S、HEARTBEAT_CAUSE、HEARTBEAT_EXIT_CODE、HEARTBEAT_SIGNAL、HEARTBEAT_SLOT、HEARTBEAT_MESSAGE、HEARTBEAT_FAILURES、HEARTBEAT_ADDRESS 和 HEARTBEAT_TAGS 告
        诉程序，并以 JSON 写到它的标准输入。退出码 0 表示已送达，其他表示要再试。超过 `timeout` 就连同整个进
        程组一起终止。"#,
        sample: "The program and its arguments, without a shell between. Exit status 0: sent; any other: to be tried
        again.",
    }
    timeout: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "15s",
        en: "How long a try may take. {range}, default {default}.",
        zh: "一次尝试可以用多久。{range}，默认 {default}。",
    }
    show_answers: bool {
        read: flag(),
        default: false,
        only: ANSWERING,
        en: "Whether the reasons in the log and in the API quote what a receiver, or a program, says; also then
        without any secret that it repeats, encoded or in part. Default {default}: the status is told, and what
        it means.",
        zh: "日志和 API 里的原因是否引用接收方或程序所说的话；即使引用，也会去掉其中重复的任何密钥，无论是编码过的
        还是片段。默认 {default}：只说明状态码及其含义。",
        sample: "Whether the reasons in the log and the API quote what receivers say, without secrets; otherwise its
        status and what that means.",
    }
    group_wait: Span {
        read: span(Span(0)..=GROUP_WAIT_MAX),
        default: "10s",
        en: "For how long changes are gathered, so that many become one message. {range}, default {default}.",
        zh: "把多久之内的变化收集起来，合成一条消息。{range}，默认 {default}。",
    }
    remind_every: Option<Span> {
        read: span_or("never", REMIND_MIN..=REMIND_MAX),
        default: "never",
        en: "How often to tell again of a monitor that is still down. {range}, default {default}.",
        zh: "仍然离线的，多久再通知一次。{range}，默认 {default}。",
        sample: r#"How often to tell it again while it is down, or "never"."#,
    }
    every_failure: bool {
        read: flag(),
        default: false,
        en: "Whether to tell of each further failed run of a monitor that is down, once it was told that it is: as a
        reminder, with the exit code and the message of that run. Those that are gathered become one message,
        which counts them. Nothing is said while the monitor is paused, flapping, or behind another one that is
        down. No more than 60 an hour of one monitor are told; the others only count as beats. Default
        {default}.",
        zh: "已通知离线的监控项，之后每次运行再失败时是否也通知：作为提醒（reminder），带那次运行的退出码和内容。
        收集到一起的合成一条消息，并写明次数。暂停、反复，或其所依赖的监控项离线期间不通知。每个监控项每小时
        最多通知 60 次失败，其余只计入心跳数。默认 {default}。",
        sample: "Whether to tell each further failed run of a job that is down, too.",
    }
    min_down: Span {
        read: span(Span(0)..=MIN_DOWN_MAX),
        default: "0s",
        en: "How long a monitor must have been down before that is told. {range}, default {default}.",
        zh: "离线多久之后才通知。{range}，默认 {default}。",
    }
    rate: u32 {
        read: integer(1..=RATE_MAX),
        default: 60,
        en: "Most messages a minute, {range}, default {default}.",
        zh: "每分钟最多几条消息，{range}，默认 {default}。",
        sample: "Most messages a minute.",
    }
    concurrency: usize {
        read: integer(1..=CONCURRENCY_MAX as u64),
        default: 1,
        en: "Most messages under way at once, {range}, default {default}. With more than one they may arrive in
        another order.",
        zh: "同时最多有几条消息在途，{range}，默认 {default}。超过一条时，到达的顺序可能不同。",
        sample: "Most messages under way at once; with more than one they may arrive in another order.",
    }
    retry_for: Span {
        read: span(Span(0)..=RETRY_FOR_MAX),
        default: "24h",
        en: "For how long a message is tried. {range}, default {default}.",
        zh: "一条消息尝试多久。{range}，默认 {default}。",
    }
    fallback: String {
        read: by(ConfigValue::owned),
        form: "<name>",
        example: r#""mail""#,
        en: "The notifier that gets what this one finally does not take.",
        zh: "这个渠道最终没能送达的，交给它。",
        sample: "The notifier that gets what this one does not take.",
    }
    }
}

/// A list of names of notifiers, each once.
pub(super) fn notifier_names(value: ConfigValue<'_>) -> Option<Vec<Located<String>>> {
    let mut names: Vec<Located<String>> = Vec::new();
    for element in value.elements(NOTIFY_MAX)? {
        if let Some(name) = element.located(element.owned()) {
            if !names.iter().any(|other| other.value == name.value) {
                names.push(name);
            }
        }
    }
    Some(names)
}
