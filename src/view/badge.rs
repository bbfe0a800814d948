//! A badge: one monitor's state and its uptime of the last day, as a small SVG to be shown in other pages.
//!
//! Drawn here, flat, without a font of its own: the widths of texts are estimated by class of character and then held
//! to by `textLength`, so that the text fits whatever font the viewer has. Ids come from strangers and are escaped.

use crate::domain::lang::Lang;
use crate::domain::notice::State;
use crate::i18n;
use crate::view::page::{Percent, Untrusted, state_word};
use maud::html;
use std::fmt;

/// The `Content-Security-Policy` of a badge: it needs nothing.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Most characters of an id that a badge shows; its title has the whole of it.
const ID_CHARS_MAX: usize = 32;
/// The height of a badge, in pixels.
const HEIGHT: u32 = 20;
/// Left and right of a text, in tenths of a pixel.
const PADDING: u32 = 60;

/// What a badge shows.
#[derive(Clone, Copy, Debug)]
pub struct Badge<'a> {
    /// The language of its words.
    pub lang: Lang,
    /// The id it was asked for.
    pub id: &'a str,
    /// How the monitor stands; `None`: there is none of that id.
    pub state: Option<State>,
    /// Its share of time up in the last 24 hours, from 0 to 1.
    pub uptime_day: Option<f64>,
}

/// The SVG document.
pub fn render(badge: &Badge<'_>) -> String {
    let id = shortened(badge.id);
    let said = said(badge);
    let (left, right) = (width(&id), width(&said));
    let (left_box, right_box) = (left + 2 * PADDING, right + 2 * PADDING);
    let (all, split) = (Tenths(left_box + right_box), Tenths(left_box));
    let drawn = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(all) height=(HEIGHT) viewBox={ "0 0 " (all) " " (HEIGHT) }
            role="img" lang=(badge.lang.tag())
        {
            title { (Untrusted(badge.id)) ": " (said) }
            clipPath id="c" { rect width=(all) height=(HEIGHT) rx="4" {} }
            g clip-path="url(#c)" {
                rect width=(all) height=(HEIGHT) fill=(LABEL) {}
                rect x=(split) width=(Tenths(right_box)) height=(HEIGHT) fill=(colour(badge.state)) {}
            }
            g fill="#fff" font-family=(FONTS) font-size="11" {
                @for (x, length, words) in [(PADDING, left, &id), (left_box + PADDING, right, &said)] {
                    text x=(Tenths(x)) y="14" textLength=(Tenths(length)) { (Untrusted(words)) }
                }
            }
        }
        "\n"
    };
    drawn.into_string()
}

/// `up 99.9 %`, `down`, `unknown`.
fn said(badge: &Badge<'_>) -> String {
    match (badge.state.map(|state| state_word(badge.lang, state).to_lowercase()), badge.uptime_day) {
        (Some(state), Some(up)) => format!("{state} {}", Percent(up)),
        (Some(state), None) => state,
        (None, _) => i18n::view::UNKNOWN.in_lang(badge.lang).into(),
    }
}

fn shortened(id: &str) -> String {
    match id.char_indices().nth(ID_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &id[..end]),
        None => id.into(),
    }
}

const FONTS: &str = "Verdana,DejaVu Sans,Noto Sans CJK SC,PingFang SC,Microsoft YaHei,sans-serif";
/// The ground of the id.
const LABEL: &str = "#3f474d";

/// The ground of the state; white text on each is read by everybody (WCAG 2.2, 1.4.3).
fn colour(state: Option<State>) -> &'static str {
    match state {
        Some(State::Up) => "#12714a",
        Some(State::Late) => "#8a5300",
        Some(State::Down) => "#b3261e",
        Some(State::Paused) => "#5f5699",
        Some(State::New) | None => "#5d6870",
    }
}

/// About how wide a text is in a font of 11 pixels, in tenths of a pixel.
fn width(text: &str) -> u32 {
    let char_width = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | '`' => 36,
        ' ' | '\u{a0}' | 'f' | 'r' | 't' | '-' | '(' | ')' | '[' | ']' => 45,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 104,
        'A'..='Z' | '&' | '=' | '+' | '~' => 78,
        '…' => 90,
        c if c.is_ascii() => 67,
        // Scripts whose characters fill a square, and what nobody can estimate.
        '\u{1100}'.. => 110,
        _ => 72,
    };
    text.chars().map(char_width).sum()
}

/// Tenths of a pixel as a number of SVG.
#[derive(Clone, Copy)]
struct Tenths(u32);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::page::contrast::ratio;

    fn badge(id: &str, state: Option<State>, uptime_day: Option<f64>) -> String {
        render(&Badge { lang: Lang::En, id, state, uptime_day }).replace('\u{a0}', " ")
    }

    #[test]
    fn it_says_who_and_how_in_either_language() {
        let en = badge("db-01", Some(State::Up), Some(0.99901));
        assert!(en.contains("<title>db-01: up 99.9 %</title>"), "{en}");
        assert!(en.contains(">db-01</text>") && en.contains(">up 99.9 %</text>"));
        let zh = render(&Badge { lang: Lang::Zh, id: "db-01", state: Some(State::Down), uptime_day: None });
        assert!(zh.contains("<title>db-01: 离线</title>") && zh.contains("lang=\"zh-CN\""), "{zh}");
    }

    #[test]
    fn who_is_not_known_is_said_to_be_unknown() {
        assert!(badge("x", None, Some(1.0)).contains("<title>x: unknown</title>"));
        let zh = render(&Badge { lang: Lang::Zh, id: "x", state: None, uptime_day: None });
        assert!(zh.contains(">未知</text>"));
    }

    #[test]
    fn what_strangers_name_themselves_stays_text() {
        let svg = badge("</text><script>alert(1)</script>&'\"\u{202e}", Some(State::Up), None);
        assert!(!svg.contains("<script") && !svg.contains('\u{202e}'));
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn a_long_name_is_cut_and_a_wide_one_gets_its_room() {
        let long = badge(&"w".repeat(128), Some(State::Up), None);
        assert!(long.contains(&format!(">{}…</text>", "w".repeat(ID_CHARS_MAX))));
        assert!(width("数据库") > width("abc"));
        assert!(width("www") > width("iii"));
    }

    #[test]
    fn white_is_legible_on_every_ground() {
        for state in State::ALL.into_iter().map(Some).chain([None]) {
            assert!(ratio("#ffffff", colour(state)) >= 4.5, "{state:?}");
        }
        assert!(ratio("#ffffff", LABEL) >= 4.5);
    }
}
