//! Texts: what servers answer. An answer over the network is English, whoever reads it; the client shows it in Chinese where
//! it knows the answer, and as it came where a later server says something else.

use super::{ParseError, Text, Word, domain, words};

words! {
    MUST_BE_TEXT: "must be a text", "应为文本";
    NO_SUCH_MONITOR: "no such monitor", "没有这个监控项";
    TOO_MANY_BEATS:
        "too many beats from this address (limits.beats_per_second)",
        "来自此地址的心跳过多（limits.beats_per_second）";
    TOO_MANY_NEW:
        "too many new monitors from this address (limits.new_monitors_per_hour)",
        "来自此地址的新监控项过多（limits.new_monitors_per_hour）";
    NO_ROOM: "no room for another monitor (limits.monitors)", "监控项已满（limits.monitors）";
    NOT_STORED:
        "not stored: the beat cannot be kept just now, see the server's log",
        "未保存：服务器暂时无法保存心跳，请查看其日志";
    DECLARED:
        "the configuration declares this monitor: change or remove its [[monitor]] there and reload",
        "此监控项由服务器的配置声明：请在那里修改或删除它的 [[monitor]]，再重新加载";
}

const ANSWERS: &[Word] = &[
    domain::ID_EMPTY,
    domain::ID_TOO_LONG,
    domain::ID_CHARACTER,
    domain::ID_DASH,
    domain::ID_SEGMENT,
    domain::ID_FORM,
    ParseError::IntervalRange.word(),
    MUST_BE_TEXT,
    NO_SUCH_MONITOR,
    TOO_MANY_BEATS,
    TOO_MANY_NEW,
    NO_ROOM,
    NOT_STORED,
    DECLARED,
];

/// A server's answer as it came, and in Chinese where it is known: alone, or behind the name of its field.
pub fn text(answer: &str) -> Text {
    let of_field = |at: &str| {
        let (field, said) = answer.split_once(at).filter(|(field, _)| !field.contains(' '))?;
        Some(format!("{field}：{}", in_chinese(said)?))
    };
    let known = in_chinese(answer).map(str::to_string);
    let zh = known.or_else(|| of_field(": ")).or_else(|| of_field(" ")).unwrap_or_else(|| answer.to_string());
    Text { en: answer.to_string(), zh }
}

fn in_chinese(answer: &str) -> Option<&'static str> {
    ANSWERS.iter().find(|word| word.en == answer).map(|word| word.zh)
}
