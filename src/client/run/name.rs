//! The monitor of a job whose id is wrong or missing: the nearest one that a server takes.

use crate::domain::id::Id;
use crate::domain::limits::ID_BYTES_MAX;
use std::ffi::OsStr;
use std::path::Path;

/// The id nearest to a text: each run of characters that no id may hold becomes a hyphen, and what is too long is cut.
/// `None` when nothing is left.
pub fn nearest(text: &str) -> Option<Id> {
    let text = text.trim();
    if let Ok(id) = Id::new(text) {
        return Some(id);
    }
    let may_be_inside = |c: char| Id::new(&format!("a{c}a")).is_ok();
    // The second try is for what is wrong by its place alone, such as `//` and `..`.
    [hyphenated(text, may_be_inside), hyphenated(text, char::is_alphanumeric)]
        .iter()
        .find_map(|text| Id::new(text).ok())
}

/// A name for a job that was given none: this machine's, because the same job may run on others, and the program's.
pub fn of_command(host: &str, program: &OsStr) -> Option<Id> {
    let program = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    nearest(format!("{host}-{program}").trim_start_matches('-'))
}

fn hyphenated(text: &str, fits: impl Fn(char) -> bool) -> String {
    let mut whole = String::new();
    for c in text.chars() {
        let c = if fits(c) { c } else { '-' };
        if whole.len() + c.len_utf8() > ID_BYTES_MAX {
            break;
        }
        if c != '-' || !whole.is_empty() && !whole.ends_with('-') {
            whole.push(c);
        }
    }
    whole.trim_end_matches('-').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(text: &str) -> Option<String> {
        nearest(text).map(|id| id.to_string())
    }

    #[test]
    fn a_wrong_id_becomes_the_one_that_was_meant() {
        for (text, id) in [
            ("my job", "my-job"),
            (" nas\n", "nas"),
            ("nightly \"backup\" <nas>", "nightly-backup-nas"),
            ("数据库 备份", "数据库-备份"),
            ("50%", "50"),
            ("a\u{202e}b", "a-b"),
        ] {
            assert_eq!(near(text).as_deref(), Some(id), "{text:?}");
        }
        assert_eq!(near(&"x".repeat(200)), Some("x".repeat(128)));
        assert_eq!(near(&"心".repeat(100)), Some("心".repeat(42)));
        for nothing in ["", " ", "..", "%%%"] {
            assert_eq!(near(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_job_without_a_name_has_its_programs() {
        let of = |program: &str| of_command("nas", OsStr::new(program)).map(|id| id.to_string());
        assert_eq!(of("/usr/local/bin/backup.sh").as_deref(), Some("nas-backup.sh"));
        assert_eq!(of("my job").as_deref(), Some("nas-my-job"));
        assert_eq!(of_command("", OsStr::new("backup")).map(|id| id.to_string()).as_deref(), Some("backup"));
    }

    proptest! {
        #[test]
        fn whatever_holds_a_letter_has_a_nearest_id(text in ".*[a-z].{0,20}") {
            // What is cut off may have held the letter.
            prop_assume!(text.len() <= ID_BYTES_MAX);
            prop_assert!(nearest(&text).is_some(), "{:?}", text);
        }
    }
}
