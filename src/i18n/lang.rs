//! The languages in which we speak to people.

/// A language of the log, the page and the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// The language a locale name such as `zh_CN.UTF-8` asks for; anything that is not Chinese is English.
    pub fn from_locale(locale: &str) -> Lang {
        let name = locale.split(['.', '_', '-', '@']).next().unwrap_or_default();
        if name.eq_ignore_ascii_case("zh") { Lang::Zh } else { Lang::En }
    }

    /// The language an `Accept-Language` header (RFC 9110, 12.5.4) prefers among ours, if it names any of them.
    pub fn from_accept_language(header: &str) -> Option<Lang> {
        let mut best: Option<(f32, Lang)> = None;
        for range in header.split(',').take(32) {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let lang = match tag.split('-').next().unwrap_or_default() {
                t if t.eq_ignore_ascii_case("zh") => Lang::Zh,
                t if t.eq_ignore_ascii_case("en") => Lang::En,
                _ => continue,
            };
            let quality = parts
                .find_map(|p| p.trim().strip_prefix("q="))
                .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0));
            if quality > 0.0 && best.is_none_or(|(q, _)| quality > q) {
                best = Some((quality, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }

    /// Its name in options and links.
    pub fn name(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh",
        }
    }

    /// The BCP 47 tag, for `lang=` in HTML and `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh-CN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_chooses_chinese_only_when_it_says_so() {
        assert_eq!(Lang::from_locale("zh_CN.UTF-8"), Lang::Zh);
        assert_eq!(Lang::from_locale("zh"), Lang::Zh);
        assert_eq!(Lang::from_locale("C.UTF-8"), Lang::En);
        assert_eq!(Lang::from_locale(""), Lang::En);
        assert_eq!(Lang::from_locale("zha"), Lang::En);
    }

    #[test]
    fn the_browser_preference_is_by_quality_then_by_order() {
        assert_eq!(Lang::from_accept_language("zh-CN,zh;q=0.9,en;q=0.8"), Some(Lang::Zh));
        assert_eq!(Lang::from_accept_language("en;q=0.2, zh;q=0.7"), Some(Lang::Zh));
        assert_eq!(Lang::from_accept_language("fr, en-GB;q=0.5"), Some(Lang::En));
        assert_eq!(Lang::from_accept_language("zh;q=0"), None);
        assert_eq!(Lang::from_accept_language("de"), None);
    }

    #[test]
    fn each_language_has_its_tag() {
        assert_eq!((Lang::En.tag(), Lang::Zh.tag()), ("en", "zh-CN"));
    }
}
