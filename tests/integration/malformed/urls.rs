//! Beats as URLs that are malformed, in the form of the other table.

use super::table::Case;

/// All rows.
pub fn table() -> Vec<Case> {
    let url = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: hb\r\n\r\n");
    let short = "POST /ping/a HTTP/1.1\r\nHost: hb\r\nContent-Length: 9\r\n\r\nx".to_string();
    let rows: [(&'static str, String, &'static [u16], &'static str); 8] = [
        ("a URL without an id", url("/ping/"), &[404], "no such path"),
        ("a URL with a wrong id", url("/ping/a%20b"), &[400], "id"),
        ("a URL that is not UTF-8", url("/ping/%ff"), &[400], "id"),
        ("a URL with an exit code of 70 bits", url("/ping/a/999999999999999999999"), &[400], "status"),
        ("a URL with a wrong field", url("/ping/a?grace=x"), &[400], "grace"),
        ("a URL with a body that is not all there", short, &[400], "ended early"),
        ("half a URL", "GET /ping/a".into(), &[], ""),
        (
            "a URL from another page",
            url("/ping/a").replace("Host", "Origin: http://x\r\nHost"),
            &[403],
            "Origin",
        ),
    ];
    rows.map(|(name, bytes, statuses, word)| Case { name, bytes: bytes.into_bytes(), statuses, word }).into()
}
