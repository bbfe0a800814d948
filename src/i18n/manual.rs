//! Texts: the manual of the configuration.

use super::words;

words! {
    TO: " to ", " 到 ";
}

/// What stands for a value: in English, in Chinese.
pub const PLACEHOLDERS_ZH: &[(&str, &str)] = &[
    ("address", "地址"),
    ("argument", "参数"),
    ("host", "主机"),
    ("id", "标识"),
    ("name", "名称"),
    ("network", "网络"),
    ("number", "数字"),
    ("password", "密码"),
    ("path", "路径"),
    ("pattern", "模式"),
    ("port", "端口"),
    ("program", "程序"),
    ("schedule", "时间表"),
    ("size", "大小"),
    ("span", "时长"),
    ("string", "字符串"),
    ("target", "目标"),
    ("template", "模板"),
    ("user", "用户"),
    ("window", "窗口"),
    ("zone", "时区"),
];
