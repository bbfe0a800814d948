//! Texts: what the client says.

use super::{Shown, texts, words};

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
}

texts! {
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
}
