//! From what was typed, set and written to what the program needs.
//!
//! Each setting is decided by the first that speaks: the flag, the variable of the environment, the file, the
//! default. Paths become absolute here, because a daemon changes its directory. All faults are collected and told
//! together; there are settings only when there is none.

use super::Env;
use super::cli::{Args, LangChoice};
use super::decide::Sight;
use super::fault::{ConfigError, Findings};
use super::file::{self, Reading};
use crate::domain::access::Access;
use crate::domain::address::ListenAddress;
use crate::domain::lang::Lang;
use crate::domain::limits::Limits;
use crate::domain::registry::Defaults;
use crate::sys::log::LogOptions;
use ipnet::IpNet;
use std::path::PathBuf;
use std::str::FromStr;

/// Everything the program needs to know to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The files that were read, in their order.
    pub sources: Vec<PathBuf>,
    /// The language of log and console.
    pub lang: Lang,
    /// The language somebody chose, for the page too when the browser has no wish; `None`: nobody chose.
    pub page_lang: Option<Lang>,
    /// Where to listen; at least one.
    pub listen: Vec<Listen>,
    /// The log.
    pub log: LogOptions,
    /// Where state is kept; absolute.
    pub state_dir: PathBuf,
    /// Who may do what.
    pub access: Access,
    /// What is too much.
    pub limits: Limits,
    /// Worker threads.
    pub threads: usize,
    /// What a monitor gets that does not say.
    pub defaults: Defaults,
    /// How the process itself is to be.
    pub process: Process,
    /// What works but is hardly meant: sentences in [`Settings::lang`].
    pub warnings: Vec<String>,
}

/// A place to listen.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// Its name, by which a service manager hands it over.
    pub name: String,
    /// Its address; a unix path is absolute.
    pub address: ListenAddress,
    /// Proxies whose Forwarded and X-Forwarded-For are believed.
    pub proxies: Vec<IpNet>,
    /// Whether whoever comes over a unix socket is such a proxy.
    pub proxy_unix: bool,
    /// Whether plain beats take the fast path; off only to look for faults.
    pub fast_path: bool,
}

/// How the process is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Go into the background.
    pub daemon: bool,
    /// Where to write the pid; absolute.
    pub pid_file: Option<PathBuf>,
    /// The user to become.
    pub user: Option<String>,
    /// The group to become.
    pub group: Option<String>,
}

impl Settings {
    /// Reads the files and decides everything. Called again on SIGHUP with the same arguments and the same facts.
    ///
    /// # Errors
    /// Every fault found, with its place; see [`ConfigError::exit_code`].
    pub fn load(args: &Args, env: &Env) -> Result<Settings, ConfigError> {
        let findings = Findings::default();
        let sight = Sight { args, env, findings: &findings };
        let named = sight.config_file();
        let Reading { draft, sources } = file::read(named.as_deref(), env, &findings);
        let choice = sight.one(args.lang, "HEARTBEAT_LANG", LangChoice::from_str);
        let lang = choose_language(choice, draft.lang, env);
        let process = sight.process();
        let fallback = Defaults::default();
        let mut settings = Settings {
            sources,
            lang,
            page_lang: match choice.or(draft.lang) {
                Some(LangChoice::Fixed(lang)) => Some(lang),
                _ => None,
            },
            listen: sight.listen(draft.listen),
            log: sight.log(draft.log, lang, process.daemon),
            state_dir: sight.state_dir(draft.state_dir),
            access: sight.access(draft.access),
            threads: sight.threads(&draft.limits),
            limits: sight.limits(draft.limits),
            defaults: Defaults {
                interval: draft.interval.unwrap_or(fallback.interval),
                grace: draft.grace.unwrap_or(fallback.grace),
            },
            process,
            warnings: Vec::new(),
        };
        settings.warnings = findings.into_warnings(lang, &settings.sources)?;
        Ok(settings)
    }

    /// The keys that differ in `new` and cannot change while the program runs.
    pub fn needs_restart(&self, new: &Settings) -> Vec<&'static str> {
        [
            ("listen", self.listen != new.listen),
            ("state.dir", self.state_dir != new.state_dir),
            ("user", self.process.user != new.process.user),
            ("group", self.process.group != new.process.group),
            ("pid_file", self.process.pid_file != new.process.pid_file),
            ("limits.threads", self.threads != new.threads),
            ("limits.connections", self.limits.connections != new.limits.connections),
        ]
        .into_iter()
        .filter_map(|(key, changed)| changed.then_some(key))
        .collect()
    }
}

/// The language for what must be said before there are settings, or when there are none.
pub fn language(args: &Args, env: &Env) -> Lang {
    choose_language(args.lang, None, env)
}

/// The flag, the variable, the file, the locale.
pub(super) fn choose_language(flag: Option<LangChoice>, file: Option<LangChoice>, env: &Env) -> Lang {
    let variable = || env.get("HEARTBEAT_LANG").and_then(|v| v.to_str().and_then(|v| v.parse().ok()));
    match flag.or_else(variable).or(file) {
        Some(LangChoice::Fixed(lang)) => lang,
        _ => ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| env.get(name))
            .map_or(Lang::En, |locale| Lang::from_locale(&locale.to_string_lossy())),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
