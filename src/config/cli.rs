//! The command line: what somebody typed, word by word, and nothing more.
//!
//! There is one definition, [`Args`]; help, manual and completions are made from it. The Chinese help is the same
//! definition with its texts exchanged, see [`super::bilingual`] and [`server_help`]. Nothing here prints or exits: whoever calls gets either
//! the arguments or a [`CliExit`] with the text, where it belongs, and the exit code.

use super::Env;
pub use super::bilingual::CliExit;
use super::bilingual::{HelpTexts, language_of};
use super::language::LangChoice;
use crate::domain::address::ListenAddress;
use crate::domain::lang::Lang;
use crate::i18n::{self, ParseError, Text, server_help};
use crate::sys::firewall::plan::Backend;
use crate::sys::log::{Format, Target};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use ipnet::IpNet;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Everything that can be said on the command line.
#[derive(Clone, Debug, Default, PartialEq, Parser)]
#[command(
    name = "heartbeat-server",
    version,
    about = "receives heartbeats, writes every one down and knows who is alive",
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true,
    override_usage = USAGE_EN,
    after_help = AFTER_HELP_EN
)]
pub struct Args {
    /// HTTP port, 7777 when not given; replaces all HTTP listeners of the configuration
    #[arg(value_name = "PORT", value_parser = port)]
    pub port: Option<u16>,

    /// HTTP on PORT, HOST:PORT, [IPV6]:PORT, unix:PATH or off; repeatable; replaces as PORT does
    #[arg(long, value_name = "ADDR")]
    pub http: Vec<ListenChoice>,

    /// The same for raw TCP, 7778 when not given; replaces all TCP listeners of the configuration
    #[arg(long, value_name = "ADDR")]
    pub tcp: Vec<ListenChoice>,

    /// Read this configuration and the conf.d/*.toml beside it
    #[arg(short, long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Keep state in DIR
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,

    /// Log to stderr, journal, syslog or file:PATH; repeatable
    #[arg(long, value_name = "TARGET")]
    pub log: Vec<Target>,

    /// How log lines look: classic, text or json
    #[arg(long, value_name = "FORMAT", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(["classic", "text", "json"]).try_map(|s| Format::from_str(&s)))]
    pub log_format: Option<Format>,

    /// Language of log and messages: auto (by locale), en or zh
    #[arg(long, value_name = "LANG", global = true, hide_possible_values = true,
        value_parser = PossibleValuesParser::new(["auto", "en", "zh"]).try_map(|s| LangChoice::from_str(&s)))]
    pub lang: Option<LangChoice>,

    /// Go into the background, returning once the daemon is ready; logs to syslog unless told otherwise
    #[arg(short, long)]
    pub daemon: bool,

    /// With --daemon: write and lock this pid file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub pid_file: Option<PathBuf>,

    /// Become this user once the listening sockets are open
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username,
        value_parser = NonEmptyStringValueParser::new())]
    pub user: Option<String>,

    /// Become this group once the listening sockets are open
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub group: Option<String>,

    /// Log more; repeatable
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Log less; repeatable
    #[arg(short, long, action = ArgAction::Count)]
    pub quiet: u8,

    /// Print help
    #[arg(short = 'h', long, action = ArgAction::Help, global = true)]
    pub help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    pub version: Option<bool>,

    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Task>,
}

/// What to do instead of running.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Task {
    /// Read and check the configuration and print what would run; exit 78 when it is wrong
    #[command(disable_help_flag = true)]
    CheckConfig {
        /// The file to check [default: the one the daemon would read]
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// Check without files of secrets, certificates and credentials that are not here, as in CI
        #[arg(long)]
        offline: bool,
    },
    /// Open the ports of the configuration in the firewall, close them again, or say how they stand; needs root
    #[command(disable_help_flag = true)]
    Firewall(Firewall),
    /// Have the running daemon send a test message through a notifier; exit 0 when it was taken
    #[command(disable_help_flag = true)]
    TestAlert {
        /// The notifier's name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Print what packaging needs
    #[command(disable_help_flag = true, disable_help_subcommand = true)]
    Generate {
        /// Which of it.
        #[command(subcommand)]
        what: Product,
    },
}

/// What [`Task::Firewall`] shall do.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct Firewall {
    /// open, close or status
    #[arg(value_name = "ACTION", hide_possible_values = true)]
    pub action: FirewallAction,

    /// Only the ports of HTTP
    #[arg(long)]
    pub http: bool,

    /// Only the ports of raw TCP
    #[arg(long)]
    pub tcp: bool,

    /// auto, firewalld, ufw, nft, iptables or socketfilterfw
    #[arg(long, value_name = "NAME", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(["auto", "firewalld", "ufw", "nft", "iptables", "socketfilterfw"])
            .map(|name| BackendChoice(Backend::ALL.into_iter().find(|backend| backend.name() == name))))]
    pub backend: Option<BackendChoice>,

    /// Open to this network only, or close to it; repeatable
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub from: Vec<IpNet>,

    /// Print the commands and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What to do about the firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FirewallAction {
    /// Let clients in.
    Open,
    /// Take out what `open` made.
    Close,
    /// Say how it stands.
    Status,
}

/// A NAME of `--backend`; nothing stands for `auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackendChoice(pub Option<Backend>);

/// What [`Task::Generate`] can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Product {
    /// The manual page heartbeat-server(8)
    #[command(disable_help_flag = true)]
    Man,
    /// Completions for bash, zsh or fish
    #[command(disable_help_flag = true)]
    Completions {
        /// bash, zsh or fish
        #[arg(value_name = "SHELL", hide_possible_values = true)]
        shell: Shell,
    },
    /// The sample configuration with every key explained
    #[command(disable_help_flag = true)]
    Config,
}

/// A shell for which completions can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// Z shell.
    Zsh,
    /// fish.
    Fish,
}

/// An ADDR of `--http` or `--tcp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenChoice {
    /// `off`: none.
    Off,
    /// An address.
    At(ListenAddress),
}

/// The variables of the environment and the options they stand for, as the manual lists them.
pub const VARIABLES: &[(&str, &str)] = &[
    ("HEARTBEAT_HTTP", "--http"),
    ("HEARTBEAT_TCP", "--tcp"),
    ("HEARTBEAT_CONFIG", "--config"),
    ("HEARTBEAT_STATE_DIR", "--state-dir"),
    ("HEARTBEAT_LOG", "--log"),
    ("HEARTBEAT_LOG_FORMAT", "--log-format"),
    ("HEARTBEAT_LANG", "--lang"),
    ("HEARTBEAT_DAEMON", "--daemon"),
    ("HEARTBEAT_PID_FILE", "--pid-file"),
    ("HEARTBEAT_USER", "--user"),
    ("HEARTBEAT_GROUP", "--group"),
    ("HEARTBEAT_VERBOSE", "--verbose"),
    ("HEARTBEAT_QUIET", "--quiet"),
];

/// Most networks that one command may name: each is a rule that packets are held against.
const FROM_MAX: usize = 64;

const USAGE_EN: &str = "heartbeat-server [OPTIONS] [PORT]
       heartbeat-server [OPTIONS] check-config [FILE]
       heartbeat-server [OPTIONS] firewall open|close|status [--from CIDR]... [--dry-run]
       heartbeat-server [OPTIONS] test-alert NAME
       heartbeat-server generate man|completions SHELL|config";

const AFTER_HELP_EN: &str = "\
Every option is also a variable of the environment: HEARTBEAT_HTTP for --http and so on.
Manual: heartbeat-server(8), heartbeat-server.toml(5)";

/// Its other language.
const TEXTS: HelpTexts = HelpTexts {
    about_zh: server_help::ABOUT_ZH,
    after_help_zh: server_help::AFTER_HELP_ZH,
    usage_en: USAGE_EN,
    usage_zh: server_help::USAGE_ZH,
    help_zh: server_help::HELP_ZH,
};

/// Reads a command line; the first word is the program's name.
pub fn parse(words: impl IntoIterator<Item = OsString>, env: &Env) -> Result<Args, CliExit> {
    let words: Vec<OsString> = words.into_iter().collect();
    let lang = language_of(&words, env);
    let mut command = command(lang);
    let read = command.try_get_matches_from_mut(words).and_then(|matches| Args::from_arg_matches(&matches));
    let args = read.map_err(|error| TEXTS.exit_of(&error, lang))?;
    match contradiction(&args) {
        None => Ok(args),
        Some(text) => Err(TEXTS.usage_error(text.say(lang), lang)),
    }
}

/// The definition of the command line with its texts in one language.
pub fn command(lang: Lang) -> Command {
    TEXTS.speak(Args::command(), lang)
}

/// What clap's rules do not express.
fn contradiction(args: &Args) -> Option<Text> {
    let off = |choices: &[ListenChoice]| choices.contains(&ListenChoice::Off) && choices.len() > 1;
    match &args.command {
        _ if args.port.is_some() && !args.http.is_empty() => Some(i18n::config::PORT_HTTP_CANNOT_USED.into()),
        Some(_) if args.port.is_some() => Some(i18n::config::PORT_CANNOT_USED_COMMAND.into()),
        Some(Task::CheckConfig { file: Some(_), .. }) if args.config.is_some() => {
            Some(i18n::config::FILE_CONFIG_CANNOT_USED.into())
        }
        Some(Task::Firewall(firewall)) => firewall.contradiction(),
        _ if off(&args.http) => Some(i18n::config::HTTP_OFF_STANDS_ALONE.into()),
        _ if off(&args.tcp) => Some(i18n::config::TCP_OFF_STANDS_ALONE.into()),
        _ => None,
    }
}

impl Firewall {
    fn contradiction(&self) -> Option<Text> {
        if self.action == FirewallAction::Status && !self.from.is_empty() {
            return Some(i18n::config::FROM_GOES_OPEN_CLOSE.into());
        }
        if self.from.len() > FROM_MAX {
            return Some(i18n::config::most_times_from(&FROM_MAX));
        }
        None
    }
}

/// A port alone: digits, not an address. What is neither was probably meant as a command.
fn port(text: &str) -> Result<u16, ParseError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(ListenAddress::Any(port)) if digits => Ok(port),
        _ if !digits => Err(ParseError::NotPortNorCommand),
        _ => Err(ParseError::NotPort),
    }
}

/// A network, or an address as a network of one; what lies behind its length is cut off.
fn network(text: &str) -> Result<IpNet, ParseError> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    match text.parse::<IpNet>().or_else(|_| address()) {
        Ok(net) if net.prefix_len() == 0 => Err(ParseError::EveryNetwork),
        Ok(net) => Ok(net.trunc()),
        Err(_) => Err(ParseError::NotNetwork),
    }
}

impl FromStr for ListenChoice {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<ListenChoice, ParseError> {
        if text == "off" { Ok(ListenChoice::Off) } else { text.parse().map(ListenChoice::At) }
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
