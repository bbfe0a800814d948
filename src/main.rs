//! The daemon's entry; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(heartbeat_server::app::main(std::env::args_os()))
}
