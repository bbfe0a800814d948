//! Texts: what is said of a command line. The English is clap's own.

/// The form of the help.
pub const TEMPLATE_ZH: &str = "{about-with-newline}
用法：{usage}

{all-args}{after-help}";
/// Heads of its lists.
pub const COMMANDS_ZH: &str = "命令";
/// The same.
pub const ARGUMENTS_ZH: &str = "参数";
/// The same.
pub const OPTIONS_ZH: &str = "选项";
/// There is no command.
pub const COMMAND_MISSING_ZH: &str = "缺少命令";

macro_rules! in_chinese {
    ($($name:ident($($arg:ident),*): $zh:literal;)*) => {
        $(#[allow(missing_docs)]
        pub fn $name($($arg: &str),*) -> String {
            format!($zh)
        })*
    };
}

in_chinese! {
    value_missing(arg): "{arg} 缺少值";
    value_not_among(arg, value, all): "{arg} 的值 '{value}' 无效，可用的值：{all}";
    value_wrong(arg, value, cause): "{arg} 的值 '{value}' 无效：{cause}";
    argument_unknown(arg): "未知的参数 {arg}";
    argument_unknown_near(arg, near): "未知的参数 {arg}；是否想写 {near}？";
    command_unknown(command): "未知的命令 {command}";
    argument_twice(arg): "{arg} 不能重复";
    argument_conflict(arg, prior): "{arg} 不能与 {prior} 同时使用";
    argument_missing(arg): "缺少参数 {arg}";
}
