//! From what is written to a channel that has been tried out.

use super::{Draft, Kind, Url};
use crate::config::fault::{Findings, Text};
use crate::config::schema::TokenSource;
use crate::config::value::{Located, Origin};
use crate::config::{Env, tokens};
use crate::domain::lang::Lang;
use crate::net::tls;
use crate::notify::exec::ExecOptions;
use crate::notify::local::Log;
use crate::notify::mail::{MailOptions, MailTls};
use crate::notify::preset;
use crate::notify::proxy::Proxy;
use crate::notify::template::{Names, Template};
use crate::notify::webhook::{self, HeaderName, Part, Written};
use crate::notify::{CONCURRENCY, ChannelOptions, ChannelSettings, Secrets, TIMEOUT};
use std::collections::BTreeMap;
use std::path::Path;

/// The name under which a whole address is kept; a secret that is named in the file cannot have it.
const WHOLE_URL: &str = "<url>";

/// What is at hand while one notifier is put together.
pub(super) struct Work<'a> {
    pub(super) origin: &'a Origin,
    pub(super) env: &'a Env,
    pub(super) findings: &'a Findings,
}

impl Work<'_> {
    pub(super) fn fault(&self, reason: Text) {
        self.fault_at(self.origin, reason);
    }

    fn fault_at(&self, origin: &Origin, reason: Text) {
        self.findings.fault(origin.place.clone(), origin.key.clone(), reason);
    }

    pub(super) fn channel(&self, mut draft: Draft) -> Option<ChannelSettings> {
        let name = draft.name.take();
        if name.is_none() && !draft.broken {
            self.fault(Text::new("name is missing", "缺少 name"));
        }
        let kind = match (draft.kind, draft.preset) {
            (Some(kind), _) => kind,
            (None, Some(_)) => Kind::Webhook,
            (None, None) => {
                if !draft.broken {
                    self.fault(Text::new(
                        "type is missing: write \"webhook\", \"mail\", \"exec\", \"journal\" or \"syslog\"",
                        "缺少 type：请写 \"webhook\"、\"mail\"、\"exec\"、\"journal\" 或 \"syslog\"",
                    ));
                }
                return None;
            }
        };
        for (kinds, origin) in &draft.given {
            if !kinds.contains(&kind) {
                let words: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                let (whose, own) = (words.join(", "), kind.name());
                self.fault_at(
                    origin,
                    Text::new(
                        format!("is for {whose}, not for {own}"),
                        format!("只用于 {whose}，不用于 {own}"),
                    ),
                );
            }
        }
        if let Some(Located { value: path, origin }) = &draft.ca {
            if let Err(error) = tls::authorities(Some(path)) {
                self.fault_at(origin, both(|lang| error.sentence(lang)));
                return None;
            }
        }
        if draft.broken {
            return None;
        }
        let concurrency = draft.concurrency.unwrap_or(CONCURRENCY);
        let options = match kind {
            Kind::Webhook => self.webhook(draft),
            Kind::Mail => self.mail(draft),
            Kind::Exec => self.exec(draft),
            Kind::Journal => Some(ChannelOptions::Local(Log::Journal)),
            Kind::Syslog => Some(ChannelOptions::Local(Log::Syslog)),
        }?;
        Some(ChannelSettings { name: name?.value, concurrency, options })
    }

    fn webhook(&self, draft: Draft) -> Option<ChannelOptions> {
        let mut secrets = BTreeMap::new();
        let mut missing = false;
        let mut fetch =
            |name: &str, source: &Located<TokenSource>| match tokens::secret(source, self.env, self.findings)
            {
                Some(secret) => _ = secrets.insert(name.to_string(), secret),
                None => missing = true,
            };
        draft.secrets.iter().for_each(|(name, source)| fetch(name, source));
        let url = match draft.url {
            Some(Located { value: Url::Text(text), origin }) => Some((text, origin)),
            Some(Located { value: Url::Secret(source), origin }) => {
                // A secret like others, of a name that nobody can give to one.
                fetch(WHOLE_URL, &Located { value: source, origin: origin.clone() });
                Some((format!("{{{{secret.{WHOLE_URL}}}}}"), origin))
            }
            None => None,
        };
        if missing {
            return None;
        }
        let proxy = self.proxy(draft.proxy)?;
        let names: Vec<String> = secrets.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let params: Vec<String> = draft.params.keys().cloned().collect();
        let params: Vec<&str> = params.iter().map(String::as_str).collect();
        let headers: Vec<(HeaderName, String)> =
            draft.headers.iter().map(|header| header.value.clone()).collect();
        let written = Written {
            preset: draft.preset.unwrap_or(&preset::PLAIN),
            method: draft.method,
            url: url.as_ref().map(|(text, _)| text.as_str()),
            headers: &headers,
            body: draft.body.as_ref().map(|body| body.value.as_str()),
            secrets: Secrets::new(secrets),
            params: draft.params,
            ca: draft.ca.map(|ca| ca.value),
            proxy: None,
            timeout: draft.timeout.unwrap_or(TIMEOUT),
            show_answers: draft.show_answers.unwrap_or(false),
        };
        match written.compose(&names, &params) {
            Ok(mut options) => {
                options.proxy = match (proxy, &options.origin) {
                    (Some(chosen), _) => chosen,
                    (None, Some(origin)) => self.proxy_of_environment(origin),
                    (None, None) => None,
                };
                Some(ChannelOptions::Webhook(options))
            }
            Err(wrong) => {
                let origin = match &wrong.part {
                    Part::Url => url.as_ref().map(|(_, origin)| origin),
                    Part::Body => draft.body.as_ref().map(|body| &body.origin),
                    Part::Header(name) => draft
                        .headers
                        .iter()
                        .find(|header| header.value.0.as_str() == name)
                        .map(|header| &header.origin),
                    Part::Whole => None,
                };
                self.fault_at(origin.unwrap_or(self.origin), both(|lang| wrong.sentence(lang)));
                None
            }
        }
    }

    /// What `proxy` says: `None` nothing, so that the environment decides. The outer `None`: it is wrong.
    #[expect(clippy::option_option)]
    fn proxy(&self, given: Option<Located<Url>>) -> Option<Option<Option<Proxy>>> {
        let Some(Located { value, origin }) = given else { return Some(None) };
        let text = match value {
            Url::Text(text) => text,
            Url::Secret(source) => {
                let source = Located { value: source, origin: origin.clone() };
                tokens::secret(&source, self.env, self.findings)?.reveal().to_string()
            }
        };
        if text.trim() == "none" {
            return Some(Some(None));
        }
        let found = Proxy::parse(&text);
        if found.is_none() {
            self.fault_at(
                &origin,
                Text::new(
                    "not a proxy of HTTP: write \"http://HOST:PORT\", { file = \"PATH\" } where it has a password, or \"none\"",
                    "不是 HTTP 代理：请写 \"http://主机:端口\"；含密码时写 { file = \"路径\" }；不用代理写 \"none\"",
                ),
            );
        }
        found.map(|proxy| Some(Some(proxy)))
    }

    fn proxy_of_environment(&self, to: &webhook::Origin) -> Option<Proxy> {
        let variable = |name: &str| (self.env.variable)(name)?.into_string().ok();
        match Proxy::of_environment(variable, to.tls, &to.host, to.port) {
            Ok(found) => found,
            Err(name) => {
                let text = Text::new(
                    format!("{name} is no proxy of HTTP (http://HOST:PORT) and is ignored"),
                    format!("{name} 不是 HTTP 代理（http://主机:端口），已忽略"),
                );
                self.findings.warn(&self.origin.place, "notifier.proxy", text);
                None
            }
        }
    }

    fn mail(&self, draft: Draft) -> Option<ChannelOptions> {
        let lacks = |what: &str| {
            self.fault(Text::new(format!("{what} is missing"), format!("缺少 {what}")));
        };
        if draft.smtp.is_none() {
            lacks("smtp");
        }
        if draft.from.is_none() {
            lacks("from");
        }
        if draft.to.is_empty() {
            lacks("to");
        }
        let (smtp, from) = (draft.smtp?, draft.from?);
        let tls = draft.tls.unwrap_or_default();
        let (host, port) = smtp.value;
        let password = draft.password.as_ref().or(draft.secrets.get("password"));
        let login = match (draft.username, password) {
            (Some(user), Some(source)) => {
                if tls == MailTls::Off && !is_neighbour(&host) {
                    let text = Text::new(
                        format!("with tls = \"none\" the password goes to {host} for everybody to read"),
                        format!("tls = \"none\" 时密码以明文发往 {host}"),
                    );
                    self.findings.warn(&user.origin.place, &user.origin.key, text);
                }
                Some((user.value, tokens::secret(source, self.env, self.findings)?))
            }
            (None, None) => None,
            (Some(user), None) => {
                self.fault_at(&user.origin, Text::new("password_file is missing", "缺少 password_file"));
                return None;
            }
            (None, Some(source)) => {
                self.fault_at(&source.origin, Text::new("username is missing", "缺少 username"));
                return None;
            }
        };
        let subject = self.template(draft.subject)?;
        let body = self.template(draft.body)?;
        Some(ChannelOptions::Mail(MailOptions {
            host,
            port: port.unwrap_or(tls.port()),
            tls,
            from,
            to: draft.to,
            helo: draft.helo,
            login,
            ca: draft.ca.map(|ca| ca.value),
            subject,
            body,
            timeout: draft.timeout.unwrap_or(TIMEOUT),
            show_answers: draft.show_answers.unwrap_or(false),
        }))
    }

    fn exec(&self, draft: Draft) -> Option<ChannelOptions> {
        let Some(command) = draft.command else {
            self.fault(Text::new("command is missing", "缺少 command"));
            return None;
        };
        let program = Path::new(command.first()?);
        if program.is_absolute() && !program.is_file() {
            let path = program.display();
            let text = Text::new(format!("there is no program {path}"), format!("没有程序 {path}"));
            self.findings.warn(&self.origin.place, "notifier.command", text);
        }
        Some(ChannelOptions::Exec(ExecOptions {
            command,
            timeout: draft.timeout.unwrap_or(TIMEOUT),
            show_answers: draft.show_answers.unwrap_or(false),
        }))
    }

    /// A template without secrets. `None`: it is wrong.
    fn template(&self, text: Option<Located<String>>) -> Option<Option<Template>> {
        let Some(Located { value: text, origin }) = text else { return Some(None) };
        match Template::parse(&text, Names::default()) {
            Ok(template) => Some(Some(template)),
            Err(error) => {
                self.fault_at(&origin, both(|lang| error.sentence(lang)));
                None
            }
        }
    }
}

fn both(say: impl Fn(Lang) -> String) -> Text {
    Text::new(say(Lang::En), say(Lang::Zh))
}

/// Whether a host is this machine, by how it is written.
fn is_neighbour(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
