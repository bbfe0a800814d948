//! What is said to whoever reaches a port, of what was written for the log: words, and not where anything lies.

use std::borrow::Cow;

/// Where the API lies: an address to look at, and no path of this machine.
const OWN_ADDRESSES: &str = "/api/v1/";

/// A sentence with only the last name of each path in it.
pub fn without_paths(text: &str) -> Cow<'_, str> {
    if !text.contains('/') {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        let before = rest[..at].chars().next_back();
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '/' | '.' | '-' | '_'));
        let path = &rest[at..];
        let length = path.find(ends_a_path).unwrap_or(path.len());
        // A full stop behind it is the sentence's.
        let length = path[..length].trim_end_matches('.').len().max(1);
        clean.push_str(&rest[..at]);
        let is_ours = path.starts_with(OWN_ADDRESSES);
        match begins && length > 1 && !is_ours {
            true => {
                clean.push_str(path[..length].trim_end_matches('/').rsplit('/').next().unwrap_or_default())
            }
            false => clean.push_str(&path[..length]),
        }
        rest = &path[length..];
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

fn ends_a_path(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            ':' | ';' | ',' | '"' | '\'' | '(' | ')' | '：' | '；' | '，' | '。' | '（' | '）' | '”'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_its_last_name_is_left() {
        for (text, said) in [
            ("/var/lib/hb/journal: no space left; make room", "journal: no space left; make room"),
            ("log target file:/var/log/hb/hb.log is failing", "log target file:hb.log is failing"),
            ("无法写入 /var/lib/hb/state.db：磁盘已满", "无法写入 state.db：磁盘已满"),
            ("a copy is kept (/var/lib/hb/journal/7.damaged).", "a copy is kept (7.damaged)."),
            (
                "cannot listen on unix:/run/hb/http.sock, it is tried again",
                "cannot listen on unix:http.sock, it is tried again",
            ),
            ("66 beats/s, and/or 1/2", "66 beats/s, and/or 1/2"),
            ("see /api/v1/alerts?state=failed", "see /api/v1/alerts?state=failed"),
            ("no / in it", "no / in it"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_paths(text), said);
        }
    }
}
