//! The command line: what somebody typed, word by word, and nothing more.
//!
//! There is one definition, [`Args`]; help, manual and completions are made from it. The Chinese help is the same
//! definition with its texts exchanged, see [`super::words`]. Nothing here prints or exits: whoever calls gets either
//! the arguments or a [`CliExit`] with the text, where it belongs, and the exit code.

use super::Env;
use super::fault::{EX_USAGE, Text};
use super::language::{LangChoice, choose_language};
use super::words;
use crate::domain::address::ListenAddress;
use crate::domain::lang::Lang;
use crate::sys::log::{Format, Target};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use std::ffi::OsString;
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
    /// HTTP port, 7777 when not given; replaces all listeners of the configuration
    #[arg(value_name = "PORT", value_parser = port)]
    pub port: Option<u16>,

    /// Listen on PORT, HOST:PORT, [IPV6]:PORT, unix:PATH or off; repeatable; replaces as PORT does
    #[arg(long, value_name = "ADDR")]
    pub http: Vec<HttpChoice>,

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
    },
    /// Print what packaging needs
    #[command(disable_help_flag = true, disable_help_subcommand = true)]
    Generate {
        /// Which of it.
        #[command(subcommand)]
        what: Product,
    },
}

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

/// An ADDR of `--http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpChoice {
    /// `off`: no HTTP.
    Off,
    /// An address.
    At(ListenAddress),
}

/// Why the program ends before it has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliExit {
    /// 0 after `--help` and `--version`, 64 for a wrong command line.
    pub code: u8,
    /// What to print; ends with a newline.
    pub text: String,
    /// Whether it belongs on standard output, else on standard error.
    pub to_stdout: bool,
}

/// The variables of the environment and the options they stand for, as the manual lists them.
pub const VARIABLES: &[(&str, &str)] = &[
    ("HEARTBEAT_HTTP", "--http"),
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

const USAGE_EN: &str = "heartbeat-server [OPTIONS] [PORT]
       heartbeat-server [OPTIONS] check-config [FILE]
       heartbeat-server generate man|completions SHELL|config";

const AFTER_HELP_EN: &str = "\
Every option is also a variable of the environment: HEARTBEAT_HTTP for --http and so on.
Manual: heartbeat-server(8), heartbeat-server.toml(5)";

const AFTER_HELP_ZH: &str = "\
每个选项也可用环境变量设置：--http 对应 HEARTBEAT_HTTP，依此类推。
手册：heartbeat-server(8)、heartbeat-server.toml(5)";

/// Usage lines in Chinese, by command.
const USAGE_ZH: &[(&str, &str)] = &[
    (
        "",
        "heartbeat-server [选项] [端口]
      heartbeat-server [选项] check-config [文件]
      heartbeat-server generate man|completions SHELL|config",
    ),
    ("check-config", "heartbeat-server check-config [选项] [文件]"),
    ("generate", "heartbeat-server generate man|completions SHELL|config"),
    ("generate man", "heartbeat-server generate man"),
    ("generate completions", "heartbeat-server generate completions bash|zsh|fish"),
    ("generate config", "heartbeat-server generate config"),
];

const TEMPLATE_ZH: &str = "{about-with-newline}
用法：{usage}

{all-args}{after-help}";

/// Reads a command line; the first word is the program's name.
pub fn parse(words: impl IntoIterator<Item = OsString>, env: &Env) -> Result<Args, CliExit> {
    let words: Vec<OsString> = words.into_iter().collect();
    let lang = language_of(&words, env);
    let mut command = command(lang);
    let read = command.try_get_matches_from_mut(words).and_then(|matches| Args::from_arg_matches(&matches));
    let args = read.map_err(|error| exit_of(&error, lang))?;
    match contradiction(&args) {
        None => Ok(args),
        Some(text) => Err(usage_error(text.say(lang), lang)),
    }
}

/// The definition of the command line with its texts in one language.
pub fn command(lang: Lang) -> Command {
    match lang {
        Lang::En => Args::command(),
        Lang::Zh => in_chinese(Args::command(), "").about(words::ABOUT_ZH).after_help(AFTER_HELP_ZH),
    }
}

/// What clap's rules do not express.
fn contradiction(args: &Args) -> Option<Text> {
    let off = args.http.contains(&HttpChoice::Off);
    match &args.command {
        _ if args.port.is_some() && !args.http.is_empty() => Some(Text::new(
            "PORT and --http cannot be used together: write --http PORT",
            "端口与 --http 不能同时使用：请写 --http 端口",
        )),
        Some(_) if args.port.is_some() => {
            Some(Text::new("PORT cannot be used with a command", "端口不能与子命令同时使用"))
        }
        Some(Task::CheckConfig { file: Some(_) }) if args.config.is_some() => Some(Text::new(
            "FILE and --config cannot be used together: they name the same thing",
            "文件参数与 --config 不能同时使用：二者含义相同",
        )),
        _ if off && args.http.len() > 1 => {
            Some(Text::new("--http off stands alone", "--http off 只能单独使用"))
        }
        _ => None,
    }
}

/// The language for help and complaints, which are wanted before anything is parsed.
fn language_of(words: &[OsString], env: &Env) -> Lang {
    let mut choice = None;
    let mut words = words.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--lang") {
            Some("") => words.next().map(|value| value.to_string()),
            Some(rest) => rest.strip_prefix('=').map(str::to_string),
            None => None,
        };
        choice = value.and_then(|value| value.parse().ok()).or(choice);
    }
    choose_language(choice, None, env)
}

/// A port alone: digits, not an address. What is neither was probably meant as a command.
fn port(text: &str) -> Result<u16, &'static str> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(ListenAddress::Any(port)) if digits => Ok(port),
        _ if !digits => Err("neither a port nor a command"),
        _ => Err("not a port: write a number from 1 to 65535"),
    }
}

impl FromStr for HttpChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<HttpChoice, &'static str> {
        if text == "off" { Ok(HttpChoice::Off) } else { text.parse().map(HttpChoice::At) }
    }
}

/// Exchanges the texts of a command and of all below it; `path` is its name without the program's.
fn in_chinese(command: Command, path: &str) -> Command {
    let text =
        |arg: &str| words::HELP_ZH.iter().find(|(p, a, _)| *p == path && *a == arg).map(|(_, _, text)| *text);
    let mut command = command
        .help_template(TEMPLATE_ZH)
        .subcommand_help_heading("命令")
        .mut_args(|arg| {
            let heading = if arg.is_positional() { "参数" } else { "选项" };
            let help = text(arg.get_id().as_str());
            let arg = arg.help_heading(heading);
            match help {
                Some(help) => arg.help(help),
                None => arg,
            }
        })
        .mut_subcommands(|sub| {
            let below = format!("{path} {}", sub.get_name());
            in_chinese(sub, below.trim_start())
        });
    if let Some(about) = text("") {
        command = command.about(about);
    }
    match USAGE_ZH.iter().find(|(p, _)| *p == path) {
        Some((_, usage)) => command.override_usage(*usage),
        None => command,
    }
}

/// What clap wants to say, with our exit codes and in the caller's language.
fn exit_of(error: &clap::Error, lang: Lang) -> CliExit {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => CliExit { code: 0, text, to_stdout: true },
        _ if lang == Lang::En || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            CliExit { code: EX_USAGE, text, to_stdout: false }
        }
        _ => usage_error(&reason_zh(error), lang),
    }
}

fn usage_error(reason: &str, lang: Lang) -> CliExit {
    let text = match lang {
        Lang::En => format!("error: {reason}\n\nUsage: {USAGE_EN}\n\nFor more information, try '--help'.\n"),
        Lang::Zh => format!("错误：{reason}\n\n用法：{}\n\n更多信息请用 --help 查看。\n", USAGE_ZH[0].1),
    };
    CliExit { code: EX_USAGE, text, to_stdout: false }
}

/// clap's complaint in Chinese, from its kind and what it says it is about.
fn reason_zh(error: &clap::Error) -> String {
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join("、"),
        _ => String::new(),
    };
    let (arg, value) = (said(ContextKind::InvalidArg), said(ContextKind::InvalidValue));
    match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => format!("{arg} 缺少值"),
        ErrorKind::InvalidValue => {
            format!("{arg} 的值 '{value}' 无效，可用的值：{}", said(ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation => {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            let cause = words::domain_zh(&cause).map_or(cause.clone(), str::to_string);
            format!("{arg} 的值 '{value}' 无效：{cause}")
        }
        ErrorKind::UnknownArgument => match said(ContextKind::SuggestedArg) {
            near if near.is_empty() => format!("未知的参数 {arg}"),
            near => format!("未知的参数 {arg}；是否想写 {near}？"),
        },
        ErrorKind::InvalidSubcommand => format!("未知的命令 {}", said(ContextKind::InvalidSubcommand)),
        ErrorKind::ArgumentConflict => match said(ContextKind::PriorArg) {
            prior if prior.is_empty() || prior == arg => format!("{arg} 不能重复"),
            prior => format!("{arg} 不能与 {prior} 同时使用"),
        },
        ErrorKind::MissingRequiredArgument => format!("缺少参数 {arg}"),
        ErrorKind::MissingSubcommand => "缺少命令".to_string(),
        _ => error.render().to_string().lines().next().unwrap_or_default().replace("error: ", ""),
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
