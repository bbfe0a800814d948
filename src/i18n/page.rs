//! Texts: the fixed ones of the pages. None holds a character that HTML or a CSS string would need escaped.

use super::Lang;

/// The fixed texts of the pages in one language, from one list with both.
macro_rules! page_words {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $en:expr, $zh:expr;)*) => {
        /// The fixed texts of one language.
        #[allow(missing_docs)]
        pub struct PageWords {
            pub lang: Lang,
            $($(#[$doc])* pub $name: $kind,)*
        }

        /// English.
        pub static EN: PageWords = PageWords { lang: Lang::En, $($name: $en,)* };
        /// Simplified Chinese.
        pub static ZH: PageWords = PageWords { lang: Lang::Zh, $($name: $zh,)* };
    };
}

page_words! {
    name: &'static str = "Heartbeat server", "心跳服务器";
    skip: &'static str = "Skip to the content", "跳到正文";
    comma: &'static str = ", ", "，";
    colon: &'static str = ": ", "：";
    states: &'static str = "Monitors by state", "按状态筛选";
    all: &'static str = "All", "全部";
    search: &'static str = "Search monitors by id", "按标识搜索";
    search_button: &'static str = "Search", "搜索";
    clear: &'static str = "Clear search", "清除搜索";
    as_of: &'static str = "As of", "截至";
    live: &'static str = "live", "实时更新";
    lost: &'static str =
        "The server does not answer. This is how things stood when it last did.",
        "服务器没有应答。以下是它最后一次应答时的情况。";
    paused: &'static str = "refresh paused", "已暂停刷新";
    pause: &'static str = "Pause refresh", "暂停刷新";
    resume: &'static str = "Resume refresh", "恢复刷新";
    troubles: &'static str = "The server itself needs attention", "服务器自身需要处理";
    monitors: &'static str = "Monitors", "监控项";
    /// State, monitor, last 24 h, last beat, next deadline, from, interval.
    columns: [&'static str; 7] =
        ["State", "Monitor", "Last 24 hours", "Last beat", "Next deadline", "From", "Interval"],
        ["状态", "监控项", "最近 24 小时", "最近心跳", "下次期限", "来自", "间隔"];
    /// Beside the state's head: sorts by the latest change.
    by_change: &'static str = "Changed", "变化";
    sort_by: &'static str = "Sort by ", "排序：";
    tagged: &'static str = "tag ", "标签 ";
    never: &'static str = "never", "从未";
    none: &'static str = "none", "无";
    just_now: &'static str = "just now", "刚刚";
    due_now: &'static str = "now", "现在";
    unix: &'static str = "unix socket", "本机套接字";
    reported: &'static str = "reported ", "报告 IP ";
    /// Before the addresses of two senders with one id.
    two_senders: &'static str = "two senders with this id: ", "两个发送方使用此标识：";
    grace: &'static str = "grace ", "宽限 ";
    no_end: &'static str = "when resumed", "手动恢复时";
    by_person: &'static str = "paused by a person", "由人暂停";
    by_window: &'static str = "maintenance window", "维护窗口";
    nothing_found: &'static str = "No monitor here matches.", "没有符合条件的监控项。";
    show_all: &'static str = "Show all monitors", "显示全部监控项";
    welcome: &'static str =
        "Nothing needs to be registered: the first beat of a machine puts it on this page. Send one from any shell:",
        "无需事先登记：机器发来第一个心跳，就会出现在此页。在任意终端执行：";
    welcome_next: &'static str = "It will appear here by itself.", "随后会自动显示在这里。";
    pages: &'static str = "Pages", "翻页";
    first_page: &'static str = "First page", "第一页";
    next_page: &'static str = "Next page", "下一页";
    one_page: &'static str = "All on one page", "全部显示在一页";
    running_since: &'static str = "running since ", "运行自 ";
    api: &'static str = "API", "API";
    metrics: &'static str = "Metrics", "指标";
    open_incidents: &'static str = "Open incidents", "进行中的故障";
    recent_incidents: &'static str = "Recently ended", "最近结束";
    incidents: &'static str = "Incidents", "故障记录";
    no_incidents: &'static str = "None on record.", "没有记录。";
    acknowledged: &'static str = "acknowledged", "已知晓";
    open: &'static str = "open", "进行中";
    since: &'static str = "since ", "自 ";
    began: &'static str = "Began", "开始";
    ended: &'static str = "Ended", "结束";
    lasted: &'static str = "Lasted", "持续";
    cause: &'static str = "Cause", "原因";
    history: &'static str = "Last 24 hours", "最近 24 小时";
    /// Uptime of 24 hours, 7 days, 90 days.
    uptimes: [&'static str; 3] = ["24\u{a0}h", "7\u{a0}d", "90\u{a0}d"], ["24\u{a0}小时", "7\u{a0}天", "90\u{a0}天"];
    legend: &'static str = "Bars by state", "状态图例";
    now: &'static str = "Now", "现状";
    last_beat: &'static str = "Last beat", "最近心跳";
    next_deadline: &'static str = "Next deadline", "下次期限";
    from: &'static str = "From", "来自";
    status: &'static str = "Last said", "最近报告";
    well: &'static str = "well", "正常";
    message: &'static str = "Last message", "最近消息";
    tags: &'static str = "Tags", "标签";
    beats_heard: &'static str = "Beats received", "收到心跳";
    counter: &'static str = "Its own counter", "自带序号";
    clock: &'static str = "Its clock", "对方时钟";
    no_skew: &'static str = "agrees with ours", "与本机一致";
    runs: &'static str = "Running", "运行中";
    last_run: &'static str = "Last run took", "上次运行耗时";
    settings: &'static str = "Settings", "设置";
    expected: &'static str = "A beat every", "心跳间隔";
    /// Stands before the longer interval that the governor asks for.
    asked: &'static str = "under load, asked for ", "负载较高，已请求延长至 ";
    grace_field: &'static str = "Grace after that", "之后的宽限";
    schedule: &'static str = "Schedule", "计划";
    from_config: &'static str = "from the configuration", "来自配置文件";
    made: &'static str = "Known since", "登记时间";
    by_declaration: &'static str =
        "declared by a person: kept even if it is never heard",
        "由人声明：即使从未收到心跳也会保留";
    by_first_beat: &'static str = "made by its first beat", "由第一个心跳登记";
    changes: &'static str = "Changes in the last 24 hours", "最近 24 小时的变化";
    no_changes: &'static str = "None: it has stayed as it is.", "没有变化。";
    when: &'static str = "When", "时间";
    before: &'static str = "Before", "之前";
    after: &'static str = "After", "之后";
    send: &'static str = "Send a beat", "发送心跳";
    send_how: &'static str = "From any shell that reaches this server:", "在任何能访问本服务器的终端执行：";
    badge: &'static str = "Badge", "徽章";
    badge_how: &'static str = "For a README or a wiki, in Markdown:", "用于 README 或 wiki 的 Markdown：";
    badge_alt: &'static str = "Badge of this monitor", "此监控项的徽章";
    not_found: &'static str = "No such monitor", "没有这个监控项";
    not_found_why: &'static str =
        "nobody of this name has sent a beat, or it was removed.",
        "没有以此为名的心跳，或已被移除。";
}
