//! Texts: what becomes of alerts on their way to those who are told.

use super::{Shown, Told, texts, words};

words! {
    PAIR_OVER: "it was over before anybody had to be told", "在需要通知之前已经结束";
    UNREADABLE: "the message cannot be read", "无法读取该消息";
    TOO_MANY_WAITING: "too many are waiting for this notifier", "等待该通知渠道的消息过多";
    NO_SUCH_NOTIFIER: "there is no such notifier any more", "该通知渠道已不存在";
    TRIED_AGAIN: "they are tried again; see the log", "正在重试；详见日志";
    ONE_TRY: "1 try", "1";
    SENT_UNNOTED_TOO_MANY:
        "too many alerts were told without that being stored: of those stored earlier the others go out when the disk takes \
         something again",
        "已发出但未能存盘的告警过多：此前已存盘的其余告警待磁盘恢复写入后再发出";
    DECIDED_UNSTORED_TOO_MANY:
        "too many alerts cannot be stored: of what changes now is told when the disk takes something again",
        "未能存盘的告警过多：此后的变化待磁盘恢复写入后再通知";
}

texts! {
    pair_held(name: Shown): "held: {name} is alive", "暂不发送：{name} 仍在运行";
    pair_asked_first(url: Shown): "held: {url} is asked first", "暂不发送：先询问 {url}";
    pair_told(name: Shown): "told by {name}", "已由 {name} 通知";
    pair_not_sent(to: Shown, reason: Told, what: Told): "not sent to {to}, {reason}: {what}", "未发给 {to}，{reason}：{what}";
    pair_heard(url: Shown): "the other server answers: {url}", "另一台服务器有应答：{url}";
    pair_heard_holding(url: Shown):
        "the other server answers, alerts are left to it: {url}",
        "另一台服务器有应答，告警由它发出：{url}";
    pair_silent(url: Shown, grace: Shown): "the other server, {url}, has not answered for {grace}", "另一台服务器 {url} 已 {grace} 没有应答";
    pair_silent_telling(url: Shown, grace: Shown):
        "the other server, {url}, has not answered for {grace}: alerts are told from here",
        "另一台服务器 {url} 已 {grace} 没有应答：改由本机发出告警";
    pair_missed(url: Shown, reason: Told): "no answer from {url}: {reason}", "{url} 没有应答：{reason}";
    pair_refused(url: Shown, status: Shown):
        "{url} does not show its alerts ({status}): see pair.token here and access.read there; what it has told may be told twice",
        "{url} 不让查看它的告警（{status}）：请检查本机的 pair.token 和对方的 access.read；它已通知的内容可能会重复通知";
    pair_foreign(status: Shown): "what answers is no heartbeat-server ({status})", "应答的不是 heartbeat-server（{status}）";
    pair_too_long(url: Shown):
        "{url} shows too many alerts to be read: what it has told may be told twice",
        "{url} 的告警太多，无法读取：它已通知的内容可能会重复通知";
    told(to: Shown, what: Told): "told {to}: {what}", "已通知 {to}：{what}";
    told_in_part(to: Shown, reason: Told, what: Told):
        "told {to}, but not all: {reason}; {what}",
        "已通知 {to}，但未全部送达：{reason}；{what}";
    told_in_part_tried_again(to: Shown, reason: Told, what: Told):
        "told {to}, but not all: {reason}; they are tried again: {what}",
        "已通知 {to}，但未全部送达：{reason}；将分别重试：{what}";
    not_taken_tried_again(to: Shown, reason: Told, what: Told):
        "{to} did not take an alert and is tried again: {reason}; {what}",
        "{to} 未接收告警，将重试：{reason}；{what}";
    tries(tries: Shown): "{tries} tries", "{tries}";
    not_told(to: Shown, tried: Told, reason: Told, what: Told, instead: Told):
        "{to} was not told, after {tried}: {reason}; {what}{instead}",
        "尝试 {tried} 次后仍未能通知 {to}：{reason}；{what}{instead}";
    goes_instead(notifier: Shown): "; it goes to {notifier} instead", "；改由 {notifier} 通知";
    earlier_to_be_taken(names: Shown):
        "{names}: an earlier message is still to be taken",
        "{names}：更早的消息尚未被接收";
    unreachable(name: Shown, again: Told): "alerts do not reach {name}, {again}", "告警无法送达 {name}，{again}";
    recipient_unreachable(name: Shown, again: Told):
        "alerts do not reach a recipient of {name}, {again}",
        "告警无法送达 {name} 的一个收件人，{again}";
    recipients_unreachable(count: Shown, name: Shown, again: Told):
        "alerts do not reach {count} recipients of {name}, {again}",
        "告警无法送达 {name} 的 {count} 个收件人，{again}";
    untold_lately(count: Shown, notifier: Shown):
        "alerts could not be told in the last 24 hours: {count}, the last one by {notifier}; see /api/v1/alerts?state=failed",
        "最近 24 小时有 {count} 条告警未能送达，最后一条的渠道为 {notifier}；详见 /api/v1/alerts?state=failed";
    more_recipients(count: Shown): "; +{count}", "；+{count}";
}
