//! Bodies of beats: reading never panics, and a beat that was taken, written out again, is read as the same beat.
#![no_main]

use heartbeat_server::domain::beat::{Beat, Status, Warnings};
use heartbeat_server::domain::limits::Limits;
use heartbeat_server::wire::fields::Fields;
use heartbeat_server::wire::json::{Body, parse};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(|data: &[u8]| {
    // Small limits, so that their edges are met often.
    let limits = Limits { beat_bytes: 512, batch_beats: 8, json_depth: 4, ..Limits::default() };
    let Ok(body) = parse(data, &limits) else { return };
    match body {
        Body::One(mut fields) => judge(&mut fields),
        Body::Many(items) => {
            let items: Vec<_> = items.collect();
            assert!(items.len() <= 8, "more beats than allowed");
            items.into_iter().flatten().for_each(|mut fields| judge(&mut fields));
        }
    }
});

fn judge(fields: &mut Fields<'_>) {
    let beat = match fields.beat() {
        Ok(beat) => beat,
        Err(error) => {
            assert!(error.field.is_some() && !error.reason.is_empty() && !error.too_large);
            return;
        }
    };
    let text = written(&beat);
    match parse(text.as_bytes(), &Limits::default()) {
        Ok(Body::One(mut again)) => {
            // What was cut or left out is not there to be cut again.
            let beat = Beat { warnings: Warnings::NONE, ..beat };
            assert_eq!(again.beat().as_ref(), Ok(&beat), "{text}");
        }
        other => panic!("{text} is no beat any more: {other:?}"),
    }
}

fn written(beat: &Beat<'_>) -> String {
    let seconds = |ms: u64| Value::from(format!("{ms}ms"));
    let status = match beat.status {
        Status::Exit(code) => json!(code),
        other => json!(other.name()),
    };
    let fields = [
        ("id", beat.id.map(|id| json!(id.as_str()))),
        ("ip", beat.ip.map(|ip| json!(ip.as_str()))),
        ("seq", beat.seq.map(|n| json!(n))),
        // The far ends of what a time stamp may be cannot be written as RFC 3339.
        ("ts", beat.ts.map(|ts| json!(ts.0 as f64 / 1000.0))),
        ("interval", beat.interval.map(|span| seconds(span.0))),
        ("grace", beat.grace.map(|span| seconds(span.0))),
        ("status", Some(status)),
        ("message", beat.message.map(|text| json!(text))),
        ("tags", beat.tags.map(|tags| json!(tags))),
        ("rid", beat.rid.map(|rid| json!(rid))),
    ];
    let object: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect();
    Value::Object(object).to_string()
}
