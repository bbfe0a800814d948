//! `heartbeat-server generate`: the manual page, the completions and the sample configuration, for packaging.
//!
//! Manual and completions come from the definition of the command line, so they cannot drift from it; what the
//! definition does not know (files, signals, exit codes) stands in the templates of the manual, see [`manual`].

use crate::config::cli::{self, Product, Shell};
use crate::config::language::LangChoice;
use crate::config::{manual, reference};
use crate::domain::lang::Lang;
use clap_complete::Shell as Dialect;
use std::io::{self, Write};

/// Prints one product. The manual is English unless a language is asked for: packages are the same wherever they are
/// made.
///
/// # Errors
/// Only those of writing.
pub fn run(product: Product, lang: Option<LangChoice>, out: &mut dyn Write) -> io::Result<()> {
    match product {
        Product::Man => out.write_all(man(LangChoice::or_english(lang)).as_bytes())?,
        Product::Completions { shell } => {
            let dialect = match shell {
                Shell::Bash => Dialect::Bash,
                Shell::Zsh => Dialect::Zsh,
                Shell::Fish => Dialect::Fish,
            };
            // The generator panics when writing fails, a closed pipe included; a buffer does not fail.
            let mut script = Vec::new();
            clap_complete::generate(dialect, &mut cli::command(Lang::En), "heartbeat-server", &mut script);
            out.write_all(&script)?;
        }
        Product::Config => out.write_all(sample_config().as_bytes())?,
    }
    out.flush()
}

/// heartbeat-server(8) in roff.
pub fn man(lang: Lang) -> String {
    let template = match lang {
        Lang::En => include_str!("../../man/heartbeat-server.8.in"),
        Lang::Zh => include_str!("../../man/zh_CN/heartbeat-server.8.in"),
    };
    manual::page(template, &cli::command(lang), cli::VARIABLES)
}

/// heartbeat-server.toml(5) in roff.
pub fn config_man(lang: Lang) -> String {
    let template = match lang {
        Lang::En => include_str!("../../man/heartbeat-server.toml.5.in"),
        Lang::Zh => include_str!("../../man/zh_CN/heartbeat-server.toml.5.in"),
    };
    reference::manual(template, lang)
}

/// The sample configuration, which the packages install.
pub fn sample_config() -> String {
    reference::sample(include_str!("../../packaging/heartbeat-server.toml.in"))
}

#[cfg(test)]
#[path = "generate_tests.rs"]
mod tests;
