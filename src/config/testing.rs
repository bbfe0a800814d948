//! Surroundings for tests: an environment of their own, a directory that goes away, settings from a text.

use super::cli::Args;
use super::{ConfigError, Env, Settings};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An environment with these variables and nothing of the machine's.
pub(crate) fn env(variables: &[(&str, &str)]) -> Env {
    let table: BTreeMap<String, OsString> =
        variables.iter().map(|(name, value)| (name.to_string(), OsString::from(value))).collect();
    Env {
        variable: Box::new(move |name| table.get(name).cloned()),
        current_dir: "/where".into(),
        is_root: true,
        stderr_is_journal: false,
        cores: 3,
        default_file: "/does/not/exist.toml".into(),
    }
}

/// A sample configuration with every commented-out key in force.
pub(crate) fn uncommented(sample: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_string(),
        _ => line.to_string(),
    };
    sample.lines().map(|text| line(text) + "\n").collect()
}

/// Every text of a command line is Chinese, down to the last subcommand.
pub(crate) fn assert_chinese(command: &clap::Command) {
    let texts = command.get_arguments().map(|arg| (arg.get_id().to_string(), arg.get_help()));
    let about = (command.get_name().to_string(), command.get_about());
    for (name, text) in texts.chain([about]) {
        let text = text.map(ToString::to_string).unwrap_or_default();
        assert!(!text.is_ascii(), "{} {name}: {text:?}", command.get_name());
    }
    command.get_subcommands().for_each(assert_chinese);
}

/// A directory of the test's own, removed when the test is over.
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    pub(crate) fn new() -> Dir {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("heartbeat-config-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("conf.d")).unwrap();
        Dir(path)
    }

    /// Writes a file and answers its path.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Settings from `main.toml` of this directory.
    pub(crate) fn load(&self, args: Args, env: &Env) -> Result<Settings, ConfigError> {
        Settings::load(&Args { config: Some(self.0.join("main.toml")), ..args }, env)
    }

    /// A text with the directory's name taken out, for comparing.
    pub(crate) fn strip(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl AsRef<Path> for Dir {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}
