//! `heartbeat-server firewall`: opens the ports of the configuration, closes them again, says how they stand.
//!
//! What is to be done is worked out by `sys::firewall`; here the ports are taken from the configuration, the commands
//! are run one by one, and afterwards the firewall is asked again whether it now says what was wanted. With `--dry-run`
//! standard output is the commands and nothing else, so that it can be read, kept or given to a shell.

use crate::config::cli::{Args, Firewall, FirewallAction};
use crate::config::{self, Env, Listen, Settings};
use crate::domain::address::{ListenAddress, Protocol};
use crate::domain::lang::Lang;
use crate::i18n;
use crate::sys::firewall::ask::Ask;
use crate::sys::firewall::plan::{self, Backend, Call, Choice, SourceNetwork};
use crate::sys::firewall::{FirewallStatus, Remark, Scope, survey};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

const EX_USAGE: u8 = 64;
const EX_UNAVAILABLE: u8 = 69;
const EX_IOERR: u8 = 74;
const EX_NOPERM: u8 = 77;

/// Most rules of others that are shown for one port.
const OTHERS_SHOWN_MAX: usize = 8;

/// Why it did not come to that.
struct CommandError {
    sentence: String,
    exit_code: u8,
}

/// Does what `options` says. Answers 0; 77 without root; 69 when a firewall cannot be asked or changed; 64 when it cannot
/// do what is wished; what the configuration asks for when that is wrong; 74 when nothing can be printed.
pub fn run(
    args: &Args,
    options: &Firewall,
    env: &Env,
    ask: &mut dyn Ask,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let lang = config::language(args, env);
    let done = attempt(args, options, env, ask, out, err);
    let (code, written) = match done {
        Ok(()) => (0, Ok(())),
        Err(failure) => {
            (failure.exit_code, writeln!(err, "{}{}", i18n::command::ERROR.in_lang(lang), failure.sentence))
        }
    };
    if written.and_then(|()| out.flush()).is_ok() { code } else { EX_IOERR }
}

fn attempt(
    args: &Args,
    options: &Firewall,
    env: &Env,
    ask: &mut dyn Ask,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), CommandError> {
    let lang = config::language(args, env);
    if !env.is_root {
        let sentence = i18n::command::READING_CHANGING_FIREWALL_NEEDS.in_lang(lang);
        return Err(CommandError { sentence: sentence.into(), exit_code: EX_NOPERM });
    }
    let everything = options.action == FirewallAction::Close && !options.http && !options.tcp;
    let settings = match Settings::load(args, env) {
        Ok(settings) => Some(settings),
        // A configuration that is wrong keeps nobody from closing what is open.
        Err(_) if everything => None,
        Err(error) => {
            return Err(CommandError {
                sentence: error.sentence(error.lang()),
                exit_code: error.exit_code(),
            });
        }
    };
    let lang = settings.as_ref().map_or(lang, |settings| settings.lang);
    let listeners = settings.map(|settings| settings.listen).unwrap_or_default();
    let mut job =
        Job { options, lang, everything, wanted: BTreeMap::new(), ports: Vec::new(), ask, out, err };
    job.choose(&listeners)?;
    match options.action {
        FirewallAction::Status => job.status(),
        FirewallAction::Open | FirewallAction::Close => job.change(),
    }
}

/// One run of the command.
struct Job<'a> {
    options: &'a Firewall,
    lang: Lang,
    /// Close whatever is ours, ports of an earlier configuration included.
    everything: bool,
    /// The chosen ports and what is spoken there.
    wanted: BTreeMap<u16, &'static str>,
    /// Every port of the configuration, chosen or not.
    ports: Vec<u16>,
    ask: &'a mut dyn Ask,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
}

impl Job<'_> {
    /// Takes the ports out of the listeners, and says which of them need no opening.
    fn choose(&mut self, listeners: &[Listen]) -> Result<(), CommandError> {
        for listen in listeners {
            let chosen = match listen.protocol {
                Protocol::Tcp => self.options.tcp || !self.options.http,
                Protocol::Http => self.options.http || !self.options.tcp,
            };
            let protocol = listen.protocol.name();
            match (port_to_open(&listen.address), &listen.address) {
                (Some(port), _) => {
                    self.ports.push(port);
                    if chosen {
                        self.wanted.insert(port, protocol);
                    }
                }
                (None, address) if chosen && !self.everything => {
                    let text = i18n::command::machine_only_needs_no(&address, &protocol).in_lang(self.lang);
                    self.say(&text)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn status(&mut self) -> Result<(), CommandError> {
        let standings = self.look(Scope::All)?;
        self.report(&standings)
    }

    /// Opens or closes.
    fn change(&mut self) -> Result<(), CommandError> {
        let opening = self.options.action == FirewallAction::Open;
        if self.wanted.is_empty() && !self.everything {
            let text = i18n::command::NOTHING_OPEN_CLOSE.in_lang(self.lang);
            return self.say(text);
        }
        let standings = self.look(if opening { Scope::Working } else { Scope::All })?;
        let forced = self.options.backend.unwrap_or_default().0;
        for standing in &standings {
            if forced == Some(Backend::Firewalld) && !standing.active {
                let sentence = i18n::command::FIREWALLD_DOES_NOT_RUN.in_lang(self.lang);
                return Err(CommandError { sentence: sentence.into(), exit_code: EX_UNAVAILABLE });
            }
            if standing.backend == Backend::Socketfilterfw && !self.options.from.is_empty() {
                let sentence = i18n::command::FIREWALL_KNOWS_PROGRAMS_NOT.in_lang(self.lang);
                return Err(CommandError { sentence: sentence.into(), exit_code: EX_USAGE });
            }
        }
        if opening && forced.is_none() && !standings.iter().any(|standing| standing.active) {
            return self.nothing_active(&standings);
        }
        let calls = self.plan(&standings);
        if calls.is_empty() {
            self.say(i18n::command::NOTHING_DO.in_lang(self.lang))?;
        }
        if self.options.dry_run {
            for call in &calls {
                writeln!(self.out, "{call}").map_err(unwritten)?;
            }
            return self.remarks(&standings);
        }
        for (at, call) in calls.iter().enumerate() {
            writeln!(self.out, "{call}").and_then(|()| self.out.flush()).map_err(unwritten)?;
            self.ask.must(call).map_err(|trouble| {
                let (what, count) = (trouble.sentence(self.lang), calls.len());
                let sentence = i18n::command::commands_carried_out_run(&what, &at, &count).in_lang(self.lang);
                CommandError { sentence, exit_code: trouble.exit_code() }
            })?;
        }
        let standings = self.look(if opening { Scope::Working } else { Scope::All })?;
        let left = self.plan(&standings);
        if let Some(call) = left.first() {
            let sentence = i18n::command::firewall_took_every_command(&call).in_lang(self.lang);
            return Err(CommandError { sentence, exit_code: EX_UNAVAILABLE });
        }
        self.report(&standings)
    }

    fn look(&mut self, scope: Scope) -> Result<Vec<FirewallStatus>, CommandError> {
        let scope = self.options.backend.unwrap_or_default().0.map_or(scope, Scope::Only);
        let program = std::env::current_exe().and_then(|path| path.canonicalize()).unwrap_or_default();
        survey(self.ask, scope, &program.to_string_lossy(), &self.ports).map_err(|trouble| CommandError {
            sentence: trouble.sentence(self.lang),
            exit_code: trouble.exit_code(),
        })
    }

    /// The commands, place by place.
    fn plan(&self, standings: &[FirewallStatus]) -> Vec<Call> {
        let ports: Vec<u16> = self.wanted.keys().copied().collect();
        let mut calls = Vec::new();
        for standing in standings {
            let whole = standing.backend == Backend::Socketfilterfw;
            for place in &standing.places {
                calls.extend(match self.options.action {
                    FirewallAction::Open if whole => plan::open(place, &self.ports, &[]),
                    FirewallAction::Open => plan::open(place, &ports, &self.options.from),
                    FirewallAction::Close => {
                        let ports = (!self.everything && !whole).then(|| ports.clone());
                        plan::close(place, &Choice { ports, from: self.options.from.clone() })
                    }
                    FirewallAction::Status => Vec::new(),
                });
            }
        }
        calls
    }

    fn nothing_active(&mut self, standings: &[FirewallStatus]) -> Result<(), CommandError> {
        let text = i18n::command::NO_FIREWALL_ACTIVE_MACHINE.in_lang(self.lang);
        self.say(text)?;
        self.remarks(standings)
    }

    /// How the ports stand, one line for each and each place that has to do with it.
    fn report(&mut self, standings: &[FirewallStatus]) -> Result<(), CommandError> {
        if self.options.action == FirewallAction::Status && !standings.iter().any(|standing| standing.active)
        {
            let text = i18n::command::NO_FIREWALL_ACTIVE_MACHINE_KEEPS.in_lang(self.lang);
            self.say(text)?;
        }
        let ours =
            standings.iter().flat_map(|s| &s.places).flat_map(|p| &p.ours).flat_map(|rule| &rule.grants);
        let left: BTreeSet<u16> =
            ours.map(|grant| grant.port).filter(|port| !self.ports.contains(port)).collect();
        let unheard = i18n::command::NOT_CONFIGURATION.in_lang(self.lang);
        let rows: Vec<(u16, &str)> = self
            .wanted
            .iter()
            .map(|(p, w)| (*p, *w))
            .chain(left.into_iter().map(|port| (port, unheard)))
            .collect();
        for (port, what) in rows {
            for standing in standings {
                for place in &standing.places {
                    let granted = place.granted(port);
                    if granted.is_empty() && !standing.active {
                        continue;
                    }
                    let stands = self.stands(&granted, place.filters || standing.backend == Backend::Ufw);
                    let (backend, name) = (standing.backend.name(), &place.name);
                    let line = i18n::command::text(&port, &what, &backend, &name, &stands).in_lang(self.lang);
                    self.say(&line)?;
                    for other in place.others_on(port).take(OTHERS_SHOWN_MAX) {
                        let about = i18n::command::NOT_OURS.in_lang(self.lang);
                        self.say(&format!("{about}{}", other.text))?;
                    }
                }
            }
        }
        self.remarks(standings)
    }

    fn stands(&self, granted: &BTreeSet<SourceNetwork>, filters: bool) -> String {
        let networks: Vec<String> = granted.iter().map(SourceNetwork::to_string).collect();
        let all = i18n::command::COMMA.in_lang(self.lang);
        if granted.contains(&SourceNetwork::Everyone) {
            i18n::command::OPEN_EVERYONE.in_lang(self.lang).into()
        } else if !granted.is_empty() {
            i18n::command::open(&networks.join(all)).in_lang(self.lang)
        } else if filters {
            i18n::command::NOT_OPENED_HEARTBEAT_SERVER.in_lang(self.lang).into()
        } else {
            i18n::command::NOTHING_HELD_BACK_HERE.in_lang(self.lang).into()
        }
    }

    /// What people should know. Somebody who closes need not hear how long an opening lasts.
    fn remarks(&mut self, standings: &[FirewallStatus]) -> Result<(), CommandError> {
        let closing = self.options.action == FirewallAction::Close;
        for remark in standings.iter().flat_map(|standing| &standing.remarks) {
            let idle = matches!(remark, Remark::Volatile(_) | Remark::OtherZone { .. } | Remark::BlocksAll);
            if !(closing && idle) {
                let note = i18n::command::NOTE.in_lang(self.lang);
                self.say(&format!("{note}{}", remark.sentence(self.lang)))?;
            }
        }
        Ok(())
    }

    /// Says something to the person, out of the way of the commands of a dry run.
    fn say(&mut self, text: &str) -> Result<(), CommandError> {
        let to = if self.options.dry_run { &mut *self.err } else { &mut *self.out };
        writeln!(to, "{text}").map_err(unwritten)
    }
}

/// The port that others have to reach; nothing for what only this machine can reach.
fn port_to_open(address: &ListenAddress) -> Option<u16> {
    match address {
        ListenAddress::Any(port) => Some(*port),
        ListenAddress::Ip(ip, port) => (!ip.to_canonical().is_loopback()).then_some(*port),
        ListenAddress::Name(name, port) => {
            let local =
                name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
            (!local).then_some(*port)
        }
        ListenAddress::Unix(_) => None,
    }
}

fn unwritten(error: io::Error) -> CommandError {
    CommandError { sentence: error.to_string(), exit_code: EX_IOERR }
}

#[cfg(test)]
#[path = "firewall_tests.rs"]
mod tests;
