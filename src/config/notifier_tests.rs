//! Tests of notifiers: what is read, and every kind of error with its place.

use super::*;
use crate::config::Settings;
use crate::config::cli::Args;
use crate::config::testing::{Dir, env};
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::notify::exec::ExecOptions;
use crate::notify::local::LocalLog;
use crate::notify::mail::MailTls;
use crate::notify::{CONCURRENCY, ChannelOptions, TIMEOUT};
use std::os::unix::fs::PermissionsExt;

/// A folder with secrets that only their owner may read.
fn dir() -> Dir {
    let dir = Dir::new();
    for (name, text) in [("token", "T0KEN-geheim\n"), ("hook", "https://hooks.example/services/geheim\n")] {
        let path = dir.write(name, text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    dir
}

fn settings(text: &str) -> Settings {
    let dir = dir();
    dir.write("main.toml", text);
    let env = env(&[("CREDENTIALS_DIRECTORY", dir.0.to_str().unwrap())]);
    let settings = dir.load(Args::default(), &env).map_err(|error| error.to_string()).unwrap();
    Settings { warnings: settings.warnings.iter().map(|w| dir.strip(w)).collect(), ..settings }
}

fn faults(text: &str, lang: Lang) -> String {
    let dir = dir();
    dir.write("main.toml", text);
    dir.strip(&dir.load(Args::default(), &env(&[])).unwrap_err().sentence(lang))
}

#[test]
fn a_notifier_says_all_that_can_be_said() {
    let settings = settings(
        r#"
        [defaults]
        notify = ["ops", "night", "ops"]
        [[monitor]]
        match = "web-*"
        notify = ["night"]
        [[monitor]]
        match = "lab-*"
        notify = []
        [[notifier]]
        name = "ops"
        type = "webhook"
        url = { credential = "hook" }
        method = "PUT"
        headers = { "X-Token" = "{{secret.token}}", Authorization = "none" }
        body = "{{kind}} {{param.room}}"
        secrets = { token = { file = "token" } }
        params = { room = "7" }
        timeout = "5s"
        group_wait = "1m"
        remind_every = "4h"
        every_failure = true
        min_down = "90s"
        rate = 6
        concurrency = 3
        retry_for = "1h"
        fallback = "night"
        [[notifier]]
        name = "night"
        type = "mail"
        smtp = "[::1]:2525"
        from = "hb@example.org"
        to = "二线 <night@example.org>"
        tls = "none"
        username = "hb"
        password_file = "token"
        subject = "{{title}}"
        body = "{{text}}"
        [[notifier]]
        name = "script"
        type = "exec"
        command = ["sh", "-c", "exit 0"]
        [[notifier]]
        name = "chat"
        preset = "dingtalk"
        secrets = { token = { file = "token" }, sign = { credential = "token" } }
        [[notifier]]
        name = "log"
        type = "journal"
        "#,
    );
    let alerts = &settings.alerts;
    assert_eq!(alerts.notify, ["ops", "night"]);
    let rule = |number| settings.rules.get(number).unwrap().notify.clone();
    assert_eq!((rule(0), rule(1)), (Some(vec!["night".to_string()]), Some(Vec::new())));
    assert_eq!(
        alerts.notifiers[0],
        Notifier {
            name: "ops".into(),
            group_wait: Span::secs(60),
            min_down: Span::secs(90),
            remind_every: Some(Span::secs(14_400)),
            every_failure: true,
            rate_per_minute: 6,
            retry_for: Span::secs(3600),
            fallback: Some("night".into()),
        }
    );
    assert_eq!(alerts.notifiers[2], Notifier::new("script"));
    let names: Vec<&str> = settings.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["ops", "night", "script", "chat", "log"]);
    assert_eq!((settings.channels[0].concurrency, settings.channels[1].concurrency), (3, CONCURRENCY));
    let ChannelOptions::Webhook(hook) = &settings.channels[0].options else { panic!() };
    assert_eq!(
        (hook.host.as_str(), hook.method.as_str(), hook.timeout),
        ("hooks.example", "PUT", Span::secs(5))
    );
    let ChannelOptions::Mail(mail) = &settings.channels[1].options else { panic!() };
    assert_eq!((mail.host.as_str(), mail.port, mail.tls), ("::1", 2525, MailTls::Off));
    assert_eq!(mail.login.as_ref().unwrap().1.reveal(), "T0KEN-geheim");
    let command = ["sh", "-c", "exit 0"].map(String::from).to_vec();
    assert_eq!(
        settings.channels[2].options,
        ChannelOptions::Exec(ExecOptions { command, timeout: TIMEOUT, show_answers: false })
    );
    let ChannelOptions::Webhook(chat) = &settings.channels[3].options else { panic!() };
    assert_eq!(chat.host, "oapi.dingtalk.com");
    assert_eq!(settings.channels[4].options, ChannelOptions::Local(LocalLog::Journal));
    assert!(settings.describe(Lang::En).contains("log: journal; gathers 10s"));
    assert!(
        settings.describe(Lang::En).contains("reminds every: 4h, tells each further failure, 6 a minute")
    );
    assert!(settings.describe(Lang::Zh).contains("提醒间隔 4h，每次再失败都通知，每分钟 6 条"));
    assert!(settings.describe(Lang::En).contains("reminds every: never, 60 a minute"));
    // The rule for lab-* tells nobody, the one for web-* somebody else.
    let heard = [0, 1, u16::MAX].map(|number| settings.rules.tell_failures(number));
    assert_eq!(heard, [false, false, true]);
    assert_eq!(settings.warnings, [] as [&str; 0]);
}

#[test]
fn what_is_shown_holds_no_secret() {
    let settings = settings(
        "[defaults]\nnotify = [\"a\"]\n\
         [[notifier]]\nname = \"a\"\ntype = \"webhook\"\nurl = { file = \"hook\" }\nfallback = \"b\"\n\
         [[notifier]]\nname = \"b\"\npreset = \"telegram\"\nsecrets = { token = { file = \"token\" } }\nparams = { chat_id = \"1\" }\n\
         [[notifier]]\nname = \"c\"\ntype = \"mail\"\nsmtp = \"mail.example\"\nfrom = \"a@b.example\"\nto = [\"c@d.example\"]\n\
         username = \"u\"\nsecrets = { password = { file = \"token\" } }\n\
         [[notifier]]\nname = \"d\"\ntype = \"webhook\"\nurl = \"http://[::1]:9093/x\"\n",
    );
    for lang in [Lang::En, Lang::Zh] {
        let shown = format!("{}{settings:?}", settings.describe(lang));
        assert!(!shown.contains("geheim"), "{shown}");
    }
    let shown = settings.describe(Lang::En);
    for part in [
        "a: webhook POST hooks.example; gathers 10s, down for 0s at least, reminds every: never, 60 a minute, 1 at once, \
         15s a try, tried for 1d, then b\n",
        "b: webhook POST api.telegram.org; ",
        "d: webhook POST [::1]:9093; ",
        "c: mail to c@d.example by mail.example:587 (starttls); ",
        "told         a\n",
    ] {
        assert!(shown.contains(part), "{part}{shown}");
    }
    assert!(settings.describe(Lang::Zh).contains("a：webhook POST hooks.example；合并 10s"));
}

#[test]
fn every_fault_is_told_with_its_line_and_key() {
    let hook = |text: &str| format!("[[notifier]]\nname = \"a\"\ntype = \"webhook\"\n{text}");
    let mail = |text: &str| {
        format!(
            "[[notifier]]\nname = \"a\"\ntype = \"mail\"\nsmtp = \"m\"\nfrom = \"a@b.example\"\nto = [\"c@d.example\"]\n{text}"
        )
    };
    let exec = |text: &str| format!("[[notifier]]\nname = \"a\"\ntype = \"exec\"\n{text}");
    for (text, want) in [
        ("[[notifier]]\n".to_string(), "1: notifier: name is missing"),
        (
            "[[notifier]]\nname = \"a b\"".into(),
            "2: notifier.name: a name is 1 to 64 letters, digits, '-', '_' or '.'",
        ),
        (
            "[[notifier]]\nname = \"a\"".into(),
            "1: notifier: type is missing: write \"webhook\", \"mail\", \"exec\", \"journal\" or \"syslog\"",
        ),
        (
            "[[notifier]]\nname = \"a\"\ntype = \"sms\"".into(),
            "3: notifier.type: \"sms\" is none of \"webhook\", \"mail\", \"exec\", \"journal\", \"syslog\"",
        ),
        (hook("urll = \"x\""), "4: notifier.urll: unknown key; did you mean url?"),
        (hook(""), "1: notifier: url is missing"),
        (hook("url = \"example.org\""), "4: notifier.url: not an address such as https://host/path"),
        (
            hook("url = \"https://a/{{x}}\""),
            "4: notifier.url: line 1, column 13 of the template: unknown field \"x\"; ",
        ),
        (
            hook("url = \"https://a\"\nbody = \"\"\"\n{\n{{#if kind}}\"\"\""),
            "5: notifier.body: line 2, column 3 of the template: the block if has no end: {{/if}}",
        ),
        (
            hook("url = \"https://a\"\nheaders = { \"X-A\" = \"{{secret.s}}\" }"),
            "5: notifier.headers.X-A: line 1, column 3 of the template: no secret \"s\": name it under secrets",
        ),
        (
            hook("url = \"https://a\"\nheaders = { Host = \"x\" }"),
            "5: notifier.headers.Host: this header is set already",
        ),
        (
            hook("url = \"https://a\"\nheaders = { \"a b\" = \"x\" }"),
            "5: notifier.headers.\"a b\": not the name of a header",
        ),
        (
            hook("url = \"https://a\"\nmethod = \"BAD METHOD\""),
            "5: notifier.method: \"BAD METHOD\" is not a method such as POST",
        ),
        (hook("preset = \"slak\""), "4: notifier.preset: \"slak\" is none of \"json\", \"slack\", "),
        (hook("preset = \"telegram\""), "1: notifier: telegram needs secrets = { token = "),
        (
            hook("url = \"https://a\"\nsecrets = { t = \"plain\" }"),
            "5: notifier.secrets.t: a table is expected, not a string: write { file = … } / { credential = … }",
        ),
        (
            hook("url = \"https://a\"\nsecrets = { t = {} }"),
            "5: notifier.secrets.t: say where the secret is: { file = \"PATH\" } or { credential = \"NAME\" }",
        ),
        (
            hook("url = \"https://a\"\nsecrets = { t = { file = \"none\" } }"),
            "5: notifier.secrets.t: none: no such file",
        ),
        (
            hook("url = \"https://a\"\nsecrets = { t = { credential = \"t\" } }"),
            "5: notifier.secrets.t: no credential \"t\": $CREDENTIALS_DIRECTORY is not set; ",
        ),
        (
            hook("url = \"https://a\"\nparams = { t = 7 }"),
            "5: notifier.params.t: a string is expected, not an integer",
        ),
        (
            hook("url = \"https://a\"\nca = \"token\""),
            "5: notifier.ca: token holds no certificate in PEM format",
        ),
        (
            hook("url = \"https://a\"\nfallback = \"b\""),
            "5: notifier.fallback: there is no notifier \"b\"; there are: a",
        ),
        (
            hook("url = \"https://a\"\nfallback = \"a\""),
            "5: notifier.fallback: a notifier is not its own fallback",
        ),
        (hook("url = \"https://a\"\nsmtp = \"m\""), "5: notifier.smtp: is for mail, not for webhook"),
        (hook("url = \"https://a\"\nrate = 0"), "5: notifier.rate: 0 is out of range: 1 to 600"),
        (
            hook("url = \"https://a\"\nremind_every = \"1s\""),
            "5: notifier.remind_every: 1s is out of range: 1m to 30d",
        ),
        (
            hook("url = \"https://a\"\n[[notifier]]\nname = \"a\"\npreset = \"slack\""),
            "5: notifier: a is named twice, first at main.toml:1",
        ),
        (mail("to = \"x\""), "7: not TOML"),
        (mail("body = \"{{\""), "7: notifier.body: line 1, column 1 of the template: {{ without }}"),
        (mail("username = \"u\""), "7: notifier.username: password_file is missing"),
        (mail("password_file = \"token\""), "7: notifier.password_file: username is missing"),
        (mail("tls = \"ssl\""), "7: notifier.tls: \"ssl\" is none of \"starttls\", \"tls\", \"none\""),
        (
            "[[notifier]]\nname = \"a\"\ntype = \"mail\"\nsmtp = \"m:x\"".into(),
            "4: notifier.smtp: \"m:x\" is not a server: write host or host:port",
        ),
        (
            "[[notifier]]\nname = \"a\"\ntype = \"mail\"\nto = [\"x\"]".into(),
            "4: notifier.to: \"x\" is not an address of mail: ",
        ),
        ("[[notifier]]\nname = \"a\"\ntype = \"mail\"".into(), "1: notifier: smtp is missing"),
        (exec(""), "1: notifier: command is missing"),
        (exec("command = \"mail root\""), "4: notifier.command: write a list: "),
        (exec("command = []"), "4: notifier.command: the program is missing"),
        (
            "[defaults]\nnotify = [\"b\"]".into(),
            "2: defaults.notify: there is no notifier \"b\": there is none at all, write a [[notifier]]",
        ),
        (
            "[[monitor]]\nmatch = \"x\"\nnotify = [\"b\"]".into(),
            "3: monitor.notify: there is no notifier \"b\": there is none at all, ",
        ),
    ] {
        let found = faults(&text, Lang::En);
        let told = found.lines().any(|line| line.starts_with(&format!("main.toml:{want}")));
        assert!(told, "{text}\n{found}");
        let zh = faults(&text, Lang::Zh);
        assert_ne!(zh, found);
        assert!(!found.contains("geheim") && !zh.contains("geheim"), "{found}");
    }
    // What is wrong in one does not hide it from whoever names it.
    let found = faults(&format!("[defaults]\nnotify = [\"a\"]\n{}", hook("url = \"x\"")), Lang::En);
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn what_is_hardly_meant_gets_a_warning() {
    let text = "[[notifier]]\nname = \"a\"\ntype = \"mail\"\nsmtp = \"mail.example\"\nfrom = \"a@b.example\"\nto = \"c@d.example\"\n\
                tls = \"none\"\nusername = \"u\"\npassword_file = \"token\"\n\
                [[notifier]]\nname = \"b\"\ntype = \"exec\"\ncommand = [\"/no/such/program\"]\n";
    let warnings = settings(text).warnings;
    assert_eq!(
        warnings,
        [
            "main.toml:8: notifier.username: with tls = \"none\" the password goes to mail.example for everybody to read",
            "main.toml:10: notifier.command: there is no program /no/such/program",
        ]
    );
}
