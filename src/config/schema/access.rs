//! The keys of `[access]`: networks, names, and where tokens are to be found.

use super::source::{TokenSource, source_table};
use crate::config::declare::section;
use crate::config::value::{ConfigValue, Located};
use crate::domain::host::Hosts;
use crate::domain::limits::{NETWORKS_MAX, TOKENS_MAX};
use crate::i18n;
use ipnet::IpNet;

section! {
    /// `[access]`.
    AccessDraft {
    allow: Vec<IpNet> {
        read: by(networks),
        form: "[<network>, ...]",
        example: r#"["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fe80::/10", "fc00::/7"]"#,
        en: "Who may send beats. Default: loopback, private (RFC 1918), link-local and unique-local networks.",
        zh: "谁可以发心跳。默认：环回、私有（RFC 1918）、链路本地和唯一本地地址。",
        sample: "Networks that may send beats.",
    }
    deny: Vec<IpNet> {
        read: by(networks),
        form: "[<network>, ...]",
        default: [],
        en: "Who may neither beat nor read, though `allow` or `read` names them. Default: none.",
        zh: "既不许发心跳也不许查看的，即使 `allow` 或 `read` 里有。默认没有。",
        sample: "Networks that may neither beat nor read, though allow or read names them.",
    }
    read: Vec<IpNet> {
        read: by(networks),
        form: "[<network>, ...]",
        example: r#"["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fe80::/10", "fc00::/7"]"#,
        en: "Who may see the page, the API and the metrics. Default: of loopback, private, link-local and
        unique-local networks those that `allow` names.",
        zh: "谁可以看网页、接口和指标。默认为环回、私有、链路本地和唯一本地地址中 `allow` 所包含的部分。",
        sample: "Networks that may see the page, the API and the metrics; by default those of the local ones that allow
        names.",
    }
    hosts: Vec<String> {
        read: by(hosts),
        form: r#"["<name>", ...]"#,
        default: [],
        en: "Names under which requests over HTTP are taken, besides addresses and localhost; *.example.org means all
        below. This keeps a page out that has its own name lead here (DNS rebinding). Behind a trusted proxy the
        name is the one that it says the browser asked for. Default: any name, but a browser's page (a request
        with Origin, a WebSocket too) may send beats and change something only under an address, localhost, the
        name of this machine, a name without a dot, or one that ends in .local, .lan, .internal, .home.arpa or
        .test.",
        zh: "除地址和 localhost 外，可以用哪些名称访问 HTTP；*.example.org 表示其下所有名称。这样可以挡住把自己的
        域名指到本机的网页（DNS 重绑定）。在受信任的代理之后，以代理所说的浏览器访问的名称为准。默认：任何名
        称；但浏览器网页（带 Origin 的请求，包括 WebSocket）只有在地址、localhost、本机名称、不含点的名称，或
        以 .local、.lan、.internal、.home.arpa、.test 结尾的名称下，才能发心跳和作更改。",
        sample: "Names under which requests are taken besides addresses and localhost, as *.example.org too; empty: any,
        but a browser's page under a name of the public DNS changes nothing.",
    }
    beat_tokens: Vec<Located<TokenSource>> {
        read: grow(token_sources),
        form: "[{ `file` = <path> } | { `credential` = <name> }, ...]",
        default: [],
        en: "When there are any, a beat needs one. Raw TCP then speaks lines only, of which the first shows it: AUTH
        TOKEN. A file holds one token a line, 16 to 512 visible ASCII characters; empty lines and lines
        beginning with # do not count. A credential is such a file handed over by <LoadCredential=> of
        `systemd.exec`(5).",
        zh: "有了任何一个，心跳就要出示其中之一；TCP 端口上就只能用行，第一行是 AUTH 令牌。文件每行一个令牌，16 到 512 个
        可见 ASCII 字符；空行和以 # 开头的行不算。凭据就是由 `systemd.exec`(5) 的 <LoadCredential=> 交来的这
        样一个文件。",
        sample: r#"When there are any, a beat needs one: { file = "/path" } with a token a line, or { credential = "name"
        }."#,
    }
    read_tokens: Vec<Located<TokenSource>> {
        read: grow(token_sources),
        form: "[...]",
        default: [],
        en: "When there are any, reading needs one. A browser sends none by itself: a proxy before the page must add
        Authorization: Bearer TOKEN.",
        zh: "有了任何一个，查看就要出示其中之一。浏览器不会自己出示：网页前面的代理须加上 Authorization: Bearer 令
        牌。",
    }
    admin_tokens: Vec<Located<TokenSource>> {
        read: grow(token_sources),
        form: "[...]",
        default: [],
        en: "Changing anything over HTTP always needs one of these; they open everything else, too. Default: none, so
        only the control socket may.",
        zh: "通过 HTTP 作任何修改都要出示其中之一；有了它，其他一切也都可以。默认没有，所以只有控制套接字可以。",
        sample: "Changing anything over the network always needs one of these; they open everything else too.",
    }
    }
}

fn networks(value: ConfigValue<'_>) -> Option<Vec<IpNet>> {
    Some(value.elements(NETWORKS_MAX)?.into_iter().filter_map(ConfigValue::network).collect())
}

fn hosts(value: ConfigValue<'_>) -> Option<Vec<String>> {
    let host = |element: ConfigValue<'_>| {
        let read = Hosts::entry(element.string()?);
        read.map_err(|reason| element.reject(reason.into())).ok()
    };
    Some(value.elements(NETWORKS_MAX)?.into_iter().filter_map(host).collect())
}

fn token_sources(value: ConfigValue<'_>) -> Vec<Located<TokenSource>> {
    let nowhere = || i18n::config::SAY_WHERE_TOKENS_FILE.into();
    let elements = value.elements(TOKENS_MAX).unwrap_or_default();
    elements.into_iter().filter_map(|element| source_table(element, nowhere())).collect()
}
