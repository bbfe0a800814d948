//! A command line in two languages: clap knows one definition, in English, and this exchanges its texts.
//!
//! Both programs use it, each with tables of its own. Nothing here prints or exits.

use super::Env;
use super::error::EX_USAGE;
use super::language::choose_language;
use crate::domain::id::IdError;
use crate::domain::lang::Lang;
use crate::i18n::{self, ParseError, Text};
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};

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

impl CliExit {
    /// Prints the text where it belongs; returns the exit code, 74 where nothing takes it.
    pub fn tell(&self) -> u8 {
        let written = if self.to_stdout {
            io::stdout().write_all(self.text.as_bytes())
        } else {
            io::stderr().write_all(self.text.as_bytes())
        };
        if written.is_ok() { self.code } else { 74 }
    }
}

/// What a program says besides what clap has by itself.
pub(crate) struct HelpTexts {
    /// What the program is, in Chinese.
    pub(crate) about_zh: &'static str,
    /// The last lines of its help, in Chinese.
    pub(crate) after_help_zh: &'static str,
    /// Its usage, for complaints that clap does not make.
    pub(crate) usage_en: &'static str,
    /// Usage lines in Chinese, by command; the first is that of the program itself.
    pub(crate) usage_zh: &'static [(&'static str, &'static str)],
    /// Help texts in Chinese: command (empty: the program itself), argument (empty: the command), text.
    pub(crate) help_zh: &'static [(&'static str, &'static str, &'static str)],
}

impl HelpTexts {
    /// A definition with its texts in one language.
    pub(crate) fn speak(&self, english: Command, lang: Lang) -> Command {
        match lang {
            Lang::En => english,
            Lang::Zh => self.in_chinese(english, "").about(self.about_zh).after_help(self.after_help_zh),
        }
    }

    /// Exchanges the texts of a command and of all below it; `path` is its name without the program's.
    fn in_chinese(&self, command: Command, path: &str) -> Command {
        let text = |arg: &str| {
            self.help_zh.iter().find(|(p, a, _)| *p == path && *a == arg).map(|(_, _, text)| *text)
        };
        let mut command = command
            .help_template(i18n::cli::TEMPLATE_ZH)
            .subcommand_help_heading(i18n::cli::COMMANDS_ZH)
            .mut_args(|arg| {
                let heading =
                    if arg.is_positional() { i18n::cli::ARGUMENTS_ZH } else { i18n::cli::OPTIONS_ZH };
                let help = text(arg.get_id().as_str());
                let arg = arg.help_heading(heading);
                match help {
                    Some(help) => arg.help(help),
                    None => arg,
                }
            })
            .mut_subcommands(|sub| {
                let below = format!("{path} {}", sub.get_name());
                self.in_chinese(sub, below.trim_start())
            });
        if let Some(about) = text("") {
            command = command.about(about);
        }
        match self.usage_zh.iter().find(|(p, _)| *p == path) {
            Some((_, usage)) => command.override_usage(*usage),
            None => command,
        }
    }

    /// What clap wants to say, with our exit codes and in the caller's language.
    pub(crate) fn exit_of(&self, error: &clap::Error, lang: Lang) -> CliExit {
        let text = error.render().to_string();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => CliExit { code: 0, text, to_stdout: true },
            _ if lang == Lang::En || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                CliExit { code: EX_USAGE, text, to_stdout: false }
            }
            _ => self.usage_error(&self.complaint_zh(error), lang),
        }
    }

    pub(crate) fn usage_error(&self, reason: &str, lang: Lang) -> CliExit {
        let text = i18n::config::error_usage_more_information(&reason, &self.usage_en, &self.usage_zh[0].1)
            .in_lang(lang);
        CliExit { code: EX_USAGE, text, to_stdout: false }
    }
    /// clap's complaint in Chinese, from its kind and what it says it is about.
    fn complaint_zh(&self, error: &clap::Error) -> String {
        let said = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => text.clone(),
            Some(ContextValue::Strings(texts)) => texts.join(i18n::config::COMMA.in_lang(Lang::Zh)),
            _ => String::new(),
        };
        let (arg, value) = (said(ContextKind::InvalidArg), said(ContextKind::InvalidValue));
        use i18n::cli;
        match error.kind() {
            ErrorKind::InvalidValue if value.is_empty() => cli::value_missing(&arg),
            ErrorKind::InvalidValue => cli::value_not_among(&arg, &value, &said(ContextKind::ValidValue)),
            ErrorKind::ValueValidation => {
                let cause = std::error::Error::source(error).map(in_chinese).unwrap_or_default();
                cli::value_wrong(&arg, &value, &cause)
            }
            ErrorKind::UnknownArgument => match said(ContextKind::SuggestedArg) {
                near if near.is_empty() => cli::argument_unknown(&arg),
                near => cli::argument_unknown_near(&arg, &near),
            },
            ErrorKind::InvalidSubcommand => cli::command_unknown(&said(ContextKind::InvalidSubcommand)),
            ErrorKind::ArgumentConflict => match said(ContextKind::PriorArg) {
                prior if prior.is_empty() || prior == arg => cli::argument_twice(&arg),
                prior => cli::argument_conflict(&arg, &prior),
            },
            ErrorKind::MissingRequiredArgument => cli::argument_missing(&arg),
            ErrorKind::MissingSubcommand => cli::COMMAND_MISSING_ZH.to_string(),
            _ => error.render().to_string().lines().next().unwrap_or_default().replace("error: ", ""),
        }
    }
}

/// What a reader of ours says against a value.
fn in_chinese(error: &(dyn std::error::Error + 'static)) -> String {
    let known = |error: &(dyn std::error::Error + 'static)| -> Option<Text> {
        let parse = error.downcast_ref::<ParseError>().map(|error| (*error).into());
        let id = || error.downcast_ref::<IdError>().map(|error| error.word().into());
        parse.or_else(id).or_else(|| error.downcast_ref::<TextError>().map(|error| error.0.clone()))
    };
    known(error).map_or_else(|| error.to_string(), |text| text.in_lang(Lang::Zh))
}

/// Why a value is not taken, in all languages.
#[derive(Clone, Debug)]
pub(crate) struct TextError(pub(crate) Text);

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.say(Lang::En))
    }
}

impl std::error::Error for TextError {}

/// The language for help and complaints, which are wanted before anything is parsed.
pub(crate) fn language_of(words: &[OsString], env: &Env) -> Lang {
    let mut choice = None;
    // Behind `--` stands what is somebody else's to read.
    let mut words = words.iter().skip(1).map(|word| word.to_string_lossy()).take_while(|word| word != "--");
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
