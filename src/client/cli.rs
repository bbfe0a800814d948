//! The command line of `heartbeat`: its definition, and what was typed.
//!
//! There is one definition, [`ClientArgs`]; help, manual and completions are made from it. Chinese texts stand in
//! [`client_help`]. Nothing here prints or exits.

use super::run::name::advice;
use super::server_url::ServerUrl;
use crate::config::Env;
use crate::config::bilingual::{CliExit, HelpTexts, TextError, language_of};
use crate::config::cli::Shell;
use crate::config::language::LangChoice;
use crate::domain::beat::Status;
use crate::domain::id::{Id, IdError};
use crate::domain::lang::Lang;
use crate::domain::limits::{INTERVAL_MAX, INTERVAL_MIN};
use crate::domain::time::Span;
use crate::i18n::{ParseError, Text, client_help};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{
    ArgAction, Args as Group, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint,
};
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

/// The command line.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(
    name = "heartbeat",
    version,
    about = "sends heartbeats, wraps jobs in them, and asks the server who is alive",
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    override_usage = USAGE_EN,
    after_help = AFTER_HELP_EN
)]
pub struct ClientArgs {
    /// The server: http://, https://, tcp://, tls://, ws:// or wss:// and HOST[:PORT], or unix:PATH; repeatable
    #[arg(long, value_name = "URL", global = true, value_hint = ValueHint::Url)]
    pub to: Vec<ServerUrl>,

    /// Read this configuration [default: /etc/heartbeat-client/heartbeat-client.toml]
    #[arg(short, long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// How long an answer may take [default: 10s]
    #[arg(long, value_name = "DURATION", global = true, value_parser = timeout)]
    pub timeout: Option<Span>,

    /// Show the server the token in this file
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,

    /// Trust these certificate authorities (PEM) instead of the system's
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub ca: Option<PathBuf>,

    /// Show the server this certificate (PEM), with --key
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub cert: Option<PathBuf>,

    /// The private key (PEM) of --cert
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,

    /// Language of output, log and messages: auto (by locale), en or zh
    #[arg(long, value_name = "LANG", global = true, hide_possible_values = true,
        value_parser = PossibleValuesParser::new(["auto", "en", "zh"]).try_map(|s| LangChoice::from_str(&s)))]
    pub lang: Option<LangChoice>,

    /// Print help
    #[arg(short = 'h', long, action = ArgAction::Help, global = true)]
    pub help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    pub version: Option<bool>,

    /// What to do.
    #[command(subcommand)]
    pub command: ClientTask,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum ClientTask {
    /// Send one beat; exit 0 only when the server has acknowledged it
    #[command(disable_help_flag = true)]
    Send(SendArgs),
    /// Send beats for as long as it runs, and notice when the server is dead
    #[command(disable_help_flag = true)]
    Agent(AgentArgs),
    /// Run a job and report its start, its exit code and the end of its output
    #[command(disable_help_flag = true)]
    Run(RunArgs),
    /// Set this machine up to send beats: configuration, service, first beat
    #[command(disable_help_flag = true)]
    Install(InstallArgs),
    /// List monitors
    #[command(disable_help_flag = true)]
    List(ListArgs),
    /// Show one monitor
    #[command(disable_help_flag = true)]
    Show(ShowArgs),
    /// Show monitors as they change, until Ctrl-C
    #[command(disable_help_flag = true)]
    Watch(WatchArgs),
    /// Set a monitor aside: its silence is not held against it
    #[command(disable_help_flag = true)]
    Pause(PauseArgs),
    /// End a pause
    #[command(disable_help_flag = true)]
    Resume(MonitorArgs),
    /// Remove a monitor; its next beat makes it anew
    #[command(disable_help_flag = true)]
    Remove(MonitorArgs),
    /// Print what packaging needs
    #[command(disable_help_flag = true, disable_help_subcommand = true)]
    Generate {
        /// Which of it.
        #[command(subcommand)]
        what: ClientProduct,
    },
}

/// `heartbeat send`.
#[derive(Clone, Debug, Default, PartialEq, Group)]
pub struct SendArgs {
    /// The monitor [default: this machine's host name]
    #[arg(long, value_name = "ID", value_parser = job_id)]
    pub id: Option<Id>,

    /// ok, fail, start, log or an exit code [default: ok]
    #[arg(long, value_name = "STATUS", value_parser = status, allow_negative_numbers = true)]
    pub status: Option<Status>,

    /// A text for people; of one longer than 10000 bytes the middle is left out
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,

    /// The interval to be held to from now on
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub interval: Option<Span>,

    /// How late after that the next beat may be
    #[arg(long, value_name = "DURATION", value_parser = grace)]
    pub grace: Option<Span>,

    /// Tags of the monitor, parted by commas
    #[arg(long, value_name = "TAGS", value_parser = tags)]
    pub tags: Option<Tags>,

    /// Ties the start and the end of one run together
    #[arg(long, value_name = "RUN")]
    pub rid: Option<String>,
}

/// `heartbeat agent`.
#[derive(Clone, Debug, Default, PartialEq, Group)]
pub struct AgentArgs {
    /// The monitor [default: this machine's host name]
    #[arg(long, value_name = "ID", value_parser = job_id)]
    pub id: Option<Id>,

    /// How often to send a beat; the server may ask for less often [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub every: Option<Span>,

    /// The longest interval it obeys [default: ten times its own, at most 1h]
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub interval_max: Option<Span>,

    /// What to speak over raw TCP: auto, line, pong, hello or frame [default: auto]
    #[arg(long, value_name = "DIALECT", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(DialectChoice::NAMES).try_map(|s| DialectChoice::from_str(&s)))]
    pub dialect: Option<DialectChoice>,

    /// Run this in a shell when the server is found dead
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub on_down: Option<String>,

    /// Run this in a shell when it answers again
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub on_up: Option<String>,

    /// Log more; repeatable
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Log less; repeatable
    #[arg(short, long, action = ArgAction::Count)]
    pub quiet: u8,
}

/// `heartbeat run`.
#[derive(Clone, Debug, Default, PartialEq, Group)]
pub struct RunArgs {
    /// The monitor
    #[arg(long, value_name = "ID", value_parser = job_id)]
    pub id: Option<Id>,

    /// How long to go on trying to report the result [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    pub retry_for: Option<Span>,

    /// The job and its arguments; no shell reads them
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true,
        value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// `heartbeat install`.
#[derive(Clone, Debug, Default, PartialEq, Group)]
pub struct InstallArgs {
    /// The server, as with --to; or several
    #[arg(value_name = "URL", value_hint = ValueHint::Url, conflicts_with = "to")]
    pub servers: Vec<ServerUrl>,

    /// The monitor [default: this machine's host name]
    #[arg(long, value_name = "ID", value_parser = job_id)]
    pub id: Option<Id>,

    /// How often to send a beat [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub every: Option<Span>,
}

/// Which monitors are meant.
#[derive(Clone, Debug, Default, PartialEq, Group)]
pub struct MonitorFilter {
    /// Only monitors in this state: new, up, late, down or paused
    #[arg(long, value_name = "STATE", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(STATES))]
    pub state: Option<String>,

    /// Only monitors whose id holds this text or fits this pattern
    #[arg(long = "match", value_name = "PATTERN")]
    pub matching: Option<String>,
}

/// `heartbeat list`.
#[derive(Clone, Debug, Default, PartialEq, Group)]
pub struct ListArgs {
    /// Which.
    #[command(flatten)]
    pub filter: MonitorFilter,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `heartbeat show`.
#[derive(Clone, Debug, Default, PartialEq, Group)]
pub struct ShowArgs {
    /// The monitor
    #[arg(value_name = "ID")]
    pub id: String,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `heartbeat watch`.
#[derive(Clone, Debug, Default, PartialEq, Group)]
pub struct WatchArgs {
    /// Which.
    #[command(flatten)]
    pub filter: MonitorFilter,
}

/// `heartbeat pause`.
#[derive(Clone, Debug, PartialEq, Group)]
pub struct PauseArgs {
    /// The monitor
    #[arg(value_name = "ID", value_parser = id)]
    pub id: Id,

    /// For how long [default: until resumed]
    #[arg(long = "for", value_name = "DURATION", value_parser = interval)]
    pub span: Option<Span>,
}

/// A command about one monitor.
#[derive(Clone, Debug, PartialEq, Group)]
pub struct MonitorArgs {
    /// The monitor
    #[arg(value_name = "ID", value_parser = id)]
    pub id: Id,
}

/// What [`ClientTask::Generate`] can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum ClientProduct {
    /// The manual page heartbeat(1)
    #[command(disable_help_flag = true)]
    Man,
    /// Completions for bash, zsh or fish
    #[command(disable_help_flag = true)]
    Completions {
        /// bash, zsh or fish
        #[arg(value_name = "SHELL", hide_possible_values = true)]
        shell: Shell,
    },
}

/// What is spoken over raw TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DialectChoice {
    /// Lines, unless the other side speaks first with `ping`; then only `pong`.
    #[default]
    Auto,
    /// `BEAT …` and `OK …`.
    Line,
    /// `pong` to each `ping`.
    Pong,
    /// `hello server`; any answer is a sign of life.
    Hello,
    /// Eight bytes without an answer.
    Frame,
}

/// Labels of a monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<String>);

/// The variables of the environment and the options they stand for, as the manual lists them.
pub const VARIABLES: &[(&str, &str)] = &[
    ("HEARTBEAT_URL", "--to"),
    ("HEARTBEAT_CLIENT_CONFIG", "--config"),
    ("HEARTBEAT_ID", "--id"),
    ("HEARTBEAT_EVERY", "--every"),
    ("HEARTBEAT_INTERVAL_MAX", "--interval-max"),
    ("HEARTBEAT_TIMEOUT", "--timeout"),
    ("HEARTBEAT_DIALECT", "--dialect"),
    ("HEARTBEAT_ON_DOWN", "--on-down"),
    ("HEARTBEAT_ON_UP", "--on-up"),
    ("HEARTBEAT_TOKEN_FILE", "--token-file"),
    ("HEARTBEAT_CA", "--ca"),
    ("HEARTBEAT_CERT", "--cert"),
    ("HEARTBEAT_KEY", "--key"),
    ("HEARTBEAT_LANG", "--lang"),
];

const STATES: [&str; 5] = ["new", "up", "late", "down", "paused"];

const USAGE_EN: &str = "heartbeat send [--id ID] [--status STATUS] [-m TEXT]
       heartbeat agent [--id ID] [--every 30s] [--on-down CMD] [--on-up CMD]
       heartbeat run [--id ID] -- COMMAND...
       heartbeat install [URL...] [--every 60s]
       heartbeat list | show ID | watch | pause ID [--for 2h] | resume ID | remove ID";

const AFTER_HELP_EN: &str = "\
Without --to: $HEARTBEAT_URL, then the configuration, then http://localhost:7777.
Manual: heartbeat(1)";

/// Its other language.
const TEXTS: HelpTexts = HelpTexts {
    about_zh: client_help::ABOUT_ZH,
    after_help_zh: client_help::AFTER_HELP_ZH,
    usage_en: USAGE_EN,
    usage_zh: client_help::USAGE_ZH,
    help_zh: client_help::HELP_ZH,
};

/// Reads a command line; the first word is the program's name.
pub fn parse(words: impl IntoIterator<Item = OsString>, env: &Env) -> Result<ClientArgs, CliExit> {
    let words: Vec<OsString> = words.into_iter().collect();
    let lang = language_of(&words, env);
    let mut command = command(lang);
    let read =
        command.try_get_matches_from_mut(words).and_then(|matches| ClientArgs::from_arg_matches(&matches));
    read.map_err(|error| TEXTS.exit_of(&error, lang))
}

/// The language of errors before the command line is parsed.
pub(super) fn language(words: &[OsString], env: &Env) -> Lang {
    language_of(words, env)
}

/// The definition of the command line with its texts in one language.
pub fn command(lang: Lang) -> Command {
    TEXTS.speak(ClientArgs::command(), lang)
}

impl DialectChoice {
    /// The names of all.
    pub const NAMES: [&str; 5] = ["auto", "line", "pong", "hello", "frame"];
}

impl FromStr for DialectChoice {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<DialectChoice, ParseError> {
        match text {
            "auto" => Ok(DialectChoice::Auto),
            "line" => Ok(DialectChoice::Line),
            "pong" => Ok(DialectChoice::Pong),
            "hello" => Ok(DialectChoice::Hello),
            "frame" => Ok(DialectChoice::Frame),
            _ => Err(ParseError::NotDialect),
        }
    }
}

/// What may name a monitor that exists.
fn id(text: &str) -> Result<Id, IdError> {
    Id::new(text)
}

/// The same for one that its beats may make. Names that only earlier versions gave pass: whether there is such a monitor
/// the server knows.
fn job_id(text: &str) -> Result<Id, TextError> {
    Id::new(text).map_err(|error| TextError(Text::from(error.word()).and(&advice(text))))
}

/// An interval that the server accepts.
pub(super) fn interval(text: &str) -> Result<Span, ParseError> {
    within(text, INTERVAL_MIN, INTERVAL_MAX, ParseError::IntervalRange)
}

fn grace(text: &str) -> Result<Span, ParseError> {
    within(text, Span(0), INTERVAL_MAX, ParseError::IntervalRange)
}

/// How long something may take.
pub(super) fn timeout(text: &str) -> Result<Span, ParseError> {
    within(text, Span(100), Span::secs(86_400), ParseError::TimeoutRange)
}

fn within(text: &str, least: Span, most: Span, reason: ParseError) -> Result<Span, ParseError> {
    let span = Span::parse(text)?;
    if (least..=most).contains(&span) { Ok(span) } else { Err(reason) }
}

fn status(text: &str) -> Result<Status, ParseError> {
    match text {
        "ok" => Ok(Status::Ok),
        "fail" => Ok(Status::Fail),
        "start" => Ok(Status::Start),
        "log" => Ok(Status::Log),
        code => code.parse().map(Status::Exit).map_err(|_| ParseError::NotStatus),
    }
}

/// Infallible: the server leaves out invalid tags with a warning.
fn tags(text: &str) -> Result<Tags, ParseError> {
    let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_string);
    Ok(Tags(tags.collect()))
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
