//! Samples of texts as senders and receivers may write them, to try templates, parsers and stores with.

/// Quotes, backslashes, line breaks, marks of markup, other scripts and an emoji.
pub const ODD: &str = "\"quotes\" 'and' \\ {{braces}}, a\r\nline\tbreak, <b>&amp;</b>, é 中文 🫀";
/// A character of three bytes in UTF-8.
pub const HAN: &str = "心";
