//! Chinese for what English says elsewhere, and the sentences that several readers share.
//!
//! The command line is defined once, in English, in [`super::cli`]; this table holds its other language. The reasons
//! that the domain's types give when they cannot read a text are English too, and are translated here.

use super::error::Text;
use crate::domain::id::IdError;
use crate::domain::rules::Match;
use crate::domain::schedule::{Field, ScheduleError};
use crate::domain::zone::{UnknownZone, Zone};
use strsim::levenshtein;

/// What the program is, in Chinese.
pub(super) const ABOUT_ZH: &str = "接收机器、设备和定时任务的心跳，逐条记录，并知道谁还活着";

/// Help texts in Chinese: command (empty: the program itself), argument (empty: the command), text.
pub(super) const HELP_ZH: &[(&str, &str, &str)] = &[
    ("", "port", "HTTP 端口，默认 7777；取代配置中的所有 HTTP 监听地址"),
    ("", "http", "HTTP 监听 端口、主机:端口、[IPv6]:端口、unix:路径 或 off；可重复；取代方式同端口参数"),
    ("", "tcp", "原始 TCP 的监听地址，写法相同，默认 7778；取代配置中的所有 TCP 监听地址"),
    ("", "config", "读取此配置文件及其旁边的 conf.d/*.toml"),
    ("", "state_dir", "状态保存目录"),
    ("", "log", "日志目标：stderr、journal、syslog 或 file:路径；可重复"),
    ("", "log_format", "日志格式：classic、text 或 json"),
    ("", "lang", "日志和提示的语言：auto（按区域设置）、en 或 zh"),
    ("", "daemon", "转入后台运行，就绪后才返回；日志默认写入 syslog"),
    ("", "pid_file", "与 --daemon 同用：写入并锁定此 PID 文件"),
    ("", "user", "打开监听端口后切换为此用户"),
    ("", "group", "打开监听端口后切换为此用户组"),
    ("", "verbose", "日志更详细；可重复"),
    ("", "quiet", "日志更简略；可重复"),
    ("", "help", "显示帮助"),
    ("", "version", "显示版本"),
    ("check-config", "", "读取并检查配置，显示将会如何运行；有误时以 78 退出"),
    ("check-config", "offline", "检查时允许缺少密钥、证书和凭据文件，例如在 CI 中"),
    ("check-config", "file", "要检查的文件；默认与守护进程所读的相同"),
    ("firewall", "", "在防火墙中开放配置里的端口、再关闭，或查看现状；需要 root"),
    ("firewall", "action", "open（开放）、close（关闭）或 status（查看）"),
    ("firewall", "http", "仅 HTTP 端口"),
    ("firewall", "tcp", "仅原始 TCP 端口"),
    ("firewall", "backend", "auto、firewalld、ufw、nft、iptables 或 socketfilterfw；默认 auto（自动）"),
    ("firewall", "from", "仅对此网络开放或关闭；可重复"),
    ("firewall", "dry_run", "只显示命令，不作任何更改"),
    ("test-alert", "", "让运行中的守护进程经某个通知渠道发送测试消息；对方接收后以 0 退出"),
    ("test-alert", "name", "通知渠道的名称"),
    ("generate", "", "输出打包所需的文件"),
    ("generate man", "", "手册页 heartbeat-server(8)"),
    ("generate completions", "", "命令补全脚本：bash、zsh 或 fish"),
    ("generate completions", "shell", "bash、zsh 或 fish"),
    ("generate config", "", "带说明的配置示例"),
];

/// The domain's reasons in Chinese, and those of the client's own types.
const DOMAIN_ZH: &[(&str, &str)] = &[
    ("must not be empty", "不能为空"),
    ("must be at most 128 bytes", "最长 128 字节"),
    (
        "must be letters, digits and marks of any script and . _ - : @ + = ~ , /",
        "只能由任何文字的字母、数字、附加符号以及 . _ - : @ + = ~ , / 组成",
    ),
    ("must not begin with -", "不能以 - 开头"),
    (
        "must not begin or end with /, nor hold //, nor . or .. between two of them",
        "不能以 / 开头或结尾，不能含有 //，两个 / 之间不能是 . 或 ..",
    ),
    ("must be in Unicode's form NFC", "应为 Unicode 的 NFC 形式"),
    ("must be a text", "应为文本"),
    ("no such monitor", "没有这个监控项"),
    (
        "too many beats from this address (limits.beats_per_second)",
        "来自此地址的心跳过多（limits.beats_per_second）",
    ),
    (
        "too many new monitors from this address (limits.new_monitors_per_hour)",
        "来自此地址的新监控项过多（limits.new_monitors_per_hour）",
    ),
    ("no room for another monitor (limits.monitors)", "监控项已满（limits.monitors）"),
    (
        "not stored: the beat cannot be kept just now, see the server's log",
        "未保存：服务器暂时无法保存心跳，请查看其日志",
    ),
    (
        "the configuration declares this monitor: change or remove its [[monitor]] there and reload",
        "此监控项由服务器的配置声明：请在那里修改或删除它的 [[monitor]]，再重新加载",
    ),
    (
        "write a host name without scheme and port, such as heartbeat.example.org or *.example.org",
        "请写不含协议和端口的主机名，例如 heartbeat.example.org 或 *.example.org",
    ),
    (
        "not a URL: write http://, https://, tcp://, tls://, ws:// or wss:// and HOST[:PORT], or unix:PATH",
        "不是 URL：请写 http://、https://、tcp://、tls://、ws:// 或 wss:// 加 主机[:端口]，或 unix:路径",
    ),
    ("the URL has no host", "URL 中缺少主机"),
    ("not a host name", "不是主机名"),
    (
        "a URL holds no user or password here: put a token in a file and name it with --token-file",
        "URL 中不能含有用户名或密码：请把令牌写入文件，并用 --token-file 指定",
    ),
    ("a URL holds no ? or # here", "此处的 URL 不能含有 ? 或 #"),
    ("raw TCP has no path: end the URL behind the port", "TCP 没有路径：URL 应在端口后结束"),
    (
        "the path of a URL is visible ASCII; write anything else in percent-encoding",
        "URL 的路径只能是可见 ASCII 字符；其余请用百分号编码",
    ),
    (
        "not a dialect: write auto, line, pong, hello or frame",
        "不是方言：请写 auto、line、pong、hello 或 frame",
    ),
    (
        "not a status: write ok, fail, start, log or an exit code",
        "不是状态：请写 ok、fail、start、log，或退出码",
    ),
    ("must be from 1s to 366d", "应在 1s 到 366d 之间"),
    ("must be from 100ms to 1d", "应在 100ms 到 1d 之间"),
    (
        "not an address: write PORT, HOST:PORT, [IPV6]:PORT or unix:PATH",
        "不是地址：请写 端口、主机:端口、[IPv6]:端口 或 unix:路径",
    ),
    ("not a port: write a number from 1 to 65535", "不是端口：请写 1 到 65535 之间的数字"),
    ("neither a port nor a command", "既不是端口，也不是命令"),
    ("unix: needs a path", "unix: 后缺少路径"),
    ("the path of a unix socket is at most 107 bytes", "unix 套接字的路径最长 107 字节"),
    ("a path holds no NUL", "路径中不能含有 NUL"),
    ("not an IPv6 address between the brackets", "方括号中不是 IPv6 地址"),
    ("an IPv6 address needs brackets: [::1]:7777", "IPv6 地址需要方括号：[::1]:7777"),
    ("not an IPv4 address", "不是 IPv4 地址"),
    (
        "not a log target: write stderr, journal, syslog or file:PATH",
        "不是日志目标：请写 stderr、journal、syslog 或 file:路径",
    ),
    ("not a log format: write classic, text or json", "不是日志格式：请写 classic、text 或 json"),
    (
        "not a duration: write seconds or units such as 90s, 1h30m, 2d",
        "不是时长：请写秒数，或带单位，例如 90s、1h30m、2d",
    ),
    ("not a language: write auto, en or zh", "不是语言：请写 auto、en 或 zh"),
    ("not a protocol: write http or tcp", "不是协议：请写 http 或 tcp"),
    (
        "not a header that says who the client is: write x-forwarded-for, forwarded, x-real-ip or proxy-protocol",
        "不是表明客户端身份的头：请写 x-forwarded-for、forwarded、x-real-ip 或 proxy-protocol",
    ),
    ("not a way to name the nameless: write ip or ip:port", "不是为匿名客户端命名的方式：请写 ip 或 ip:port"),
    ("not a way to sync: write second or always", "不是同步方式：请写 second 或 always"),
    (
        "not a network: write an address or a network such as 192.168.1.0/24",
        "不是网络：请写地址，或 192.168.1.0/24 这样的网络",
    ),
    ("that is everyone: leave --from out", "这就是所有人：请省略 --from"),
    ("not a switch: write 1 or 0", "不是开关：请写 1 或 0"),
    ("not a count: write a number from 0 to 255", "不是次数：请写 0 到 255 之间的数字"),
    (
        "a token is 16 to 512 characters; make one with: openssl rand -hex 32",
        "令牌长度为 16 到 512 个字符；可用 openssl rand -hex 32 生成",
    ),
    ("a token is visible ASCII without spaces", "令牌只能是不含空格的可见 ASCII 字符"),
];

/// A reason of the domain in both languages; one without a translation stays English.
pub(crate) fn domain(reason: &'static str) -> Text {
    Text::new(reason, domain_zh(reason).unwrap_or(reason))
}

/// A reason of the domain in Chinese.
pub(crate) fn domain_zh(reason: &str) -> Option<&'static str> {
    DOMAIN_ZH.iter().find(|(en, _)| *en == reason).map(|(_, zh)| *zh)
}

/// Why a text is no id, in both languages.
pub(crate) fn id(error: IdError) -> Text {
    let reason = error.to_string();
    let zh = domain_zh(&reason).unwrap_or_default();
    Text::new(reason.as_str(), zh)
}

/// What a name of ours may be, in both languages.
pub(super) fn name() -> Text {
    Text::new(
        "a name is 1 to 64 letters, digits, '-', '_' or '.'",
        "名称应为 1 到 64 个字母、数字、'-'、'_' 或 '.'",
    )
}

/// Why a name is no time zone, in both languages.
pub(super) fn zone(error: UnknownZone) -> Text {
    let zh = "本机没有这个时区：请写 local、UTC 或 Europe/Berlin 之类的名称；按名称查找需要 tzdata，US/Eastern 之类的旧名需要 \
              tzdata-legacy";
    Text::new(error.to_string(), zh)
}

/// The zone that was probably meant.
pub(super) fn near_zone(name: &str) -> Option<String> {
    let near =
        Zone::names().map(|known| (levenshtein(&name.to_lowercase(), &known.to_lowercase()), known)).min()?;
    Some(near.1).filter(|known| near.0 <= 1 + known.len() / 8)
}

/// Why an expression is no schedule, in both languages.
pub(super) fn schedule(error: &ScheduleError) -> Text {
    let zh = match error {
        ScheduleError::Zone(unknown) => return zone(*unknown),
        ScheduleError::TooLong => "过长：最多 256 字节".to_string(),
        ScheduleError::Fields(count) => format!("应有五个字段，而不是 {count} 个：分、时、日、月、星期"),
        ScheduleError::Word => "未知的词：请写 @hourly、@daily、@weekly、@monthly 或 @yearly".to_string(),
        ScheduleError::Part { field, text, low, high } => {
            let name = field_zh(*field);
            format!(
                "{text:?} 不适用于“{name}”：应为 {low} 到 {high}，范围 1-5，步长 */15 或 0-30/10，列表 1,3"
            )
        }
        ScheduleError::Never => "不存在这样的日期".to_string(),
    };
    Text::new(error.to_string(), zh)
}

/// What a field of a schedule is called in Chinese.
pub(super) fn field_zh(field: Field) -> &'static str {
    match field {
        Field::Minute => "分",
        Field::Hour => "时",
        Field::Day => "日",
        Field::Month => "月",
        Field::Weekday => "星期",
    }
}

/// Whom a rule names, as the configuration writes it.
pub(super) fn whom(matches: &Match) -> String {
    match matches {
        Match::Id(pattern) => pattern.to_string(),
        Match::Network(network) => network.to_string(),
    }
}

/// What TOML calls a type, in both languages.
pub(super) fn type_name(name: &'static str) -> (&'static str, &'static str) {
    match name {
        "string" => ("a string", "字符串"),
        "integer" => ("an integer", "整数"),
        "float" => ("a fraction", "小数"),
        "boolean" => ("true or false", "布尔值"),
        "datetime" => ("a date", "日期"),
        "array" => ("a list", "列表"),
        "table" => ("a table", "表"),
        other => (other, other),
    }
}

/// A key that nobody knows: with the one that was probably meant, or all that are known here.
pub(super) fn unknown_key(name: &str, known: &[&str], elsewhere: fn(&str) -> Option<String>) -> Text {
    if let Some(other) = elsewhere(name) {
        return Text::new(
            format!("unknown key; did you mean {other}?"),
            format!("未知的键；是否想写 {other}？"),
        );
    }
    let near = known.iter().map(|key| (levenshtein(name, key), *key)).min();
    if let Some((_, key)) = near.filter(|(far, key)| *far <= 1 + key.len() / 4) {
        return Text::new(format!("unknown key; did you mean {key}?"), format!("未知的键；是否想写 {key}？"));
    }
    let (en, zh) = (known.join(", "), known.join("、"));
    Text::new(format!("unknown key; known here: {en}"), format!("未知的键；此处可用：{zh}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Token;
    use crate::domain::address::ListenAddress;
    use crate::domain::lang::Lang;
    use crate::domain::time::Span;
    use crate::sys::log::{Format, Target};

    #[test]
    fn whatever_the_domain_refuses_is_said_in_chinese_too() {
        let long = format!("unix:/{}", "x".repeat(120));
        let mut reasons = Vec::new();
        for text in ["", "x", "0", "unix:", "unix:\0", &long, "[x]:80", "::1:80", "1.2.3:80", "a b:80"] {
            reasons.extend(text.parse::<ListenAddress>().err());
        }
        reasons.extend("x".parse::<Target>().err());
        reasons.extend("x".parse::<Format>().err());
        reasons.extend(Span::parse("x").err());
        reasons.extend(Token::new("short").err());
        reasons.extend(Token::new("long enough but with spaces").err());
        assert_eq!(reasons.len(), 15);
        for reason in reasons {
            assert_ne!(domain(reason).say(Lang::Zh), reason);
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let known = ["body_bytes", "body_timeout"];
        let say = |name: &str| {
            unknown_key(name, &known, |n| (n == "dir").then(|| "state.dir".into())).say(Lang::En).to_string()
        };
        assert_eq!(say("body_byte"), "unknown key; did you mean body_bytes?");
        assert_eq!(say("bodytimeout"), "unknown key; did you mean body_timeout?");
        assert_eq!(say("dir"), "unknown key; did you mean state.dir?");
        assert_eq!(say("colour"), "unknown key; known here: body_bytes, body_timeout");
    }
}
