//! From the configuration's keys to options: a preset, with the parts that are given in place of its own.

use super::WebhookOptions;
use super::request::{self, RequestError};
use crate::domain::time::Span;
use crate::i18n::{self, Text};
use crate::notify::Secrets;
use crate::notify::preset::Preset;
use crate::notify::proxy::Proxy;
use crate::notify::template::{Missing, Names, Template, TemplateError};
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A webhook as it is written.
#[derive(Debug)]
pub struct Written<'a> {
    /// The service.
    pub preset: &'static Preset,
    /// `method`.
    pub method: Option<Method>,
    /// `url`.
    pub url: Option<&'a str>,
    /// `headers`.
    pub headers: &'a [(HeaderName, String)],
    /// `body`.
    pub body: Option<&'a str>,
    /// `secrets`, fetched.
    pub secrets: Secrets,
    /// `params`.
    pub params: BTreeMap<String, String>,
    /// `ca`.
    pub ca: Option<PathBuf>,
    /// `proxy`.
    pub proxy: Option<Proxy>,
    /// `timeout`.
    pub timeout: Span,
    /// `show_answers`.
    pub show_answers: bool,
}

/// The key of a webhook that an error belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookPart {
    /// `url`.
    Url,
    /// `headers`, by the header's name.
    Header(String),
    /// `body`.
    Body,
    /// None of them: something is missing.
    Whole,
}

/// Why the keys make no webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeError {
    /// The key.
    pub part: WebhookPart,
    reason: ComposeErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ComposeErrorKind {
    Template(TemplateError),
    NoUrl,
    NoSecret { preset: &'static str, name: String },
    NoParam { preset: &'static str, name: String },
    Request(RequestError),
}

impl Written<'_> {
    /// Composes the options and checks them.
    ///
    /// # Errors
    /// The first part that is wrong.
    pub fn compose(self, secrets: &[&str], params: &[&str]) -> Result<WebhookOptions, ComposeError> {
        let names = Names { secrets, params };
        let preset = self.preset;
        let signed = preset.signed.as_ref().filter(|_| secrets.contains(&"sign"));
        let own = |part: WebhookPart, text: &str| {
            Template::parse(text, names)
                .map_err(|error| ComposeError { part, reason: ComposeErrorKind::Template(error) })
        };
        let given = |text: &str| Template::parse(text, names).map_err(|error| preset_error(preset, error));
        let suffix = signed.map_or("", |signed| signed.url);
        let url = match (self.url, preset.url) {
            (Some(url), _) => own(WebhookPart::Url, &format!("{}{suffix}", url.trim()))?,
            (None, Some(url)) => given(&format!("{url}{suffix}"))?,
            (None, None) => {
                return Err(ComposeError { part: WebhookPart::Whole, reason: ComposeErrorKind::NoUrl });
            }
        };
        let method = match self.method {
            Some(method) => method,
            None => Method::from_bytes(preset.method.as_bytes()).unwrap_or(Method::POST),
        };
        let bare = matches!(method, Method::GET | Method::HEAD) && self.body.is_none();
        let body = match (self.body, signed.and_then(|signed| signed.body)) {
            _ if bare => None,
            (Some(body), _) => Some(own(WebhookPart::Body, body)?),
            (None, Some(body)) => Some(given(body)?),
            (None, None) => Some(given(preset.body)?),
        };
        let mut headers: Vec<(HeaderName, Template)> = Vec::new();
        for (name, text, needs) in preset.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap_or(CONTENT_TYPE);
            let replaced = self.headers.iter().any(|(other, _)| *other == name);
            if !replaced && needs.is_none_or(|secret| secrets.contains(&secret)) {
                headers.push((name, given(text)?));
            }
        }
        // A given body may be no JSON at all; one that begins like JSON and is none is an error, unless it only begins like a
        // list ("[down] web-1").
        let is_declared =
            self.headers.iter().any(|(name, value)| *name == CONTENT_TYPE && value.contains("json"));
        let body = body.map(|body| body.into_json_if(is_declared));
        let is_json = body.as_ref().is_some_and(Template::is_json);
        if self.body.is_some() && !is_json {
            let text = given("text/plain; charset=utf-8")?;
            headers.iter_mut().filter(|(name, _)| *name == CONTENT_TYPE).for_each(|(_, t)| *t = text.clone());
        }
        for (name, text) in self.headers {
            headers.push((name.clone(), own(WebhookPart::Header(name.to_string()), text)?));
        }
        let mut options = WebhookOptions {
            method,
            url,
            host: String::new(),
            origin: None,
            headers,
            body,
            secrets: self.secrets,
            params: self.params,
            verdict: preset.verdict,
            each: preset.each,
            ca: self.ca,
            proxy: self.proxy,
            timeout: self.timeout,
            show_answers: self.show_answers,
        };
        let part = if self.url.is_some() { WebhookPart::Url } else { WebhookPart::Whole };
        match request::check(&options) {
            Ok(target) => {
                options.origin = Some(target.origin());
                options.host = target.host;
                Ok(options)
            }
            Err(error @ RequestError::NotJson(..)) => {
                Err(ComposeError { part: WebhookPart::Body, reason: ComposeErrorKind::Request(error) })
            }
            Err(error) => Err(ComposeError { part, reason: ComposeErrorKind::Request(error) }),
        }
    }
}

/// The error of a preset's own template: a secret or a parameter is missing.
fn preset_error(preset: &Preset, error: TemplateError) -> ComposeError {
    let reason = match error.missing() {
        Some(Missing::Secret(name)) => {
            ComposeErrorKind::NoSecret { preset: preset.name, name: name.to_string() }
        }
        Some(Missing::Param(name)) => {
            ComposeErrorKind::NoParam { preset: preset.name, name: name.to_string() }
        }
        None => ComposeErrorKind::Template(error),
    };
    ComposeError { part: WebhookPart::Whole, reason }
}

impl ComposeError {
    /// What is wrong and what to write.
    pub fn text(&self) -> Text {
        match &self.reason {
            ComposeErrorKind::Template(error) => error.text(),
            ComposeErrorKind::Request(error) => error.text(),
            ComposeErrorKind::NoUrl => i18n::notify::URL_MISSING.into(),
            ComposeErrorKind::NoSecret { preset, name } => {
                i18n::notify::needs_secrets_file_path(preset, name)
            }
            ComposeErrorKind::NoParam { preset, name } => i18n::notify::needs_params(preset, name),
        }
    }
}
