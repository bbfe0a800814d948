//! Texts: what is said of a start, a stop and a restart.

use super::{Shown, Told, texts};

texts! {
    going_on_as_owner(account: Shown, folder: Shown):
        "going on as {account}, who owns the state directory {folder}, as with --user",
        "以状态目录 {folder} 的所有者 {account} 的身份继续运行，如同指定了 --user";
    no_control_socket(reason: Told): "going on without the control socket: {reason}", "没有控制套接字，继续运行：{reason}";
    no_threads_or_queues(error: Shown):
        "the system gives no threads or event queues: {error}; see ulimit -n and ulimit -u",
        "系统无法提供线程或事件队列：{error}；请检查 ulimit -n 和 ulimit -u";
    connections_lost(error: Shown):
        "the connections cannot be handed on and were closed: {error}; their clients come back",
        "无法移交连接，连接已关闭：{error}；客户端会重新连接";
    connections_left(left: Shown, ended: Shown):
        "connections left to the next process: {left}; without room there: {ended}",
        "留给下一个进程的连接：{left}；没有位置的：{ended}";
    connections_taken_over(taken: Shown, closed: Shown):
        "connections taken over from the process before: {taken}; closed: {closed}",
        "从上一个进程接管的连接：{taken}；已关闭的：{closed}";
    accept_paused(address: Shown, error: Shown):
        "cannot accept connections on {address}: {error}; trying again",
        "{address} 无法接受连接：{error}；正在重试";
}
