//! `heartbeat install`: writes the configuration, enables and starts the service, and shows the first beat answered.
//!
//! Run again it changes what its options name and nothing else. Of the configuration only the keys that were given
//! are touched. Where there is no service manager that we know, or the configuration is not the one that the service
//! reads, it prints what to run instead.

use super::beat::OutgoingBeat;
use super::channel::send_one;
use super::cli::{ClientArgs, DialectChoice, InstallArgs};
use super::config::{ClientSettings, DEFAULT_FILE};
use super::edit::{quoted, remove, set};
use super::error::{ClientError, EX_CONFIG, EX_IOERR, EX_NOPERM, EX_OSERR, EX_UNAVAILABLE};
use super::print;
use super::send::{all_of, any_of};
use super::server_url::ServerProtocol;
use crate::config::Env;
use crate::domain::time::Span;
use crate::i18n::{self, Text};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The sample that packages install, for those who come without one.
pub const SAMPLE_CONFIG: &str = include_str!("../../packaging/heartbeat-client.toml");
const PLIST: &str = include_str!("../../packaging/launchd/com.heartbeat-client.plist");

const UNIT: &str = "heartbeat-client.service";
const PLIST_FILE: &str = "/Library/LaunchDaemons/com.heartbeat-client.plist";
const LABEL: &str = "system/com.heartbeat-client";
/// The default interval of an installed agent.
const EVERY: Span = Span::secs(60);

/// `heartbeat install`.
pub async fn install(
    args: &ClientArgs,
    settings: &ClientSettings,
    wanted: &InstallArgs,
) -> Result<u8, ClientError> {
    let env = Env::of_process();
    if !env.is_root {
        return Err(ClientError::new(EX_NOPERM, i18n::client::INSTALL_NEEDS_ROOT));
    }
    let id = settings.id_or_host()?;
    let every = settings.every.unwrap_or(EVERY);
    let path = fs::canonicalize(&settings.file).unwrap_or_else(|_| settings.file.clone());
    let written = configure(&path, &wishes(args, settings, wanted, &env))?;
    let shown = path.display();
    say(
        settings,
        match written {
            true => i18n::client::file_written(&shown),
            false => i18n::client::file_says_so_already(&shown),
        },
    )?;
    start(settings, &path)?;
    // A beat of its own would need an id, which these dialects do not carry.
    let carries_id = matches!(settings.dialect, DialectChoice::Auto | DialectChoice::Line);
    let sending = settings
        .per_server()
        .into_iter()
        .filter(|one| one.to.protocol != ServerProtocol::Tcp || carries_id)
        .map(|one| {
            let beat = OutgoingBeat::of(&id).every(Some(every));
            async move { send_one(&one, beat).await.map(|_| one.to) }
        });
    for to in any_of(all_of(sending).await, settings.lang)? {
        say(settings, i18n::client::first_beat_answered(&to, &id, &every))?;
    }
    Ok(0)
}

/// The keys to be set, with their values as TOML writes them.
fn wishes(
    args: &ClientArgs,
    settings: &ClientSettings,
    wanted: &InstallArgs,
    env: &Env,
) -> Vec<(&'static str, String)> {
    let path = |path: &PathBuf| quoted(&env.absolute(path).to_string_lossy());
    let every = wanted.every.or((settings.every.is_none()).then_some(EVERY));
    let servers: Vec<String> = settings.servers().map(|server| quoted(&server.to_string())).collect();
    let servers = match servers.as_slice() {
        [one] => ("to", Some(one.clone())),
        several => ("servers", Some(format!("[{}]", several.join(", ")))),
    };
    let all = [
        servers,
        ("id", wanted.id.as_ref().map(|id| quoted(id.as_str()))),
        ("every", every.map(|every| quoted(&every.to_string()))),
        ("timeout", args.timeout.map(|timeout| quoted(&timeout.to_string()))),
        ("token_file", args.token_file.as_ref().map(path)),
        ("ca", args.ca.as_ref().map(path)),
        ("cert", args.cert.as_ref().map(path)),
        ("key", args.key.as_ref().map(path)),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// Sets the keys in the file; false where they had these values already.
fn configure(path: &Path, wishes: &[(&str, String)]) -> Result<bool, ClientError> {
    let failed =
        |error: &io::Error| ClientError::new(EX_IOERR, i18n::client::cannot_write(&path.display(), error));
    let known = match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed(&error)),
    };
    let mut text = known.clone().unwrap_or_else(|| SAMPLE_CONFIG.to_string());
    let no_toml = |()| ClientError::new(EX_CONFIG, i18n::client::not_toml(&path.display()));
    for (key, value) in wishes {
        // One of the two names the servers.
        match *key {
            "to" => text = remove(&text, "servers").map_err(no_toml)?,
            "servers" => text = remove(&text, "to").map_err(no_toml)?,
            _ => {}
        }
        text = set(&text, key, value).map_err(no_toml)?;
    }
    if known.as_ref() == Some(&text) {
        return Ok(false);
    }
    write(path, &text).map_err(|error| failed(&error))?;
    Ok(true)
}

/// Puts a text in the place of a file, whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mode = fs::metadata(path).map_or(Permissions::from_mode(0o644), |known| known.permissions());
    let unfinished = path.with_extension(format!("toml.{}", std::process::id()));
    let written = (|| {
        let mut file = File::create(&unfinished)?;
        file.set_permissions(mode)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Enables and starts the service, or prints what to run where that cannot be done.
fn start(settings: &ClientSettings, path: &Path) -> Result<(), ClientError> {
    if path != Path::new(DEFAULT_FILE) {
        return say(settings, i18n::client::service_reads_other_file(&DEFAULT_FILE, &path.display()));
    }
    if cfg!(target_os = "macos") {
        return launchd(settings);
    }
    if !Path::new("/run/systemd/system").is_dir() {
        return say(settings, i18n::client::NO_SYSTEMD_HERE);
    }
    let hint = i18n::client::unit_of_package(&UNIT);
    // Enabled first, so that it comes back though it cannot start now.
    run("systemctl", &["enable", "--quiet", UNIT], &hint)?;
    run("systemctl", &["restart", UNIT], &hint)?;
    say(settings, i18n::client::service_runs(&UNIT))
}

/// The same with launchd, which is given the program as it was called.
fn launchd(settings: &ClientSettings) -> Result<(), ClientError> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/local/bin/heartbeat"));
    let plist = PLIST.replace("/usr/local/bin/heartbeat", &program.to_string_lossy());
    write(Path::new(PLIST_FILE), &plist)
        .map_err(|error| ClientError::new(EX_IOERR, i18n::client::cannot_write(&PLIST_FILE, &error)))?;
    let hint = Text::default();
    // bootout fails where it is not loaded.
    let _ = run("launchctl", &["bootout", LABEL], &hint);
    run("launchctl", &["enable", LABEL], &hint)?;
    run("launchctl", &["bootstrap", "system", PLIST_FILE], &hint)?;
    say(settings, i18n::client::service_runs(&LABEL))
}

fn run(program: &str, arguments: &[&str], hint: &Text) -> Result<(), ClientError> {
    let line = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| ClientError::new(EX_OSERR, i18n::client::cannot_run(&line, &error)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    Err(ClientError::new(EX_UNAVAILABLE, i18n::client::command_failed(&line, &said, hint)))
}

fn say(settings: &ClientSettings, text: impl Into<Text>) -> Result<(), ClientError> {
    print(&(text.into().in_lang(settings.lang) + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::config;
    use crate::config::testing::{Dir, env, uncommented};

    #[test]
    fn every_key_stands_in_the_sample_with_a_line_about_it() {
        for key in config::keys() {
            let lines: Vec<&str> = SAMPLE_CONFIG.lines().collect();
            let at = lines.iter().position(|line| line.starts_with(&format!("#{key} = ")));
            assert!(at.is_some_and(|at| at > 0 && lines[at - 1].starts_with("# ")), "{key}");
        }
        let read: toml::Table = uncommented(SAMPLE_CONFIG).parse().unwrap();
        assert_eq!(read.len(), config::keys().len());
    }

    #[test]
    fn what_is_in_the_configuration_stays_and_what_is_told_is_set() {
        let dir = Dir::new();
        let path = dir.0.join("sub/heartbeat-client.toml");
        let wish = |to: &str| [("to", quoted(to)), ("every", quoted("1m"))];
        assert_eq!(configure(&path, &wish("http://a:7777")), Ok(true));
        assert_eq!(configure(&path, &wish("http://a:7777")), Ok(false), "nothing to do the second time");
        fs::write(&path, "# mine\nid = \"nas\" # the old one\nto = \"http://a:7777\"\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(configure(&path, &wish("http://b:7777")), Ok(true));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "# mine\nid = \"nas\" # the old one\nto = \"http://b:7777\"\nevery = \"1m\"\n"
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
        let several = [("servers", "[\"http://a:7777\", \"http://b:7777\"]".to_string())];
        assert_eq!(configure(&path, &several), Ok(true));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("servers = [\"http://a:7777\", \"http://b:7777\"]\n"), "{text}");
        assert!(!text.contains("to = "), "the one server is not named any more: {text}");
        assert_eq!(configure(&path, &several), Ok(false));
        assert_eq!(configure(&path, &wish("http://b:7777")), Ok(true));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("to = \"http://b:7777\"\n") && !text.contains("servers"), "{text}");
        fs::write(&path, "to = ").unwrap();
        assert!(configure(&path, &wish("http://a")).is_err_and(|failure| failure.exit_code == EX_CONFIG));
    }

    #[test]
    fn only_what_was_said_is_wished_for() {
        let line = ["heartbeat", "install", "hb:8080", "--token-file", "/t"].map(Into::into);
        let args = crate::client::cli::parse(line, &env(&[])).unwrap();
        let file = Dir::new();
        let mut facts = env(&[]);
        facts.default_file = file.0.join("none.toml");
        // The token itself is not there to be read.
        let settings =
            ClientSettings::load(&ClientArgs { token_file: None, ..args.clone() }, &facts).unwrap();
        let crate::client::cli::ClientTask::Install(wanted) = &args.command else { panic!() };
        let wishes = wishes(&args, &settings, wanted, &facts);
        let keys: Vec<&str> = wishes.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["to", "every", "token_file"]);
        assert_eq!(wishes[0].1, "\"http://hb:8080\"");
    }
}
