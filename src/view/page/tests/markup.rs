//! Whether a page is well formed and free of what would run.

/// Fails unless every tag is closed in order, every attribute is quoted and named once, and every `&` begins a
/// reference that HTML knows under the names used here.
pub fn well_formed(html: &str) {
    const VOID: [&str; 5] = ["meta", "link", "input", "wbr", "img"];
    let body = html.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    for reference in html.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(known.iter().any(|k| reference.starts_with(k)), "&{}", &reference[..reference.len().min(20)]);
    }
    let mut open: Vec<&str> = Vec::new();
    let mut rest = body;
    while let Some(start) = rest.find(['<', '>']) {
        let tag = rest[start..].strip_prefix('<').expect("no > outside of a tag");
        let end = tag.find('>').expect("a tag ends");
        let (inner, after) = (&tag[..end], &tag[end + 1..]);
        rest = after;
        if let Some(name) = inner.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
            continue;
        }
        let closed = inner.ends_with('/');
        let (name, attributes) = inner.trim_end_matches('/').split_once(' ').unwrap_or((inner, ""));
        well_formed_attributes(attributes);
        if name == "style" {
            rest = &rest[rest.find("</style>").expect("the style ends")..];
        }
        if !closed && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

fn well_formed_attributes(attributes: &str) {
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("name=\"value\"");
        let (_, after) = value.split_once('"').expect("a closing quote");
        assert!(
            name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') && !name.starts_with("on"),
            "{name}"
        );
        assert!(!seen.contains(&name.trim()), "{name} twice");
        seen.push(name);
        assert!(after.is_empty() || after.starts_with(' '), "{attributes}");
        rest = after.trim_start();
    }
}
