use super::*;
use crate::domain::alert::MessageKind;
use crate::domain::lang::Lang;
use crate::domain::time::{Span, Wall};
use crate::notify::testing::{NOW, envelope, message};
use crate::notify::{Envelope, Secret, Secrets};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NAMES: Names<'_> = Names { secrets: &["token", "sign"], params: &["room"] };

fn fill(text: &str, envelope: &Envelope<'_>) -> String {
    let secret = |text: &str| Secret::new(text.to_string());
    let secrets = Secrets::new([("token".into(), secret("t k&")), ("sign".into(), secret("SECabc"))].into());
    let params: BTreeMap<_, _> = [("room".to_string(), "!a:b".to_string())].into();
    let template =
        Template::parse(text, NAMES).unwrap_or_else(|e| panic!("{text}: {}", e.text().in_lang(Lang::En)));
    template.render(&TemplateScope::new(envelope, &secrets, &params)).unwrap()
}

#[test]
fn fields_stand_as_they_are_or_as_their_place_wants_them() {
    let mut down = message(MessageKind::Down, &["web-1"]);
    down.monitors[0].said = Some("disk \"full\"\n<b> & @all".into());
    let down = envelope(&down);
    for (template, want) in [
        ("", ""),
        ("plain { } }} text", "plain { } }} text"),
        ("{{monitor}} is {{ kind }}", "web-1 is down"),
        ("{{json message}}", r#""disk \"full\"\n<b> & @all""#),
        (
            "{{json count}} {{json duration_s}} {{json shared}} {{json tags}}",
            r#"1 60 null ["rack-3","lab \"b\""]"#,
        ),
        ("{{json \"n: \" count \"\\n\"}}", r#""n: 1\n""#),
        ("[{{shared}}] {{tags}}", "[] rack-3, lab \"b\""),
        ("{{html message}}", "disk \"full\"\n&lt;b&gt; &amp; @all"),
        ("{{quiet message}}", "disk \"full\"\n<\u{200b}b> & @\u{200b}all"),
        ("{{url message}}", "disk%20%22full%22%0A%3Cb%3E%20%26%20%40all"),
        ("Basic {{base64 \"me:\" secret.token}}", "Basic bWU6dCBrJg=="),
        ("{{url secret.token}} {{param.room}}", "t%20k%26 !a:b"),
        // The one that stands last is applied first: what is cut is the text, not an escape.
        ("{{json html cut 11 message}}", r#""disk \"full…""#),
        ("{{cut 3 \"监控项目\"}}|{{cut 4 \"监控项目\"}}", "监控…|监控项目"),
        (
            "{{cut_bytes 8 \"监控项目\"}}|{{cut_bytes 12 \"监控项目\"}}|{{cut_bytes 2 \"监控\"}}",
            "监…|监控项目|",
        ),
        ("{{\"{{\"}}", "{{"),
        ("{{#json}}{{monitor}}: {{message}}{{/json}}", r#""web-1: disk \"full\"\n<b> & @all""#),
        ("{{#cut 3}}{{monitor}}{{/cut}}", "we…"),
        ("{{now_s}} {{now_ms}} {{now}}", "1770521420 1770521420000 2026-02-08T03:30:20.000Z"),
        ("{{in_a_year}}", "2027-02-09T03:30:20.000Z"),
        ("{{icon}}", "🔴"),
    ] {
        assert_eq!(fill(template, &down), want, "{template}");
    }
    let payload: Value = serde_json::from_str(&fill("{{payload}}", &down)).unwrap();
    assert_eq!(payload["monitors"][0]["message"], "disk \"full\"\n<b> & @all");
    assert_eq!(fill("{{dingtalk_sign}}", &down).len(), 44);
}

#[test]
fn a_loop_goes_through_the_monitors_and_its_fields_are_theirs() {
    let down = message(MessageKind::Down, &["a", "b", "c"]);
    let down = envelope(&down);
    let list = "[{{#each monitors}}{{#unless first}},{{/unless}}{{json id}}{{/each}}]";
    assert_eq!(fill(list, &down), r#"["a","b","c"]"#);
    assert_eq!(fill("{{#each monitors 2}}{{id}}{{#if last}}.{{else}}, {{/if}}{{/each}}", &down), "a, b.");
    assert_eq!(fill("{{incident}}:{{#each monitors}} {{incident}}{{/each}}", &down), "7-a: 7-a 7-b 7-c");
    let test = message(MessageKind::Test, &[]);
    assert_eq!(fill("{{#each monitors}}{{id}}{{else}}nobody{{/each}}", &envelope(&test)), "nobody");
}

#[test]
fn a_condition_asks_for_words_or_for_anything() {
    let template = "{{#if kind down reminder}}bad{{else}}{{#if kind recovered}}good{{else}}?{{/if}}{{/if}}\
                    {{#unless delayed_s}} now{{/unless}}{{#if shared}} together{{/if}}{{#if tags}} tagged{{/if}}";
    for (kind, want) in [
        (MessageKind::Down, "bad now tagged"),
        (MessageKind::Recovered, "good now tagged"),
        (MessageKind::Flapping, "? now tagged"),
    ] {
        assert_eq!(fill(template, &envelope(&message(kind, &["a"]))), want);
    }
    let late = message(MessageKind::Down, &["a"]).at(Wall(NOW.0 + 90_000), Span::secs(60));
    assert_eq!(fill("{{#if delayed_s}}late by {{delayed_s}}{{/if}}", &envelope(&late)), "late by 90");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (template, line, column, part) in [
        ("a {{txt}}", 1, 5, "unknown field \"txt\"; there are: text, title, kind"),
        ("a\nbc {{text", 2, 4, "without }}"),
        ("{{}}", 1, 1, "a field is missing"),
        ("{{json}}", 1, 1, "a field is missing"),
        ("中{{json \"x}}", 1, 9, "quotes"),
        ("{{secret.other}}", 1, 3, "no secret \"other\""),
        ("{{param.other}}", 1, 3, "no parameter \"other\""),
        ("{{#each things}}{{/each}}", 1, 9, "unknown field \"things\""),
        ("{{#each monitors 0}}{{/each}}", 1, 18, "a whole number from 1"),
        ("{{cut text}}", 1, 7, "after cut comes a whole number"),
        ("{{#wrap}}{{/wrap}}", 1, 3, "unknown block \"wrap\""),
        ("{{id}}", 1, 3, "id stands only inside each"),
        ("{{#each monitors}}x{{else}}{{id}}{{/each}}", 1, 30, "id stands only inside each"),
        ("{{#each monitors}}{{#each monitors}}{{/each}}{{/each}}", 1, 21, "not stand inside each"),
        ("{{#if kind}}x{{/unless}}", 1, 16, "{{/if}} is expected"),
        ("x{{/if}}", 1, 4, "no block is open"),
        ("{{else}}", 1, 3, "no block is open"),
        ("{{#if kind}}{{else}}{{else}}{{/if}}", 1, 23, "{{/if}} is expected"),
        ("x\n {{#json}}x", 2, 4, "the block json has no end"),
        (
            "{{#json}}{{#json}}{{#json}}{{#json}}{{#json}}{{#json}}{{#json}}{{#json}}{{#json}}",
            1,
            75,
            "8 deep",
        ),
        ("{{ { }}", 1, 4, "unknown field \"{\""),
    ] {
        let error = Template::parse(template, NAMES).expect_err(template);
        assert_eq!(
            (error.line, error.column),
            (line, column),
            "{template}: {}",
            error.text().in_lang(Lang::En)
        );
        assert!(error.text().in_lang(Lang::En).contains(part), "{}", error.text().in_lang(Lang::En));
        let zh = error.text().in_lang(Lang::Zh);
        assert!(zh.starts_with(&format!("模板第 {line} 行第 {column} 列：")), "{zh}");
    }
    let long = "x".repeat(TEMPLATE_BYTES_MAX + 1);
    assert!(Template::parse(&long, NAMES).is_err());
    // A signature needs its key.
    assert!(Template::parse("{{feishu_sign}}", Names::default()).is_err());
}

#[test]
fn what_comes_out_has_a_bound() {
    let ids: Vec<String> = (0..1000).map(|n| format!("m{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let down = message(MessageKind::Down, &ids);
    let envelope = envelope(&down);
    let (secrets, params) = (Secrets::default(), BTreeMap::new());
    let scope = TemplateScope::new(&envelope, &secrets, &params);
    let padding = "x".repeat(2_000);
    let template = format!("{{{{#each monitors}}}}{padding}{{{{/each}}}}");
    let template = Template::parse(&template, Names::default()).unwrap();
    assert_eq!(template.render(&scope), Err(TooLong));
    assert!(Template::parse("{{payload}}", Names::default()).unwrap().render(&scope).is_ok());
}

proptest::proptest! {
    #[test]
    fn nothing_that_is_written_breaks_the_reader(text in r#"(\{\{|\}\}|#if |#each |/if|kind|json |"|\\|cut |7|monitors|监| |else|[a-z\n]){0,40}"#) {
        if let Ok(template) = Template::parse(&text, NAMES) {
            let down = message(MessageKind::Down, &["a", "b"]);
            let envelope = envelope(&down);
            let (secrets, params) = (Secrets::default(), BTreeMap::new());
            let _ = template.render(&TemplateScope::new(&envelope, &secrets, &params));
        }
    }

    #[test]
    fn json_is_json_whatever_a_field_holds(said in "\\PC{0,50}|[\u{0}-\u{20}\"\\\\]{0,20}") {
        let mut down = message(MessageKind::Down, &["a"]);
        down.monitors[0].said = Some(said.clone());
        let text = fill(r#"{"a":{{json message}},"b":{{#json}}<{{message}}>{{/json}}}"#, &envelope(&down));
        let read: Value = serde_json::from_str(&text).unwrap();
        proptest::prop_assert_eq!(read, json!({"a": said, "b": format!("<{said}>")}));
    }
}
