//! From what is written to a channel that has been tried out.

use crate::config::declare::{Given, Section};
use crate::config::error::Findings;
use crate::config::schema::{NotifierDraft, NotifierKind, SecretUrl, TokenSource};
use crate::config::value::{Located, Origin};
use crate::config::{Env, tokens};
use crate::i18n;
use crate::i18n::Text;
use crate::net::tls;
use crate::notify::exec::ExecOptions;
use crate::notify::local::LocalLog;
use crate::notify::mail::{MailOptions, MailTls};
use crate::notify::preset;
use crate::notify::proxy::Proxy;
use crate::notify::template::{Names, Template};
use crate::notify::webhook::{self, HeaderName, WebhookPart, Written};
use crate::notify::{CONCURRENCY, ChannelOptions, ChannelSettings, Secrets, TIMEOUT};
use std::collections::BTreeMap;
use std::path::Path;

/// The name under which a whole address is kept; a secret that is named in the file cannot have it.
const WHOLE_URL: &str = "<url>";

/// What is at hand while one notifier is put together.
pub(super) struct Assembly<'a> {
    pub(super) origin: &'a Origin,
    pub(super) env: &'a Env,
    pub(super) findings: &'a Findings,
}

impl Assembly<'_> {
    pub(super) fn reject(&self, reason: Text) {
        self.reject_at(self.origin, reason);
    }

    fn reject_at(&self, origin: &Origin, reason: Text) {
        self.findings.reject(origin.place.clone(), origin.key.clone(), reason);
    }

    pub(super) fn channel(&self, mut draft: NotifierDraft) -> Option<ChannelSettings> {
        let about = |name: &str| NotifierDraft::ABOUT.iter().find(|key| key.name == name);
        let own: Vec<(&[&str], &Origin, bool)> = draft
            .given()
            .into_iter()
            .filter_map(|(name, origin, right)| Some((about(name)?.only, origin, right, name)))
            .filter(|(only, _, _, name)| !only.is_empty() || matches!(*name, "name" | "type"))
            .map(|(only, origin, right, _)| (only, origin, right))
            .collect();
        // What is missing is then missing for a reason.
        let is_broken = own.iter().any(|(_, _, right)| !right);
        if draft.name.value.is_none() && !is_broken {
            self.reject(i18n::config::NAME_MISSING.into());
        }
        let kind = match (draft.r#type.value, draft.preset.value) {
            (Some(kind), _) => kind,
            (None, Some(_)) => NotifierKind::Webhook,
            (None, None) => {
                if !is_broken {
                    self.reject(i18n::config::TYPE_MISSING_WRITE_WEBHOOK.into());
                }
                return None;
            }
        };
        for (only, origin, _) in own {
            if !only.is_empty() && !only.contains(&kind.name()) {
                let (whose, own) = (only.join(", "), kind.name());
                self.reject_at(origin, i18n::config::not(&whose, &own));
            }
        }
        if let (Some(path), Some(origin)) = (&draft.ca.value, &draft.ca.origin) {
            if let Err(error) = tls::authorities(Some(path)) {
                self.reject_at(origin, error.text());
                return None;
            }
        }
        if is_broken {
            return None;
        }
        let name = std::mem::take(&mut draft.name).value;
        let concurrency = draft.concurrency.value.unwrap_or(CONCURRENCY);
        let options = match kind {
            NotifierKind::Webhook => self.webhook(draft),
            NotifierKind::Mail => self.mail(draft),
            NotifierKind::Exec => self.exec(draft),
            NotifierKind::Journal => Some(ChannelOptions::Local(LocalLog::Journal)),
            NotifierKind::Syslog => Some(ChannelOptions::Local(LocalLog::Syslog)),
        }?;
        Some(ChannelSettings { name: name?, concurrency, options })
    }

    fn webhook(&self, draft: NotifierDraft) -> Option<ChannelOptions> {
        let mut secrets = BTreeMap::new();
        let mut missing = false;
        let mut fetch =
            |name: &str, source: &Located<TokenSource>| match tokens::secret(source, self.env, self.findings)
            {
                Some(secret) => _ = secrets.insert(name.to_string(), secret),
                None => missing = true,
            };
        draft.secrets.or_default().iter().for_each(|(name, source)| fetch(name, source));
        let url_origin = draft.url.origin.clone();
        let url = draft.url.located().map(|Located { value, origin }| match value {
            SecretUrl::Text(text) => text,
            SecretUrl::Secret(value) => {
                // A secret like others, of a name that nobody can give to one.
                fetch(WHOLE_URL, &Located { value, origin });
                format!("{{{{secret.{WHOLE_URL}}}}}")
            }
        });
        if missing {
            return None;
        }
        let proxy = self.proxy(draft.proxy.located())?;
        let names: Vec<String> = secrets.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let params = draft.params.or_default();
        let known_params: Vec<String> = params.keys().cloned().collect();
        let known_params: Vec<&str> = known_params.iter().map(String::as_str).collect();
        let written_headers = draft.headers.or_default();
        let headers: Vec<(HeaderName, String)> =
            written_headers.iter().map(|header| header.value.clone()).collect();
        let written = Written {
            preset: draft.preset.or(&preset::PLAIN),
            method: draft.method.value,
            url: url.as_deref(),
            headers: &headers,
            body: draft.body.value.as_deref(),
            secrets: Secrets::new(secrets),
            params,
            ca: draft.ca.value,
            proxy: None,
            timeout: draft.timeout.or(TIMEOUT),
            show_answers: draft.show_answers.or(false),
        };
        match written.compose(&names, &known_params) {
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
                    WebhookPart::Url => url_origin.as_ref(),
                    WebhookPart::Body => draft.body.origin.as_ref(),
                    WebhookPart::Header(name) => written_headers
                        .iter()
                        .find(|header| header.value.0.as_str() == name)
                        .map(|header| &header.origin),
                    WebhookPart::Whole => None,
                };
                self.reject_at(origin.unwrap_or(self.origin), wrong.text());
                None
            }
        }
    }

    /// What `proxy` says: `None` nothing, so that the environment decides. The outer `None`: it is wrong.
    #[expect(clippy::option_option)]
    fn proxy(&self, given: Option<Located<SecretUrl>>) -> Option<Option<Option<Proxy>>> {
        let Some(Located { value, origin }) = given else { return Some(None) };
        let text = match value {
            SecretUrl::Text(text) => text,
            SecretUrl::Secret(source) => {
                let source = Located { value: source, origin: origin.clone() };
                tokens::secret(&source, self.env, self.findings)?.reveal().to_string()
            }
        };
        if text.trim() == "none" {
            return Some(Some(None));
        }
        let found = Proxy::parse(&text);
        if found.is_none() {
            self.reject_at(&origin, i18n::config::NOT_PROXY_HTTP_WRITE.into());
        }
        found.map(|proxy| Some(Some(proxy)))
    }

    fn proxy_of_environment(&self, to: &webhook::UrlOrigin) -> Option<Proxy> {
        let variable = |name: &str| (self.env.variable)(name)?.into_string().ok();
        match Proxy::of_environment(variable, to.tls, &to.host, to.port) {
            Ok(found) => found,
            Err(name) => {
                let text = i18n::config::no_proxy_http_http(&name);
                self.findings.warn(&self.origin.place, "notifier.proxy", text);
                None
            }
        }
    }

    fn mail(&self, draft: NotifierDraft) -> Option<ChannelOptions> {
        let lacks = |what: &str| {
            self.reject(i18n::config::missing(&what));
        };
        if !draft.smtp.is_given() {
            lacks("smtp");
        }
        if !draft.from.is_given() {
            lacks("from");
        }
        let to = draft.to.or_default();
        if to.is_empty() {
            lacks("to");
        }
        let ((host, port), from) = (draft.smtp.value?, draft.from.value?);
        let tls = draft.tls.or_default();
        let password =
            draft.password_file.located().or_else(|| draft.secrets.or_default().remove("password"));
        let login = match (draft.username.located(), &password) {
            (Some(user), Some(source)) => {
                if tls == MailTls::Off && !is_neighbour(&host) {
                    let text = i18n::config::tls_none_password_goes(&host);
                    self.findings.warn(&user.origin.place, &user.origin.key, text);
                }
                Some((user.value, tokens::secret(source, self.env, self.findings)?))
            }
            (None, None) => None,
            (Some(user), None) => {
                self.reject_at(&user.origin, i18n::config::PASSWORD_FILE_MISSING.into());
                return None;
            }
            (None, Some(source)) => {
                self.reject_at(&source.origin, i18n::config::USERNAME_MISSING.into());
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
            to,
            helo: draft.helo.value,
            login,
            ca: draft.ca.value,
            subject,
            body,
            timeout: draft.timeout.or(TIMEOUT),
            show_answers: draft.show_answers.or(false),
        }))
    }

    fn exec(&self, draft: NotifierDraft) -> Option<ChannelOptions> {
        let Some(command) = draft.command.value else {
            self.reject(i18n::config::COMMAND_MISSING.into());
            return None;
        };
        let program = Path::new(command.first()?);
        if program.is_absolute() && !program.is_file() {
            let path = program.display();
            let text = i18n::config::no_program(&path);
            self.findings.warn(&self.origin.place, "notifier.command", text);
        }
        Some(ChannelOptions::Exec(ExecOptions {
            command,
            timeout: draft.timeout.or(TIMEOUT),
            show_answers: draft.show_answers.or(false),
        }))
    }

    /// A template without secrets. `None`: it is wrong.
    fn template(&self, text: Given<String>) -> Option<Option<Template>> {
        let Some(Located { value: text, origin }) = text.located() else { return Some(None) };
        match Template::parse(&text, Names::default()) {
            Ok(template) => Some(Some(template)),
            Err(error) => {
                self.reject_at(&origin, error.text());
                None
            }
        }
    }
}

/// Whether a host is this machine, by how it is written.
fn is_neighbour(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
