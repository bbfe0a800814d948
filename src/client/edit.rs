//! Setting keys in a configuration file that belongs to a person: everything else in it stays as it stands, comments
//! and order included.

use toml::de::DeTable;

/// The text with a key of the top level set to a value, which is written as TOML. Where the key is only commented out,
/// it comes below that line; a text that has the value already stays the same.
///
/// # Errors
/// When the text is not TOML.
pub fn set(text: &str, key: &str, value: &str) -> Result<String, ()> {
    let table = DeTable::parse(text).map_err(|_| ())?;
    if let Some(known) = table.get_ref().get(key) {
        let mut changed = text.to_string();
        changed.replace_range(known.span(), value);
        return Ok(changed);
    }
    let line = format!("{key} = {value}\n");
    let mut place = text.len();
    let mut start = 0;
    for other in text.split_inclusive('\n') {
        let end = start + other.len();
        let name = other.trim_start().strip_prefix('#').and_then(|rest| rest.split_once('='));
        if name.is_some_and(|(name, _)| name.trim() == key) {
            place = end;
            break;
        }
        start = end;
    }
    let (before, after) = text.split_at(place);
    let newline = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{before}{newline}{line}{after}"))
}

/// The text without a key of the top level: the lines on which it stands go.
///
/// # Errors
/// When the text is not TOML.
pub fn remove(text: &str, key: &str) -> Result<String, ()> {
    let table = DeTable::parse(text).map_err(|_| ())?;
    let Some((name, value)) = table.get_ref().iter().find(|(name, _)| name.get_ref() == key) else {
        return Ok(text.to_string());
    };
    let start = text[..name.span().start].rfind('\n').map_or(0, |at| at + 1);
    let behind = value.span().end;
    let end = text[behind..].find('\n').map_or(text.len(), |at| behind + at + 1);
    Ok(format!("{}{}", &text[..start], &text[end..]))
}

/// A text as TOML writes it. TOML reads JSON's escapes, and needs one more (U+007F).
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str, key: &str, value: &str) -> String {
        super::set(text, key, &quoted(value)).unwrap()
    }

    #[test]
    fn a_key_is_set_where_it_stands_or_where_it_is_explained() {
        let sample = "# The server.\n#to = \"http://localhost:7777\"\n# How often.\n#every = \"30s\"\n";
        let once = set(sample, "to", "http://hb");
        assert_eq!(
            once,
            "# The server.\n#to = \"http://localhost:7777\"\nto = \"http://hb\"\n# How often.\n#every = \"30s\"\n"
        );
        assert_eq!(set(&once, "to", "http://hb"), once);
        assert_eq!(set("to = 'x' # mine\nid = \"a\"", "to", "y"), "to = \"y\" # mine\nid = \"a\"");
        assert_eq!(set("id = \"a\"", "to", "y"), "id = \"a\"\nto = \"y\"\n");
        assert_eq!(set("", "to", "y"), "to = \"y\"\n");
    }

    #[test]
    fn what_only_looks_like_the_key_is_left_alone() {
        let hook = "on_down = '''\nto = \"x\"\n'''\n";
        assert_eq!(set(hook, "to", "y"), format!("{hook}to = \"y\"\n"));
        assert!(super::set("to = ", "to", "1").is_err());
    }

    #[test]
    fn a_key_is_removed_with_its_lines_and_nothing_else() {
        let text = "# The servers.\nservers = [\n  \"a\", # one\n  \"b\"\n] # both\nid = \"x\"\n";
        assert_eq!(super::remove(text, "servers").unwrap(), "# The servers.\nid = \"x\"\n");
        assert_eq!(super::remove(text, "to").unwrap(), text);
        assert_eq!(super::remove("to = \"a\"", "to").unwrap(), "");
        assert!(super::remove("to = ", "to").is_err());
    }

    proptest! {
        #[test]
        fn what_is_set_is_read_back(value in ".{0,40}", id in "[a-z]{1,8}") {
            let text = set(&format!("id = \"{id}\"\n"), "on_down", &value);
            let read: toml::Table = text.parse().unwrap();
            prop_assert_eq!(read["on_down"].as_str(), Some(value.as_str()));
            prop_assert_eq!(read["id"].as_str(), Some(id.as_str()));
        }
    }
}
