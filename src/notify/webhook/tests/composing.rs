//! Webhooks as the configuration writes them.

use super::*;

#[test]
fn what_is_written_wrongly_is_told_with_its_key() {
    let find = |name| preset::find(name).unwrap();
    let header = |text: &str| [(HeaderName::from_static("x-a"), text.to_string())];
    for (wrong, part, reason) in [
        (compose(find("json"), None, &[], None, &[], &[]), WebhookPart::Whole, "url is missing"),
        (
            compose(find("json"), Some("example.org/x"), &[], None, &[], &[]),
            WebhookPart::Url,
            "not an address",
        ),
        (
            compose(find("json"), Some("ftp://example.org/x"), &[], None, &[], &[]),
            WebhookPart::Url,
            "begins with http",
        ),
        (
            compose(find("json"), Some("http://me:pw@a/x"), &[], None, &[], &[]),
            WebhookPart::Url,
            "no user or password",
        ),
        (compose(find("json"), Some("http://a/{{x}}"), &[], None, &[], &[]), WebhookPart::Url, "column 12"),
        (
            compose(find("json"), Some("http://a"), &header("{{"), None, &[], &[]),
            WebhookPart::Header("x-a".into()),
            "without }}",
        ),
        (
            compose(find("json"), Some("http://a"), &[], Some("{{#if}}"), &[], &[]),
            WebhookPart::Body,
            "a field is missing",
        ),
        (
            compose(find("telegram"), None, &[], None, &[], &[]),
            WebhookPart::Whole,
            "telegram needs secrets = { token = ",
        ),
        (
            compose(find("telegram"), None, &[], None, &[("token", "t")], &[]),
            WebhookPart::Whole,
            "telegram needs params = { chat_id = ",
        ),
        (
            compose(
                find("matrix"),
                None,
                &[],
                None,
                &[("token", "t")],
                &[("homeserver", "x"), ("room", "r")],
            ),
            WebhookPart::Whole,
            "not an address",
        ),
    ] {
        let wrong = wrong.unwrap_err();
        assert_eq!(wrong.part, part);
        assert!(wrong.text().in_lang(Lang::En).contains(reason), "{}", wrong.text().in_lang(Lang::En));
        assert_ne!(wrong.text().in_lang(Lang::Zh), wrong.text().in_lang(Lang::En));
    }
}

#[test]
fn a_body_that_is_json_stays_json_whatever_a_message_holds() {
    let receiver = Receiver::answering(answer("200 OK", "", ""));
    let url = receiver.url();
    // Quotes are where people put them, with the filter and without.
    for body in [
        r#"{"t":"{{text}}","n":{{count}},"tags":{{tags}},"j":{{json message}},"k":"{{json message}}"}"#,
        r#"[{{#each monitors}}{{#unless first}},{{/unless}}"{{id}}: {{message}}"{{/each}}]"#,
        r#"{{#if kind down}}{"m":"{{cut 20 message}}"}{{else}}{"r":{{cut 5 text}}}{{/if}}"#,
        r#"{"t":{{#json}}it said: {{message}}{{/json}}}"#,
    ] {
        let options = compose(&preset::PLAIN, Some(&url), &[], Some(body), &[], &[]).unwrap();
        for message in hostile::messages("ops") {
            let outcome = wait(Webhook::new(options.clone()).send(&envelope(&message)));
            assert_eq!(outcome, Outcome::Sent);
            let (head, sent) = receiver.request();
            assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
            let read: serde_json::Value =
                serde_json::from_str(&sent).unwrap_or_else(|error| panic!("{body}: {error}: {sent}"));
            if read["t"].is_string() && body.contains("count") {
                let said = message.monitors.first().and_then(|one| one.said.clone());
                assert_eq!(read["j"].as_str(), said.as_deref(), "nothing is lost on the way");
                assert_eq!(read["k"].as_str(), said.as_deref().or(Some("")));
            }
        }
    }
    // What begins like a list and is none is a text.
    let options = compose(&preset::PLAIN, Some(&url), &[], Some("[{{kind}}] {{text}}"), &[], &[]).unwrap();
    assert_eq!(send(options), Outcome::Sent);
    let (head, sent) = receiver.request();
    assert!(head.to_ascii_lowercase().contains("content-type: text/plain") && sent.starts_with("[down] "));
    // What begins like an object and is none is told when it is read.
    for body in [r#"{"t":"{{text}}",}"#, r#"{"t":{{text}}"#, r#"{"a":1 "b":"{{text}}"}"#] {
        let wrong = compose(&preset::PLAIN, Some(&url), &[], Some(body), &[], &[]).unwrap_err();
        assert_eq!(wrong.part, WebhookPart::Body);
        assert!(wrong.text().in_lang(Lang::En).contains("no JSON"), "{}", wrong.text().in_lang(Lang::En));
        assert!(wrong.text().in_lang(Lang::Zh).contains("JSON"));
    }
}

#[test]
fn whom_a_message_goes_to_is_not_for_the_message_to_say() {
    for url in [
        "http://localhost{{message}}",
        "http://{{monitor}}.example.org/hook",
        "{{text}}",
        "http://localhost:{{count}}/",
        "http{{#if kind down}}s{{/if}}://localhost/",
    ] {
        let wrong = compose(&preset::PLAIN, Some(url), &[], None, &[], &[]).unwrap_err();
        assert_eq!(wrong.part, WebhookPart::Url, "{url}");
    }
    let secrets = [("host", "127.0.0.1"), ("whole", "http://127.0.0.1:9/x")];
    for url in [
        "http://{{secret.host}}:9/{{message}}",
        "{{secret.whole}}?m={{url message}}",
        "http://h?{{url text}}",
    ] {
        let options = compose(&preset::PLAIN, Some(url), &[], None, &secrets, &[]);
        assert!(options.is_ok(), "{url}: {:?}", options.map_err(|wrong| wrong.text().in_lang(Lang::En)));
    }
}
