//! The servers that are compared, each as a process of its own.

use crate::common::Outcome;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server; ended when dropped.
pub struct Peer {
    /// What it is.
    pub name: &'static str,
    /// Where it listens on 127.0.0.1: HTTP, but for a server that speaks something else.
    pub port: u16,
    /// Where ours takes raw TCP.
    pub tcp_port: u16,
    child: Child,
}

impl Peer {
    /// Ours, as it would run on this machine, with a line in the log for every beat.
    pub fn heartbeat_server(scratch: &Path) -> Outcome<Peer> {
        let (port, tcp_port) = (free_port()?, free_port()?);
        let log = scratch.join(format!("beats-{port}.log"));
        let state = scratch.join(format!("state-{port}"));
        let config = scratch.join(format!("config-{port}.toml"));
        // Room for a strange id besides the 100,000.
        std::fs::write(&config, "[limits]\nmonitors = 200000\n")?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_heartbeat-server"));
        command
            .env("HEARTBEAT_CONTROL", "off")
            .arg("--config")
            .arg(config)
            .arg("--http")
            .arg(format!("127.0.0.1:{port}"))
            .arg("--tcp")
            .arg(format!("127.0.0.1:{tcp_port}"))
            .arg("--state-dir")
            .arg(state)
            .arg("--log")
            .arg(format!("file:{}", log.display()));
        Peer::start("heartbeat-server, a log line per beat", (port, tcp_port), command)
    }

    /// nginx with two workers, a buffered access log and a constant answer.
    pub fn nginx(scratch: &Path) -> Outcome<Peer> {
        let port = free_port()?;
        let dir = scratch.join("nginx");
        std::fs::create_dir_all(&dir)?;
        let at = dir.display();
        let config = format!(
            "daemon off; worker_processes 2; worker_rlimit_nofile 19000; pid {at}/pid; error_log {at}/error.log warn;\n\
             events {{ worker_connections 16000; use epoll; }}\n\
             http {{\n\
               log_format beat '$time_iso8601 - heartbeat received - from: $remote_addr, request: $request';\n\
               access_log {at}/access.log beat buffer=64k flush=1s;\n\
               keepalive_requests 1000000000; keepalive_timeout 600s; default_type application/json;\n\
               client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
               uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
               server {{ listen 127.0.0.1:{port} reuseport backlog=4096; location / {{ return 200 '{{\"status\":\"ok\"}}'; }} }}\n\
             }}\n"
        );
        std::fs::write(dir.join("nginx.conf"), config)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&dir).arg("-c").arg(dir.join("nginx.conf"));
        Peer::start("nginx, access log", (port, port), command)
    }

    /// The floor: this very program, which must then call [`super::constant::serve`].
    pub fn constant() -> Outcome<Peer> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("constant-server").arg(port.to_string());
        Peer::start("constant answer, no parsing, no log", (port, port), command)
    }

    fn start(name: &'static str, (port, tcp_port): (u16, u16), mut command: Command) -> Outcome<Peer> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let peer = Peer { name, port, tcp_port, child };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(peer);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("{name} does not listen on port {port}").into())
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx takes its workers along only when asked nicely.
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
