//! Configuration: what was typed, what the files say, and what the program then needs.
//!
//! Two steps. [`cli`] turns the command line into [`cli::Args`]: what somebody typed, checked word by word and nothing
//! more. [`Settings::load`] adds the environment and the files and yields what the program needs, or every error it
//! found, each with its place. Precedence: flag, then environment, then file, then default.
//!
//! The files are read by [`file`], their keys are declared in [`schema`], as [`declare`] says, secrets are fetched by
//! [`tokens`]. Nothing here prints, exits or reads the process's environment by itself: the facts come in through [`Env`].

pub(crate) mod bilingual;
pub mod cli;
mod decide;
mod declare;
mod describe;
mod env;
pub(crate) mod error;
pub(crate) mod file;
mod hints;
pub(crate) mod language;
mod listening;
pub(crate) mod manual;
mod monitor;
mod notifier;
pub(crate) mod reference;
mod resolve;
mod restart;
pub mod schema;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
mod tls;
pub(crate) mod tokens;
pub(crate) mod value;

pub use crate::domain::policy::Defaults;
pub use env::Env;
pub use error::ConfigError;
pub use resolve::{control_socket, language};
pub use settings::{Listen, ProcessSettings, Settings, StateSettings};

/// The file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "/etc/heartbeat-server/heartbeat-server.toml";
