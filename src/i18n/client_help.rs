//! Texts: the command line of the client in Chinese. Its English stands in the definition, `client/cli.rs`.

/// What the program is.
pub const ABOUT_ZH: &str = "发送心跳，用心跳包裹任务，并向服务器查询谁还活着";

/// The last lines of its help.
pub const AFTER_HELP_ZH: &str = "\
未给出 --to 时依次使用：$HEARTBEAT_URL、配置文件、http://localhost:7777。
手册：heartbeat(1)";

/// Usage lines, by command.
pub const USAGE_ZH: &[(&str, &str)] = &[
    (
        "",
        "heartbeat send [--id 标识] [--status 状态] [-m 文本]
      heartbeat agent [--id 标识] [--every 30s] [--on-down 命令] [--on-up 命令]
      heartbeat run [--id 标识] -- 命令...
      heartbeat install [URL...] [--every 60s]
      heartbeat list | show 标识 | watch | pause 标识 [--for 2h] | resume 标识 | remove 标识",
    ),
    ("send", "heartbeat send [选项]"),
    ("agent", "heartbeat agent [选项]"),
    ("run", "heartbeat run [选项] -- 命令..."),
    ("install", "heartbeat install [选项] [URL]"),
    ("list", "heartbeat list [选项]"),
    ("show", "heartbeat show [选项] 标识"),
    ("watch", "heartbeat watch [选项]"),
    ("pause", "heartbeat pause [选项] 标识"),
    ("resume", "heartbeat resume [选项] 标识"),
    ("remove", "heartbeat remove [选项] 标识"),
    ("generate", "heartbeat generate man|completions SHELL"),
    ("generate man", "heartbeat generate man"),
    ("generate completions", "heartbeat generate completions bash|zsh|fish"),
];

/// Help texts: command (empty: the program itself), argument (empty: the command), text.
pub const HELP_ZH: &[(&str, &str, &str)] = &[
    (
        "",
        "to",
        "服务器：http://、https://、tcp://、tls://、ws:// 或 wss:// 加 主机[:端口]，或 unix:路径；可重复",
    ),
    ("", "config", "读取此配置文件；默认 /etc/heartbeat-client/heartbeat-client.toml"),
    ("", "timeout", "等待应答的最长时间；默认 10s"),
    ("", "token_file", "向服务器出示此文件中的令牌"),
    ("", "ca", "只信任这些证书颁发机构（PEM），而不是系统的"),
    ("", "cert", "向服务器出示此证书（PEM），与 --key 同用"),
    ("", "key", "--cert 的私钥（PEM）"),
    ("", "lang", "输出、日志和提示的语言：auto（按区域设置）、en 或 zh"),
    ("", "help", "显示帮助"),
    ("", "version", "显示版本"),
    ("send", "", "发送一次心跳；服务器确认后才以 0 退出"),
    ("send", "id", "监控项；默认为本机主机名"),
    ("send", "status", "ok、fail、start、log，或退出码；默认 ok"),
    ("send", "message", "给人看的文本；超过 10000 字节的省略中间"),
    ("send", "interval", "从现在起应遵守的间隔"),
    ("send", "grace", "此后下一次心跳最多可迟到多久"),
    ("send", "tags", "监控项的标签，以逗号分隔"),
    ("send", "rid", "把一次运行的开始和结束联系起来"),
    ("agent", "", "持续发送心跳，并发现服务器挂掉"),
    ("agent", "id", "监控项；默认为本机主机名"),
    ("agent", "every", "发送间隔；服务器可以要求放慢；默认 30s"),
    ("agent", "interval_max", "最多放慢到的间隔；默认为自身间隔的十倍，最长 1h"),
    ("agent", "dialect", "在 TCP 上使用的方言：auto、line、pong、hello 或 frame；默认 auto"),
    ("agent", "on_down", "发现服务器挂掉时用 shell 运行"),
    ("agent", "on_up", "服务器恢复应答时用 shell 运行"),
    ("agent", "verbose", "日志更详细；可重复"),
    ("agent", "quiet", "日志更简略；可重复"),
    ("run", "", "运行任务，并报告其开始、退出码和输出的末尾"),
    ("run", "id", "监控项"),
    ("run", "retry_for", "报告结果时最长重试多久；默认 10s"),
    ("run", "command", "任务及其参数；不经过 shell"),
    ("install", "", "让本机开始发送心跳：配置、服务、第一次心跳"),
    ("install", "servers", "服务器，与 --to 相同；可写多个"),
    ("install", "id", "监控项；默认为本机主机名"),
    ("install", "every", "发送间隔；默认 60s"),
    ("list", "", "列出监控项"),
    ("list", "state", "只列出处于此状态的：new、up、late、down 或 paused"),
    ("list", "matching", "只列出标识含有此文本或符合此模式的"),
    ("list", "json", "输出 JSON"),
    ("show", "", "显示一个监控项"),
    ("show", "id", "监控项"),
    ("show", "json", "输出 JSON"),
    ("watch", "", "实时显示监控项，直到按下 Ctrl-C"),
    ("watch", "state", "只显示处于此状态的：new、up、late、down 或 paused"),
    ("watch", "matching", "只显示标识含有此文本或符合此模式的"),
    ("pause", "", "暂停一个监控项：其沉默不再计较"),
    ("pause", "id", "监控项"),
    ("pause", "span", "暂停多久；默认直到恢复"),
    ("resume", "", "结束暂停"),
    ("resume", "id", "监控项"),
    ("remove", "", "移除一个监控项；它的下一次心跳会重新建立它"),
    ("remove", "id", "监控项"),
    ("generate", "", "输出打包所需的文件"),
    ("generate man", "", "手册页 heartbeat(1)"),
    ("generate completions", "", "命令补全脚本：bash、zsh 或 fish"),
    ("generate completions", "shell", "bash、zsh 或 fish"),
];
