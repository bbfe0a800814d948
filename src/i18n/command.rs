//! Texts: what the subcommands say.

use super::{Shown, texts, words};

words! {
    NO_CONTROL_SOCKET: "there is no control socket: control.socket is off", "没有控制套接字：control.socket 为 off";
    WARNING: "warning: ", "警告：";
    ERROR: "error: ", "错误：";
    READING_CHANGING_FIREWALL_NEEDS:
        "reading and changing the firewall needs root: run it with sudo",
        "查看和更改防火墙需要 root 权限：请用 sudo 运行";
    NOTHING_OPEN_CLOSE: "nothing to open or close", "没有需要开放或关闭的端口";
    FIREWALLD_DOES_NOT_RUN:
        "firewalld does not run: start it, or choose another --backend",
        "firewalld 未运行：请先启动它，或选择其他 --backend";
    FIREWALL_KNOWS_PROGRAMS_NOT:
        "this firewall knows programs, not networks, so --from cannot be kept; use access.allow and access.read of the configuration",
        "此防火墙只认程序，不认网络，无法满足 --from；请用配置中的 access.allow 和 access.read";
    NOTHING_DO: "nothing to do", "无需更改";
    NO_FIREWALL_ACTIVE_MACHINE:
        "no firewall is active on this machine: there is nothing to open",
        "本机没有启用防火墙：无需开放";
    NO_FIREWALL_ACTIVE_MACHINE_KEEPS:
        "no firewall is active on this machine: it keeps nobody from these ports",
        "本机没有启用防火墙：这些端口不受限制";
    NOT_CONFIGURATION: "not in the configuration", "不在配置中";
    NOT_OURS: "    not ours: ", "    他人的规则：";
    COMMA: ", ", "、";
    OPEN_EVERYONE: "open to everyone", "对所有人开放";
    NOT_OPENED_HEARTBEAT_SERVER: "not opened by heartbeat-server", "heartbeat-server 未开放";
    NOTHING_HELD_BACK_HERE: "nothing is held back here", "此处不限制";
    NOTE: "note: ", "注意：";
}

texts! {
    machine_only_needs_no(address: Shown, protocol: Shown):
        "{address} ({protocol}) is for this machine only and needs no opening",
        "{address}（{protocol}）仅供本机使用，无需开放";
    commands_carried_out_run(what: Shown, at: Shown, count: Shown):
        "{what}\n{at} of {count} commands were carried out; run it again once that is mended",
        "{what}\n{count} 条命令中已执行 {at} 条；排除问题后请再次运行";
    firewall_took_every_command(call: Shown):
        "the firewall took every command, but it does not show; still missing: {call}",
        "防火墙接受了所有命令，但没有生效；仍缺少：{call}";
    text(port: Shown, what: Shown, backend: Shown, name: Shown, stands: Shown):
        "{port} ({what})  {backend}, {name}: {stands}",
        "{port}（{what}）  {backend}，{name}：{stands}";
    open(all: Shown): "open to {all}", "对 {all} 开放";
    no_notifier_configuration_daemon(name: Shown):
        "no notifier {name}: the configuration of the daemon names none so ([[notifier]])",
        "没有名为 {name} 的通知渠道：守护进程的配置里没有（[[notifier]]）";
    not_sent(name: Shown, reason: Shown): "{name}: not sent: {reason}", "{name}：未送出：{reason}";
    no_daemon_answers_running(place: Shown, reason: Shown):
        "no daemon answers at {place}: {reason}; is it running, and may you (root) ask it?",
        "{place} 没有守护进程应答：{reason}；它在运行吗？您有权（root）吗？";
    does_not_answer(place: Shown): "{place} does not answer", "{place} 没有应答";
    sent(name: Shown): "{name}: sent", "{name}：已发送";
    sent_to(name: Shown, told: Shown): "{name}: sent to {told}", "{name}：已发送给 {told}";
    not(to: Shown, reason: Shown): "; not to {to}: {reason}", "；未送达 {to}：{reason}";
}
