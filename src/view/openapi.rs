//! The API as OpenAPI 3.1: what programs may send and what they are answered.
//!
//! The document stands in `openapi.json`, written by hand and held to the routes by a test; only the version is filled
//! in.

/// The document of this version.
pub fn document(version: &str) -> String {
    DOCUMENT.replacen(VERSION, version, 1)
}

const DOCUMENT: &str = include_str!("openapi.json");
/// What stands in the document in place of the version.
const VERSION: &str = "@VERSION@";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn parsed() -> Value {
        serde_json::from_str(&document("1.2.3")).expect("the document is JSON")
    }

    #[test]
    fn it_is_json_and_names_the_version() {
        let document = parsed();
        assert_eq!(document["info"]["version"], "1.2.3");
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk(at: &Value, root: &Value) {
            match at {
                Value::Object(fields) => {
                    if let Some(path) = fields.get("$ref").and_then(Value::as_str) {
                        assert!(root.pointer(path.trim_start_matches('#')).is_some(), "{path}");
                    }
                    fields.values().for_each(|value| walk(value, root));
                }
                Value::Array(items) => items.iter().for_each(|item| walk(item, root)),
                _ => {}
            }
        }
        let document = parsed();
        walk(&document, &document);
    }
}
