//! Configuration files: whatever stands in one, it is read or refused with a reason, in both languages, and never
//! panics; what was read can be described.
#![no_main]

use heartbeat_server::config::cli::Args;
use heartbeat_server::config::{Env, Settings};
use heartbeat_server::domain::lang::Lang;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::OnceLock;

fuzz_target!(|data: &[u8]| {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let dir = base.join(format!("heartbeat-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir.join("heartbeat-server.toml")
    });
    std::fs::write(file, data).unwrap();
    let args = Args { config: Some(file.clone()), ..Args::default() };
    match Settings::load(&args, &Env::of_process()) {
        Ok(settings) => {
            assert!(!settings.listen.is_empty());
            assert_eq!(settings.needs_restart(&settings), [""; 0]);
        }
        Err(error) => {
            assert_ne!(error.exit_code(), 0);
            for lang in [Lang::En, Lang::Zh] {
                let sentence = error.sentence(lang);
                // The last line may say that there are more.
                let lines: Vec<&str> = sentence.lines().take(200).collect();
                assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(": ")), "{sentence}");
            }
        }
    }
});
