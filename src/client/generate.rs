//! `heartbeat generate`: the manual page and the completions, for packaging, from the definition of the command line.

use super::cli::{self, Product};
use crate::config::cli::Shell;
use crate::domain::lang::Lang;
use std::io::{self, Write};

/// Prints one product.
///
/// # Errors
/// Only those of writing.
pub fn run(product: Product, out: &mut dyn Write) -> io::Result<()> {
    match product {
        Product::Man => man(out)?,
        Product::Completions { shell } => {
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
fn man(out: &mut dyn Write) -> io::Result<()> {
    let man = clap_mangen::Man::new(cli::command(Lang::En))
        .title("HEARTBEAT")
        .section("1")
        .source(concat!("heartbeat-client ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_options_section(out)
}
