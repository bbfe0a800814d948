//! `heartbeat generate`: the manual page and the completions, for packaging.
//!
//! Every option and its text come from the definition of the command line, so the manual cannot drift from it; what the
//! definition does not know (how the agent behaves, files, exit codes) is written here by hand.

use super::cli::{self, Product};
use crate::config::cli::Shell;
use crate::domain::lang::Lang;
use clap::Arg;
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
    let command = cli::command(Lang::En);
    let page = clap_mangen::Man::new(command.clone())
        .title("HEARTBEAT")
        .section("1")
        .source(concat!("heartbeat-client ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    out.write_all(DESCRIPTION.as_bytes())?;
    out.write_all(b".SH COMMANDS\n")?;
    for task in command.get_subcommands() {
        let name = task.get_name();
        let about = roff(&task.get_about().map(ToString::to_string).unwrap_or_default());
        writeln!(out, ".SS {name}\n{about}.")?;
        let more = MORE.iter().find(|(of, _)| *of == name).map_or("", |(_, text)| text);
        out.write_all(more.as_bytes())?;
        task.get_arguments().filter(|arg| !is_everywhere(arg)).try_for_each(|arg| option(out, arg))?;
    }
    out.write_all(b".SH OPTIONS\nFor all commands, before or behind them; what stands behind the COMMAND of \\fBrun\\fR is the job's.\n")?;
    command.get_arguments().try_for_each(|arg| option(out, arg))?;
    out.write_all(CONFIGURATION.as_bytes())?;
    out.write_all(ENVIRONMENT.as_bytes())?;
    for (variable, option) in cli::VARIABLES {
        writeln!(out, ".TP\n\\fB{variable}\\fR\nAs \\fB{}\\fR.", roff(option))?;
    }
    out.write_all(REST.as_bytes())
}

/// Whether an option stands in the list of all commands.
fn is_everywhere(arg: &Arg) -> bool {
    arg.is_global_set() || arg.get_id() == "help"
}

/// An option or an argument with its text.
fn option(out: &mut dyn Write, arg: &Arg) -> io::Result<()> {
    let short = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR"));
    let long = arg.get_long().map(|long| format!("\\fB\\-\\-{}\\fR", roff(long)));
    let flags: Vec<String> = short.into_iter().chain(long).collect();
    let takes = arg.get_action().takes_values();
    let value = arg.get_value_names().and_then(|names| names.first()).filter(|_| takes);
    let value = value.map(|name| format!("\\fI{}\\fR", roff(name)));
    let parts: Vec<String> = (!flags.is_empty()).then(|| flags.join(", ")).into_iter().chain(value).collect();
    let text = roff(&arg.get_help().map(ToString::to_string).unwrap_or_default());
    writeln!(out, ".TP\n{}\n{text}", parts.join(" "))
}

/// A text as roff reads it.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

const DESCRIPTION: &str = r#".SH DESCRIPTION
\fBheartbeat\fR tells a \fBheartbeat\-server\fR(8) that this machine or a job is alive, and asks it who else is. Nobody registers anything: the first beat of an id makes its monitor.
.PP
.RS 4
.nf
heartbeat send \-\-to http://hb.example.org \-\-id nas
heartbeat run \-\-id backup \-\- /usr/local/bin/backup \-\-all
sudo heartbeat install hb.example.org
.fi
.RE
.PP
\fIURL\fR is http://, https://, tcp://, tls://, ws:// or wss:// and \fIHOST\fR[:\fIPORT\fR], or unix:\fIPATH\fR; what has no scheme is HTTP. The port is 7777, and 7778 over raw TCP (tcp, tls). Without \fB\-\-to\fR it is \fBHEARTBEAT_URL\fR, then \fBto\fR of the configuration, then http://localhost:7777. A name is looked up anew at each attempt, and all its addresses are tried.
.PP
A \fIDURATION\fR is seconds or has units, as 90s, 1h30m, 2d.
"#;

/// What is said of a command besides its one sentence.
const MORE: &[(&str, &str)] = &[
    (
        "agent",
        r#".PP
It sends a beat every interval, up to a tenth of it early so that many agents do not come at once, and never more often than \fB\-\-every\fR says; where the server asks for a longer interval in its answers, it follows. When something has been waiting for an answer for the whole timeout the server is dead: the agent says so in its log, runs \fB\-\-on\-down\fR, and goes on trying for ever with growing pauses of up to a minute. Beats that could not be delivered are kept with their time, 10,000 at most, and delivered together when the server is back; then \fB\-\-on\-up\fR runs.
.PP
Hooks run one after the other in \fBsh\fR(1), for a minute at most, with \fBHEARTBEAT_STATE\fR (down or up), \fBHEARTBEAT_URL\fR, \fBHEARTBEAT_ID\fR and \fBHEARTBEAT_TEXT\fR, a sentence, in their environment.
.PP
Over raw TCP it speaks lines, unless the other side speaks first with \fBping\fR; then it only answers \fBpong\fR. With the dialect \fBframe\fR nothing ever answers, so dead means that writing fails or the connection is closed.
"#,
    ),
    (
        "run",
        r#".PP
The job is started first, and runs although the server is dead or the configuration wrong. Its input, output and exit code are what they would be without \fBheartbeat\fR, and signals go on to it. Its start is reported, then its end with the exit code and the last 10 kB of its output. A job that a signal ended exits 128 and the signal's number; one that does not exist 127, one that cannot be run 126.
.PP
The id must be given by \fB\-\-id\fR or \fBHEARTBEAT_ID\fR: that of the configuration is the machine's.
"#,
    ),
    (
        "install",
        r#".PP
As root: sets the keys it is told in the configuration and leaves everything else in it as it stands, enables and starts \fIheartbeat\-client.service\fR (on macOS \fIcom.heartbeat\-client\fR), sends a beat and says that it was answered. Where there is no systemd, and with another file than the one the service reads, it says what to run instead. Run again it changes nothing but what it is told. \fB\-\-timeout\fR, \fB\-\-token\-file\fR, \fB\-\-ca\fR, \fB\-\-cert\fR and \fB\-\-key\fR are written down too.
"#,
    ),
    (
        "list",
        r#".PP
Those that need somebody come first: down, late, up, paused, new. An interval such as "1m \(-> 8m" is one that the server's governor has stretched.
"#,
    ),
    (
        "watch",
        r#".PP
On a terminal a table as long as the screen, the worst first; \fBq\fR or Ctrl\-C leaves. Elsewhere, and with \fBTERM\fR=dumb, a line for each change. It survives a restart of the server.
"#,
    ),
    (
        "show",
        r#".PP
Everything that is known of it, and its latest incidents.
"#,
    ),
    (
        "pause",
        r#".PP
\fBlist\fR, \fBshow\fR, \fBwatch\fR, \fBpause\fR, \fBresume\fR and \fBremove\fR ask this machine's own server, if it has the usual ports, at its control socket where that lets us in, as it does root and the user of the service. Every other server is asked over HTTP, and orders need a token of its \fBaccess.admin_tokens\fR; where beats go over raw TCP it is port 7777 of the same host.
"#,
    ),
    (
        "generate",
        ".PP\n\\fBgenerate man\\fR prints this page, \\fBgenerate completions\\fR \\fBbash\\fR|\\fBzsh\\fR|\\fBfish\\fR completions for a shell.\n",
    ),
];

const CONFIGURATION: &str = r#".SH CONFIGURATION
\fI/etc/heartbeat\-client/heartbeat\-client.toml\fR is TOML: a line for each key, all of them optional, and an unknown one is an error. A flag wins over its variable, a variable over this file. \fBheartbeat agent\fR reads it again on SIGHUP.
.TP
\fBto\fR = "\fIURL\fR"
The server.
.TP
\fBid\fR = "\fIID\fR"
The monitor; without it the host name.
.TP
\fBevery\fR = "\fIDURATION\fR"
How often the agent sends, default "30s".
.TP
\fBtimeout\fR = "\fIDURATION\fR"
How long an answer may take, 100ms to 1d, default "10s".
.TP
\fBdialect\fR = "auto" | "line" | "pong" | "hello" | "frame"
What is spoken over raw TCP, default "auto".
.TP
\fBon_down\fR = "\fICMD\fR", \fBon_up\fR = "\fICMD\fR"
Run in a shell when the server is found dead, and when it answers again.
.TP
\fBtoken_file\fR = "\fIFILE\fR"
A file with the token that is shown to the server; the service reads it as the user heartbeat\-client.
.TP
\fBcredential\fR = "\fINAME\fR"
The same as a credential of the service, which root alone may read: \fBLoadCredential=\fR\fINAME\fR:\fIFILE\fR in a drop\-in of the unit.
.TP
\fBca\fR = "\fIFILE\fR", \fBcert\fR = "\fIFILE\fR", \fBkey\fR = "\fIFILE\fR"
For TLS, as the options of these names.
.TP
\fBlang\fR = "auto" | "en" | "zh"
Language of output, log and messages.
"#;

const ENVIRONMENT: &str = r#".SH ENVIRONMENT
An empty variable counts as unset.
"#;

const REST: &str = r#".TP
\fBHEARTBEAT_CONTROL\fR
The control socket of this machine\(aqs server, where it stands elsewhere than usual.
.TP
\fBCREDENTIALS_DIRECTORY\fR
Where a credential named in the configuration is found; set by \fBsystemd\fR(1).
.TP
\fBNO_COLOR\fR
Without colours.
.TP
\fBLC_ALL\fR, \fBLC_MESSAGES\fR, \fBLANG\fR
The first that is set chooses the language when nothing else does.
.SH SIGNALS
To \fBheartbeat agent\fR:
.TP
\fBSIGTERM\fR, \fBSIGINT\fR
Stop, and exit 0.
.TP
\fBSIGHUP\fR
Read the configuration again; a faulty one is reported and the old one stays.
.TP
\fBSIGUSR1\fR
Write a summary to the log.
.SH FILES
.TP
\fI/etc/heartbeat\-client/heartbeat\-client.toml\fR
See CONFIGURATION; read if it exists.
.TP
\fIheartbeat\-client.service\fR
Runs \fBheartbeat agent\fR as the user heartbeat\-client, with no right to write anywhere; for a hook that needs more add a drop\-in by \fBsystemctl edit heartbeat\-client\fR. The package leaves it off until \fBheartbeat install\fR names a server.
.SH EXIT STATUS
.TP
.B 0
It is done: a beat is acknowledged, a question answered, the agent asked to stop.
.TP
.B 64
The command line is wrong.
.TP
.B 65
The server does not like what was said.
.TP
.B 66
There is no such monitor, or a file that was named is missing.
.TP
.B 69
The server cannot be reached or does not answer, or a service manager fails.
.TP
.B 71
The system refuses something.
.TP
.B 74
Reading or writing failed.
.TP
.B 75
Not now: the server is busy, or takes no beats at the moment.
.TP
.B 76
Whoever answered is no heartbeat\-server.
.TP
.B 77
The server does not allow it, or root is needed.
.TP
.B 78
The configuration is wrong.
.PP
\fBrun\fR exits as the job does.
.SH EXAMPLES
.TP
heartbeat send \-\-status fail \-m "disk full"
Report that this machine is not well.
.TP
0 3 * * * heartbeat run \-\-id backup \-\- backup \-\-all
In a \fBcrontab\fR(5): a job whose failure, length and absence are noticed.
.TP
heartbeat agent \-\-to tcp://10.0.0.1:3000 \-\-dialect pong \-\-on\-down \(aqlogger server down\(aq
Answer the pings of another kind of server, and notice when they end.
.TP
sudo heartbeat pause nas \-\-for 2h
While the machine is being moved.
.TP
heartbeat list \-\-state down \-\-json | jq \-r \(aq.monitors[].id\(aq
The ids of all that are down.
.SH SEE ALSO
\fBheartbeat\-server\fR(8), \fBsystemd.service\fR(5)
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::config;

    const MAN_1: &str = include_str!("../../man/heartbeat.1");

    #[test]
    fn the_manual_is_the_one_that_the_program_makes() {
        let mut page = Vec::new();
        run(Product::Man, &mut page).unwrap();
        assert!(
            String::from_utf8(page).unwrap() == MAN_1,
            "man/heartbeat.1 is old; run: cargo run --bin heartbeat -- generate man > man/heartbeat.1"
        );
    }

    #[test]
    fn the_manual_knows_every_command_option_variable_and_key() {
        let command = cli::command(Lang::En);
        for task in command.get_subcommands() {
            assert!(MAN_1.contains(&format!("\n.SS {}\n", task.get_name())), "{}", task.get_name());
            for long in task.get_arguments().filter_map(Arg::get_long) {
                assert!(
                    MAN_1.contains(&format!("\\fB\\-\\-{}\\fR", roff(long))),
                    "{} --{long}",
                    task.get_name()
                );
            }
        }
        for (variable, _) in cli::VARIABLES {
            assert!(MAN_1.contains(&format!("\\fB{variable}\\fR")), "{variable}");
        }
        let keys = MAN_1.split(".SH CONFIGURATION").nth(1).unwrap().split(".SH ").next().unwrap();
        for key in config::keys() {
            assert!(keys.contains(&format!("\\fB{key}\\fR = ")), "{key}");
        }
        assert!(MORE.iter().all(|(of, _)| command.find_subcommand(of).is_some()));
    }

    #[test]
    fn completions_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            run(Product::Completions { shell }, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for word in ["agent", "install", "watch", "on-down"] {
                assert!(script.contains(word), "{shell:?}: {word}");
            }
        }
    }
}
