//! What of the configuration cannot change while the program runs.

use super::schema;
use super::settings::Settings;

impl Settings {
    /// The keys that differ in `new` and cannot change while the program runs; those of the files first.
    pub fn needs_restart(&self, new: &Settings) -> Vec<String> {
        let (old, process) = (&self.process, &new.process);
        let typed = [
            ("user", old.user != process.user),
            ("group", old.group != process.group),
            ("pid_file", old.pid_file != process.pid_file),
        ];
        let typed = typed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key.to_string());
        schema::needing_restart(self, new).into_iter().chain(typed).collect()
    }
}
