//! Texts: what the operating system says, by its number (errno(3)).

use super::{Lang, Text};
use nix::errno::Errno;
use std::fmt;
use std::io;

/// Where the number begins in the text of an [`io::Error`] that has one.
const NUMBER: &str = " (os error ";

/// What an error of the system means.
pub fn system_error(error: &io::Error) -> Text {
    Text::of(|lang| system_reason(&error.to_string(), lang))
}

/// The same where only its text is left: the number at its end chooses the words; what stands before the words of the
/// system, and what has no number, stays.
pub fn system_reason(text: &str, lang: Lang) -> String {
    let meaning = |text: &str| {
        let (before, number) = text.rsplit_once(NUMBER)?;
        let number: i32 = number.strip_suffix(')')?.parse().ok()?;
        let words = io::Error::from_raw_os_error(number).to_string();
        let front = text.strip_suffix(words.as_str()).or_else(|| before.strip_suffix(words.as_str()))?;
        Some(format!("{front}{}{NUMBER}{number})", in_chinese(Errno::from_raw(number))?))
    };
    match lang {
        Lang::En => text.to_string(),
        Lang::Zh => meaning(text).unwrap_or_else(|| text.to_string()),
    }
}

/// A value shown in a language: as it is, but for what the system says.
pub struct InLang<'a>(pub &'a dyn fmt::Display, pub Lang);

impl fmt::Display for InLang<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Lang::En => self.0.fmt(f),
            lang => f.write_str(&system_reason(&self.0.to_string(), lang)),
        }
    }
}

/// The errors that occur.
fn in_chinese(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::EPERM => "不允许的操作",
        Errno::ENOENT => "文件或目录不存在",
        Errno::EINTR => "系统调用被中断",
        Errno::EIO => "输入输出错误",
        Errno::ENXIO => "设备或地址不存在",
        Errno::E2BIG => "参数过长",
        Errno::ENOEXEC => "无法执行的文件格式",
        Errno::EBADF => "文件描述符无效",
        Errno::EAGAIN => "资源暂时不可用",
        Errno::ENOMEM => "内存不足",
        Errno::EACCES => "权限不足",
        Errno::EBUSY => "资源正被占用",
        Errno::EEXIST => "文件已存在",
        Errno::ENODEV => "设备不存在",
        Errno::ENOTDIR => "不是目录",
        Errno::EISDIR => "是目录",
        Errno::EINVAL => "参数无效",
        Errno::ENFILE => "系统打开的文件过多",
        Errno::EMFILE => "进程打开的文件过多",
        Errno::ETXTBSY => "程序文件正被使用",
        Errno::EFBIG => "文件过大",
        Errno::ENOSPC => "磁盘空间不足",
        Errno::EROFS => "文件系统只读",
        Errno::EPIPE => "管道已断开",
        Errno::ENAMETOOLONG => "文件名过长",
        Errno::ELOOP => "符号链接层次过多",
        Errno::EADDRINUSE => "地址已被占用",
        Errno::EADDRNOTAVAIL => "本机没有这个地址",
        Errno::ENETDOWN => "网络已关闭",
        Errno::ENETUNREACH => "网络不可达",
        Errno::ECONNABORTED => "连接已中止",
        Errno::ECONNRESET => "连接被对方重置",
        Errno::ENOBUFS => "缓冲区不足",
        Errno::ENOTCONN => "尚未连接",
        Errno::ETIMEDOUT => "连接超时",
        Errno::ECONNREFUSED => "连接被拒绝",
        Errno::EHOSTDOWN => "主机已关闭",
        Errno::EHOSTUNREACH => "主机不可达",
        Errno::EDQUOT => "超出磁盘配额",
        Errno::ENOTSUP => "不支持的操作",
        Errno::ENOSYS => "系统不支持此调用",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_whole_in_every_language() {
        let said = crate::i18n::client::after_s(&"exit code 1", &format!("{:.1}", 125.304));
        assert_eq!(said.clone().in_lang(Lang::En), "[exit code 1 after 125.3s]");
        assert_eq!(said.in_lang(Lang::Zh), "[exit code 1，历时 125.3 秒]");
    }

    #[test]
    fn what_the_system_says_is_said_in_the_language_of_the_reader() {
        let full = io::Error::from_raw_os_error(Errno::ENOSPC as i32);
        assert_eq!(system_error(&full).in_lang(Lang::En), full.to_string());
        let number = Errno::ENOSPC as i32;
        assert_eq!(system_error(&full).in_lang(Lang::Zh), format!("磁盘空间不足 (os error {number})"));
        let behind = format!("/srv/x: fdatasync: {full}");
        assert_eq!(
            system_reason(&behind, Lang::Zh),
            format!("/srv/x: fdatasync: 磁盘空间不足 (os error {number})")
        );
        for text in ["closed", " (os error x)", "a (os error 28)", "No space left on device"] {
            assert_eq!(system_reason(text, Lang::Zh), text);
        }
    }
}
