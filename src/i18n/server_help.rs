//! Texts: the command line of the server in Chinese. Its English stands in the definition, `config/cli.rs`, by which a test
//! holds that none is missing.

/// What the program is.
pub const ABOUT_ZH: &str = "接收机器、设备和定时任务的心跳，逐条记录，并知道谁还活着";

/// The last lines of its help.
pub const AFTER_HELP_ZH: &str = "\
每个选项也可用环境变量设置：--http 对应 HEARTBEAT_HTTP，依此类推。
手册：heartbeat-server(8)、heartbeat-server.toml(5)";

/// Usage lines in Chinese, by command.
pub const USAGE_ZH: &[(&str, &str)] = &[
    (
        "",
        "heartbeat-server [选项] [端口]
      heartbeat-server [选项] check-config [文件]
      heartbeat-server [选项] firewall open|close|status [--from CIDR]... [--dry-run]
      heartbeat-server [选项] test-alert 名称
      heartbeat-server generate man|completions SHELL|config",
    ),
    ("check-config", "heartbeat-server check-config [选项] [文件]"),
    ("firewall", "heartbeat-server firewall [选项] open|close|status"),
    ("test-alert", "heartbeat-server test-alert [选项] 名称"),
    ("generate", "heartbeat-server generate man|completions SHELL|config"),
    ("generate man", "heartbeat-server generate man"),
    ("generate completions", "heartbeat-server generate completions bash|zsh|fish"),
    ("generate config", "heartbeat-server generate config"),
];

/// Help texts: command (empty: the program itself), argument (empty: the command), text.
pub const HELP_ZH: &[(&str, &str, &str)] = &[
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
