//! The single decisions behind [`super::Settings::load`]: for each setting the flag, else the variable of the
//! environment, else the file, else the default.

use super::cli::{Args, Task};
use super::declare::{Given, Section};
use super::error::{EX_CONFIG, EX_USAGE, Findings, SettingOrigin};
use super::schema::{
    AccessDraft, ConfineDraft, DefaultsDraft, GovernorDraft, LOG_TARGETS_MAX, LimitsDraft, LogDraft,
    PairDraft, THREADS_MAX, TargetDraft, TokenSource, WebSocketDraft,
};
use super::settings::{Confine, ProcessSettings};
use super::value::{Located, Origin};
use super::{Env, monitor, tokens};
use crate::domain::access::Access;
use crate::domain::alert::AlertPolicy;
use crate::domain::alert::pair::PairPolicy;
use crate::domain::governor::Terms;
use crate::domain::host::Hosts;
use crate::domain::lang::Lang;
use crate::domain::limits::{Limits, SOCKET_PATH_BYTES_MAX};
use crate::domain::notice::Level;
use crate::domain::policy::{Defaults, SocketTimes};
use crate::domain::rules::Rules;
use crate::domain::sentence::Audience;
use crate::domain::time::Span;
use crate::domain::zone::{UnknownLocal, Zone};
use crate::engine::delivery::PeerSettings;
use crate::i18n;
use crate::i18n::ParseError;
use crate::net::tls;
use crate::sys::log::{Format, LogOptions, Target, TargetOptions};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How often the other server of a pair is asked, and how long it may be silent.
const PAIR_EVERY: Span = Span::secs(5);
const PAIR_GRACE: Span = Span::secs(30);

/// What the decisions look at.
#[derive(Clone, Copy)]
pub(super) struct Resolver<'a> {
    pub(super) args: &'a Args,
    pub(super) env: &'a Env,
    pub(super) findings: &'a Findings,
}

impl Resolver<'_> {
    /// The configuration file that somebody named, absolute.
    pub(super) fn config_file(self) -> Option<PathBuf> {
        let argument = match &self.args.command {
            Some(Task::CheckConfig { file: Some(file), .. }) => Some(file),
            _ => self.args.config.as_ref(),
        };
        self.path(argument, "HEARTBEAT_CONFIG")
    }

    /// The other server of a pair, and what the alerts have to know of it.
    pub(super) fn pair(self, pair: Located<PairDraft>, alerts: &mut AlertPolicy) -> Option<PeerSettings> {
        let Located { value: draft, origin } = pair;
        let is_named = draft.url.is_given();
        if !is_named && !draft.given().is_empty() {
            self.findings.reject(origin.place, origin.key, i18n::config::PAIR_NEEDS_URL.into());
        }
        if let (Some(path), Some(origin)) = (&draft.ca.value, &draft.ca.origin) {
            if let Err(error) = tls::authorities(Some(path)) {
                self.findings.reject(origin.place.clone(), origin.key.clone(), error.text());
            }
        }
        let token = draft.token.value;
        let token =
            token.and_then(|token| tokens::read(&[token], self.env, self.findings).into_iter().next());
        let (url, every) = (draft.url.value?, draft.every.or(PAIR_EVERY));
        alerts.pair = Some(PairPolicy {
            standby_for: draft.standby_for.value,
            url: url.to_string(),
            every,
            grace: draft.grace.or(PAIR_GRACE),
        });
        Some(PeerSettings { url, token, ca: draft.ca.value, every })
    }

    /// The log. Without a wish it goes to standard error, or to whatever stands in for it.
    pub(super) fn log(self, draft: LogDraft, lang: Lang, daemon: bool) -> LogOptions {
        let beats = draft.beats.or(true);
        let (name, code) = match self.args.log.is_empty() {
            true => ("HEARTBEAT_LOG", EX_CONFIG),
            false => ("--log", EX_USAGE),
        };
        let typed = self.list(&self.args.log, "HEARTBEAT_LOG", Target::from_str);
        let wishes: Vec<(Target, bool, Origin)> = if typed.is_empty() {
            let written = draft.targets.or_default().into_iter();
            let wish = |Located { value, origin }: Located<TargetDraft>| {
                Some((value.target.value?, value.beats.or(beats), origin))
            };
            written.filter_map(wish).collect()
        } else {
            let origin = Origin { place: SettingOrigin::Named(name), key: String::new() };
            typed.into_iter().map(|target| (self.absolute_target(target), beats, origin.clone())).collect()
        };
        let code =
            |place: &SettingOrigin| if matches!(place, SettingOrigin::Named(_)) { code } else { EX_CONFIG };
        let mut targets: Vec<TargetOptions> = Vec::new();
        for (target, beats, Origin { place, key }) in wishes {
            let code = code(&place);
            let reason = if targets.iter().any(|other| other.target == target) {
                i18n::config::named_twice(&target)
            } else if targets.len() == LOG_TARGETS_MAX {
                i18n::config::too_many_most(&LOG_TARGETS_MAX)
            } else if daemon && target == Target::Stderr {
                i18n::config::DAEMON_BACKGROUND_NO_STDERR.into()
            } else {
                targets.push(TargetOptions { target, beats });
                continue;
            };
            self.findings.reject_with_code(place, key, reason, code);
        }
        if targets.is_empty() {
            let target = match (daemon, self.env.stderr_is_journal) {
                (true, _) => Target::Syslog,
                (false, true) => Target::Journal,
                (false, false) => Target::Stderr,
            };
            targets.push(TargetOptions { target, beats });
        }
        let fallback = LogOptions::default();
        LogOptions {
            targets,
            format: self
                .one(self.args.log_format, "HEARTBEAT_LOG_FORMAT", Format::from_str)
                .unwrap_or(draft.format.or(fallback.format)),
            lang,
            level: self.level(draft.level.or(fallback.level)),
            file_bytes_max: draft.file_bytes_max.or(fallback.file_bytes_max),
            file_keep: draft.file_keep.or(fallback.file_keep),
            identifier: fallback.identifier,
        }
    }

    /// The state directory; without a wish the place that the service manager, the system or the user has for it.
    pub(super) fn state_dir(self, file: Option<PathBuf>) -> PathBuf {
        if let Some(path) = self.path(self.args.state_dir.as_ref(), "HEARTBEAT_STATE_DIR").or(file) {
            return path;
        }
        if let Some(managed) = self.env.get("STATE_DIRECTORY") {
            // Several directories of one unit are parted by colons (systemd.exec(5)); ours is the first.
            let managed = managed.to_string_lossy();
            return self.env.absolute(managed.split(':').next().unwrap_or_default().as_ref());
        }
        if self.env.is_root {
            let system = if cfg!(target_os = "macos") { "/usr/local/var/lib" } else { "/var/lib" };
            return PathBuf::from(system).join("heartbeat-server");
        }
        // XDG Base Directory Specification: a relative XDG_STATE_HOME is to be ignored.
        let xdg = self.env.get("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || self.env.get("HOME").map(|home| PathBuf::from(home).join(".local/state"));
        let Some(base) = xdg.or_else(home) else {
            let reason = i18n::config::NO_PLACE_STATE_HOME.into();
            self.findings.reject(SettingOrigin::Nowhere, "state.dir", reason);
            return PathBuf::new();
        };
        self.env.absolute(&base.join("heartbeat-server"))
    }

    /// The control socket: where the system or the user keeps such things, else beside the state.
    pub(super) fn control(self, file: Option<Located<Option<PathBuf>>>, state_dir: &Path) -> Option<PathBuf> {
        const VARIABLE: &str = "HEARTBEAT_CONTROL";
        let typed = self.env.get(VARIABLE).map(|text| Located {
            value: (text != "off").then(|| self.env.absolute(Path::new(&text))),
            origin: Origin { place: SettingOrigin::Named(VARIABLE), key: String::new() },
        });
        let long = |path: &Path| path.as_os_str().len() > SOCKET_PATH_BYTES_MAX;
        let reason = |path: &Path| {
            let path = path.display();
            i18n::config::too_long_path_unix(&path, &SOCKET_PATH_BYTES_MAX)
        };
        if let Some(Located { value, origin }) = typed.or(file) {
            if let Some(path) = value.as_deref().filter(|path| long(path)) {
                self.findings.reject(origin.place, origin.key, reason(path));
            }
            return value;
        }
        let directory = self.runtime_dir().unwrap_or_else(|| state_dir.to_path_buf());
        let path = directory.join("control.sock");
        if long(&path) {
            // Nobody asked for this place, so it is no error; but somebody may look for the socket.
            self.findings.warn(&SettingOrigin::Nowhere, "control.socket", reason(&path));
            return None;
        }
        Some(path)
    }

    /// The directory for what lives as long as the process.
    fn runtime_dir(self) -> Option<PathBuf> {
        if let Some(managed) = self.env.get("RUNTIME_DIRECTORY") {
            // As with STATE_DIRECTORY, ours is the first.
            let managed = managed.to_string_lossy();
            return Some(self.env.absolute(managed.split(':').next().unwrap_or_default().as_ref()));
        }
        if self.env.is_root {
            let system = if cfg!(target_os = "macos") { "/var/run" } else { "/run" };
            return Some(PathBuf::from(system).join("heartbeat-server"));
        }
        // XDG Base Directory Specification: a relative one is to be ignored.
        let xdg = self.env.get("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        xdg.map(|base| base.join("heartbeat-server"))
    }

    /// What a monitor is held to that neither says nor is named by a rule.
    pub(super) fn defaults(self, draft: DefaultsDraft) -> Defaults {
        let mut defaults = Defaults {
            interval: draft.interval.or(Defaults::default().interval),
            grace: draft.grace.value,
            early: draft.early.or_default(),
            first_beat: draft.first_beat.or_default(),
            forget_after: None,
        };
        if let Some(Located { value: forget_after, origin }) = draft.forget_after.located() {
            let silence = defaults.interval.0.saturating_add(defaults.grace_for(None, defaults.interval).0);
            if let Some(text) = forget_after.and_then(|forget| monitor::hasty(forget, Span(silence))) {
                self.findings.warn(&origin.place, &origin.key, text);
            }
            defaults.forget_after = forget_after;
        }
        defaults
    }

    /// Why the machine's own time zone is not known, where anything goes by it; that is said.
    pub(super) fn local_zone(self, rules: &Rules) -> Option<UnknownLocal> {
        let unknown =
            Zone::unknown_local(self.env.get("TZ").map(|value| value.to_string_lossy().into_owned()));
        // Without TZ and /etc/localtime it is UTC, as for every other program; that is a surprise only in a schedule.
        let unknown = unknown.filter(|unknown| *unknown != UnknownLocal::Unset || rules.go_by_local())?;
        let text = crate::view::words::unknown_local(&unknown, Audience::Own);
        self.findings.warn(&SettingOrigin::Nowhere, "TZ", text);
        Some(unknown)
    }

    /// When WebSockets are pinged and given up; a ping must have its time to be answered.
    pub(super) fn websocket(self, draft: WebSocketDraft) -> SocketTimes {
        let fallback = SocketTimes::default();
        let written = draft.timeout.origin.clone().or(draft.ping_interval.origin.clone());
        let ping_interval = draft.ping_interval.or(fallback.ping_interval);
        let timeout = draft.timeout.or(fallback.timeout);
        if let Some(origin) = written.filter(|_| timeout <= ping_interval) {
            let reason = i18n::config::must_longer_than_websocket(&ping_interval);
            self.findings.reject(origin.place, "websocket.timeout", reason);
        }
        SocketTimes { ping_interval, timeout }
    }

    /// Networks and tokens.
    pub(super) fn access(self, draft: AccessDraft) -> Access {
        let allow = draft.allow.value.unwrap_or_else(Access::local_networks);
        let tokens = |given: Given<Vec<Located<TokenSource>>>| {
            tokens::read(&given.or_default(), self.env, self.findings)
        };
        Access {
            read: draft.read.value.unwrap_or_else(|| Access::readers(&allow)),
            allow,
            deny: draft.deny.or_default(),
            hosts: Hosts { listed: draft.hosts.or_default(), own: own_host() },
            beat_tokens: tokens(draft.beat_tokens),
            read_tokens: tokens(draft.read_tokens),
            admin_tokens: tokens(draft.admin_tokens),
        }
    }

    /// The limits, held against each other.
    pub(super) fn limits(self, draft: LimitsDraft) -> Limits {
        let usual = Limits::default();
        let beat_origin = draft.beat_bytes.origin.clone();
        let mut limits = Limits {
            body_bytes: draft.body_bytes.or(usual.body_bytes),
            beat_bytes: draft.beat_bytes.or(usual.beat_bytes),
            batch_beats: draft.batch_beats.or(usual.batch_beats),
            json_depth: draft.json_depth.or(usual.json_depth),
            header_bytes: draft.header_bytes.or(usual.header_bytes),
            header_lines: draft.header_lines.or(usual.header_lines),
            header_timeout: draft.header_timeout.or(usual.header_timeout),
            body_timeout: draft.body_timeout.or(usual.body_timeout),
            idle_timeout: draft.idle_timeout.or(usual.idle_timeout),
            write_timeout: draft.write_timeout.or(usual.write_timeout),
            memory: draft.memory.or(usual.memory),
            messages: draft.messages.or(usual.messages),
            streams_per_address: draft.streams_per_address.or(usual.streams_per_address),
            connections: draft.connections.or(usual.connections),
            connections_per_address: draft.connections_per_address.or(usual.connections_per_address),
            new_monitors_per_hour: draft.new_monitors_per_hour.or(usual.new_monitors_per_hour),
            monitors: draft.monitors.or(usual.monitors),
            beats_per_second: draft.beats_per_second.or(usual.beats_per_second),
        };
        if limits.beat_bytes > limits.body_bytes {
            match beat_origin {
                Some(Origin { place, key }) => {
                    let most = super::value::size_text(limits.body_bytes as u64);
                    let reason = i18n::config::beat_cannot_longer_than(&most);
                    self.findings.reject(place, key, reason);
                }
                // Whoever makes bodies small need not know of beats.
                None => limits.beat_bytes = limits.body_bytes,
            }
        }
        limits
    }

    /// Worker threads: one for each core unless somebody says otherwise.
    pub(super) fn threads(self, draft: &LimitsDraft) -> usize {
        draft.threads.value.flatten().unwrap_or(self.env.cores).clamp(1, THREADS_MAX)
    }

    /// How the process is to be; flags and variables only, as a file is read again while it runs.
    pub(super) fn process(self) -> ProcessSettings {
        let daemon = self.args.daemon || self.one(None, "HEARTBEAT_DAEMON", yes).unwrap_or(false);
        let pid_file = self.path(self.args.pid_file.as_ref(), "HEARTBEAT_PID_FILE");
        if pid_file.is_some() && !daemon {
            let text = i18n::config::NO_EFFECT_WITHOUT_DAEMON.into();
            self.findings.warn(&SettingOrigin::Named("--pid-file"), "", text);
        }
        ProcessSettings {
            daemon,
            pid_file,
            user: self.one(self.args.user.clone(), "HEARTBEAT_USER", |name| Ok(name.to_string())),
            group: self.one(self.args.group.clone(), "HEARTBEAT_GROUP", |name| Ok(name.to_string())),
        }
    }

    /// The level of the file, moved by as many `-v` or `-q` as there are.
    fn level(self, base: Level) -> Level {
        const ALL: [Level; 5] = [Level::Error, Level::Warning, Level::Notice, Level::Info, Level::Debug];
        let mut steps = i32::from(self.args.verbose) - i32::from(self.args.quiet);
        if steps == 0 {
            let more = self.one(None, "HEARTBEAT_VERBOSE", count).unwrap_or(0);
            let less = self.one(None, "HEARTBEAT_QUIET", count).unwrap_or(0);
            steps = i32::from(more) - i32::from(less);
        }
        let at = ALL.iter().position(|level| *level == base).unwrap_or_default() as i32;
        ALL[(at + steps).clamp(0, ALL.len() as i32 - 1) as usize]
    }

    fn absolute_target(self, target: Target) -> Target {
        match target {
            Target::File(path) => Target::File(self.env.absolute(&path)),
            other => other,
        }
    }

    /// The text of a variable.
    fn variable(self, name: &'static str) -> Option<String> {
        let text = self.env.get(name)?.into_string();
        if text.is_err() {
            self.findings.reject(SettingOrigin::Named(name), "", i18n::config::NOT_UTF_8.into());
        }
        text.ok()
    }

    /// A flag, else the variable.
    pub(super) fn one<T>(
        self,
        flag: Option<T>,
        name: &'static str,
        read: fn(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        flag.or_else(|| self.read(name, &self.variable(name)?, read))
    }

    /// The values of a repeatable flag, else those of the variable, where commas part them.
    pub(super) fn list<T: Clone>(
        self,
        flags: &[T],
        name: &'static str,
        read: fn(&str) -> Result<T, ParseError>,
    ) -> Vec<T> {
        if !flags.is_empty() {
            return flags.to_vec();
        }
        let text = self.variable(name).unwrap_or_default();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.filter_map(|part| self.read(name, part, read)).collect()
    }

    fn read<T>(self, name: &'static str, text: &str, read: fn(&str) -> Result<T, ParseError>) -> Option<T> {
        match read(text) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.findings.reject(SettingOrigin::Named(name), "", reason.into());
                None
            }
        }
    }

    /// A path from a flag or a variable, made absolute.
    fn path(self, flag: Option<&PathBuf>, name: &'static str) -> Option<PathBuf> {
        let path = flag.cloned().or_else(|| self.env.get(name).map(PathBuf::from))?;
        Some(self.env.absolute(&path))
    }
}

/// Whether, and how, the process confines itself.
pub(super) fn confine(draft: ConfineDraft) -> Confine {
    Confine {
        enabled: draft.enabled.or(true),
        write: draft.write.or_default(),
        program_user: draft.program_user.or("nobody".into()),
    }
}

/// When senders are asked for patience; no beats a second are as good as no governor.
pub(super) fn governor(draft: GovernorDraft) -> Terms {
    let most = draft.beats_per_second.or_default();
    Terms {
        beats_per_second: most.filter(|most| *most > 0),
        stretch_max: draft.stretch_max.or(Terms::default().stretch_max),
    }
}

fn yes(text: &str) -> Result<bool, ParseError> {
    match text {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(ParseError::NotSwitch),
    }
}

fn count(text: &str) -> Result<u8, ParseError> {
    text.parse().map_err(|_| ParseError::NotCount)
}
/// This machine's name, as the system knows it.
fn own_host() -> String {
    nix::unistd::gethostname().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}
