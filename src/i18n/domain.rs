//! Texts: why a value of the domain is refused.

use super::{Quoted, Shown, texts, words};

words! {
    ID_EMPTY: "must not be empty", "不能为空";
    ID_TOO_LONG: "must be at most 128 bytes", "最长 128 字节";
    ID_CHARACTER:
        "must be letters, digits and marks of any script and . _ - : @ + = ~ , /",
        "只能由任何文字的字母、数字、附加符号以及 . _ - : @ + = ~ , / 组成";
    ID_DASH: "must not begin with -", "不能以 - 开头";
    ID_SEGMENT:
        "must not begin or end with /, nor hold //, nor . or .. between two of them",
        "不能以 / 开头或结尾，不能含有 //，两个 / 之间不能是 . 或 ..";
    ID_FORM: "must be in Unicode's form NFC", "应为 Unicode 的 NFC 形式";
    UNKNOWN_ZONE:
        "not a time zone of this machine: write local, UTC or a name such as Europe/Berlin; names need tzdata, old ones such as US/Eastern tzdata-legacy",
        "本机没有这个时区：请写 local、UTC 或 Europe/Berlin 之类的名称；按名称查找需要 tzdata，US/Eastern 之类的旧名需要 tzdata-legacy";
    SCHEDULE_TOO_LONG: "too long: at most 256 bytes", "过长：最多 256 字节";
    SCHEDULE_WORD:
        "unknown word: write @hourly, @daily, @weekly, @monthly or @yearly",
        "未知的词：请写 @hourly、@daily、@weekly、@monthly 或 @yearly";
    SCHEDULE_NEVER: "no such day ever comes", "不存在这样的日期";
    MINUTE: "minute", "分";
    HOUR: "hour", "时";
    DAY: "day of the month", "日";
    MONTH: "month", "月";
    WEEKDAY: "day of the week", "星期";
}

texts! {
    schedule_fields(count: Shown):
        "five fields are expected, not {count}: minute, hour, day of the month, month, day of the week",
        "应有五个字段，而不是 {count} 个：分、时、日、月、星期";
    schedule_part(text: Quoted, en: Shown, zh: Shown, low: Shown, high: Shown):
        "{text:?} does not fit the {en}: {low} to {high}, ranges 1-5, steps */15 or 0-30/10, lists 1,3",
        "{text:?} 不适用于“{zh}”：应为 {low} 到 {high}，范围 1-5，步长 */15 或 0-30/10，列表 1,3";
}
