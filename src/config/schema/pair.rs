//! The keys of `[pair]`.

use super::source::{TokenSource, source};
use crate::config::declare::section;
use crate::config::value::{ConfigValue, Located};
use crate::domain::id::Id;
use crate::domain::time::Span;
use crate::engine::delivery::PeerUrl;
use std::path::PathBuf;

/// Shortest silence after which the other server counts as dead, and longest.
const GRACE_MIN: Span = Span::secs(2);
const GRACE_MAX: Span = Span::secs(3600);
/// How seldom the other server may be asked.
const EVERY_MAX: Span = Span::secs(60);

section! {
    /// `[pair]`.
    PairDraft {
    standby_for: String {
        read: by(monitor),
        form: "<id>",
        example: r#""server-hb1""#,
        en: "Keep alerts back while the other server is heard. Each of its answers counts as a beat of the monitor
        of this id, so that its silence is told like that of any other; no other beats should go there. Without it this
        server tells what it finds, but for what the other one has told.",
        zh: "只要还听得到另一台服务器，就先不发告警。它的每次应答都算作这个标识的一次心跳，所以它的沉默会像其他
        监控项一样通知；不要再往这里发别的心跳。不写时，本机照常发告警，只省去另一台已经通知过的。",
        sample: "Keep alerts back while the other server is heard, and have this monitor stand for it.",
    }
    url: PeerUrl {
        read: parsed(),
        form: "<url>",
        example: r#""http://hb1.example.org:7777""#,
        en: "Where the other server is: http:// or https://. It must let this one read its alerts, see `access.read`
        there and `token` here. Default: there is no other server.",
        zh: "另一台服务器在哪里：http:// 或 https://。它须允许本机查看它的告警，见那边的 `access.read` 和这里的 `token`。
        默认没有另一台服务器。",
        sample: "A second server that judges the same monitors: where it is.",
    }
    every: Span {
        read: span(Span::secs(1)..=EVERY_MAX),
        default: "5s",
        en: "How often it is asked. {range}, default {default}.",
        zh: "多久询问一次。{range}，默认 {default}。",
    }
    grace: Span {
        read: span(GRACE_MIN..=GRACE_MAX),
        default: "30s",
        en: "How long it may be silent; then what it has not told is told from here. {range}, default {default}.",
        zh: "可以沉默多久；之后，它没有通知的就由本机通知。{range}，默认 {default}。",
        sample: "How long it may be silent before what it has not told is told from here.",
    }
    token: Located<TokenSource> {
        read: by(source),
        form: "<path> | { `credential` = <name> }",
        example: r#""/etc/heartbeat-server/pair.token""#,
        en: "A file with the token that is shown to it, or a credential.",
        zh: "存有令牌的文件或凭据，令牌会出示给它。",
        sample: "A file with the token that is shown to it.",
    }
    ca: PathBuf {
        read: by(ConfigValue::path),
        form: "<path>",
        example: r#""/etc/heartbeat-server/ca.pem""#,
        en: "Certificate authorities (PEM) to trust instead of the system's.",
        zh: "代替系统证书的颁发机构（PEM）。",
        sample: "Certificate authorities (PEM) to trust instead of the system's.",
    }
    }
}

/// What may name a monitor that its beats make.
fn monitor(value: ConfigValue<'_>) -> Option<String> {
    let text = value.string()?;
    let id = Id::new(text).and_then(|id| id.as_ref().may_be_made().map(|()| id.to_string()));
    id.map_err(|error| value.reject(error.word().into())).ok()
}
