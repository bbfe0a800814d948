//! Queries: reading never panics, and a beat whose fields came back is the same beat as the same fields in JSON.
#![no_main]

use heartbeat_server::domain::beat::{Beat, Warnings};
use heartbeat_server::domain::limits::Limits;
use heartbeat_server::wire::json::{Body, parse};
use heartbeat_server::wire::query;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = (query::selection(text), query::incidents(text), query::lang(text));
    let mut fields = query::beat(text);
    let Ok(beat) = fields.beat() else { return };
    let texts = [("id", beat.id.map(|id| id.as_str())), ("message", beat.message), ("rid", beat.rid)];
    let object: Map<String, Value> =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_string(), text?.into()))).collect();
    let body = Value::Object(object).to_string();
    match parse(body.as_bytes(), &Limits::default()) {
        Ok(Body::One(mut again)) => {
            let again = again.beat().expect("what was judged once is judged alike");
            let wanted = Beat { id: beat.id, message: beat.message, rid: beat.rid, ..Beat::default() };
            assert_eq!(Beat { warnings: Warnings::NONE, ..again }, wanted, "{body}");
        }
        other => panic!("{body} is no beat: {other:?}"),
    }
});
