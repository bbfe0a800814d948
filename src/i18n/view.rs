//! Texts: what people read of monitors.

use super::{Shown, Told, texts, words};

words! {
    UNIT_D: "d", "天";
    UNIT_H: "h", "小时";
    UNIT_MIN: "min", "分钟";
    UNIT_S: "s", "秒";
    UNIT_MS: "ms", "毫秒";
    BEAT_FROM: "heartbeat received - from: ", "收到心跳 - 来自: ";
    BEAT_IP: ", reported IP: ", ", 报告IP: ";
    BEAT_ID: ", id: ", ", 标识: ";
    BEAT_STATUS: ", status: ", ", 状态: ";
    DISK_HEARTBEAT_SERVER_FULL: "the disk of heartbeat-server is full", "heartbeat-server 的磁盘已满";
    HEARTBEAT_SERVER_SUSPECTS_ITSELF: "heartbeat-server suspects itself", "heartbeat-server 怀疑自身故障";
    TEST_NOTHING_WRONG: "a test: nothing is wrong", "测试：一切正常";
    SEMICOLON: "; ", "；";
    NOT_STORED_SINCE_SERVER:
        " (not stored, since this server cannot write to its disk: after a restart it may be told again)",
        "（未能存盘：本服务器无法写入磁盘，重启后可能重复通知）";
    COLON: ": ", "：";
    COMMA: ", ", "，";
    LIST_COMMA: ", ", "、";
    UNKNOWN: "unknown", "未知";
    LAST_24_H_NO: "Last 24 h: no history yet", "最近 24 小时：尚无历史";
    REPORTED_FAILURE: "it reported a failure", "自报故障";
    NO_FIRST_BEAT_TIME: "no first beat in time", "未按时收到首次心跳";
    RUN_TAKES_TOO_LONG: "its run takes too long", "任务运行时间过长";
    REPORTED_FAILURE_2: "reported failure", "报告失败";
    NO_BEAT_TIME: "no beat in time", "未按时收到心跳";
    RUN_TAKES_TOO_LONG_2: "run takes too long", "任务运行时间过长";
    COMMA_MORE: ", …", "……";
    NEW: "New", "待上线";
    UP: "Up", "在线";
    LATE: "Late", "迟到";
    DOWN: "Down", "离线";
    PAUSED: "Paused", "已暂停";
    WAITING_FIRST_HEARTBEAT: "Waiting for the first heartbeat", "等待第一个心跳";
    ONLY_MONITOR_UP: "The only monitor is up", "唯一的监控项在线";
    NO_MONITOR_UP: "No monitor is up", "没有监控项在线";
    RUN_STARTED: "run started", "任务已开始";
    RUNNING: "running ", "运行中，";
    BEATS_REFUSED: "BEATS ARE REFUSED", "拒绝接收心跳";
    DEGRADED: "degraded", "异常";
    TIME_ZONE_MACHINE_NOT:
        "the time zone of this machine is not known, so schedules and maintenance go by UTC: set timezone in their rules, TZ or /etc/localtime",
        "不知道本机的时区，时间表和维护窗口按 UTC 计：请在规则中设置 timezone，或设置 TZ 或 /etc/localtime";
    FAILED_AGAIN: "failed again", "再次失败";
    STOPPING_ANSWERING_WHAT_ARRIVED: "stopping: answering what has arrived", "正在停止：先答复已收到的请求";
    SERVER_STOPPED: "server stopped", "服务器已停止";
    CONFIGURATION_RELOADED: "configuration reloaded", "配置已重新加载";
    DISK_SERVER_FULL_WHAT:
        "the disk of this server is full: what happens now is known in memory only and lost with the process; alerts go on and say that they are not stored; make room on that disk",
        "本服务器磁盘已满：此刻发生的事情只在内存中，进程结束即丢失；告警照常发出，并注明未能存盘；请清理该磁盘空间";
    MACHINE_LOST_NETWORK: "this machine lost its network", "本机网络中断";
    SERVER_STARTED_AGAIN_STOOD: "this server was started again or stood still", "本服务器重启或停顿";
    FLAPPING_NOTHING_MORE_SAID:
        "are flapping; nothing more is said until they are steady",
        "状态反复，稳定之前不再通知";
    DOWN_2: "are down", "已下线";
}

texts! {
    id_behind(monitor: Shown): ", id: {monitor}", ", 标识: {monitor}";
    signal_named(number: Shown, name: Shown): "signal {number} ({name})", "信号 {number}（{name}）";
    signal(number: Shown): "signal {number}", "信号 {number}";
    up_and_removed(up_again: Shown, were_removed: Shown, up: Shown, gone: Shown):
        "{up_again}, {were_removed}",
        "{up} 个监控已恢复，{gone} 个已移除";
    expected_and_last(at: Shown, zone: Shown, last: Shown):
        ", expected at {at} {zone}; the last beat was at {last}",
        "，应于 {at}（{zone}）收到心跳；最近一次心跳在 {last}";
    expected_and_near(at: Shown, zone: Shown, last: Shown):
        ", expected at {at} {zone}; the last beat was at {last} and did not count for it",
        "，应于 {at}（{zone}）收到心跳；最近一次心跳在 {last}，不计入这一次";
    run_longer_than(limit: Shown): "its run takes longer than {limit}", "任务运行超过 {limit} 仍未结束";
    monitors(count: Shown): "{count} monitors", "{count} 个监控";
    down(whom: Shown, be: Shown): "{whom} {be} down", "{whom} 已下线";
    removed(whom: Shown, were: Shown): "{whom} {were} removed", "{whom} 已移除";
    up_again(whom: Shown, be: Shown): "{whom} {be} up again", "{whom} 已恢复";
    failed_again(whom: Shown): "{whom} failed again", "{whom} 再次失败";
    still_down(whom: Shown, be: Shown): "{whom} {be} still down", "{whom} 仍未恢复";
    flapping(whom: Shown, be: Shown): "{whom} {be} flapping", "{whom} 状态反复";
    from(since: Shown, ended: Shown): "from {since} to {ended}", "{since} 至 {ended}";
    since(since: Shown): "since {since}", "开始于 {since}";
    last_heard_from(address: Shown): "last heard from {address}", "最后来自 {address}";
    told(name: Shown): "told by {name}", "由 {name} 通知";
    message_late(late: Shown): " (this message is {late} late)", "（本消息延迟 {late} 送达）";
    down_up(up_again: Shown, lasted: Shown, back: Shown, were_removed: Shown, removed: Shown, up: Shown, gone: Shown):
        "{up_again}, down for up to {lasted}{back}; {were_removed}{removed}",
        "{up} 个监控已恢复，此前最长下线 {lasted}{back}；{gone} 个已移除{removed}";
    more(text: Shown, more: Shown): "{text} and {more} more", "{text} 等（另有 {more} 个）";
    ago(span: Shown): "{span} ago", "{span}前";
    in_(span: Shown): "in {span}", "{span}后";
    for_(span: Shown): "for {span}", "持续 {span}";
    missing(gaps: Shown): "{gaps} missing", "缺 {gaps} 个";
    otherwise(state: Shown, state2: Shown): "otherwise {state}", "否则{state2}";
    repeated(repeats: Shown): "{repeats} repeated", "重复 {repeats} 个";
    show_all_down(down: Shown): "Show all {down} that are down", "显示全部 {down} 个离线项";
    refreshes_every(seconds: Shown): "refreshes every {seconds}\u{a0}s", "每 {seconds} 秒刷新";
    up_late_down_beats(up: Shown, late: Shown, down: Shown, rate: Shown, connections: Shown):
        "{up} up, {late} late, {down} down; {rate} beats/s; {connections} connections",
        "在线 {up}，迟到 {late}，离线 {down}；每秒 {rate} 次心跳；{connections} 个连接";
    log_lines_lost(lost: Shown): "; {lost} log lines lost", "；丢失 {lost} 行日志";
    failing(failing: Shown): "; failing: {failing}", "；故障：{failing}";
    log_lines_were_lost(lost: Shown):
        "{lost} log lines lost: more came than could be written",
        "丢失 {lost} 行日志：来不及写入";
    no_first_beat_time(at: Shown, name: Shown):
        ", no first beat in time, expected at {at} {name}",
        "，未按时收到首次心跳，应于 {at}（{name}）收到";
    down_late(downs: Shown, down: Shown, lates: Shown):
        "{downs} {down} down, {lates} late",
        "{downs} 个监控项离线，{lates} 个迟到";
    some_down(downs: Shown, down: Shown): "{downs} {down} down", "{downs} 个监控项离线";
    late(lates: Shown, late: Shown): "{lates} {late} late", "{lates} 个监控项迟到";
    all_monitors_up(all: Shown): "All {all} monitors are up", "全部 {all} 个监控项在线";
    monitors_up(ups: Shown, all: Shown): "{ups} of {all} monitors are up", "{all} 个监控项中 {ups} 个在线";
    last_24_h_up(up: Shown): "Last 24 h: {up} up, never down", "最近 24 小时：在线率 {up}，未曾离线";
    last_24_h_up_down(up: Shown, n: Shown):
        "Last 24 h: {up} up, down {n} times",
        "最近 24 小时：在线率 {up}，离线 {n} 次";
    runs_oldest(n: Shown): "{n} runs, the oldest ", "{n} 个运行中，最早的";
    ahead_ours(span: Shown): "{span} ahead of ours", "比本机快 {span}";
    behind_ours(span: Shown): "{span} behind ours", "比本机慢 {span}";
    shown(rows: Shown): "{rows} shown", "显示 {rows} 个";
    shown_of(rows: Shown, all: Shown): "{rows} of {all} shown", "显示 {all} 个中的 {rows} 个";
    beats_received(n: Shown): "{n} beats received", "收到 {n} 个心跳";
    connections(n: Shown): "{n} connections", "{n} 个连接";
    exit_code(code: Shown): "exit code {code}", "退出码 {code}";
    killed(signal: Told): "killed by {signal}", "被{signal}终止";
    two_connections_from_both(one: Shown, id: Shown):
        "two connections from {one} both send as {id}: one of them hides when the other fails; give each an id of its own",
        "来自 {one} 的两个连接都以 {id} 发送：其中一个会掩盖另一个的故障；请为它们设置不同的标识";
    both_send_one_them(one: Shown, other: Shown, id: Shown):
        "{one} and {other} both send as {id}: one of them hides when the other fails; give each an id of its own",
        "{one} 与 {other} 都以 {id} 发送：其中一个会掩盖另一个的故障；请为它们设置不同的标识";
    no_such_time_zone(shown: Shown):
        "no such time zone on this machine: {shown}; times go by UTC: set TZ to a name such as Europe/Berlin and install tzdata (old names: tzdata-legacy)",
        "本机没有时区 {shown}；时间按 UTC 计：请把 TZ 设为 Europe/Berlin 之类的名称，并安装 tzdata（旧名需要 tzdata-legacy）";
    declared_monitor_never_heard(names: Told):
        "1 declared monitor was never heard: {names}",
        "1 个已声明的监控项从未收到心跳：{names}";
    declared_monitors_never_heard(count: Shown, names: Told, more: Told):
        "{count} declared monitors were never heard: {names}{more}",
        "{count} 个已声明的监控项从未收到心跳：{names}{more}";
    failed_again_how(how: Shown): "failed again, {how}", "再次失败，{how}";
    failed_more_times(times: Shown): "failed {times} more times", "又失败 {times} 次";
    failed_more_times_last(times: Shown, how: Shown):
        "failed {times} more times, last: {how}",
        "又失败 {times} 次，最近一次：{how}";
    server_started_listening_port(port: Shown):
        "server started, listening on port {port}",
        "服务器启动，监听端口 {port}";
    server_started_listening(address: Shown): "server started, listening on {address}", "服务器启动，监听 {address}";
    configuration_not_reloaded_old(reason: Shown):
        "configuration not reloaded, the old one stays in force: {reason}",
        "配置重新加载失败，继续使用原配置：{reason}";
    changed_but_force_only(keys: Shown):
        "changed, but in force only after a restart: {keys}",
        "以下配置已改动，重启后才生效：{keys}";
    monitor_down_at(monitor: Shown, at: Shown): "{monitor} is down, {at}", "{monitor} 已下线，{at}";
    down_never_heard(monitor: Shown, silent: Shown):
        "{monitor} is down, never heard in {silent}",
        "{monitor} 已失联，{silent} 内从未收到心跳";
    down_silent(monitor: Shown, silent: Shown):
        "{monitor} is down, silent for {silent}",
        "{monitor} 已失联，静默 {silent}";
    late_silent(monitor: Shown, silent: Shown):
        "{monitor} is late, silent for {silent}",
        "{monitor} 心跳迟到，静默 {silent}";
    monitor_up_again(monitor: Shown): "{monitor} is up again", "{monitor} 已恢复";
    up_again_after_silence(monitor: Shown, silent: Shown):
        "{monitor} is up again, after {silent} of silence",
        "{monitor} 已恢复，此前静默 {silent}";
    up(monitor: Shown): "{monitor} is up", "{monitor} 在线";
    paused(monitor: Shown): "{monitor} is paused", "{monitor} 已暂停监控";
    waiting_first_heartbeat(monitor: Shown):
        "{monitor} is waiting for its first heartbeat",
        "{monitor} 等待首次心跳";
    log_target_failed(target: Shown, reason: Shown):
        "log target {target} failed: {reason}",
        "日志目标 {target} 写入失败：{reason}";
    log_target_works_again(target: Shown, lost: Shown):
        "log target {target} works again; lines lost: {lost}",
        "日志目标 {target} 已恢复，丢失 {lost} 行";
    tls_refused(peer: Shown, address: Shown, reason: Shown):
        "TLS refused: {peer} on {address}: {reason}",
        "TLS 握手被拒: {peer}，监听 {address}：{reason}";
    proxy_does_not_say(peer: Shown, address: Shown, reason: Shown):
        "the proxy {peer} on {address} does not say legibly who its client is: {reason}; refused and counted (heartbeat_connections_refused_total), and said once an hour; see listen.proxy_header",
        "监听 {address} 上的代理 {peer} 没有说清客户端是谁：{reason}；已拒绝并计数（heartbeat_connections_refused_total），每小时只说一次；见 listen.proxy_header";
    client_offline(peer: Shown, named: Told):
        "The client {peer} has be offline.{named}",
        "客户端 {peer} 已掉线{named}";
    client_timeout_closing_connection(peer: Shown, named: Told):
        "Client timeout, closing connection: {peer}{named}",
        "客户端超时，关闭连接: {peer}{named}";
    client_connected(peer: Shown): "Client connected: {peer}", "客户端已连接: {peer}";
    client_not_allowed(peer: Shown, key: Shown):
        "Client not allowed: {peer} ({key})",
        "客户端不被允许: {peer}（{key}）";
    client_closed_sent_frame(peer: Shown, kind: Shown, length: Shown):
        "Client closed: {peer} sent a frame of type {kind} and length {length}",
        "客户端连接已关闭: {peer} 发送了类型为 {kind}、长度为 {length} 的帧";
    client_disconnected(peer: Shown, named: Told):
        "Client disconnected: {peer}{named}",
        "客户端已断开: {peer}{named}";
    test_notifier_nothing_wrong(notifier: Shown):
        "a test of the notifier {notifier}: nothing is wrong",
        "通知渠道 {notifier} 的测试消息：一切正常";
    monitors_not_been_heard(count: Shown, all: Shown, event: Shown):
        "{count} of {all} monitors have not been heard since {event}: the fault is probably on this side; who stays silent is told of in some minutes",
        "{event}后，{all} 个监控中有 {count} 个未再收到心跳：故障很可能在本机；仍然静默者将在数分钟后通知";
    does_not_flap_any(id: Shown, lasted: Shown):
        "{id} does not flap any more, it is down, for {lasted}",
        "{id} 不再反复，已下线 {lasted}";
    alert_down(id: Shown, now: Shown): "{id} is down{now}", "{id} 已下线{now}";
    alert_down_why(id: Shown, why: Shown): "{id} is down, {why}", "{id} 已下线，{why}";
    alert_down_silent(id: Shown, now: Shown): "{id} is down, silent for {now}", "{id} 已失联，静默 {now}";
    alert_down_never_heard(id: Shown): "{id} is down, never heard", "{id} 已失联，从未收到心跳";
    removed_been_down(id: Shown, lasted: Shown):
        "{id} was removed, it had been down for {lasted}",
        "{id} 已移除，此前下线 {lasted}";
    does_not_flap_any_more(id: Shown):
        "{id} does not flap any more, it is up and steady",
        "{id} 不再反复，已稳定恢复";
    up_again_down(id: Shown, lasted: Shown):
        "{id} is up again, it was down for {lasted}",
        "{id} 已恢复，此前下线 {lasted}";
    flapping_down_times_within(id: Shown, times: Shown, within: Shown):
        "{id} is flapping: down {times} times within {within}; nothing more is said until it is steady",
        "{id} 状态反复：{within} 内下线 {times} 次；稳定之前不再通知";
    alert_again_down_for(id: Shown, one: Shown, lasted: Shown): "{id} {one}, down for {lasted}", "{id} {one}，已下线 {lasted}";
    alert_still_down(id: Shown, lasted: Shown, now: Shown):
        "{id} is still down, for {lasted}{now}",
        "{id} 仍未恢复，已持续 {lasted}{now}";
    alert_still_down_why(id: Shown, lasted: Shown, why: Shown):
        "{id} is still down, for {lasted}, {why}",
        "{id} 仍未恢复，已持续 {lasted}，{why}";
    alert_still_down_for(id: Shown, lasted: Shown): "{id} is still down, for {lasted}", "{id} 仍未恢复，已持续 {lasted}";
    removed_down_up(lasted: Shown): "were removed, down for up to {lasted}", "已移除，此前最长下线 {lasted}";
    up_again_down_up(lasted: Shown): "are up again, down for up to {lasted}", "已恢复，此前最长下线 {lasted}";
    failed_again_down_up(lasted: Shown): "failed again, down for up to {lasted}", "再次失败，最长已下线 {lasted}";
    still_down_up(lasted: Shown): "are still down, for up to {lasted}", "仍未恢复，最长已持续 {lasted}";
    behind(id: Shown): "behind {id}: ", "依赖 {id} 的";
    in_network(network: Shown): "in {network}: ", "网段 {network} 的";
    lead_and_parts(lead: Shown, parted: Shown): "{lead}{parted}", "{lead} {parted}";
    alert_of_several(lead: Shown, count: Shown, what: Shown, message: Shown):
        "{lead}{count} monitors {what}: {message}",
        "{lead} {count} 个监控{what}：{message}";
    after_colon(said: Shown): ": {said}", "：{said}";
    silent_behind(named: Shown): "; silent behind it: {named}", "；依赖它而同时静默：{named}";
}
