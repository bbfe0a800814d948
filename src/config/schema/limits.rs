//! The keys of `[limits]`.

use super::bounds::{THREADS_MAX, TIMEOUT_MAX, TIMEOUT_MIN};
use crate::config::declare::section;
use crate::domain::limits::{FAST_BODY_BYTES_MAX, SCRATCH_BYTES};
use crate::domain::time::Span;
use crate::wire::head::HEADER_LINES_MAX;

/// Deepest nesting of JSON that may be allowed: the parser's own bound is 127, and a batch is one level by itself.
const JSON_DEPTH_MAX: u64 = 100;
/// A head and the largest body of the fast path share the scratch buffer.
const HEADER_BYTES_MAX: u64 = (SCRATCH_BYTES - FAST_BODY_BYTES_MAX) as u64;

section! {
    /// `[limits]`.
    LimitsDraft {
    body_bytes: usize {
        read: size(1 << 10..=1 << 30),
        default: "1M",
        en: "Longest request body. {range}, default {default}.",
        zh: "请求体最长多少。{range}，默认 {default}。",
        sample: "Longest request body; sizes are bytes, or numbers with K, M or G.",
    }
    beat_bytes: usize {
        read: size(1 << 10..=1 << 30),
        default: "256K",
        en: "Longest single beat, at most `body_bytes`; its message, tags and the like apart, which are cut instead.
        {range}, default {default}.",
        zh: "单个心跳最长多少，不超过 `body_bytes`；说明、标签等不算在内，它们会被截短。{range}，默认 {default}。",
        sample: "Longest single beat, its message, tags and the like apart: those are cut instead.",
    }
    batch_beats: usize {
        read: integer(1..=1_000_000),
        default: 10000,
        en: "Most beats in one request. {range}, default {default}.",
        zh: "一个请求最多几个心跳。{range}，默认 {default}。",
    }
    json_depth: usize {
        read: integer(1..=JSON_DEPTH_MAX),
        default: 16,
        en: "Deepest nesting of JSON. {range}, default {default}.",
        zh: "JSON 最多嵌套几层。{range}，默认 {default}。",
    }
    header_bytes: usize {
        read: size(1 << 10..=HEADER_BYTES_MAX),
        default: "16K",
        en: "Longest request head. {range}, default {default}.",
        zh: "请求头最长多少。{range}，默认 {default}。",
    }
    header_lines: usize {
        read: integer(8..=HEADER_LINES_MAX as u64),
        default: 64,
        en: "Most header lines. {range}, default {default}.",
        zh: "请求头最多几行。{range}，默认 {default}。",
    }
    header_timeout: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "10s",
        en: "How long a client may take for a request head, and over raw TCP, where a token is needed, to show it.
        {range}, default {default}.",
        zh: "客户端发完请求头可以用多久；TCP 上需要令牌时，出示令牌可以用多久。{range}，默认 {default}。",
        sample: "How long a client may take for a request head, and over raw TCP for the token, where one is needed.",
    }
    body_timeout: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "30s",
        en: "How long a client may take for a request body, and for a line, a frame or a message of a WebSocket, from
        its first byte and whatever else arrives. {range}, default {default}.",
        zh: "客户端发完请求体可以用多久；一行、一帧或一条 WebSocket 消息也是如此，从第一个字节算起，不论还收到什么。{range}，
        默认 {default}。",
        sample: "How long a client may take for a request body, a line, a frame or a message, from its first byte.",
    }
    idle_timeout: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "10m",
        en: "How long a connection may be silent between requests. {range}, default {default}.",
        zh: "两个请求之间连接可以沉默多久。{range}，默认 {default}。",
    }
    write_timeout: Span {
        read: span(TIMEOUT_MIN..=TIMEOUT_MAX),
        default: "30s",
        en: "How long a client may take nothing of what it is sent before it is closed. {range}, default {default}.",
        zh: "客户端多久不接收发给它的数据就关闭连接。{range}，默认 {default}。",
    }
    memory: usize {
        read: size(4 << 20..=1 << 40),
        default: "256M",
        en: "Most bytes held for clients: requests, messages, answers, lists, pages, event streams and TLS records
        that are under way. An address may hold as much as is free besides, so whoever holds most is refused
        first, with 429. When nothing is left, an address that holds little (up to 256K) is given room by ending
        the connection that holds most, of the address that holds most; of one address a connection makes way
        for another that needs a quarter of what it holds. Of what a trusted proxy passes on the address is the
        client's. That is counted (`memory_shed`), and said in the log once in ten minutes. Others get 503. A
        list under way counts as 164K, a page as 176K and 24 bytes a monitor, an event stream as 88K. Not in it:
        some hundred bytes for each connection, what the system keeps in its sockets, the state of TLS sessions,
        and up to 16M for each thread (`threads`) while lists and pages are looked up. What is known of monitors
        is not in it either: some hundred bytes each, and `messages`. {range}, default {default}.",
        zh: "为客户端占用的内存上限：正在收发的请求、消息、响应、列表、页面、事件流和 TLS 记录。一个地址最多可占用
        与剩余同样多的内存，因此占用最多的最先被拒绝（429）。全部用完时，占用不多（至多 256K）的地址仍能得到
        内存：占用最多的地址中占用最多的连接被关闭；同一地址内，一个连接要让位于所需不超过其四分之一的另一个
        连接。受信任的代理转发的请求按客户端的地址计。这会计数（`memory_shed`），并每十分钟在日志中记录一次。
        其他情况得到 503。正在发送的列表按 164K 计，页面按 176K 加每个监控项 24 字节计，事件流按 88K 计。不包
        括：每个连接的几百字节、系统在套接字中保存的数据、TLS 会话的状态，以及查询列表和页面时每个线程（`threads`）
        至多 16M。对监控项的记录也不包括在内：每个几百字节，以及 `messages`。{range}，默认 {default}。",
        sample: "Most bytes held for clients: requests, messages, answers and event streams under way. Whoever holds most
        is refused or ended first.",
    }
    messages: usize {
        read: size(1 << 20..=1 << 40),
        default: "64M",
        en: "Most bytes of what monitors last said, as far as that is longer than 256 bytes. Of more the oldest are
        cut: 256 bytes of their beginning and end stay. History has a message as it came; an alert quotes what
        is left of it when the alert is made. {range}, default {default}.",
        zh: "各监控项最近一次消息中超过 256 字节者合计的上限。超过时最早的消息被截短：保留其开头和结尾共 256 字节。
        历史中的消息仍是收到时的样子；告警引用生成告警时所剩的内容。{range}，默认 {default}。",
        sample: "Most bytes of what monitors last said, as far as that is longer than 256 bytes; of more the oldest are
        cut.",
    }
    streams_per_address: usize {
        read: integer(1..=10_000),
        default: 8,
        en: "Most event streams from one address. {range}, default {default}.",
        zh: "同一地址最多几个事件流。{range}，默认 {default}。",
    }
    connections: Option<usize> {
        read: integer_or("auto", 1..=10_000_000),
        default: "auto",
        restart: |old, new| old.limits.connections != new.limits.connections,
        en: "Most connections at once. Default {default}: the open-file limit less 256.",
        zh: "同时最多几个连接。默认 {default}：可打开的文件数减 256。",
        sample: r#"Most connections at once; "auto": the open-file limit less 256."#,
    }
    connections_per_address: usize {
        read: integer(1..=10_000_000),
        default: 1024,
        en: "Most connections from one address. Default {default}.",
        zh: "同一地址最多几个连接。默认 {default}。",
        sample: "Most connections from one address; an IPv6 /64 is one address. Like all limits per address it binds
        loopback and unix sockets only when nine tenths of the whole are in use.",
    }
    new_monitors_per_hour: u32 {
        read: integer(0..=10_000_000),
        default: 1000,
        en: "How many new monitors one address may bring in an hour. Default {default}.",
        zh: "同一地址一小时最多带来几个新监控项。默认 {default}。",
    }
    monitors: usize {
        read: integer(1..=10_000_000),
        default: 100000,
        en: "Most monitors in all. {range}, default {default}.",
        zh: "总共最多几个监控项。{range}，默认 {default}。",
    }
    beats_per_second: Option<u32> {
        read: integer_or("off", 1..=10_000_000),
        default: "off",
        en: "Most beats a second from one address. Default {default}.",
        zh: "同一地址每秒最多几次心跳。默认 {default}。",
        sample: r#"Most beats a second from one address, or "off"."#,
    }
    threads: Option<usize> {
        read: integer_or("auto", 1..=THREADS_MAX as u64),
        default: "auto",
        restart: |old, new| old.threads != new.threads,
        en: "Worker threads, {range}. Default {default}: one for each core.",
        zh: "工作线程数，{range}。默认 {default}：每个核心一个。",
        sample: r#"Worker threads; "auto": one for each core."#,
    }
    }
}
