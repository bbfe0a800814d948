//! The client's settings: from flags, the environment and its configuration file, in this order of precedence.
//!
//! The file is small and flat; an unknown key is an error with its file and line, like those of the server's
//! configuration, whose readers are used here. It need not exist unless an option or a variable names it.

use super::cli::{ClientArgs, ClientTask, DialectChoice, interval, timeout};
use super::error::{ClientError, EX_USAGE};
use super::run::name::{advice, nearest};
use super::server_url::ServerUrl;
use crate::config::error::{ConfigError, Findings, SettingOrigin};
use crate::config::language::{LangChoice, choose_language};
use crate::config::schema::{TokenSource, credential};
use crate::config::value::{ConfigValue, Key, Located, Origin};
use crate::config::{Env, file, tokens};
use crate::domain::access::Token;
use crate::domain::id::Id;
use crate::domain::lang::Lang;
use crate::domain::limits::{INTERVAL_MAX, INTERVAL_MIN};
use crate::domain::time::Span;
use crate::i18n;
use crate::i18n::ParseError;
use crate::i18n::Text;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "/etc/heartbeat-client/heartbeat-client.toml";

/// Most servers in the file.
const SERVERS_MAX: usize = 8;
/// The default time limit of an answer.
pub const TIMEOUT: Span = Span::secs(10);
/// The agent's default interval.
pub const EVERY: Span = Span::secs(30);

/// The settings of the client.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSettings {
    /// The configuration file, whether it exists or not.
    pub file: PathBuf,
    /// The language of output, log and messages.
    pub lang: Lang,
    /// The server; of several the first.
    pub to: ServerUrl,
    /// The other servers that every beat goes to as well; none for most.
    pub also: Vec<ServerUrl>,
    /// Whether that is the default.
    pub to_is_default: bool,
    /// The monitor, if it is named.
    pub id: Option<Id>,
    /// The same if a flag or a variable names it: the file names this machine, not a job on it.
    pub job: Option<Id>,
    /// The agent's interval, if given.
    pub every: Option<Span>,
    /// The longest interval that the server can ask for, if given.
    pub interval_max: Option<Span>,
    /// How long an answer may take.
    pub timeout: Span,
    /// What is spoken over raw TCP.
    pub dialect: DialectChoice,
    /// Run when the server is found dead.
    pub on_down: Option<String>,
    /// Run when it answers again.
    pub on_up: Option<String>,
    /// Shown to the server.
    pub token: Option<Token>,
    /// For TLS.
    pub tls: TlsFiles,
    /// What works but is hardly meant: sentences in [`ClientSettings::lang`].
    pub warnings: Vec<String>,
}

/// What TLS is to use besides the system's own authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Our own certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// The keys of the file; `None` where one is absent.
#[derive(Default)]
struct FileSettings {
    /// Of `to` or `servers`; empty where neither is given.
    to: Vec<ServerUrl>,
    id: Option<Id>,
    every: Option<Span>,
    interval_max: Option<Span>,
    timeout: Option<Span>,
    dialect: Option<DialectChoice>,
    on_down: Option<String>,
    on_up: Option<String>,
    token: Option<Located<TokenSource>>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    lang: Option<LangChoice>,
}

/// Every key that may stand in the file, in the order of the manual.
pub fn keys() -> Vec<&'static str> {
    KEYS.iter().map(|key| key.name).collect()
}

const KEYS: &[Key<FileSettings>] = &[
    Key { name: "to", read: |draft, value| set_servers(draft, value, value.parsed().into_iter().collect()) },
    Key {
        name: "servers",
        read: |draft, value| {
            let servers: Option<Vec<ServerUrl>> = value
                .elements(SERVERS_MAX)
                .and_then(|all| all.into_iter().map(ConfigValue::parsed).collect());
            match servers {
                Some(none) if none.is_empty() => value.reject(i18n::client::SERVERS_EMPTY.into()),
                servers => set_servers(draft, value, servers.unwrap_or_default()),
            }
        },
    },
    Key {
        name: "id",
        read: |draft, value| {
            draft.id =
                value.string().and_then(|text| Id::new(text).map_err(|e| value.reject(e.word().into())).ok());
        },
    },
    Key { name: "every", read: |draft, value| draft.every = value.span(INTERVAL_MIN..=INTERVAL_MAX) },
    Key {
        name: "interval_max",
        read: |draft, value| draft.interval_max = value.span(INTERVAL_MIN..=INTERVAL_MAX),
    },
    Key { name: "timeout", read: |draft, value| draft.timeout = value.span(Span(100)..=Span::secs(86_400)) },
    Key { name: "dialect", read: |draft, value| draft.dialect = value.parsed() },
    Key { name: "on_down", read: |draft, value| draft.on_down = value.string().map(str::to_string) },
    Key { name: "on_up", read: |draft, value| draft.on_up = value.string().map(str::to_string) },
    Key {
        name: "token_file",
        read: |draft, value| set_token(draft, value, value.path().map(TokenSource::File)),
    },
    Key { name: "credential", read: |draft, value| set_token(draft, value, credential(value)) },
    Key { name: "ca", read: |draft, value| draft.ca = value.path() },
    Key { name: "cert", read: |draft, value| draft.cert = value.path() },
    Key { name: "key", read: |draft, value| draft.key = value.path() },
    Key { name: "lang", read: |draft, value| draft.lang = value.parsed() },
];

fn set_servers(draft: &mut FileSettings, value: ConfigValue<'_>, servers: Vec<ServerUrl>) {
    if !draft.to.is_empty() {
        return value.reject(i18n::client::TO_SERVERS_EXCLUDE.into());
    }
    draft.to = servers;
}

fn set_token(draft: &mut FileSettings, value: ConfigValue<'_>, source: Option<TokenSource>) {
    if draft.token.is_some() {
        let both = i18n::client::TOKEN_FILE_CREDENTIAL_EXCLUDE.into();
        return value.reject(both);
    }
    draft.token = value.located(source);
}

impl ClientSettings {
    /// Reads the file and decides everything. Called again on SIGHUP with the same arguments and the same facts.
    ///
    /// # Errors
    /// Every error found, with its place; see [`ConfigError::exit_code`].
    pub fn load(args: &ClientArgs, env: &Env) -> Result<ClientSettings, ConfigError> {
        let findings = Findings::default();
        let mut settings = ClientSettings::decide(args, env, &findings);
        settings.warnings = findings.into_warnings(settings.lang, &[settings.file.clone()])?;
        Ok(settings)
    }

    /// The valid part of settings with errors, for a job that runs all the same. `None` where the server's URL may be among
    /// the errors: then nothing is sent, for the default server may be a stranger's.
    pub fn salvage(args: &ClientArgs, env: &Env, lost_server: bool) -> Option<ClientSettings> {
        let findings = Findings::default();
        let settings = ClientSettings::decide(args, env, &findings);
        let may_name_it = |place: &SettingOrigin, key: &str| match place {
            SettingOrigin::Named(name) => *name == "HEARTBEAT_URL",
            SettingOrigin::Line(..) => matches!(key, "" | "to" | "servers"),
            SettingOrigin::File(_) => true,
            SettingOrigin::Nowhere => false,
        };
        let is_lost = settings.to_is_default && (lost_server || findings.has_rejected(may_name_it));
        (!is_lost).then_some(settings)
    }

    /// Decides everything; what is wrong counts as absent.
    fn decide(args: &ClientArgs, env: &Env, findings: &Findings) -> ClientSettings {
        let resolver = ValueResolver { env, findings };
        let named = args.config.clone().or_else(|| env.get("HEARTBEAT_CLIENT_CONFIG").map(PathBuf::from));
        let path = env.absolute(named.as_deref().unwrap_or(&env.default_file));
        // With a server named elsewhere a file without read permission (EACCES) is skipped; otherwise it may name the server.
        let flags = CommandFlags::of(&args.command);
        let flagged = if args.to.is_empty() { flags.to.clone() } else { args.to.clone() };
        let flagged = (!flagged.is_empty()).then_some(flagged);
        let named_server = flagged.is_some() || env.get("HEARTBEAT_URL").is_some();
        let draft = read(&path, named.is_some(), named_server, findings);
        let choice = resolver.parsed(args.lang, "HEARTBEAT_LANG", LangChoice::from_str);
        let lang = choose_language(choice, draft.lang, env);
        let mut servers = resolver.parsed(flagged, "HEARTBEAT_URL", servers_of).unwrap_or(draft.to);
        let mut known = Vec::new();
        servers.retain(|server| {
            !known.contains(server) && {
                known.push(server.clone());
                true
            }
        });
        let also = servers.split_off(servers.len().min(1));
        let to = servers.pop();
        let token = match resolver.path(args.token_file.as_deref(), "--token-file", "HEARTBEAT_TOKEN_FILE") {
            Some((name, path)) => Some(Located {
                value: TokenSource::File(path),
                origin: Origin { place: SettingOrigin::Named(name), key: String::new() },
            }),
            None => draft.token,
        };
        let file = |flag: Option<&Path>, name, variable, drafted: Option<PathBuf>| {
            resolver.path(flag, name, variable).map(|(_, path)| path).or(drafted)
        };
        let tls = TlsFiles {
            ca: file(args.ca.as_deref(), "--ca", "HEARTBEAT_CA", draft.ca),
            cert: file(args.cert.as_deref(), "--cert", "HEARTBEAT_CERT", draft.cert),
            key: file(args.key.as_deref(), "--key", "HEARTBEAT_KEY", draft.key),
        };
        if tls.cert.is_some() != tls.key.is_some() {
            let text = i18n::client::CERT_KEY_BELONG_TOGETHER.into();
            findings.reject(SettingOrigin::Nowhere, "", text);
        }
        let id = flags.id.or_else(|| {
            let text = env.get("HEARTBEAT_ID")?;
            let text = text.to_string_lossy();
            let read = Id::new(&text);
            let read = read.map_err(|e| {
                findings.reject(
                    SettingOrigin::Named("HEARTBEAT_ID"),
                    "",
                    Text::from(e.word()).and(&advice(&text)),
                );
            });
            read.ok().or_else(|| nearest(&text))
        });
        ClientSettings {
            file: path,
            lang,
            to_is_default: to.is_none(),
            to: to.unwrap_or_default(),
            also,
            job: id.clone(),
            id: id.or(draft.id),
            every: resolver.parsed(flags.every, "HEARTBEAT_EVERY", interval).or(draft.every),
            interval_max: resolver
                .parsed(flags.interval_max, "HEARTBEAT_INTERVAL_MAX", interval)
                .or(draft.interval_max),
            timeout: resolver
                .parsed(args.timeout, "HEARTBEAT_TIMEOUT", timeout)
                .or(draft.timeout)
                .unwrap_or(TIMEOUT),
            dialect: resolver
                .parsed(flags.dialect, "HEARTBEAT_DIALECT", DialectChoice::from_str)
                .or(draft.dialect)
                .unwrap_or_default(),
            on_down: resolver.text(flags.on_down, "HEARTBEAT_ON_DOWN").or(draft.on_down),
            on_up: resolver.text(flags.on_up, "HEARTBEAT_ON_UP").or(draft.on_up),
            token: token.and_then(|token| tokens::read(&[token], env, findings).into_iter().next()),
            tls,
            warnings: Vec::new(),
        }
    }

    /// Whether beats go to more than one server.
    pub fn has_several(&self) -> bool {
        !self.also.is_empty()
    }

    /// All servers, in the order in which they were named.
    pub fn servers(&self) -> impl Iterator<Item = &ServerUrl> {
        std::iter::once(&self.to).chain(&self.also)
    }

    /// The settings for each server by itself: [`ClientSettings::to`] is that one, the rest stays.
    pub fn per_server(&self) -> Vec<ClientSettings> {
        let alone = |own: &ServerUrl| {
            let also = self.servers().filter(|server| *server != own).cloned().collect();
            ClientSettings { to: own.clone(), also, ..self.clone() }
        };
        self.servers().map(alone).collect()
    }

    /// The monitor for which beats are sent: the one named, else this machine's host name.
    ///
    /// # Errors
    /// When none is named and the host name cannot be one.
    pub fn id_or_host(&self) -> Result<Id, ClientError> {
        if let Some(id) = &self.id {
            return Ok(id.clone());
        }
        let host = nix::unistd::gethostname().unwrap_or_default();
        Id::new(&host.to_string_lossy()).map_err(|error| {
            let host = host.to_string_lossy();
            ClientError::new(EX_USAGE, i18n::client::host_name_unfit(&host, &error))
        })
    }
}

/// The language of messages before there are settings.
pub fn language(args: &ClientArgs, env: &Env) -> Lang {
    choose_language(args.lang, None, env)
}

/// The flags that only some commands have.
#[derive(Default)]
struct CommandFlags {
    to: Vec<ServerUrl>,
    id: Option<Id>,
    every: Option<Span>,
    interval_max: Option<Span>,
    dialect: Option<DialectChoice>,
    on_down: Option<String>,
    on_up: Option<String>,
}

impl CommandFlags {
    fn of(task: &ClientTask) -> CommandFlags {
        match task.clone() {
            ClientTask::Send(send) => CommandFlags { id: send.id, ..CommandFlags::default() },
            ClientTask::Run(run) => CommandFlags { id: run.id, ..CommandFlags::default() },
            ClientTask::Install(install) => CommandFlags {
                to: install.servers,
                id: install.id,
                every: install.every,
                ..CommandFlags::default()
            },
            ClientTask::Agent(agent) => CommandFlags {
                to: Vec::new(),
                id: agent.id,
                every: agent.every,
                interval_max: agent.interval_max,
                dialect: agent.dialect,
                on_down: agent.on_down,
                on_up: agent.on_up,
            },
            _ => CommandFlags::default(),
        }
    }
}

/// Servers with white space between them. A unix path may hold some, so what is one URL as it stands is that one.
fn servers_of(text: &str) -> Result<Vec<ServerUrl>, ParseError> {
    match text.parse() {
        Ok(one) => Ok(vec![one]),
        Err(_) if text.split_whitespace().nth(1).is_some() => {
            text.split_whitespace().map(str::parse).collect()
        }
        Err(error) => Err(error),
    }
}

fn read(path: &Path, must_exist: bool, is_dispensable: bool, findings: &Findings) -> FileSettings {
    let mut draft = FileSettings::default();
    match file::fetch(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !must_exist && is_dispensable => {}
        fetched => file::parse(path, fetched, findings, |document, table| {
            document.table(table, "", KEYS, |_| None, &mut draft);
        }),
    }
    draft
}

/// Flags before variables.
struct ValueResolver<'a> {
    env: &'a Env,
    findings: &'a Findings,
}

impl ValueResolver<'_> {
    fn parsed<T>(
        &self,
        flag: Option<T>,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        flag.or_else(|| {
            let text = self.env.get(variable)?;
            let read = parse(&text.to_string_lossy());
            read.map_err(|reason| self.findings.reject(SettingOrigin::Named(variable), "", reason.into()))
                .ok()
        })
    }

    fn text(&self, flag: Option<String>, variable: &'static str) -> Option<String> {
        flag.or_else(|| self.env.get(variable).map(|text| text.to_string_lossy().into_owned()))
    }

    /// A path with the name of the flag or variable that gave it.
    fn path(
        &self,
        flag: Option<&Path>,
        name: &'static str,
        variable: &'static str,
    ) -> Option<(&'static str, PathBuf)> {
        match flag {
            Some(path) => Some((name, self.env.absolute(path))),
            None => self.env.get(variable).map(|path| (variable, self.env.absolute(Path::new(&path)))),
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
