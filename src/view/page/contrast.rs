//! Whether people can read the colours: WCAG 2.2's contrast, computed for every pair that the style puts together.

use super::frame::STYLE;
use std::collections::BTreeMap;

/// The contrast of two colours written as `#rgb` or `#rrggbb` (WCAG 2.2, "contrast ratio").
pub fn ratio(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(colour: &str) -> f64 {
    let digits = colour.strip_prefix('#').unwrap();
    let full: String = match digits.len() {
        3 => digits.chars().flat_map(|c| [c, c]).collect(),
        6 => digits.into(),
        _ => panic!("{colour}"),
    };
    let channel = |nth: usize| {
        let value = f64::from(u8::from_str_radix(&full[2 * nth..2 * nth + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(1) + 0.0722 * channel(2)
}

/// The colours of the `nth` `:root` of the style: first light, then dark.
fn colours(nth: usize) -> BTreeMap<&'static str, &'static str> {
    let root = STYLE.split(":root{").nth(nth + 1).unwrap();
    let body = &root[..root.find('}').unwrap()];
    body.split(';').filter_map(|rule| rule.strip_prefix("--")?.split_once(':')).collect()
}

#[test]
fn every_text_is_legible_in_light_and_in_dark() {
    const GROUNDS: [&str; 4] = ["ground", "sheet", "hover", "wash"];
    const TEXTS: [&str; 8] = ["ink", "soft", "link", "down", "late", "up", "paused", "new"];
    for mode in 0..2 {
        let colours = colours(mode);
        for ground in GROUNDS {
            for text in TEXTS {
                let ratio = ratio(colours[text], colours[ground]);
                assert!(ratio >= 4.5, "{text} on {ground}, mode {mode}: {ratio:.2}");
            }
        }
        // The notice that the server does not answer is written the other way round.
        assert!(ratio(colours["ground"], colours["late"]) >= 4.5);
    }
}

#[test]
fn the_edges_of_what_can_be_used_are_seen() {
    for mode in 0..2 {
        let colours = colours(mode);
        for ground in ["ground", "sheet"] {
            assert!(ratio(colours["edge"], colours[ground]) >= 3.0, "mode {mode}");
        }
    }
}

#[test]
fn contrast_is_what_the_standard_says() {
    assert!((ratio("#000", "#fff") - 21.0).abs() < 0.01);
    assert!((ratio("#777777", "#ffffff") - 4.48).abs() < 0.01);
}
