//! Texts: what the client says.

use super::{Quoted, Shown, Told, texts, words};

words! {
    AGENT_STOPPED: "agent stopped", "代理已停止";
    NO_MONITOR_FITS: "no monitor fits", "没有符合条件的监控项";
    NO_INCIDENTS: "\nno incidents\n", "\n没有故障记录\n";
    INCIDENTS_NEWEST_FIRST: "\nincidents, newest first:\n", "\n故障记录（从新到旧）：\n";
    SILENCE: "silence", "静默";
    FAILURE: "failure", "失败";
    RUN_TOO_LONG: "run too long", "运行时间过长";
    NO_FIRST_BEAT_TIME: "no first beat in time", "首次心跳未到";
    OLDER_ONES_SEE_PAGE: "  … older ones: see the page of the monitor\n", "  ……更早的请见监控项的页面\n";
    TOKEN_FILE_CREDENTIAL_EXCLUDE:
        "token_file and credential exclude each other",
        "token_file 与 credential 只能选其一";
    TO_SERVERS_EXCLUDE: "to and servers exclude each other", "to 与 servers 只能选其一";
    SERVERS_EMPTY: "must name at least one server", "须至少写一个服务器";
    CERT_KEY_BELONG_TOGETHER: "cert and key belong together: give both", "cert 与 key 须同时给出";
    JOB_RUNS_BUT_NOT:
        "the job runs, but is not reported: no server is known",
        "任务照常运行，但不报告：不知道服务器";
    JOB_RUNS_BUT_NOT_REPORTED: "the job runs, but is not reported", "任务照常运行，但不报告";
    NEVER: "never", "从未";
    COMMA: ", ", "，";
    CERTIFICATE_AUTHORITY_CA_TRUE:
        "its certificate is that of an authority (CA:TRUE), as openssl req -x509 makes it; make the server's again with -addext basicConstraints=critical,CA:FALSE",
        "其证书是签发机构的证书（CA:TRUE），openssl req -x509 默认如此；请重新生成服务器证书，并加上 -addext basicConstraints=critical,CA:FALSE";
    Q_QUIT: "q: quit", "按 q 退出";
    CONNECTION_REFUSED: "connection refused", "连接被拒绝";
    TIMED_OUT: "timed out", "超时";
    CONNECTION_CLOSED: "the connection was closed", "连接已关闭";
    NOTHING_HEARD: "nothing is heard any more", "再也听不到任何消息";
    CONNECTION_LOST: "lost", "连接已断开";
    BETWEEN_ADDRESSES: "; ", "; ";
    SEMICOLON: "; ", "；";
    SAYS_PING: "it says ping", "它说 ping";
    ANSWER_NO_JSON: "its answer is no JSON", "应答不是 JSON";
    ANSWER_NOT_HTTP: "its answer is not HTTP", "应答不是 HTTP";
    ANSWER_TOO_LONG: "the answer is too long", "应答过长";
    ANSWER_ACKNOWLEDGES_NOTHING: "its answer acknowledges nothing", "应答没有确认任何心跳";
    LINE_DOES_NOT_END: "a line does not end", "行过长";
    LIST_BEGINS_AGAIN: "its list begins again and again", "其列表反复从头开始";
    LIST_HOLDS_NO_MONITORS: "its list holds no monitors", "其列表中没有监控项";
    WITH_CONTROL_NAMED: " with HEARTBEAT_CONTROL naming its control socket", "（并用 HEARTBEAT_CONTROL 指明其控制套接字）";
    INSTALL_NEEDS_ROOT:
        "installing writes to /etc and starts a service: run it as root, for example with sudo",
        "安装需要写入 /etc 并启动服务：请以 root 身份运行，例如使用 sudo";
    NO_SYSTEMD_HERE:
        "there is no systemd here; let whatever starts services run: heartbeat agent",
        "此处没有 systemd；请让启动服务的程序运行：heartbeat agent";
    JOB_NEEDS_NAME:
        "the job is not reported: it needs a name, give one with --id",
        "任务不报告：需要名称，请用 --id 指定";
    FIRST_HEARD: "first heard", "首次收到";
    REMOVED: "removed", "已移除";
    TWO_SENDERS: "two senders use this id", "有两个发送方使用此标识";
    ABOUT_MONITOR: "monitor", "监控项";
    ABOUT_STATE: "state", "状态";
    ABOUT_SINCE: " since ", "，自 ";
    ABOUT_LAST_BEAT: "last beat", "上次心跳";
    ABOUT_FROM: "from", "来自";
    ABOUT_STATUS: "status", "状态报告";
    ABOUT_MESSAGE: "message", "消息";
    ABOUT_TAGS: "tags", "标签";
    ABOUT_SCHEDULE: "schedule", "计划";
    ABOUT_INTERVAL: "interval", "间隔";
    ABOUT_GRACE: "grace", "宽限";
    ABOUT_NEXT_DEADLINE: "next deadline", "下次期限";
    ABOUT_PAUSED_UNTIL: "paused until", "暂停至";
    ABOUT_RESUMED_BY_SOMEBODY: "somebody resumes it", "有人恢复它";
    ABOUT_BEATS: "beats", "心跳数";
    ABOUT_COUNTER: "counter", "序号";
    ABOUT_RUNS_SINCE: "runs since", "运行开始于";
    ABOUT_LAST_RUN_TOOK: "last run took", "上次运行耗时";
    ABOUT_24_HOURS: "24 h", "24 小时";
    ABOUT_7_DAYS: "7 d", "7 天";
    ABOUT_90_DAYS: "90 d", "90 天";
    ABOUT_UPTIME: "uptime", "在线率";
    HEAD_STATE: "STATE", "状态";
    HEAD_ID: "ID", "标识";
    HEAD_LAST_BEAT: "LAST BEAT", "上次心跳";
    HEAD_INTERVAL: "INTERVAL", "间隔";
    HEAD_ADDRESS: "ADDRESS", "来源地址";
    HEAD_UPTIME: "UPTIME 24H", "24 小时在线率";
}

texts! {
    another_was_asked(silent: Shown, url: Shown):
        "{silent} does not answer; this is from {url}",
        "{silent} 没有应答；以下来自 {url}";
    taken_as(fault: Shown, id: Shown): "{fault}; taken as {id}", "{fault}；按 {id} 处理";
    nearest_valid(id: Shown): "; the nearest valid one: {id}", "；最接近的有效标识：{id}";
    not_run_too_many(state: Shown): "on_{state} is not run: too many are waiting", "未运行 on_{state}：等待的过多";
    on(state: Shown, command: Shown, text: Shown): "on_{state}: {command}: {text}", "on_{state}：{command}：{text}";
    agent_started_beats_every(id: Shown, url: Shown, every: Shown):
        "agent started: beats of {id} to {url}, every {every}",
        "代理已启动：{id} 每 {every} 向 {url} 发送心跳";
    connected(url: Shown): "connected to {url}", "已连接 {url}";
    answers_last_ago(url: Shown, ago: Shown): "{url} answers, last {ago} ago", "{url} 有应答，最近一次在 {ago} 前";
    dead(url: Shown): "{url} is dead", "{url} 挂了";
    waiting(url: Shown): "waiting for {url}", "等待 {url}";
    every(interval: Shown): "; every {interval}", "；间隔 {interval}";
    beats_kept(kept: Shown): "; {kept} beats kept", "；保留 {kept} 次心跳";
    lost(dropped: Shown): "; {dropped} lost", "；丢失 {dropped} 次";
    asked(asked: Shown): ", asked for {asked}", "，已请求延长至 {asked}";
    missing_repeated(seq: Shown, gaps: Shown, repeats: Shown):
        "{seq}, {gaps} missing, {repeats} repeated",
        "{seq}，缺失 {gaps}，重复 {repeats}";
    paused_until(id: Shown, until: Shown): "{id} is paused until {until}\n", "{id} 已暂停，至 {until}\n";
    no_longer_paused(id: Shown, state: Shown): "{id} is no longer paused: {state}\n", "{id} 已恢复：{state}\n";
    removed(id: Shown): "{id} is removed\n", "{id} 已移除\n";
    more_addresses(more: Shown): "; {more} more addresses", "；另有 {more} 个地址";
    cannot_watch_signals_they(error: Shown):
        "cannot watch signals: {error}; they do not reach the job",
        "无法监听信号：{error}；信号不会转给任务";
    job_ended_but_could(end: Shown, text: Shown):
        "the job ended with {end}, but that could not be reported: {text}",
        "任务已结束，{end}，但无法报告：{text}";
    command_not_found(program: Shown): "{program}: command not found", "{program}：未找到命令";
    program_cannot_be_run(program: Shown, error: Shown): "{program}: cannot be run: {error}", "{program}：无法运行：{error}";
    job_no_name_reported(id: Shown):
        "the job has no name and is reported as {id}: give it one with --id",
        "任务没有名称，按 {id} 报告：请用 --id 指定";
    after_s(end: Shown, seconds: Shown): "[{end} after {seconds}s]", "[{end}，历时 {seconds} 秒]";
    job_reported(said: Shown, other: Shown): "{said}; the job is reported as {other}", "{said}；任务按 {other} 报告";
    not_option_run_left(word: Shown):
        "{word}: not an option of run; left out (what holds blanks needs quotes)",
        "{word}：不是 run 的选项，已忽略（含空格的值需要引号）";
    given_twice_last_counts(name: Shown):
        "--{name} is given twice: the last counts",
        "--{name} 重复：以最后一个为准";
    left_out_raw_tcp(field: Shown):
        "{field}: left out, raw TCP carries no spaces and commas in them: use http:// or ws://",
        "{field}：已省略，TCP 不能传送其中的空格和逗号：请使用 http:// 或 ws://";
    beat_counts_but(warning: Shown): "the beat counts, but {warning}", "心跳已计入，但 {warning}";
    ago(span: Shown): "{span} ago", "{span}前";
    in_(span: Shown): "in {span}", "{span}后";
    what_answers_speaks_no(plain: Shown):
        "what answers there speaks no TLS; without it the URL begins with {plain}",
        "那里的应答不是 TLS；不用 TLS 时 URL 以 {plain} 开头";
    nobody_known_here_signed(server: Shown):
        "nobody known here has signed its certificate; name the authority that did with --ca FILE, or, where it has signed itself, the certificate: openssl s_client -connect {server} </dev/null | openssl x509 > FILE",
        "其证书的签发者在此未知；请用 --ca 文件 指定签发机构，自签名证书则指定证书本身：openssl s_client -connect {server} </dev/null | openssl x509 > 文件";
    use_name_bears_make(said: Shown, kind: Shown, host: Shown):
        "{said}; use a name that it bears, or make it with -addext subjectAltName={kind}:{host}",
        "证书不是 {host} 的（{said}）；请用证书上的名称，或生成时加上 -addext subjectAltName={kind}:{host}";
    certificate_expired_renew_server(error: Shown):
        "its certificate has expired: renew it at the server, or set the clock here ({error})",
        "其证书已过期：请在服务器上更新，或校准本机时钟（{error}）";
    certificate_not_valid_yet(error: Shown):
        "its certificate is not valid yet: set the clock here or there ({error})",
        "其证书尚未生效：请校准本机或服务器时钟（{error}）";
    silent(silent: Shown): ", silent for {silent}", "，静默 {silent}";
    changes_missed(count: Shown): "{count} changes were missed", "错过 {count} 个变化";
    trying_again(why: Shown): "{why}; trying again", "{why}；正在重试";
    not_over(lasted: Shown): "for {lasted}, not over", "已持续 {lasted}";
    for_(lasted: Shown): "for {lasted}", "持续 {lasted}";
    exit_code(code: Shown): "exit code {code}", "退出码 {code}";
    token_needed(reason: Shown, key: Shown): "{reason}", "需要令牌（{key}）";
    address_not_allowed(reason: Shown, key: Shown): "{reason}", "不允许来自此地址（见配置 {key}）";
    refuses(target: Shown, reason: Told): "{target} refuses: {reason}", "{target} 拒绝：{reason}";
    refuses_with_status(target: Shown, status: Shown, reason: Told):
        "{target} refuses: {status} {reason}",
        "{target} 拒绝：{status} {reason}";
    rejects_beat(target: Shown, reasons: Told): "{target} rejects the beat: {reasons}", "{target} 不接受此心跳：{reasons}";
    speaks_not_like_server(target: Shown, why: Told):
        "{target} does not speak like a heartbeat-server: {why}",
        "{target} 不像是 heartbeat-server：{why}";
    no_answer_within(target: Shown, within: Quoted):
        "no answer from {target} within {within:?}",
        "{target} 在 {within:?} 内没有应答";
    no_answer(target: Shown, why: Told): "no answer from {target}: {why}", "{target} 没有应答：{why}";
    cannot_reach(target: Shown, why: Told): "cannot reach {target}: {why}", "无法连接 {target}：{why}";
    server_not_named(why: Told):
        "{why}; nobody has said where the server is: give --to, HEARTBEAT_URL or the configuration's to",
        "{why}；没有指定服务器：请用 --to、HEARTBEAT_URL 或配置中的 to";
    no_connection_within(within: Quoted): "no connection within {within:?}", "在 {within:?} 内未能连接";
    cannot_resolve(host: Shown, why: Told): "{host} cannot be resolved: {why}", "无法解析 {host}：{why}";
    not_resolved_within(host: Shown, within: Quoted):
        "{host} is not resolved within {within:?}",
        "在 {within:?} 内未能解析 {host}";
    no_address(host: Shown): "{host} has no address", "{host} 没有地址";
    addresses_failed(addresses: Shown, why: Told): "{addresses}: {why}", "{addresses}: {why}";
    no_tls(target: Shown, why: Told): "no TLS with {target}: {why}", "无法与 {target} 建立 TLS：{why}";
    no_socket(path: Shown): "there is no socket {path}; is the server running?", "没有套接字 {path}；服务器在运行吗？";
    says(line: Quoted): "it says {line:?}", "它说 {line:?}";
    closed(why: Shown): "closed{why}", "已关闭{why}";
    no_web_socket(target: Shown, why: Told): "no WebSocket at {target}: {why}", "{target} 没有打开 WebSocket：{why}";
    list_does_not_end(rows: Shown):
        "its list does not end after {rows} monitors",
        "其列表超过 {rows} 个监控项仍未结束";
    paused_until_resumed(id: Shown): "{id} is paused until it is resumed\n", "{id} 已暂停，直到恢复\n";
    no_such_monitor(to: Shown, id: Shown):
        "no such monitor at {to}: {id}; heartbeat list names those that are",
        "{to} 上没有监控项 {id}；heartbeat list 会列出现有的";
    not_allowed(to: Shown, reason: Told, named: Told):
        "{to} does not allow it: {reason}; give a token with --token-file, or ask as root on the server's machine{named}",
        "{to} 不允许：{reason}；请用 --token-file 提供令牌，或在服务器所在机器上以 root 身份执行{named}";
    server_says(to: Shown, reason: Told): "{to}: {reason}", "{to}：{reason}";
    host_name_unfit(host: Quoted, error: Shown):
        "the host name {host:?} cannot name a monitor ({error}): give one with --id",
        "主机名 {host:?} 不能用作标识：请用 --id 指定";
    no_event_queue(error: Shown):
        "the system gives no event queue: {error}; see ulimit -n",
        "系统无法提供事件队列：{error}；请检查 ulimit -n";
    cannot_print(error: Shown): "cannot write to standard output: {error}", "无法写入标准输出：{error}";
    cannot_watch_signals(error: Shown): "cannot watch signals: {error}", "无法监听信号：{error}";
    cannot_use_terminal(error: Shown): "cannot use the terminal: {error}", "无法使用终端：{error}";
    no_room_for_job(error: Shown):
        "the system has no room to watch the job: {error}; see ulimit -a",
        "系统没有余力看护任务：{error}；请检查 ulimit -a";
    cannot_read(path: Shown, error: Shown): "cannot read {path}: {error}", "无法读取 {path}：{error}";
    file_too_long(path: Shown, most: Shown): "{path} is too long: at most {most} bytes", "{path} 过长：最多 {most} 字节";
    file_unfit(path: Shown, why: Told): "{path}: {why}", "{path}：{why}";
    file_written(path: Shown): "wrote {path}", "已写入 {path}";
    file_says_so_already(path: Shown): "{path} says so already", "{path} 已是如此";
    first_beat_answered(to: Shown, id: Shown, every: Shown):
        "{to} has answered the first beat of {id}; there will be one every {every}",
        "{to} 已应答 {id} 的第一次心跳；此后每 {every} 一次";
    cannot_write(path: Shown, error: Shown): "cannot write {path}: {error}", "无法写入 {path}：{error}";
    not_toml(path: Shown): "{path} is not TOML", "{path} 不是 TOML";
    service_reads_other_file(file: Shown, path: Shown):
        "the service reads {file}; with this file run: heartbeat agent --config {path}",
        "服务读取的是 {file}；要使用此文件请运行：heartbeat agent --config {path}";
    unit_of_package(unit: Shown):
        "; the package heartbeat-client brings {unit}, and journalctl -u {unit} tells more",
        "；{unit} 由软件包 heartbeat-client 提供，详情见 journalctl -u {unit}";
    service_runs(unit: Shown): "{unit} is enabled and running", "{unit} 已启用并正在运行";
    cannot_run(line: Shown, error: Shown): "cannot run {line}: {error}", "无法运行 {line}：{error}";
    command_failed(line: Shown, said: Shown, hint: Told): "{line} failed: {said}{hint}", "{line} 失败：{said}{hint}";
    agent_connected(url: Shown): "connected: {url}", "已连接：{url}";
    agent_answers(url: Shown): "the server answers: {url}", "服务器有应答：{url}";
    agent_dead(url: Shown, waited: Shown):
        "the server is dead: no answer from {url} for {waited}",
        "服务器挂了：{url} 已 {waited} 没有应答";
    agent_dead_because(reason: Told, waited: Shown):
        "the server is dead: {reason}, for {waited}",
        "服务器挂了：{reason}，已 {waited}";
    agent_back(url: Shown, away: Shown): "the server is back: {url}, after {away}", "服务器恢复了：{url}，中断 {away}";
    agent_back_kept(url: Shown, away: Shown, kept: Shown):
        "the server is back: {url}, after {away}; {kept} beats were kept for it",
        "服务器恢复了：{url}，中断 {away}；为它保留了 {kept} 次心跳";
    agent_interval(span: Shown):
        "a beat every {span} from now on, as the server wants it",
        "应服务器要求，此后每 {span} 发送一次心跳";
    agent_too_seldom(expected: Shown):
        "the server expects a beat every {expected}, and this agent sends fewer: see --every",
        "服务器期望每 {expected} 一次心跳，而本机发送得更少：请检查 --every";
    agent_too_long(asked: Shown, kept: Shown):
        "the server asks for a beat only every {asked}; it gets one every {kept}: see interval_max",
        "服务器要求每 {asked} 才一次心跳；仍每 {kept} 发送一次：见 interval_max";
    agent_takes_again(url: Shown): "{url} takes beats again", "{url} 又接受心跳了";
    agent_rejected(url: Shown, beats: Shown, reason: Shown):
        "{url} rejects beats ({beats}): {reason}",
        "{url} 不接受心跳（{beats} 次）：{reason}";
    agent_dropped(beats: Shown):
        "too many beats were kept, the oldest are lost: {beats}",
        "保留的心跳过多，丢弃最早的 {beats} 次";
}
