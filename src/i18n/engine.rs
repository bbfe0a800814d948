//! Texts: what the running daemon says of itself.

use super::{Shown, Told, texts, words};

words! {
    PEM_NOTHING:
        "nothing of the kind is in it: PEM with BEGIN and END lines is wanted",
        "其中没有所需内容：应为带 BEGIN 和 END 行的 PEM";
    KEY_ENCRYPTED:
        "the key is under a passphrase, which nobody could type at a start; store it without: openssl pkey -in KEY -out NEW",
        "私钥受口令保护，启动时无人输入；请去除口令：openssl pkey -in 私钥 -out 新文件";
    KEY_MISMATCH: "the key does not belong to the certificate", "私钥与证书不匹配";
    STORED_AGAIN: "beats are kept again", "心跳已恢复保存";
    NETWORK_BACK: "this machine has a network again", "本机网络已恢复";
    NETWORK_LOST: "this machine has lost its network", "本机网络已中断";
    LOAD_OVER:
        "the load is over: senders are asked for their own intervals again",
        "负载已降低：恢复各发送方自己的间隔";
    TOO_MANY_NEW_FROM_ONE:
        "too many new monitors from one address (limits.new_monitors_per_hour)",
        "同一地址新增的监控项过多（limits.new_monitors_per_hour）";
    MONITORS_FULL: "no room for another monitor (limits.monitors)", "监控项数量已达上限（limits.monitors）";
    TOO_MANY_BEATS_FROM_ONE:
        "too many beats from one address (limits.beats_per_second)",
        "同一地址的心跳过多（limits.beats_per_second）";
    HELD_MOST_MEMORY:
        "it held most when the memory for clients was used up (limits.memory)",
        "客户端内存用尽时其占用最多（limits.memory）";
}

texts! {
    not_pem(why: Shown): "not PEM: {why}", "不是有效的 PEM：{why}";
    too_many_certificates(most: Shown): "too many certificates: at most {most}", "证书过多：最多 {most} 个";
    pem_unusable(why: Shown): "cannot be used: {why}", "无法使用：{why}";
    system_does_not_say(error: Shown):
        "the system does not say any more which connections are ready ({error}): giving up",
        "系统不再报告哪些连接就绪（{error}）：进程终止";
    heard_nothing_for(away: Shown):
        "nothing could be heard for {away}; nobody is held to that time",
        "有 {away} 无法接收心跳；这段时间不计入任何监控";
    load_over_limit(most: Shown):
        "more than {most} beats/s: senders are asked for longer intervals",
        "每秒心跳超过 {most} 个：请求发送方延长间隔";
    wrong_token(key: Shown): "a wrong token or none (see {key})", "令牌错误或缺失（见 {key}）";
    many_wrong_tokens(wait: Shown):
        "many wrong tokens from one address: each token from there waits {wait} s",
        "同一地址出示了大量错误令牌，来自该处的令牌一律等待 {wait} 秒再受理";
    refused_lately(count: Shown, why: Told):
        "{count} refused lately: {why}; the log says from where",
        "近期已拒绝 {count} 次：{why}；来源见日志";
    refused(peer: Shown, why: Told): "refused {peer}: {why}", "已拒绝 {peer}：{why}";
    refused_times(count: Shown, peer: Shown, why: Told):
        "refused {count} times since this was last said, last {peer}: {why}",
        "自上次记录以来已拒绝 {count} 次，最近一次为 {peer}：{why}";
}
