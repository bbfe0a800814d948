//! From what was typed, set and written to what the program needs.
//!
//! Each setting is decided by the first that speaks: the flag, the variable of the environment, the file, the
//! default. Paths become absolute here, because a daemon changes its directory. All errors are collected and told
//! together; there are settings only when there is none.

use super::Env;
use super::cli::{Args, Task};
use super::decide::{self, Resolver};
use super::error::{ConfigError, Findings};
use super::file::{self, Reading};
use super::language::{LangChoice, choose_language};
use super::settings::{Settings, StateSettings};
use super::{monitor, notifier};
use crate::domain::alert::message::Server;
use crate::domain::lang::Lang;
use crate::sys::process::host_name;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

impl Settings {
    /// Reads the files and decides everything. Called again on SIGHUP with the same arguments and the same facts.
    ///
    /// # Errors
    /// Every error found, with its place; see [`ConfigError::exit_code`].
    pub fn load(args: &Args, env: &Env) -> Result<Settings, ConfigError> {
        let findings = match &args.command {
            Some(Task::CheckConfig { file, offline }) => {
                let folder = file.as_deref().and_then(Path::parent).and_then(Path::file_name);
                let here = folder.is_none() && file.is_some() && env.current_dir.ends_with("conf.d");
                Findings::of_check(*offline, here || folder.is_some_and(|name| name == "conf.d"))
            }
            _ => Findings::default(),
        };
        let resolver = Resolver { args, env, findings: &findings };
        let named = resolver.config_file();
        let Reading { draft, sources } = file::read(named.as_deref(), env, &findings);
        let file_lang = draft.lang.value;
        let choice = resolver.one(args.lang, "HEARTBEAT_LANG", LangChoice::from_str);
        let lang = choose_language(choice, file_lang, env);
        let process = resolver.process();
        let mut given = draft.defaults.or_default();
        let notify = std::mem::take(&mut given.notify).or_default();
        let defaults = resolver.defaults(given);
        let state = draft.state.or_default();
        let state_dir = resolver.state_dir(state.dir.value);
        let fallback = StateSettings::default();
        let monitors = draft.monitor.or_default();
        let told: Vec<_> =
            monitors.iter().filter_map(|rule| rule.value.notify.value.clone()).flatten().collect();
        let rules = monitor::rules(monitors, &defaults, &findings);
        let local_zone = resolver.local_zone(&rules);
        let (mut alerts, channels) = notifier::resolve(draft.notifier.or_default(), notify, env, &findings);
        alerts.server =
            Server { name: host_name().unwrap_or_default(), page_url: draft.page.or_default().url.value };
        let peer = draft.pair.located().and_then(|pair| resolver.pair(pair, &mut alerts));
        notifier::known(&told, &alerts, &findings);
        let limits = draft.limits.or_default();
        let mut settings = Settings {
            sources,
            lang,
            page_lang: match choice.or(file_lang) {
                Some(LangChoice::Fixed(lang)) => Some(lang),
                _ => None,
            },
            listen: resolver.listen(draft.listen.or_default()),
            log: resolver.log(draft.log.or_default(), lang, process.daemon),
            control: resolver.control(draft.control.or_default().socket.located(), &state_dir),
            state_dir,
            state: StateSettings {
                sync: state.sync.or(fallback.sync),
                history: state.history.or(fallback.history),
            },
            confine: decide::confine(draft.confine.or_default()),
            access: resolver.access(draft.access.or_default()),
            threads: resolver.threads(&limits),
            limits: resolver.limits(limits),
            tcp: resolver.tcp(draft.tcp.or_default()),
            websocket: resolver.websocket(draft.websocket.or_default()),
            governor: decide::governor(draft.governor.or_default()),
            compat: draft.compat.or_default().policy(),
            defaults,
            rules: Arc::new(rules.told_to(&alerts)),
            local_zone,
            alerts: Arc::new(alerts),
            peer,
            channels,
            process,
            warnings: Vec::new(),
        };
        settings.warnings = findings.into_warnings(lang, &settings.sources)?;
        Ok(settings)
    }
}

/// Where the daemon of this configuration takes orders, and the language to speak; `None`: nowhere. No secret is fetched
/// for it: whoever asks may have none of the daemon's credentials.
///
/// # Errors
/// Every error of the files, and those of what decides.
pub fn control_socket(args: &Args, env: &Env) -> Result<(Option<PathBuf>, Lang), ConfigError> {
    let findings = Findings::default();
    let resolver = Resolver { args, env, findings: &findings };
    let Reading { draft, sources } = file::read(resolver.config_file().as_deref(), env, &findings);
    let choice = resolver.one(args.lang, "HEARTBEAT_LANG", LangChoice::from_str);
    let lang = choose_language(choice, draft.lang.value, env);
    let state_dir = resolver.state_dir(draft.state.or_default().dir.value);
    let control = resolver.control(draft.control.or_default().socket.located(), &state_dir);
    findings.into_warnings(lang, &sources).map(|_| (control, lang))
}

/// The language for what must be said before there are settings, or when there are none.
pub fn language(args: &Args, env: &Env) -> Lang {
    choose_language(args.lang, None, env)
}

#[cfg(test)]
#[path = "resolve_fault_tests.rs"]
mod fault_tests;
#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
