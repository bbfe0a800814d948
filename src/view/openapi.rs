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
    fn generators_of_clients_can_read_it() {
        fn walk(at: &Value) {
            if let Value::Object(fields) = at {
                // None of them makes anything of `const`; an enum without a type, `null` alone and a union of objects
                // become code that does not run.
                assert!(!fields.contains_key("const"), "{at}");
                let is_null = fields.get("type").is_some_and(|kind| kind == "null");
                assert!(!is_null || fields.len() == 1, "{at}");
                let lists = fields.get("enum").is_some_and(Value::is_array);
                assert!(!lists || fields.contains_key("type"), "{at}");
                let is_one_of_ours = |item: &&Value| {
                    item.get("$ref").and_then(Value::as_str).is_some_and(|path| !path.ends_with("/Id"))
                        || item.get("type").is_some_and(|kind| kind == "object")
                };
                let union = fields.get("anyOf").and_then(Value::as_array).into_iter().flatten();
                assert!(union.filter(is_one_of_ours).count() <= 1, "{at}");
            }
            match at {
                Value::Object(fields) => fields.values().for_each(walk),
                Value::Array(items) => items.iter().for_each(walk),
                _ => {}
            }
        }
        walk(&parsed());
    }

    #[test]
    fn answers_may_gain_fields_without_breaking_a_client() {
        let document = parsed();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (name, schema) in schemas {
            let is_sent = ["Beat", "Declaration", "PauseFor"].contains(&name.as_str());
            assert!(is_sent || schema.get("additionalProperties").is_none(), "{name}");
        }
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
