//! `heartbeat generate`: the manual page and the completions, for packaging.
//!
//! Every option and its text come from the definition of the command line, so the manual cannot drift from it; what the
//! definition does not know (how the agent behaves, files, exit codes) stands in the templates, see [`manual`].

use super::cli::{self, ClientProduct};
use crate::config::cli::Shell;
use crate::config::language::LangChoice;
use crate::config::manual;
use crate::domain::lang::Lang;
use std::io::{self, Write};

/// Prints one product; the manual is English unless a language is asked for.
///
/// # Errors
/// Only those of writing.
pub fn run(product: ClientProduct, lang: Option<LangChoice>, out: &mut dyn Write) -> io::Result<()> {
    match product {
        ClientProduct::Man => out.write_all(man(LangChoice::or_english(lang)).as_bytes())?,
        ClientProduct::Completions { shell } => {
            let dialect = match shell {
                Shell::Bash => clap_complete::Shell::Bash,
                Shell::Zsh => clap_complete::Shell::Zsh,
                Shell::Fish => clap_complete::Shell::Fish,
            };
            // The generator panics when writing fails, a closed pipe included; a buffer does not fail.
            let mut script = Vec::new();
            clap_complete::generate(dialect, &mut cli::command(Lang::En), "heartbeat", &mut script);
            out.write_all(&script)?;
        }
    }
    out.flush()
}

/// heartbeat(1) in roff.
fn man(lang: Lang) -> String {
    let template = match lang {
        Lang::En => include_str!("../../man/heartbeat.1.in"),
        Lang::Zh => include_str!("../../man/zh_CN/heartbeat.1.in"),
    };
    manual::page(template, &cli::command(lang), cli::VARIABLES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::config;
    use crate::config::manual::testing::{compare_shipped, missing, skeleton};

    const MAN_1: [(Lang, &str); 2] = [
        (Lang::En, include_str!("../../man/heartbeat.1")),
        (Lang::Zh, include_str!("../../man/zh_CN/heartbeat.1")),
    ];

    #[test]
    fn the_shipped_files_are_those_that_the_program_makes() {
        compare_shipped("man/heartbeat.1", &man(Lang::En));
        compare_shipped("man/zh_CN/heartbeat.1", &man(Lang::Zh));
    }

    #[test]
    fn the_manuals_know_every_command_option_variable_and_key() {
        for (lang, page) in MAN_1 {
            let command = cli::command(lang);
            assert_eq!(missing(page, &command, cli::VARIABLES), [""; 0], "{lang:?}");
            for task in command.get_subcommands() {
                assert!(
                    page.contains(&format!("\n.SS {}\n", task.get_name())),
                    "{lang:?} {}",
                    task.get_name()
                );
            }
            let heading = if lang == Lang::En { ".SH CONFIGURATION" } else { ".SH 配置" };
            let keys = page.split(heading).nth(1).unwrap().split(".SH ").next().unwrap();
            for key in config::keys() {
                assert!(keys.contains(&format!("\\fB{key}\\fR = ")), "{lang:?} {key}");
            }
        }
    }

    #[test]
    fn the_manuals_say_the_same_in_both_languages() {
        assert_eq!(skeleton(MAN_1[1].1), skeleton(MAN_1[0].1));
    }

    #[test]
    fn completions_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            run(ClientProduct::Completions { shell }, None, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for word in ["agent", "install", "watch", "on-down"] {
                assert!(script.contains(word), "{shell:?}: {word}");
            }
        }
    }
}
