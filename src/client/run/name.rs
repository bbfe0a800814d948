//! The id of a job whose id is invalid or missing: the nearest valid one.

use crate::domain::id::{Id, composed};
use crate::domain::limits::ID_BYTES_MAX;
use crate::i18n::{self, Text};
use std::ffi::OsStr;
use std::path::Path;

/// The id nearest to a text of which a server makes a monitor: each run of characters that no such id may hold becomes a
/// hyphen, and what is too long is cut. `None` when nothing is left.
pub fn nearest(text: &str) -> Option<Id> {
    // Composed before it is cut: that may make it longer.
    let text = &*composed(text.trim());
    let may_be_inside = |c: char| new_id(&format!("a{c}a")).is_some();
    let is_in_any_place = |c: char| !matches!(c, '/' | '.') && may_be_inside(c);
    // The last try is for what is wrong by its place alone, such as `//` and `..`.
    new_id(text)
        .or_else(|| new_id(&hyphenated(text, may_be_inside)))
        .or_else(|| new_id(&hyphenated(text, is_in_any_place)))
}

/// What follows on why an id is wrong: what to write in its place, if anything is near it.
pub(crate) fn advice(text: &str) -> Text {
    nearest(text).map_or_else(Text::default, |id| i18n::client::nearest_valid(&id))
}

/// A name for a job that was given none: this machine's, because the same job may run on others, and the program's.
pub fn of_command(host: &str, program: &OsStr) -> Option<Id> {
    let program = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    nearest(format!("{host}-{program}").trim_start_matches('-'))
}

/// A text as an id by which a monitor may be made, not only one of an earlier version be named.
fn new_id(text: &str) -> Option<Id> {
    Id::new(text).ok().filter(|id| id.as_ref().may_be_made().is_ok())
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
            ("backup(daily)", "backup-daily"),
            ("-x", "x"),
            ("💾 nas", "nas"),
            ("a/../b", "a-b"),
            ("[fe80::1]:5000", "[fe80::1]:5000"),
        ] {
            assert_eq!(near(text).as_deref(), Some(id), "{text:?}");
        }
        assert_eq!(near(&"x".repeat(200)), Some("x".repeat(128)));
        assert_eq!(near(&"心".repeat(100)), Some("心".repeat(42)));
        for nothing in ["", " ", "..", "%%%", "-", "💾", "/", "\u{3164}"] {
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
        fn a_server_makes_a_monitor_of_every_nearest_id(text in any::<String>()) {
            if let Some(id) = nearest(&text) {
                prop_assert_eq!(id.as_ref().may_be_made(), Ok(()), "{:?}", text);
                prop_assert_eq!(nearest(id.as_str()), Some(id.clone()), "{:?}", text);
            }
        }

        #[test]
        fn a_server_makes_a_monitor_of_what_is_nearest_to_words_and_signs(text in "[-a-z/.():;é心💾\u{301} ]{0,200}") {
            let id = nearest(&text);
            prop_assert!(id.is_none_or(|id| id.as_ref().may_be_made().is_ok()), "{:?}", text);
        }

        #[test]
        fn whatever_holds_a_letter_has_a_nearest_id(text in ".*[a-z].{0,20}") {
            // What is cut off may have held the letter.
            prop_assume!(text.len() <= ID_BYTES_MAX);
            prop_assert!(nearest(&text).is_some(), "{:?}", text);
        }
    }
}
