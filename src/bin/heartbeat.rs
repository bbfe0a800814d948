//! The client's entry; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(heartbeat_server::client::main(std::env::args_os()))
}
