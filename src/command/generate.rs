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
    out.write_all(MONITORS.as_bytes())?;
    out.write_all(ENVIRONMENT.as_bytes())?;
    for (variable, option) in cli::VARIABLES {
        writeln!(out, ".TP\n\\fB{variable}\\fR\nAs \\fB{}\\fR.", option.replace('-', "\\-"))?;
    }
    out.write_all(REST.as_bytes())
}

const DESCRIPTION: &str = r#".SH DESCRIPTION
\fBheartbeat\-server\fR receives heartbeats over HTTP, WebSocket and raw TCP, with or without TLS, from machines, devices and cron jobs, writes every one to its journal before it answers, and knows at every moment who is up, late or down. Nobody registers anything: the first beat of an unknown id makes its monitor.
.PP
.RS 4
.nf
curl \-d \(aq{"id":"nas"}\(aq http://localhost:7777/
.fi
.RE
.PP
Without any configuration it listens for HTTP on port 7777 and for raw TCP on port 7778 of all addresses, IPv6 and IPv4, takes beats from this machine and from private networks, logs to standard error, and stays in the foreground. The status page is \fIhttp://localhost:7777/\fR; \fIhttp://localhost:7777/api/v1/openapi.json\fR describes the API.
.PP
\fIADDR\fR is a port, \fIHOST\fR:\fIPORT\fR, [\fIIPV6\fR]:\fIPORT\fR, unix:\fIPATH\fR or \fBoff\fR. A \fIPORT\fR or \fB\-\-http\fR replaces every HTTP listener of the configuration, with its name and its trusted proxies; \fB\-\-tcp\fR replaces those for raw TCP.
"#;

const COMMANDS: &str = r#".SH COMMANDS
.TP
\fBcheck\-config\fR [\fIFILE\fR]
Read the configuration as the daemon would, flags and environment included, and print what would run. Faults are told as \fIfile\fR:\fIline\fR: \fIkey\fR: \fIreason\fR, all of them at once.
.TP
\fBfirewall\fR \fBopen\fR|\fBclose\fR|\fBstatus\fR [\fB\-\-http\fR] [\fB\-\-tcp\fR] [\fB\-\-backend\fR \fINAME\fR] [\fB\-\-from\fR \fICIDR\fR]... [\fB\-\-dry\-run\fR]
Open the ports of the configuration in the firewall, take that back, or say how they stand. See FIREWALL.
.TP
\fBtest\-alert\fR \fINAME\fR
Have the running daemon send a test message through the notifier \fINAME\fR, the way that its alerts take, and wait for what comes of it. Exit status 0: it was taken; 64: there is no such notifier; 69: no daemon answers; 75: it was not taken, for the reason that is printed. For root and the user of the service, over the control socket.
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

const MONITORS: &str = r#".SH FIREWALL
\fBheartbeat\-server firewall open\fR lets clients in, \fBclose\fR takes out what \fBopen\fR made, \fBstatus\fR prints for each port what is open by us, and which rules of others speak of it. All three need root. The ports are those of the listeners in the configuration, as the daemon would read it with the same options; \fB\-\-http\fR and \fB\-\-tcp\fR choose one kind, both or neither mean both. What listens on loopback or a unix socket needs no opening.
.PP
.RS 4
.nf
heartbeat\-server firewall open \-\-dry\-run
heartbeat\-server firewall open \-\-from 192.168.1.0/24 \-\-from fd00::/8
heartbeat\-server firewall close
.fi
.RE
.TP
\fB\-\-backend\fR \fINAME\fR
\fBfirewalld\fR, \fBufw\fR, \fBnft\fR, \fBiptables\fR or \fBsocketfilterfw\fR. By default, \fBauto\fR: \fBopen\fR takes firewalld if it runs, else ufw if it is active, else every input chain of nftables and iptables that holds anything back; \fBclose\fR and \fBstatus\fR look into all of them. Where no firewall is active \fBopen\fR says so and exits 0.
.TP
\fB\-\-from\fR \fICIDR\fR
Open to this network or address only; repeatable. Whoever names networks wants nobody else: a rule of ours that lets everyone in is taken out. With \fBclose\fR only what is open to these networks is closed. Without it, and without \fB\-\-http\fR and \fB\-\-tcp\fR, \fBclose\fR takes out everything that was ever opened.
.TP
\fB\-\-dry\-run\fR
Print the exact commands to standard output, everything else to standard error, and change nothing.
.PP
Both IPv4 and IPv6 are opened. What is open already is not opened again. Rules of others are never touched: ours are known by the comment heartbeat\-server; in firewalld by the service of that name and by the priority 7777 of rich rules; on macOS by the path of the program. firewalld is changed at run time and permanently, in its default zone; rules of nft and iptables last until the next start of the machine, unless they are saved as the others are. macOS knows programs only, neither ports nor networks. ufw and firewalld also find a profile and a service \fBheartbeat\-server\fR for 7777/tcp and 7778/tcp, for use by hand.
.SH MONITORS
Every id that has sent a beat is a monitor, and so is one that was declared, by \fB[[monitor]]\fR in the configuration or by the API. Each is in one of five states:
.TP
.B new
Declared, and never heard. It is not judged before its first beat.
.TP
.B up
Its beats come in time.
.TP
.B late
Its interval is over without a beat, or a slot of its schedule has passed.
.TP
.B down
Its grace is over too. A beat that reports a failure, and a run that takes longer than it may, make it down at once. This opens an incident; the next good beat ends it.
.TP
.B paused
A person or a maintenance window has set it aside. Its beats are counted, its silence is not held against it. After a pause it has a whole interval again; one that was down before is down still.
.PP
Nobody is judged for time in which the server could not listen: after a start, after a sleep of the machine and after any stall of more than a second, everybody who was up or late has a whole interval again, a schedule waits for its next slot, and a run is granted that time. An incident that was open stays open with its true beginning, and nothing is announced twice. Deadlines do not follow the wall clock, so setting it makes nobody late; when it is set forward by more than a minute, the slots of schedules in between are skipped.
.PP
Of one monitor at most 60 changes an hour are told and may become incidents; beyond that they are only counted. One that is still down when the hour ends has an incident after all.
.SH CONTROL
Monitors are declared, removed, paused and resumed by HTTP: over the control socket, which takes orders from root and from the user of the service, or over the network with a token of \fBaccess.admin_tokens\fR. \fBcheck\-config\fR prints where the socket is.
.PP
.RS 4
.nf
S=/run/heartbeat\-server/control.sock M=http://localhost/api/v1/monitors
curl \-\-unix\-socket $S \-X POST \-d \(aq{"for": "2h"}\(aq $M/nas/pause
curl \-\-unix\-socket $S \-X POST \-d \(aq{"until": "2027\-01\-02T08:00:00Z"}\(aq $M/nas/pause
curl \-\-unix\-socket $S \-X POST $M/nas/resume
curl \-\-unix\-socket $S \-X PUT \-d \(aq{"interval": "10m", "tags": ["lab"]}\(aq $M/printer
curl \-\-unix\-socket $S \-X DELETE $M/printer
curl \-\-unix\-socket $S \-X POST http://localhost/api/v1/incidents/7\-3/acknowledge
.fi
.RE
.PP
A pause without a body has no end. \fBresume\fR also ends a pause by a maintenance window, for the rest of that window or until the next start. A monitor that is removed is made again by its next beat; one that the configuration declares is removed there.
"#;

const ENVIRONMENT: &str = r#".SH ENVIRONMENT
A flag wins over its variable, a variable over the configuration file. Lists are parted by commas; an empty variable counts as unset. \fBHEARTBEAT_DAEMON\fR is 1 or 0, \fBHEARTBEAT_VERBOSE\fR and \fBHEARTBEAT_QUIET\fR are counts.
"#;

const REST: &str = r#".TP
\fBHEARTBEAT_CONTROL\fR
The path of the control socket, or \fBoff\fR; it has no flag.
.TP
\fBRUNTIME_DIRECTORY\fR
Where the control socket stands when nothing else says so; set by \fBsystemd\fR(1).
.TP
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
.TP
\fBXDG_RUNTIME_DIR\fR
The base of the directory of the control socket of an ordinary user.
.SH SIGNALS
.TP
\fBSIGTERM\fR, \fBSIGINT\fR
Stop: accept nothing new, answer what has arrived, at most 10 seconds, put on record what has changed, and exit 0. A second one stops at once; nothing that was acknowledged is lost by that, nor by \fBSIGKILL\fR.
.TP
\fBSIGHUP\fR
Open the log files anew and read the configuration again. A faulty one is reported and the old one stays in force; what cannot change while running is named in one warning.
.TP
\fBSIGUSR1\fR
Write a summary to the log.
.SH STATE
The state directory holds \fIstate.db\fR, an SQLite database, and \fIjournal/\fR, in which every beat is written before it is answered. What is promised after a crash and a power cut says \fBstate.sync\fR in \fBheartbeat\-server.toml\fR(5).
.PP
\fBsqlite3 state.db\fR may be used to look at any time. It runs about a second behind the server for changes of state and incidents, and up to five minutes for the last beats of monitors. \fB.schema\fR prints every table with a comment for each column:
.TP
\fBmonitors\fR, \fBmonitors_utc\fR
How each monitor stands.
.TP
\fBincidents\fR, \fBincidents_utc\fR
Each time one was down; where \fIended_ms\fR is NULL it still is.
.TP
\fBchanges\fR, \fBchanges_utc\fR
Each change of a state.
.TP
\fBoutbox\fR, \fBremoved\fR, \fBmeta\fR
For the server itself.
.PP
Times are milliseconds since 1970 (\fI..._ms\fR, UTC); the views, whose names end in \fI_utc\fR, show dates. Stop the server before changing anything.
.PP
.RS 4
.nf
cd /var/lib/heartbeat\-server
sqlite3 \-box state.db \(aqSELECT * FROM incidents_utc LIMIT 10\(aq
sqlite3 state.db "SELECT id, since FROM monitors_utc WHERE state = \(aqdown\(aq"
.fi
.RE
.PP
A copy is made while the server runs, in this order:
.PP
.RS 4
.nf
mkdir \-p /var/backups/heartbeat
sqlite3 state.db ".backup /var/backups/heartbeat/state.db"
cp \-a journal /var/backups/heartbeat/
.fi
.RE
.PP
To go back to it, stop the server, empty the state directory, copy both into it, give them to the user of the service, and start the server.
.PP
A full disk stops nobody from being judged: with \fBsync\fR = "second" beats are tracked in memory and answered with "stored":false, with "always" they are refused with 503. The log, the page, \fI/readyz\fR and \fBsystemctl status\fR say so, and it ends by itself when there is room again. A \fIstate.db\fR that is damaged is renamed \fIstate.db.damaged\-YYYYMMDDThhmmssZ\fR, and what can be read of it goes into a new one; of damaged journal files a copy is kept in \fIjournal/damaged/\fR, and the rest is read. Neither is ever overwritten; remove them when you have looked. State written by a later version is left alone, and the server does not start.
.SH METRICS
\fI/metrics\fR, as text for Prometheus or, by Accept, as OpenMetrics.
.TP
\fBheartbeat_beats_total\fR{transport,result}
Beats, by what became of them.
.TP
\fBheartbeat_fast_path_beats_total\fR
Those of them that took the short way.
.TP
\fBheartbeat_monitors\fR{state}, \fBheartbeat_transitions_total\fR{to}
Monitors by state; changes of state by the state entered.
.TP
\fBheartbeat_muted_changes_total\fR
Changes that were only counted.
.TP
\fBheartbeat_detection_delay_seconds\fR
A histogram: from a deadline to the moment at which it was found to have passed.
.TP
\fBheartbeat_beats_unstored_total\fR
Beats that could not be kept.
.TP
\fBheartbeat_journal_bytes\fR
Bytes in the journal.
.TP
\fBheartbeat_unsynced_seconds\fR
The age of the oldest beat that a power cut would lose.
.TP
\fBheartbeat_connections\fR{transport}, \fBheartbeat_connections_refused_total\fR{reason}
Connections that are open, and those that were turned away.
.TP
\fBheartbeat_alerts_total\fR{notifier,result}, \fBheartbeat_alerts_pending\fR
Tries to tell a notifier, by what came of them; alerts that are still to be told.
.TP
\fBheartbeat_governor_stretch\fR
By how much intervals are stretched; 1 while nobody is asked for patience.
.TP
\fBheartbeat_log_lines_dropped_total\fR
Log lines that reached no target.
.TP
\fBheartbeat_build_info\fR{version}, \fBprocess_*\fR
The program and its process.
.SH FILES
.TP
\fI/etc/heartbeat\-server/heartbeat\-server.toml\fR
The configuration, see \fBheartbeat\-server.toml\fR(5); read if it exists.
.TP
\fI/etc/heartbeat\-server/conf.d/*.toml\fR
Read after it, in the order of their names.
.TP
\fI/var/lib/heartbeat\-server\fR
State, when run as root or by the packaged service; otherwise \fI~/.local/state/heartbeat\-server\fR. See STATE.
.TP
\fI/run/heartbeat\-server/control.sock\fR
The control socket, when run as root or by the packaged service. See CONTROL.
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
An address is in use, not of this machine or cannot be resolved, or the state is locked by another daemon; or a firewall cannot be asked or changed.
.TP
.B 70
The process in the background ended without saying why.
.TP
.B 71
The system gives no threads or event queues.
.TP
.B 74
Reading or writing failed, or the state is not ours to read.
.TP
.B 77
No permission.
.TP
.B 78
The configuration is wrong.
.TP
.B 143
Asked twice to stop, and stopped at once.
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
\fBheartbeat\fR(1), \fBheartbeat\-server.toml\fR(5), \fBsystemd.socket\fR(5), \fBcurl\fR(1), \fBsqlite3\fR(1)
"#;

#[cfg(test)]
#[path = "generate_tests.rs"]
mod tests;
