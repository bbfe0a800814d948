//! From what was typed, set and written to what the program needs.
//!
//! Each setting is decided by the first that speaks: the flag, the variable of the environment, the file, the
//! default. Paths become absolute here, because a daemon changes its directory. All faults are collected and told
//! together; there are settings only when there is none.

use super::Env;
use super::cli::{Args, Task};
use super::decide::Sight;
use super::fault::{ConfigError, Findings};
use super::file::{self, Reading};
use super::language::{LangChoice, choose_language};
use super::settings::{Settings, State};
use super::{confine, monitor, notifier};
use crate::domain::alert::message::Server;
use crate::domain::lang::Lang;
use crate::domain::policy::Defaults;
use crate::sys::process::host_name;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

impl Settings {
    /// Reads the files and decides everything. Called again on SIGHUP with the same arguments and the same facts.
    ///
    /// # Errors
    /// Every fault found, with its place; see [`ConfigError::exit_code`].
    pub fn load(args: &Args, env: &Env) -> Result<Settings, ConfigError> {
        let findings = match &args.command {
            Some(Task::CheckConfig { file, offline }) => {
                let folder = file.as_deref().and_then(Path::parent).and_then(Path::file_name);
                let here = folder.is_none() && file.is_some() && env.current_dir.ends_with("conf.d");
                Findings::of_check(*offline, here || folder.is_some_and(|name| name == "conf.d"))
            }
            _ => Findings::default(),
        };
        let sight = Sight { args, env, findings: &findings };
        let named = sight.config_file();
        let Reading { draft, sources } = file::read(named.as_deref(), env, &findings);
        let choice = sight.one(args.lang, "HEARTBEAT_LANG", LangChoice::from_str);
        let lang = choose_language(choice, draft.lang, env);
        let process = sight.process();
        let named = Defaults {
            interval: draft.interval.unwrap_or(Defaults::default().interval),
            grace: draft.grace,
            early: draft.early.unwrap_or_default(),
            first_beat: draft.first_beat.flatten(),
            forget_after: None,
        };
        let defaults = sight.defaults(named, draft.forget_after);
        let state_dir = sight.state_dir(draft.state.dir);
        let fallback = State::default();
        let rules = monitor::rules(draft.monitors, &defaults, &findings);
        let local_zone = sight.local_zone(&rules);
        let (mut alerts, channels) = notifier::resolve(draft.notifiers, draft.notify, env, &findings);
        alerts.server = Server { name: host_name().unwrap_or_default(), page_url: draft.page_url };
        notifier::known(&draft.rule_notify, &alerts, &findings);
        let mut settings = Settings {
            sources,
            lang,
            page_lang: match choice.or(draft.lang) {
                Some(LangChoice::Fixed(lang)) => Some(lang),
                _ => None,
            },
            listen: sight.listen(draft.listen),
            log: sight.log(draft.log, lang, process.daemon),
            control: sight.control(draft.control, &state_dir),
            state_dir,
            state: State {
                sync: draft.state.sync.unwrap_or(fallback.sync),
                history: draft.state.history.unwrap_or(fallback.history),
            },
            confine: confine::resolve(draft.confine),
            access: sight.access(draft.access),
            threads: sight.threads(&draft.limits),
            limits: sight.limits(draft.limits),
            tcp: sight.tcp(draft.tcp),
            websocket: sight.websocket(draft.websocket),
            governor: draft.governor,
            defaults,
            rules: Arc::new(rules.told_to(&alerts)),
            local_zone,
            alerts: Arc::new(alerts),
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
/// Every fault of the files, and those of what decides.
pub fn control_socket(args: &Args, env: &Env) -> Result<(Option<PathBuf>, Lang), ConfigError> {
    let findings = Findings::default();
    let sight = Sight { args, env, findings: &findings };
    let Reading { draft, sources } = file::read(sight.config_file().as_deref(), env, &findings);
    let choice = sight.one(args.lang, "HEARTBEAT_LANG", LangChoice::from_str);
    let lang = choose_language(choice, draft.lang, env);
    let state_dir = sight.state_dir(draft.state.dir);
    let control = sight.control(draft.control, &state_dir);
    findings.into_warnings(lang, &sources).map(|_| (control, lang))
}

/// The language for what must be said before there are settings, or when there are none.
pub fn language(args: &Args, env: &Env) -> Lang {
    choose_language(args.lang, None, env)
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
