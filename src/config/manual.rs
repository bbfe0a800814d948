//! A manual page, made from its template and the definition of the command line.
//!
//! The templates are `man/*.in` and, in Chinese, `man/zh_CN/*.in`: roff, in which what the definition knows is left
//! out, so that it cannot drift from the program. They hold, in place of it,
//!
//! | | |
//! |---|---|
//! | `@VERSION@` | the version |
//! | `@ABOUT name@` | what the command of this name does |
//! | `@OPTIONS name@`, a line | its options and arguments; without a name those of the program |
//! | `@VARIABLES As %.@`, a line | each variable of the environment, with its option in place of `%` |
//!
//! Nothing here reads or writes files.

use clap::{Arg, Command};
use std::fmt::Write;

/// The page: a template filled from a definition, which also decides the language of the options.
pub(crate) fn page(template: &str, command: &Command, variables: &[(&str, &str)]) -> String {
    let mut text = template.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    text = text.replace("@OPTIONS@\n", &options(command.get_arguments()));
    for task in command.get_subcommands() {
        let name = task.get_name();
        let about = task.get_about().map(ToString::to_string).unwrap_or_default();
        text = text.replace(&format!("@ABOUT {name}@"), &roff(&about));
        let own = task.get_arguments().filter(|arg| !is_everywhere(arg));
        text = text.replace(&format!("@OPTIONS {name}@\n"), &options(own));
    }
    match text.split_once("@VARIABLES ").and_then(|(head, rest)| Some((head, rest.split_once("@\n")?))) {
        Some((head, (form, tail))) => {
            let mut list = String::new();
            for (variable, option) in variables {
                let option = format!("\\fB{}\\fR", roff(option));
                // Writing to a string cannot fail.
                let _ = write!(list, ".TP\n\\fB{variable}\\fR\n{}\n", form.replace('%', &option));
            }
            format!("{head}{list}{tail}")
        }
        None => text,
    }
}

/// Whether an option stands in the list of the program, because all commands have it.
fn is_everywhere(arg: &Arg) -> bool {
    arg.is_global_set() || arg.get_id() == "help"
}

/// Options and arguments with their texts.
fn options<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let mut list = String::new();
    for arg in args {
        let short = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR"));
        let long = arg.get_long().map(|long| format!("\\fB\\-\\-{}\\fR", roff(long)));
        let flags: Vec<String> = short.into_iter().chain(long).collect();
        let takes = arg.get_action().takes_values();
        let value = arg.get_value_names().and_then(|names| names.first()).filter(|_| takes);
        let value = value.map(|name| format!("\\fI{}\\fR", roff(name)));
        let flags = (!flags.is_empty()).then(|| flags.join(", "));
        let parts: Vec<String> = flags.into_iter().chain(value).collect();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = write!(list, ".TP\n{}\n{}\n", parts.join(" "), roff(&help));
    }
    list
}

/// A text as roff reads it.
pub(crate) fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

#[cfg(test)]
pub(crate) mod testing {
    //! What every page of ours has to hold.

    use super::roff;

    /// Compares a file of the source tree with what the program makes; with REGENERATE in the environment
    /// (`make generated`) it is written anew.
    pub(crate) fn compare_shipped(name: &str, made: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("REGENERATE").is_some() {
            std::fs::write(path, made).unwrap();
        } else {
            assert!(std::fs::read_to_string(path).unwrap() == made, "{name} is old; run: make generated");
        }
    }
    use clap::{Arg, Command};

    /// What a page lacks of all that its program can be told: options of each command, and variables.
    pub(crate) fn missing(page: &str, command: &Command, variables: &[(&str, &str)]) -> Vec<String> {
        let mut lacks = Vec::new();
        let mut commands = vec![command];
        while let Some(one) = commands.pop() {
            commands.extend(one.get_subcommands());
            let flags = one.get_arguments().filter_map(Arg::get_long);
            lacks.extend(flags.map(|flag| format!("\\fB\\-\\-{}\\fR", roff(flag))));
            lacks.extend(one.get_subcommands().map(|task| roff(task.get_name())));
        }
        lacks.extend(variables.iter().map(|(variable, _)| format!("\\fB{variable}\\fR")));
        // What the template names and nobody knows stands there still.
        let unfilled = page.lines().filter(|line| line.starts_with('@') || line.contains("@ABOUT"));
        lacks.retain(|wanted| !page.contains(wanted.as_str()));
        lacks.extend(unfilled.map(str::to_string));
        lacks
    }

    /// The words of a page that are the same in every language, in their order: bold and italic ones in its list of
    /// definitions, and examples.
    pub(crate) fn skeleton(page: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = page.lines();
        let mut example = false;
        while let Some(line) = lines.next() {
            match line {
                ".TP" => found.extend(lines.next().map(bold)),
                ".nf" => example = true,
                ".fi" => example = false,
                _ if example => found.push(line.to_string()),
                _ => (),
            }
        }
        found
    }

    /// The parts of a line that stand in bold.
    fn bold(line: &str) -> String {
        match line.strip_prefix(".B ") {
            Some(all) => all.to_string(),
            None => {
                let parts: Vec<&str> =
                    line.split("\\fB").skip(1).map(|part| part.split("\\f").next().unwrap_or(part)).collect();
                parts.join(" ")
            }
        }
    }
}
