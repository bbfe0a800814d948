//! Messages that are too long: the beginning says what ran, the end what went wrong, so of both something is kept.

use super::limits::{MESSAGE_BYTES_MAX, MESSAGE_HEAD_BYTES};
use std::borrow::Cow;

/// Room for the mark between what is kept, with the longest number.
pub const MARK_BYTES_MAX: usize = 40;

/// The text itself where it has at most `bytes_max` bytes (itself at most [`MESSAGE_BYTES_MAX`]); else its first
/// [`MESSAGE_HEAD_BYTES`] bytes, a mark, and its end, in whole characters.
pub fn cut(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let head_bytes = MESSAGE_HEAD_BYTES.min(bytes_max / 2);
    let tail_bytes = bytes_max.saturating_sub(head_bytes + MARK_BYTES_MAX);
    let head = head_of(text, head_bytes);
    let tail = tail_of(text, tail_bytes);
    Cow::Owned([head, &mark(text.len() - head.len() - tail.len()), tail].concat())
}

/// A message as a beat may carry it.
pub fn fitting(text: &str) -> Cow<'_, str> {
    cut(text, MESSAGE_BYTES_MAX)
}

/// What stands in the place of so many bytes.
pub fn mark(bytes: usize) -> String {
    format!("\n[… {bytes} B …]\n")
}

/// The first bytes of a text, at most so many, ending with a whole character.
pub fn head_of(text: &str, bytes_max: usize) -> &str {
    let mut to = text.len().min(bytes_max);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    &text[..to]
}

/// The last bytes of a text, at most so many, beginning with a whole character.
pub fn tail_of(text: &str, bytes_max: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn beginning_and_end_of_a_long_message_are_kept() {
        assert_eq!(fitting(&"x".repeat(10_000)), "x".repeat(10_000));
        let long = format!("rsync -a /home\n{}\nrsync: broken pipe", "x".repeat(300_000));
        let kept = fitting(&long);
        assert!(kept.len() <= 10_000 && kept.len() > 9_900, "{}", kept.len());
        assert!(kept.starts_with("rsync -a /home\n") && kept.ends_with("rsync: broken pipe"));
        let (head, rest) = kept.split_once("\n[… ").unwrap();
        let (left_out, tail) = rest.split_once(" B …]\n").unwrap();
        assert_eq!(head.len(), 2_000);
        assert_eq!(left_out.parse::<usize>().unwrap(), long.len() - head.len() - tail.len());
        assert_eq!(fitting(&kept), kept, "what was cut once is not cut again");
    }

    #[test]
    fn a_part_is_made_of_whole_characters() {
        assert_eq!((head_of("心x", 2), head_of("心x", 3), head_of("心x", 9)), ("", "心", "心x"));
        assert_eq!((tail_of("x心", 2), tail_of("x心", 3), tail_of("", 3)), ("", "心", ""));
        assert!(mark(usize::MAX).len() <= MARK_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn it_always_fits(text in "[a心é\n]{0,400}", bytes_max in 100usize..300) {
            let kept = cut(&text, bytes_max);
            prop_assert!(kept.len() <= bytes_max);
            prop_assert_eq!(kept == text, text.len() <= bytes_max);
        }
    }
}
