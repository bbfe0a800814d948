//! Texts: why a text cannot be read.

use super::{Lang, Text, Word};
use std::fmt;

macro_rules! parse_errors {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        /// Why a text cannot be read as what it should be.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum ParseError {
            $($name,)*
        }

        impl ParseError {
            /// The reason, and what to write instead.
            pub const fn word(self) -> Word {
                match self {
                    $(ParseError::$name => Word { en: $en, zh: $zh },)*
                }
            }
        }
    };
}

parse_errors! {
    BareHostName:
        "write a host name without scheme and port, such as heartbeat.example.org or *.example.org",
        "请写不含协议和端口的主机名，例如 heartbeat.example.org 或 *.example.org";
    NotUrl:
        "not a URL: write http://, https://, tcp://, tls://, ws:// or wss:// and HOST[:PORT], or unix:PATH",
        "不是 URL：请写 http://、https://、tcp://、tls://、ws:// 或 wss:// 加 主机[:端口]，或 unix:路径";
    NotWebUrl: "not a URL: write http:// or https:// and HOST[:PORT]", "不是 URL：请写 http:// 或 https:// 加 主机[:端口]";
    NoHost: "the URL has no host", "URL 中缺少主机";
    NotHostName: "not a host name", "不是主机名";
    UserInUrl:
        "a URL holds no user or password here: put a token in a file and name it with --token-file",
        "URL 中不能含有用户名或密码：请把令牌写入文件，并用 --token-file 指定";
    QueryInUrl: "a URL holds no ? or # here", "此处的 URL 不能含有 ? 或 #";
    PathOverTcp: "raw TCP has no path: end the URL behind the port", "TCP 没有路径：URL 应在端口后结束";
    PathNotAscii:
        "the path of a URL is visible ASCII; write anything else in percent-encoding",
        "URL 的路径只能是可见 ASCII 字符；其余请用百分号编码";
    NotDialect:
        "not a dialect: write auto, line, pong, hello or frame",
        "不是方言：请写 auto、line、pong、hello 或 frame";
    NotStatus:
        "not a status: write ok, fail, start, log or an exit code",
        "不是状态：请写 ok、fail、start、log，或退出码";
    IntervalRange: "must be from 1s to 366d", "应在 1s 到 366d 之间";
    TimeoutRange: "must be from 100ms to 1d", "应在 100ms 到 1d 之间";
    NotAddress:
        "not an address: write PORT, HOST:PORT, [IPV6]:PORT or unix:PATH",
        "不是地址：请写 端口、主机:端口、[IPv6]:端口 或 unix:路径";
    NotPort: "not a port: write a number from 1 to 65535", "不是端口：请写 1 到 65535 之间的数字";
    NotPortNorCommand: "neither a port nor a command", "既不是端口，也不是命令";
    NoUnixPath: "unix: needs a path", "unix: 后缺少路径";
    LongUnixPath: "the path of a unix socket is at most 107 bytes", "unix 套接字的路径最长 107 字节";
    NulInPath: "a path holds no NUL", "路径中不能含有 NUL";
    NotIpv6InBrackets: "not an IPv6 address between the brackets", "方括号中不是 IPv6 地址";
    Ipv6NeedsBrackets: "an IPv6 address needs brackets: [::1]:7777", "IPv6 地址需要方括号：[::1]:7777";
    NotIpv4: "not an IPv4 address", "不是 IPv4 地址";
    NotLogTarget:
        "not a log target: write stderr, journal, syslog or file:PATH",
        "不是日志目标：请写 stderr、journal、syslog 或 file:路径";
    NotLogFormat: "not a log format: write classic, text or json", "不是日志格式：请写 classic、text 或 json";
    NotDuration:
        "not a duration: write seconds or units such as 90s, 1h30m, 2d",
        "不是时长：请写秒数，或带单位，例如 90s、1h30m、2d";
    NotLanguage: "not a language: write auto, en or zh", "不是语言：请写 auto、en 或 zh";
    NotProtocol: "not a protocol: write http or tcp", "不是协议：请写 http 或 tcp";
    NotProxyHeader:
        "not a header that says who the client is: write x-forwarded-for, forwarded, x-real-ip or proxy-protocol",
        "不是表明客户端身份的头：请写 x-forwarded-for、forwarded、x-real-ip 或 proxy-protocol";
    NotAnonymous:
        "not a way to name the nameless: write ip or ip:port",
        "不是为匿名客户端命名的方式：请写 ip 或 ip:port";
    NotSync: "not a way to sync: write second or always", "不是同步方式：请写 second 或 always";
    NotNetwork:
        "not a network: write an address or a network such as 192.168.1.0/24",
        "不是网络：请写地址，或 192.168.1.0/24 这样的网络";
    EveryNetwork: "that is everyone: leave --from out", "这就是所有人：请省略 --from";
    NotSwitch: "not a switch: write 1 or 0", "不是开关：请写 1 或 0";
    NotCount: "not a count: write a number from 0 to 255", "不是次数：请写 0 到 255 之间的数字";
    TokenLength:
        "a token is 16 to 512 characters; make one with: openssl rand -hex 32",
        "令牌长度为 16 到 512 个字符；可用 openssl rand -hex 32 生成";
    TokenCharacters: "a token is visible ASCII without spaces", "令牌只能是不含空格的可见 ASCII 字符";
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word().in_lang(Lang::En))
    }
}

impl std::error::Error for ParseError {}

impl From<ParseError> for Text {
    fn from(error: ParseError) -> Text {
        error.word().into()
    }
}
