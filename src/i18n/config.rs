//! Texts: what is said of the configuration.

use super::{Quoted, Shown, Told, texts, words};

words! {
    ROW_PAIR: "pair", "另一台服务器";
    PAIR_NEEDS_URL: "url is missing: where the other server is", "缺少 url：另一台服务器在哪里";
    ROW_WEBSOCKET: "websocket", "WebSocket";
    ROW_TCP: "tcp", "TCP";
    ROW_THREADS: "threads", "线程";
    ROW_CONNECTIONS: "connections", "连接";
    ROW_REQUESTS: "requests", "请求";
    ROW_TIMEOUTS: "timeouts", "超时";
    ROW_MEMORY: "memory", "内存";
    ROW_MONITORS: "monitors", "监控项";
    ROW_BEATS: "beats/s", "每秒心跳";
    ROW_MAY_BEAT: "may beat", "可发心跳";
    ROW_MAY_READ: "may read", "可读取";
    ROW_MAY_CHANGE: "may change", "可更改";
    ROW_NAMES: "under names", "可用名称";
    TRUE_OR_FALSE: "true or false", "true 或 false";
    WHOLE_NUMBER: "a whole number", "整数";
    DATE:
        "a date such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00",
        "日期，例如 2026-12-24T18:00:00Z 或 2026-12-24T18:00:00";
    TIME_OF_DAY: "a time of the day such as \"02:30\"", "时刻，例如 \"02:30\"";
    LIST: "a list in [ ]", "用 [ ] 括起的列表";
    WEB_ADDRESS: "an address such as \"https://mon.example.org\"", "形如 \"https://mon.example.org\" 的地址";
    TYPE_STRING: "a string", "字符串";
    TYPE_INTEGER: "an integer", "整数";
    TYPE_FLOAT: "a fraction", "小数";
    TYPE_BOOLEAN: "true or false", "布尔值";
    TYPE_DATETIME: "a date", "日期";
    TYPE_ARRAY: "a list", "列表";
    TYPE_TABLE: "a table", "表";
    NAME: "a name is 1 to 64 letters, digits, '-', '_' or '.'", "名称应为 1 到 64 个字母、数字、'-'、'_' 或 '.'";
    PORT_HTTP_CANNOT_USED:
        "PORT and --http cannot be used together: write --http PORT",
        "端口与 --http 不能同时使用：请写 --http 端口";
    PORT_CANNOT_USED_COMMAND: "PORT cannot be used with a command", "端口不能与子命令同时使用";
    FILE_CONFIG_CANNOT_USED:
        "FILE and --config cannot be used together: they name the same thing",
        "文件参数与 --config 不能同时使用：二者含义相同";
    HTTP_OFF_STANDS_ALONE: "--http off stands alone", "--http off 只能单独使用";
    TCP_OFF_STANDS_ALONE: "--tcp off stands alone", "--tcp off 只能单独使用";
    FROM_GOES_OPEN_CLOSE: "--from goes with open and close", "--from 只能与 open 和 close 同用";
    DAEMON_BACKGROUND_NO_STDERR:
        "a daemon in the background has no stderr: log to syslog, journal or file:PATH",
        "后台守护进程没有 stderr：请改用 syslog、journal 或 file:路径";
    NO_PLACE_STATE_HOME:
        "no place for state: $HOME is not set; give one with --state-dir",
        "没有保存状态的位置：未设置 $HOME；请用 --state-dir 指定";
    NO_EFFECT_WITHOUT_DAEMON: "has no effect without --daemon", "没有 --daemon 时不起作用";
    NOT_UTF_8: "not UTF-8", "不是 UTF-8 编码";
    ENGLISH: "English", "简体中文";
    MANY_OPEN_FILES_ALLOW: "as many as open files allow", "取决于可打开的文件数";
    NOTIFIER: "notifier", "通知渠道";
    NOBODY_WHERE_NO_RULE: "nobody, where no rule says whom", "无规则指明时不通知任何人";
    COMMA: ", ", "、";
    TOLD: "told", "通知";
    EXCEPT: "; except ", "；除了 ";
    NEVER: "never", "从不";
    TELLS_EACH_FURTHER_FAILURE: ", tells each further failure", "，每次再失败都通知";
    TOO_MANY_FAULTS_REST: "too many faults; the rest is not told", "错误过多，其余从略";
    NO_SUCH_FILE: "no such file", "文件不存在";
    NO_PERMISSION_READ_CHECK:
        "no permission to read it; check its owner and mode",
        "没有读取权限；请检查其属主和权限";
    DIRECTORY_NOT_FILE: "is a directory, not a file", "是目录而不是文件";
    NOTHING_LEFT_LISTEN_GIVE:
        "nothing is left to listen on: give an address instead of off",
        "没有可监听的地址：请给出地址而不是 off";
    ADDRESS_MISSING: "address is missing", "缺少 address";
    FAST_PATH_PROTOCOL_HTTP: "fast_path is for the protocol \"http\" only", "fast_path 仅用于 \"http\" 协议";
    RAW_TCP_NO_HEADERS:
        "raw TCP has no headers: proxies need proxy_header = \"proxy-protocol\" there",
        "原始 TCP 没有 HTTP 头：proxies 在此需要 proxy_header = \"proxy-protocol\"";
    PROXY_HEADER_NEEDS_PROXIES:
        "proxy_header needs proxies = [\"ADDRESS\"]: whose word it is",
        "proxy_header 需要 proxies = [\"地址\"]：信任谁的说法";
    PROXIES_WITHOUT_PROXY_HEADER:
        "proxies without proxy_header: X-Forwarded-For is read, and a request with Forwarded alone is refused; write proxy_header = \"x-forwarded-for\", \"forwarded\", \"x-real-ip\" or \"proxy-protocol\", whichever the proxy sets",
        "有 proxies 而没有 proxy_header：读取 X-Forwarded-For，只带 Forwarded 的请求会被拒绝；请写明代理设置的是哪一个：proxy_header = \"x-forwarded-for\"、\"forwarded\"、\"x-real-ip\" 或 \"proxy-protocol\"";
    MATCH_MISSING_NAME_ID:
        "match is missing: name an id, a pattern such as \"web-*\" or a network",
        "缺少 match：请写标识、模式（例如 \"web-*\"）或网段";
    SCHEDULE_INTERVAL_EXCLUDE_EACH:
        "a schedule and an interval exclude each other; leave one out",
        "schedule 与 interval 不能同时使用；请去掉一个";
    NO_EFFECT_WITHOUT_SCHEDULE: "has no effect without schedule", "没有 schedule 时不起作用";
    MONITOR_CANNOT_DEPEND_ITSELF: "a monitor cannot depend on itself", "监控项不能依赖自身";
    TOO_FAR_FUTURE: "too far in the future", "时间过于遥远";
    MUST_LATER_THAN_FROM: "must be later than from", "必须晚于 from";
    WINDOW_FROM_WEEKLY_CRON:
        "a window has from and to, or weekly, at and for, or cron and for",
        "维护窗口应写 from 和 to，或 weekly、at 和 for，或 cron 和 for";
    NOTIFIER_NOT_OWN_FALLBACK: "a notifier is not its own fallback", "通知渠道不能以自身为后备";
    NAME_MISSING: "name is missing", "缺少 name";
    TYPE_MISSING_WRITE_WEBHOOK:
        "type is missing: write \"webhook\", \"mail\", \"exec\", \"journal\" or \"syslog\"",
        "缺少 type：请写 \"webhook\"、\"mail\"、\"exec\"、\"journal\" 或 \"syslog\"";
    NOT_PROXY_HTTP_WRITE:
        "not a proxy of HTTP: write \"http://HOST:PORT\", { file = \"PATH\" } where it has a password, or \"none\"",
        "不是 HTTP 代理：请写 \"http://主机:端口\"；含密码时写 { file = \"路径\" }；不用代理写 \"none\"";
    PASSWORD_FILE_MISSING: "password_file is missing", "缺少 password_file";
    USERNAME_MISSING: "username is missing", "缺少 username";
    COMMAND_MISSING: "command is missing", "缺少 command";
    MEANS_NOTHING_WITHOUT_CLIENT: "means nothing without client_ca", "没有 client_ca 时没有意义";
    TOO_LONG: "too long", "文件过长";
    HOLDS_NO_TOKEN_PUT:
        "holds no token; put one on a line, made with: openssl rand -hex 32",
        "其中没有令牌；每行写一个，可用 openssl rand -hex 32 生成";
    PATH_MISSING: "a path is missing", "缺少路径";
    NOT_SIZE_WRITE_BYTES:
        "not a size: write bytes, or a number with K, M or G such as \"100M\"",
        "不是大小：请写字节数，或带 K、M、G 的数字，例如 \"100M\"";
    SAY_WHERE_PATH_CREDENTIAL:
        "say where it is: \"PATH\" or { credential = \"NAME\" }",
        "请指明位置：\"路径\" 或 { credential = \"名称\" }";
    NOT_NAME_CREDENTIAL: "not the name of a credential", "不是凭据名称";
    SAY_WHERE_TOKENS_FILE:
        "say where the tokens are: { file = \"PATH\" } or { credential = \"NAME\" }",
        "请指明令牌的位置：{ file = \"路径\" } 或 { credential = \"名称\" }";
    WRITE_REQUIRED_OPTIONAL: "write \"required\" or \"optional\"", "请写 \"required\" 或 \"optional\"";
    LOG_NEEDS_LEAST_ONE:
        "a log needs at least one target: \"stderr\", \"journal\", \"syslog\" or \"file:PATH\"",
        "日志至少需要一个目标：\"stderr\"、\"journal\"、\"syslog\" 或 \"file:路径\"";
    TARGET_MISSING: "target is missing", "缺少 target";
    NOT_LEVEL_WRITE_ERROR:
        "not a level: write error, warning, notice, info or debug",
        "不是级别：请写 error、warning、notice、info 或 debug";
    DAY_MISSING: "a day is missing", "缺少星期";
    SAY_WHERE_SECRET_FILE:
        "say where the secret is: { file = \"PATH\" } or { credential = \"NAME\" }",
        "请指明密钥的位置：{ file = \"路径\" } 或 { credential = \"名称\" }";
    HEADER_SET_ALREADY: "this header is set already", "此请求头已自动设置";
    NOT_NAME_HEADER: "not the name of a header", "不是请求头名称";
    WRITE_LIST_PATH_PROGRAM:
        "write a list: [\"/path/program\", \"argument\"]; a shell is had with [\"sh\", \"-c\", \"…\"]",
        "请写成列表：[\"/路径/程序\", \"参数\"]；需要 shell 时写 [\"sh\", \"-c\", \"…\"]";
    PROGRAM_MISSING: "the program is missing", "缺少程序";
    FILES: "files", "文件";
    NONE_DEFAULTS_ONLY: "none, defaults only", "无，仅使用默认值";
    FILE: "file", "文件";
    LISTEN: "listen", "监听";
    BEATS_EVENTS: "beats and events", "心跳和事件";
    EVENTS: "events", "事件";
    LOG: "log", "日志";
    LOG_FORMAT: "log format", "日志格式";
    LOG_FILES: "log files", "日志文件";
    STATE: "state", "状态目录";
    DISK_EVERY_SECOND: "to disk every second", "每秒写入磁盘";
    DISK_BEFORE_EACH_ANSWER: "to disk before each answer", "每次应答前写入磁盘";
    CONTROL: "control", "控制";
    OFF: "off", "关闭";
    QUARTER_INTERVAL_30S_1H: "a quarter of the interval (30s to 1h)", "间隔的四分之一（30s 到 1h）";
    NO_LIMIT: "no limit", "不限";
    MONITOR: "monitor", "规则";
    NEXT: "next", "接下来";
    BACKGROUND: "in the background", "在后台";
    FOREGROUND: "in the foreground", "在前台";
    RUNS: "runs", "运行";
    PID_FILE: "pid file", "PID 文件";
    USER: "user", "用户";
    GROUP: "group", "用户组";
    CONFINED: "confined", "自我限制";
    NO: "no", "否";
    YES_FAR_NOTHING_ELSE: "yes, as far as nothing else does it", "是（其他机制未做到的部分）";
    INTERVAL: "interval", "间隔";
    DUE: "due at", "计划";
    TIMES: "times by", "时间按";
    GRACE: "grace", "宽限";
    EARLY: "early by", "可提前";
    FIRST_HEARD_WITHIN: "first heard within:", "首次心跳期限";
    RUN_LIMIT: "run limit", "运行时限";
    RUN_LIMIT_2: "run limit:", "运行时限";
    NEXT_TIME_GRACE: "the next time and grace", "到下一时刻加宽限";
    FORGOTTEN_AFTER: "forgotten after:", "静默后遗忘";
    TAGS: "tags", "标签";
    NOBODY: "nobody", "无人";
    TELLS: "tells", "通知";
    AFTER: "after", "依赖";
    MAINTENANCE: "maintenance", "维护";
    DEFAULTS: "defaults", "默认值";
    SEMICOLON: "; ", "；";
    COLON: ": ", "：";
    SEMICOLON_WITHIN: "; ", "，";
    PROXIES_BELIEVED: "; proxies believed: ", "，信任的代理：";
    CLIENT: ", the client by ", "，客户端取自 ";
    WITHOUT_KEEPALIVE: "; without keepalive", "，不用 keepalive";
    WITHOUT_FAST_PATH: "; without the fast path", "，不用快速路径";
    KEPT: "kept", "保存";
    GOVERNOR: "governor", "调节";
    NOBODY_BUT_UNIX_SOCKETS: "nobody but unix sockets", "除 unix 套接字外均不允许";
    ANY_PAGES_CHANGE_SOMETHING:
        "any; pages that change something: addresses and local names",
        "任意；有更改的网页请求：地址和本地名称";
    NOBODY_OVER_HTTP_NO: "nobody over HTTP: no admin token", "HTTP 上均不允许：没有管理令牌";
    TLS: "; TLS", "，TLS";
    CLIENTS_MUST_SHOW_CERTIFICATE: ", clients must show a certificate", "，客户端必须出示证书";
    CLIENTS_MAY_SHOW_CERTIFICATE: ", clients may show a certificate", "，客户端可出示证书";
}

texts! {
    pair_standby(url: Shown, name: Shown, grace: Shown):
        "stands by for {url} ({name}), tells when that is silent for {grace}",
        "为 {url}（{name}）待命，沉默 {grace} 后通知";
    pair_first(url: Shown): "tells, but for what {url} has told", "照常通知，{url} 已通知的除外";
    websocket_times(ping_interval: Shown, timeout: Shown):
        "ping every {ping_interval}, given up after {timeout} of silence",
        "每 {ping_interval} 探测一次，静默 {timeout} 后断开";
    tcp_times(ping: Shown, timeout: Shown, frames: Shown, lines: Shown, nameless: Shown):
        "ping every {ping}; silence {timeout}, frames {frames}, lines {lines}; nameless by {nameless}",
        "每 {ping} 发送 ping；静默 {timeout}，帧 {frames}，文本行 {lines}；匿名客户端按 {nameless}";
    connections(all: Shown, each: Shown): "{all}; {each} from one address", "{all}；每个地址 {each}";
    requests(head: Shown, lines: Shown, body: Shown, beat: Shown, batch: Shown, depth: Shown):
        "head {head} and {lines} lines, body {body}, beat {beat}, {batch} beats at once, JSON depth {depth}",
        "请求头 {head}、{lines} 行，请求体 {body}，单个心跳 {beat}，每批 {batch} 个，JSON 深度 {depth}";
    timeouts(head: Shown, body: Shown, idle: Shown, unread: Shown):
        "head {head}, body {body}, idle {idle}, unread {unread}",
        "请求头 {head}，请求体 {body}，空闲 {idle}，不接收 {unread}";
    memory(clients: Shown, messages: Shown, streams: Shown):
        "{clients} for clients, {messages} for messages; {streams} event streams from one address",
        "客户端共 {clients}，消息共 {messages}；每个地址 {streams} 个事件流";
    monitors(all: Shown, new: Shown):
        "{all}; from one address {new} new ones an hour",
        "{all}；每个地址每小时新增 {new}";
    beats_each(most: Shown): "from one address: {most}", "每个地址：{most}";
    whole_number_or(word: Shown): "a whole number or \"{word}\"", "整数或 \"{word}\"";
    blocks(key: Shown): "a list, written as one block [[{key}]] for each,", "列表（每一项写成一块 [[{key}]]）";
    unknown_key_near(other: Shown): "unknown key; did you mean {other}?", "未知的键；是否想写 {other}？";
    unknown_key(known: Told): "unknown key; known here: {known}", "未知的键；此处可用：{known}";
    error_usage_more_information(reason: Shown, usage_en: Shown, usage_zh: Shown):
        "error: {reason}\n\nUsage: {usage_en}\n\nFor more information, try '--help'.\n",
        "错误：{reason}\n\n用法：{usage_zh}\n\n更多信息请用 --help 查看。\n";
    most_times_from(most: Shown): "at most {most} times --from", "--from 最多 {most} 个";
    named_twice(target: Shown): "{target} is named twice", "{target} 出现了两次";
    too_many_most(most: Shown): "too many: at most {most}", "过多：最多 {most} 个";
    too_long_path_unix(path: Shown, most: Shown):
        "{path} is too long: the path of a unix socket has at most {most} bytes",
        "{path} 过长：unix 套接字的路径最长 {most} 字节";
    must_longer_than_websocket(ping_interval: Shown):
        "must be longer than websocket.ping_interval, which is {ping_interval}",
        "必须长于 websocket.ping_interval（{ping_interval}）";
    beat_cannot_longer_than(most: Shown):
        "a beat cannot be longer than a body: limits.body_bytes is {most}",
        "单个心跳不能比请求体更长：limits.body_bytes 为 {most}";
    each_kept(file_bytes_max: Shown, file_keep: Shown):
        "{file_bytes_max} each, {file_keep} kept",
        "每个 {file_bytes_max}，保留 {file_keep} 个";
    yes_far_nothing_else(folders: Shown):
        "yes, as far as nothing else does it; programs write in {folders} too",
        "是（其他机制未做到的部分）；程序还可写入 {folders}";
    mail(to: Shown, way: Shown): "mail to {to} by {way}", "邮件 {to}，经 {way}";
    gathers_down_least_reminds(name: Shown, how: Shown, group_wait: Shown, min_down: Shown, remind: Shown, rate_per_minute: Shown, concurrency: Shown, timeout: Shown, retry_for: Shown):
        "{name}: {how}; gathers {group_wait}, down for {min_down} at least, reminds every: {remind}, {rate_per_minute} a minute, {concurrency} at once, {timeout} a try, tried for {retry_for}",
        "{name}：{how}；合并 {group_wait}，离线满 {min_down} 才通知，提醒间隔 {remind}，每分钟 {rate_per_minute} 条，同时 {concurrency} 条，单次 {timeout}，重试 {retry_for}";
    then(fallback: Shown): ", then {fallback}", "，之后改用 {fallback}";
    not_here_not_checked(what: Shown):
        "{what} is not here and was not checked (--offline)",
        "{what} 不在本机，未检查（--offline）";
    cannot_read(error: Shown): "cannot read it: {error}", "无法读取：{error}";
    file_fault(what: Shown, why: Told): "{what}: {why}", "{what}：{why}";
    too_long_configuration_file(most: Shown):
        "too long: a configuration file has at most {most} bytes",
        "文件过长：配置文件最多 {most} 字节";
    not_toml(message: Shown): "not TOML: {message}", "不是有效的 TOML：{message}";
    cannot_list(error: Shown): "cannot list it: {error}", "无法列出目录：{error}";
    too_many_files_most(most: Shown): "too many files: at most {most}", "文件过多：最多 {most} 个";
    named_twice_first(address: Shown, first: Shown):
        "{address} is named twice, first at {first}",
        "{address} 出现了两次，第一次在 {first}";
    too_many_listeners_most(most: Shown): "too many listeners: at most {most}", "监听地址过多：最多 {most} 个";
    tcp_must_longer_than(name: Shown, timeout: Shown, interval: Shown):
        "tcp.{name} ({timeout}) must be longer than tcp.ping_interval ({interval})",
        "tcp.{name}（{timeout}）必须大于 tcp.ping_interval（{interval}）";
    too_many_maintenance_windows(most: Shown):
        "too many maintenance windows in all: at most {most}",
        "维护窗口总数过多：最多 {most} 个";
    is_named_twice(whom: Shown): "{whom} is named twice", "{whom} 出现了两次";
    goes_rule_which_stands(id: Shown, first: Shown):
        "{id} goes by the rule for {first}, which stands before this one",
        "{id} 适用排在此规则之前的 {first} 规则";
    window_ended_no_use(to: Shown):
        "a window that ended at {to} is of no use any more: remove it",
        "已于 {to} 结束的维护窗口不再起作用：请删除";
    no_monitor_names_check(id: Shown):
        "no [[monitor]] names {id}: check how it is written, or declare it",
        "没有 [[monitor]] 指明 {id}：请检查写法，或声明它";
    only_count_half_time(most: Shown, span: Shown):
        "only {most} of {span} count: half of the time between two slots",
        "{span} 中只有 {most} 有效：两个时刻之间的一半";
    step_too_long(part: Shown, field: Told):
        "the step of {part} is longer than the {field} goes on: only the first one is due",
        "{part} 的步长超出“{field}”的范围：只有第一个有效";
    monitors_forgotten_after_but(forget: Shown, silence: Shown):
        "monitors are forgotten after {forget}, but down only after {silence}",
        "监控项在 {forget} 后即被遗忘，而 {silence} 后才会判为离线";
    named_twice_first_at(name: Shown, place: Shown):
        "{name} is named twice, first at {place}",
        "{name} 出现了两次，第一次在 {place}";
    no_notifier_none_all(name: Quoted):
        "there is no notifier {name:?}: there is none at all, write a [[notifier]]",
        "没有通知渠道 {name:?}：尚未定义任何渠道，请写 [[notifier]]";
    no_notifier(name: Quoted, all: Told):
        "there is no notifier {name:?}; there are: {all}",
        "没有通知渠道 {name:?}；现有：{all}";
    not(whose: Shown, own: Shown): "is for {whose}, not for {own}", "只用于 {whose}，不用于 {own}";
    no_proxy_http_http(name: Shown):
        "{name} is no proxy of HTTP (http://HOST:PORT) and is ignored",
        "{name} 不是 HTTP 代理（http://主机:端口），已忽略";
    missing(what: Shown): "{what} is missing", "缺少 {what}";
    tls_none_password_goes(host: Shown):
        "with tls = \"none\" the password goes to {host} for everybody to read",
        "tls = \"none\" 时密码以明文发往 {host}";
    no_program(path: Shown): "there is no program {path}", "没有程序 {path}";
    key_is_missing(name: Shown): "{name} is missing", "缺少 {name}";
    certificate_authority_ca_true(path: Shown):
        "{path} is the certificate of an authority (CA:TRUE), which clients refuse from a server; make it with -addext basicConstraints=critical,CA:FALSE",
        "{path} 是签发机构的证书（CA:TRUE），客户端会拒绝服务器出示它；请加 -addext basicConstraints=critical,CA:FALSE 重新生成";
    expired_clients_refuse_renew(day: Shown):
        "expired on {day}: clients refuse it; renew it",
        "已于 {day} 过期：客户端会拒绝它；请更新证书";
    expires_days_renew(day: Shown, days: Shown):
        "expires on {day}, in {days} days; renew it",
        "将于 {day}（{days} 天后）过期；请更新证书";
    too_many_tokens_most(most: Shown): "too many tokens: at most {most}", "令牌过多：最多 {most} 个";
    must_hold_one_line(path: Shown, most: Shown):
        "{path} is to hold one line of 1 to {most} bytes in UTF-8",
        "{path} 应只含一行 UTF-8 文本，1 到 {most} 字节";
    can_read_everybody_machine(path: Shown):
        "{path} can be read by everybody on this machine; chmod o= {path}",
        "本机所有用户都能读取 {path}；请执行 chmod o= {path}";
    no_credential_credentials_directory(name: Shown):
        "no credential \"{name}\": $CREDENTIALS_DIRECTORY is not set; add LoadCredential={name}:PATH to the unit",
        "没有凭据 \"{name}\"：未设置 $CREDENTIALS_DIRECTORY；请在单元中加入 LoadCredential={name}:路径";
    not_time_day_write(text: Quoted):
        "{text:?} is not a time of the day: write hour and minute such as \"02:30\"",
        "{text:?} 不是时刻：请写时和分，例如 \"02:30\"";
    not_a_network(text: Quoted):
        "{text:?} is not a network: write 10.0.0.0/8, fd00::/8 or an address",
        "{text:?} 不是网段：请写 10.0.0.0/8、fd00::/8 或单个地址";
    means(net: Shown, trunc: Shown): "{net} means {trunc}", "{net} 即 {trunc}";
    expected(what: Told, found: Told): "{what} is expected, not {found}", "此处应为{what}，而不是{found}";
    table_expected(found: Told, form: Shown):
        "a table is expected, not {found}: write {form}",
        "此处应为表，而不是{found}：请写 {form}";
    out_range(value: Shown, low: Shown, high: Shown):
        "{value} is out of range: {low} to {high}",
        "{value} 超出范围：应在 {low} 到 {high} 之间";
    not_a_share(most: Shown):
        "not a share: write 0% to {most}%, or a duration such as 30s",
        "不是比例：请写 0% 到 {most}%，或 30s 之类的时长";
    did_you_mean(near: Shown): "did you mean {near}?", "是否想写 {near}？";
    quoted(name: Quoted, reason: Told): "{name:?}: {reason}", "{name:?}：{reason}";
    not_day_write_mon(text: Quoted):
        "{text:?} is not a day: write mon, tue, wed, thu, fri, sat or sun",
        "{text:?} 不是星期：请写 mon、tue、wed、thu、fri、sat 或 sun";
    tag_1_bytes_without(most: Shown):
        "a tag is 1 to {most} bytes without control characters",
        "标签应为 1 到 {most} 字节，且不含控制字符";
    none(text: Quoted, join: Shown, join2: Shown): "{text:?} is none of {join}", "{text:?} 不在可用值之中：{join2}";
    preset_write_type_webhook(name: Quoted):
        "{name:?} is a preset: write type = \"webhook\" and preset = {name:?}",
        "{name:?} 是预设：请写 type = \"webhook\" 和 preset = {name:?}";
    not_method_such_post(text: Quoted): "{text:?} is not a method such as POST", "{text:?} 不是 POST 之类的方法";
    not_server_write_host(text: Quoted):
        "{text:?} is not a server: write host or host:port",
        "{text:?} 不是服务器：请写 主机 或 主机:端口";
    no_full_host_name(text: Quoted):
        "{text:?} is no full host name: write \"mon.example.org\", or an address as \"[192.0.2.7]\"",
        "{text:?} 不是完整主机名：请写 \"mon.example.org\"，或地址 \"[192.0.2.7]\"";
    not_address_mail_write(text: Quoted):
        "{text:?} is not an address of mail: write ops@example.org or \"Ops <ops@example.org>\"",
        "{text:?} 不是邮件地址：请写 ops@example.org 或 \"运维 <ops@example.org>\"";
    history(sync: Shown, history: Shown): "{sync}; history of {history}", "{sync}；历史 {history}";
    above_beats_s_intervals(most: Shown, times: Shown):
        "above {most} beats/s intervals are stretched, {times} times at most",
        "每秒超过 {most} 个心跳时延长间隔，最多 {times} 倍";
    interval_grace_early_first(interval: Shown, grace: Shown, early: Shown, first: Shown, forget: Shown):
        "interval {interval}, grace {grace}, early by {early}, first heard within: {first}, forgotten after: {forget}",
        "间隔 {interval}，宽限 {grace}，可提前 {early}，首次心跳期限 {first}，静默后遗忘 {forget}";
    token_known(count: Shown): "; with a token ({count} known)", "；需要令牌（共 {count} 个）";
    addresses_localhost(join: Shown): "{join}; addresses and localhost", "{join}；地址和 localhost";
    with_a_token(count: Shown): "with a token ({count} known)", "需要令牌（共 {count} 个）";
    from(rfc3339: Shown, rfc33392: Shown): "from {rfc3339} to {rfc33392}", "从 {rfc3339} 到 {rfc33392}";
    at_for(text: Shown, shown: Shown, length: Shown):
        "at {text} ({shown}) for {length}",
        "{text}（{shown}）起 {length}";
    tls_until(subject: Shown, ends: Shown): "; TLS as {subject} until {ends}", "，TLS：{subject}，有效至 {ends}";
    file_unfit(path: Shown, why: Told): "{path}: {why}", "{path}: {why}";
}
