//! A command line of `run` with errors: what is valid of it, so that the job runs all the same.
//!
//! The words are compared with the definition of the command line. Options that it accepts stay, the rest is left out with a
//! complaint, and the result is parsed as if it had been typed. Only without a job there is nothing to run.

use super::name::nearest;
use crate::client::cli::{self, ClientArgs, ClientTask};
use crate::config::Env;
use crate::domain::lang::Lang;
use crate::i18n;
use clap::{Arg, ArgAction};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The valid part of a command line.
#[derive(Debug, PartialEq)]
pub struct Rescued {
    /// The rest as a command line.
    pub args: ClientArgs,
    /// What was wrong, a sentence each.
    pub complaints: Vec<String>,
    /// Whether the server's URL was left out as invalid.
    pub lost_server: bool,
}

/// The job in words that the command line refuses; `None` where they hold none.
pub fn rescue(words: &[OsString], env: &Env) -> Option<Rescued> {
    let mut scan =
        OptionScan { env, lang: cli::language(words, env), kept: Vec::new(), complaints: Vec::new() };
    let job = scan.job_of(words)?;
    let mut lost_server = false;
    let mut line: Vec<OsString> = vec!["heartbeat".into(), "run".into()];
    for (name, option) in std::mem::take(&mut scan.kept) {
        match scan.error_of(std::slice::from_ref(&option)) {
            None => line.push(option),
            Some(error) if name == "id" => {
                let value = option.to_string_lossy().split_once('=').map(|(_, value)| value.to_string());
                match nearest(&value.unwrap_or_default()) {
                    Some(id) => {
                        line.push(format!("--id={id}").into());
                        // The nearest id is named below.
                        let near = i18n::client::nearest_valid(&id).in_lang(scan.lang);
                        let error = error.strip_suffix(near.as_str()).unwrap_or(&error);
                        scan.complaints.push(i18n::client::taken_as(&error, &id).in_lang(scan.lang));
                    }
                    None => scan.complaints.push(error),
                }
            }
            Some(error) => {
                lost_server |= name == "to";
                scan.complaints.push(error);
            }
        }
    }
    line.push("--".into());
    line.extend(job);
    let args = cli::parse(line, env).ok()?;
    Some(Rescued { args, complaints: scan.complaints, lost_server })
}

/// The job without the words that slipped in front of it, as those of an id that was not quoted do:
/// `--id my job -- backup`. Returns a complaint that names them, if there are any.
pub fn without_strays(args: &mut ClientArgs, env: &Env) -> Option<String> {
    let lang = crate::client::config::language(args, env);
    let ClientTask::Run(run) = &mut args.command else { return None };
    let end = run.command.iter().position(|word| word == "--").filter(|end| *end > 0)?;
    if is_program(run.command.first()?, env) || !is_program(run.command.get(end + 1)?, env) {
        return None;
    }
    let strays: Vec<OsString> = run.command.drain(..=end).take(end).collect();
    Some(nothing_known(&strays.join(OsStr::new(" ")).to_string_lossy(), lang))
}

fn nothing_known(word: &str, lang: Lang) -> String {
    i18n::client::not_option_run_left(&word).in_lang(lang)
}

/// Whether a word names something that can be run.
fn is_program(word: &OsStr, env: &Env) -> bool {
    let can_run = |path: &Path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if word.as_encoded_bytes().contains(&b'/') {
        return can_run(&env.absolute(Path::new(word)));
    }
    let folders = env.get("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| can_run(&folder.join(word)))
}

/// One pass over the words in front of the job.
struct OptionScan<'a> {
    env: &'a Env,
    lang: Lang,
    /// Options that the definition knows, by their long names, as one word each; the last of a name counts.
    kept: Vec<(String, OsString)>,
    complaints: Vec<String>,
}

impl OptionScan<'_> {
    /// Sorts what stands in front of the job, and returns the job.
    fn job_of(&mut self, words: &[OsString]) -> Option<Vec<OsString>> {
        let root = cli::command(Lang::En);
        let run = root.find_subcommand("run")?;
        let known: Vec<&Arg> =
            root.get_arguments().chain(run.get_arguments()).filter(|arg| !arg.is_positional()).collect();
        let end = words.iter().position(|word| word == "--");
        let mut is_run = false;
        let mut at = 1;
        while let Some(word) = words.get(at) {
            let text = word.to_string_lossy();
            at += 1;
            if text == "--" {
                return words.get(at..).filter(|job| is_run && !job.is_empty()).map(<[OsString]>::to_vec);
            }
            if !text.starts_with('-') || text == "-" {
                match is_run {
                    false if text == "run" => is_run = true,
                    false => return None,
                    // A job that is not there cannot be what was meant where another one follows behind `--`.
                    true => match end.and_then(|end| words.get(end + 1)) {
                        Some(job) if !is_program(word, self.env) && is_program(job, self.env) => {
                            self.complaints.push(nothing_known(&text, self.lang));
                        }
                        _ => return words.get(at - 1..).map(<[OsString]>::to_vec),
                    },
                }
                continue;
            }
            let (option, inline) = option_of(word, &known);
            let next = words
                .get(at)
                .filter(|next| *next != "--" && option_of(next, &known).0.is_none() && inline.is_none());
            match option {
                Some(arg) if arg.get_action().takes_values() => {
                    at += usize::from(next.is_some());
                    self.keep_option(arg, inline.or_else(|| next.cloned()));
                }
                // Help and version are no reason for a job not to run.
                Some(_) => {}
                None => {
                    self.complaints.push(nothing_known(&text, self.lang));
                    // What follows may be its value: not the job, and not the command.
                    let is_value = |next: &&OsString| match is_run {
                        true => !is_program(next, self.env) && words.len() > at + 1,
                        false => *next != "run",
                    };
                    at += usize::from(next.filter(is_value).is_some());
                }
            }
        }
        None
    }

    fn keep_option(&mut self, arg: &Arg, value: Option<OsString>) {
        let name = arg.get_long().unwrap_or_default().to_string();
        let mut option = OsString::from(format!("--{name}"));
        match value {
            Some(value) => {
                option.push("=");
                option.push(value);
            }
            None => {
                let error = self.error_of(&[option]);
                return self.complaints.extend(error);
            }
        }
        let before = self.kept.len();
        if !matches!(arg.get_action(), ArgAction::Append) {
            self.kept.retain(|(known, _)| *known != name);
        }
        if self.kept.len() < before {
            self.complaints.push(i18n::client::given_twice_last_counts(&name).in_lang(self.lang));
        }
        self.kept.push((name, option));
    }

    /// The error of an option by itself.
    fn error_of(&self, option: &[OsString]) -> Option<String> {
        let lang = OsString::from(format!("--lang={}", self.lang.name()));
        // Given twice it would be refused for that.
        let is_lang = option.iter().any(|word| word.to_string_lossy().starts_with("--lang"));
        let front = ["heartbeat".into(), "run".into()].into_iter().chain((!is_lang).then_some(lang));
        let line = front.chain(option.iter().cloned()).chain(["--".into(), "true".into()]);
        let exit = cli::parse(line, self.env).err()?;
        let first = exit.text.lines().next().unwrap_or_default();
        let unmarked =
            |text: &str, lang| text.trim_start_matches(i18n::command::ERROR.in_lang(lang)).to_string();
        Some([Lang::En, Lang::Zh].iter().fold(first.to_string(), |text, lang| unmarked(&text, *lang)))
    }
}

/// The option that a word is, and the value in the same word.
fn option_of<'a>(word: &OsStr, known: &[&'a Arg]) -> (Option<&'a Arg>, Option<OsString>) {
    let text = word.to_string_lossy();
    let find = |fits: &dyn Fn(&Arg) -> bool| known.iter().copied().find(|arg| fits(arg));
    if let Some(long) = text.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        return (find(&|arg| arg.get_long() == Some(name)), value.map(OsString::from));
    }
    let mut short = text.strip_prefix('-').unwrap_or_default().chars();
    let Some(letter) = short.next() else { return (None, None) };
    let rest = short.as_str().strip_prefix('=').unwrap_or(short.as_str());
    (find(&|arg| arg.get_short() == Some(letter)), (!rest.is_empty()).then(|| rest.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::env;

    fn words(line: &[&str]) -> Vec<OsString> {
        std::iter::once("heartbeat").chain(line.iter().copied()).map(OsString::from).collect()
    }

    fn rescued(line: &[&str]) -> (Option<String>, Vec<String>, String, bool) {
        let found =
            rescue(&words(line), &env(&[("PATH", "/bin:/usr/bin")])).unwrap_or_else(|| panic!("{line:?}"));
        let ClientTask::Run(run) = found.args.command else { panic!("{line:?}") };
        let command = run.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        (run.id.map(|id| id.to_string()), command, found.complaints.join("\n"), found.lost_server)
    }

    #[test]
    fn the_job_is_found_whatever_stands_in_front_of_it() {
        for (line, id, says) in [
            (&["run", "--id", "my job", "--", "sh", "-c", "x"][..], Some("my-job"), "taken as my-job"),
            (&["run", "--id=50%", "sh", "-c", "x"], Some("50"), "--id"),
            (&["run", "--id", "", "--", "sh", "-c", "x"], None, "--id"),
            (&["run", "--id", "--", "sh", "-c", "x"], None, "--id"),
            (&["run", "--id", "--to", "http://a", "--", "sh", "-c", "x"], None, "--id"),
            (&["run", "--id", "a", "--id", "b", "--", "sh", "-c", "x"], Some("b"), "given twice"),
            (&["run", "--id", "a", "--every", "5m", "--", "sh", "-c", "x"], Some("a"), "--every"),
            (&["run", "--id", "a", "--every", "5m", "sh", "-c", "x"], Some("a"), "--every"),
            (&["run", "--every=5m", "--id", "a", "sh", "-c", "x"], Some("a"), "--every"),
            (&["run", "-x", "--id", "a", "sh", "-c", "x"], Some("a"), "-x"),
            (&["run", "--retry-for", "soon", "--id", "a", "sh", "-c", "x"], Some("a"), "--retry-for"),
            (&["--timeout", "soon", "run", "--id", "a", "sh", "-c", "x"], Some("a"), "--timeout"),
            (&["--lang", "fr", "run", "--id", "a", "--", "sh", "-c", "x"], Some("a"), "--lang"),
            (&["--nonsense", "1", "run", "--id", "a", "--", "sh", "-c", "x"], Some("a"), "--nonsense"),
            (&["run", "--id", "my", "job x", "--every", "5m", "--", "sh", "-c", "x"], Some("my"), "job x"),
        ] {
            let (found, command, complaints, lost) = rescued(line);
            assert_eq!(found.as_deref(), id, "{line:?}: {complaints}");
            assert_eq!(command, ["sh", "-c", "x"], "{line:?}");
            assert!(complaints.contains(says) && !complaints.contains("error:"), "{line:?}: {complaints}");
            assert!(!lost, "{line:?}");
        }
        assert!(rescued(&["run", "--to", "ftp://x", "--id", "a", "--", "sh"]).3);
        let several = [
            "run",
            "--to",
            "http://a",
            "--to",
            "ftp://x",
            "--to=http://b",
            "--id",
            "a",
            "--",
            "sh",
            "-x",
            "-y",
        ];
        let found = rescue(&words(&several), &env(&[("PATH", "/bin:/usr/bin")])).unwrap();
        let servers: Vec<String> = found.args.to.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["http://a:7777", "http://b:7777"], "{:?}", found.complaints);
        let zh = rescued(&["--lang", "zh", "run", "--id", "a b", "--", "sh"]).2;
        assert!(
            zh.starts_with("--id <ID> 的值 'a b' 无效：只能由") && zh.ends_with("组成；按 a-b 处理"),
            "{zh}"
        );
    }

    #[test]
    fn without_a_job_there_is_nothing_to_rescue() {
        let env = env(&[("PATH", "/bin:/usr/bin")]);
        for line in [
            &["run", "--id", "my job"][..],
            &["run", "--id", "my job", "--"],
            &["send", "--id", "my job"],
            &["send", "--id", "my job", "--", "sh"],
            &["nonsense"],
            &[],
        ] {
            assert_eq!(rescue(&words(line), &env), None, "{line:?}");
        }
    }

    #[test]
    fn words_of_an_id_without_quotes_are_no_job() {
        let env = env(&[("PATH", "/bin:/usr/bin")]);
        let job = |line: &[&str]| {
            let mut args = cli::parse(words(line), &env).unwrap();
            let said = without_strays(&mut args, &env);
            let ClientTask::Run(run) = args.command else { panic!() };
            (run.command.join(OsStr::new(" ")).to_string_lossy().into_owned(), said.is_some())
        };
        let plain = |text: &str| (text.to_string(), false);
        assert_eq!(job(&["run", "--id", "my", "own_job", "--", "sh", "-c"]), ("sh -c".into(), true));
        assert_eq!(job(&["run", "--id", "a", "env", "--", "sh"]), plain("env -- sh"));
        assert_eq!(job(&["run", "--id", "a", "no_job", "--", "no_job"]), plain("no_job -- no_job"));
        assert_eq!(job(&["run", "--id", "a", "no_job"]), plain("no_job"));
        assert_eq!(job(&["run", "--id", "a", "--", "sh", "--", "sh"]), plain("sh -- sh"));
    }
}
