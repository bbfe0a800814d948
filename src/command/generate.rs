//! `heartbeat-server generate`: the manual page, the completions and the sample configuration, for packaging.
//!
//! Manual and completions come from the definition of the command line, so they cannot drift from it; what the
//! definition does not know (files, signals, exit codes) is written here by hand.

use crate::config::cli::{self, Product, Shell};
use crate::domain::lang::Lang;
use clap_complete::Shell as Dialect;
use std::io::{self, Write};

/// The sample configuration, which the packages install.
pub const SAMPLE_CONFIG: &str = include_str!("../../packaging/heartbeat-server.toml");

/// Prints one product.
///
/// # Errors
/// Only those of writing.
pub fn run(product: Product, out: &mut dyn Write) -> io::Result<()> {
    match product {
        Product::Man => man(out)?,
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
        Product::Config => out.write_all(SAMPLE_CONFIG.as_bytes())?,
    }
    out.flush()
}

/// heartbeat-server(8) in roff.
fn man(out: &mut dyn Write) -> io::Result<()> {
    let man = clap_mangen::Man::new(cli::command(Lang::En))
        .title("HEARTBEAT-SERVER")
        .section("8")
        .source(concat!("heartbeat-server ", env!("CARGO_PKG_VERSION")))
        .manual("System Administration");
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    out.write_all(DESCRIPTION.as_bytes())?;
    man.render_options_section(out)?;
    out.write_all(COMMANDS.as_bytes())?;
    out.write_all(ENVIRONMENT.as_bytes())?;
    for (variable, option) in cli::VARIABLES {
        writeln!(out, ".TP\n\\fB{variable}\\fR\nAs \\fB{}\\fR.", option.replace('-', "\\-"))?;
    }
    out.write_all(REST.as_bytes())
}

const DESCRIPTION: &str = r#".SH DESCRIPTION
\fBheartbeat\-server\fR receives heartbeats over HTTP from machines, devices and cron jobs, writes every one to its log and knows when each was last heard. Nobody registers anything: the first beat of an unknown id makes its monitor.
.PP
.RS 4
.nf
curl \-d \(aq{"id":"nas"}\(aq http://localhost:7777/
.fi
.RE
.PP
Without any configuration it listens on port 7777 of all addresses, IPv6 and IPv4, takes beats from this machine and from private networks, logs to standard error, and stays in the foreground. The status page is \fIhttp://localhost:7777/\fR.
.PP
\fIADDR\fR is a port, \fIHOST\fR:\fIPORT\fR, [\fIIPV6\fR]:\fIPORT\fR, unix:\fIPATH\fR or \fBoff\fR. A \fIPORT\fR or \fB\-\-http\fR replaces every listener of the configuration, with its name and its trusted proxies.
"#;

const COMMANDS: &str = r#".SH COMMANDS
.TP
\fBcheck\-config\fR [\fIFILE\fR]
Read the configuration as the daemon would, flags and environment included, and print what would run. Faults are told as \fIfile\fR:\fIline\fR: \fIkey\fR: \fIreason\fR, all of them at once.
.TP
\fBgenerate man\fR
Print this page.
.TP
\fBgenerate completions\fR \fBbash\fR|\fBzsh\fR|\fBfish\fR
Print completions for a shell.
.TP
\fBgenerate config\fR
Print the sample configuration with every key explained.
"#;

const ENVIRONMENT: &str = r#".SH ENVIRONMENT
A flag wins over its variable, a variable over the configuration file. Lists are parted by commas; an empty variable counts as unset. \fBHEARTBEAT_DAEMON\fR is 1 or 0, \fBHEARTBEAT_VERBOSE\fR and \fBHEARTBEAT_QUIET\fR are counts.
"#;

const REST: &str = r#".TP
\fBSTATE_DIRECTORY\fR
Where state is kept when nothing else says so; set by \fBsystemd\fR(1).
.TP
\fBCREDENTIALS_DIRECTORY\fR
Where credentials named in the configuration are found; set by \fBsystemd\fR(1).
.TP
\fBLC_ALL\fR, \fBLC_MESSAGES\fR, \fBLANG\fR
The first that is set chooses the language of log and messages when nothing else does.
.TP
\fBXDG_STATE_HOME\fR, \fBHOME\fR
The base of the state directory of an ordinary user.
.SH SIGNALS
.TP
\fBSIGTERM\fR, \fBSIGINT\fR
Stop: accept nothing new, answer what has arrived, at most 10 seconds, and exit 0. A second one stops at once.
.TP
\fBSIGHUP\fR
Open the log files anew and read the configuration again. A faulty one is reported and the old one stays in force; what cannot change while running is named in one warning.
.TP
\fBSIGUSR1\fR
Write a summary to the log.
.SH FILES
.TP
\fI/etc/heartbeat\-server/heartbeat\-server.toml\fR
The configuration, see \fBheartbeat\-server.toml\fR(5); read if it exists.
.TP
\fI/etc/heartbeat\-server/conf.d/*.toml\fR
Read after it, in the order of their names.
.TP
\fI/var/lib/heartbeat\-server\fR
State, when run as root or by the packaged service; otherwise \fI~/.local/state/heartbeat\-server\fR.
.TP
\fI/var/log/heartbeat\-server/heartbeat\-server.log\fR
The beats, as the packaged configuration has it.
.SH EXIT STATUS
.TP
.B 0
Asked to stop.
.TP
.B 64
The command line is wrong.
.TP
.B 66
A file that was named is missing.
.TP
.B 69
An address is in use, not of this machine or cannot be resolved, or the state is locked by another daemon.
.TP
.B 70
The process in the background ended without saying why.
.TP
.B 74
Reading or writing failed.
.TP
.B 77
No permission.
.TP
.B 78
The configuration is wrong.
.SH EXAMPLES
.TP
heartbeat\-server 8080
Run in the foreground on port 8080.
.TP
heartbeat\-server \-\-http 127.0.0.1:7777 \-\-http unix:/run/heartbeat.sock
Listen on loopback and on a unix socket only.
.TP
heartbeat\-server check\-config && systemctl reload heartbeat\-server
Take a changed configuration into use if it is right.
.SH SEE ALSO
\fBheartbeat\-server.toml\fR(5), \fBsystemd.socket\fR(5), \fBcurl\fR(1)
"#;

#[cfg(test)]
#[path = "generate_tests.rs"]
mod tests;
