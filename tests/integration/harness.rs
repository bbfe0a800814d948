//! Starts the real daemon in a folder of its own and ends it by its process id.
//!
//! Texts given by a test (configuration, arguments, environment) may hold `{dir}` for that folder and `{a}` to `{d}`
//! for free ports. A configuration without `[[listen]]` gets one on port `{a}` of 127.0.0.1. What the daemon writes to
//! stderr, its log by default, is kept in a file of the folder and shown when the test fails.

use crate::client::{Conn, Reply, beat, get, with_body};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_heartbeat-server");

/// The client under test.
pub const CLIENT: &str = env!("CARGO_BIN_EXE_heartbeat");

/// A folder and free ports, gone when the test is over.
pub struct Place {
    dir: PathBuf,
    ports: [u16; 4],
}

impl Place {
    /// A new one.
    pub fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hb-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Place { dir, ports: std::array::from_fn(|_| free_port()) }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A port, `a` to `d`.
    pub fn port(&self, letter: char) -> u16 {
        self.ports[letter as usize - 'a' as usize]
    }

    /// A text with its placeholders filled in.
    pub fn fill(&self, text: &str) -> String {
        let mut text = text.replace("{dir}", &self.dir.to_string_lossy());
        for letter in ['a', 'b', 'c', 'd'] {
            text = text.replace(&format!("{{{letter}}}"), &self.port(letter).to_string());
        }
        text
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), self.fill(text)).unwrap();
    }

    /// Writes the configuration.
    pub fn configure(&self, config: &str) {
        let listen = "\n[[listen]]\naddress = \"127.0.0.1:{a}\"\n";
        let listen = if config.contains("[[listen]]") { "" } else { listen };
        self.write("heartbeat-server.toml", &format!("{config}{listen}"));
    }

    /// Reads a file of the folder; what is missing is empty.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// The program with nothing of our environment but the path.
    pub fn command(&self) -> Command {
        self.command_of(PROGRAM)
    }

    /// The same of another program.
    pub fn command_of(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TZ", "UTC").env("HOME", &self.dir).current_dir(&self.dir).stdin(Stdio::null());
        // As root its usual place would be the same for all daemons of all tests.
        command.env("HEARTBEAT_CONTROL", self.path("control.sock"));
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Ports that one process of tests has to itself, from below those that the system gives to clients.
const BLOCK_PORTS: u16 = 500;
const BLOCKS: u16 = 40;

/// The first port of a block that no other process of tests uses: a lock on a file says so for as long as we live.
fn port_block() -> u16 {
    static BLOCK: OnceLock<(u16, Flock<File>)> = OnceLock::new();
    let lock = |number: u16| {
        let path = std::env::temp_dir().join(format!("hb-test-ports-{}-{number}", nix::unistd::geteuid()));
        let file = File::options().create(true).truncate(false).write(true).open(path).ok()?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
        Some((12_000 + number * BLOCK_PORTS, file))
    };
    let first = || (0..BLOCKS).find_map(lock).expect("forty other processes of tests are running");
    BLOCK.get_or_init(first).0
}

/// A port nobody listens on, and that no other test is given soon.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let port = port_block() + NEXT.fetch_add(1, Ordering::Relaxed) % BLOCK_PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("::", port)).is_ok() {
            return port;
        }
    }
}

/// What a daemon is to be started with.
pub struct Setup {
    place: Place,
    command: Command,
}

impl Setup {
    /// With a configuration.
    pub fn new(config: &str) -> Setup {
        let place = Place::new();
        place.configure(config);
        let mut command = place.command();
        command.arg("--config").arg(place.path("heartbeat-server.toml"));
        command.arg("--state-dir").arg(place.path("state"));
        Setup { place, command }
    }

    /// Without any, for what is said with arguments alone.
    pub fn bare() -> Setup {
        let place = Place::new();
        let mut command = place.command();
        // All daemons of all tests would want the same port.
        command.arg("--state-dir").arg(place.path("state")).env("HEARTBEAT_TCP", "off");
        Setup { place, command }
    }

    /// With arguments.
    pub fn args(mut self, args: &[&str]) -> Setup {
        self.command.args(args.iter().map(|arg| self.place.fill(arg)));
        self
    }

    /// With a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.command.env(name, self.place.fill(value));
        self
    }

    /// With a file in the folder.
    pub fn file(self, name: &str, text: &str) -> Setup {
        self.place.write(name, text);
        self
    }

    /// Starts it and waits until it answers on port `{a}`.
    pub fn start(self) -> Daemon {
        let mut daemon = self.spawn();
        daemon.wait_until_it_answers();
        daemon
    }

    /// Starts it without waiting for anything.
    pub fn spawn(mut self) -> Daemon {
        self.command.stdout(Stdio::null()).stderr(File::create(self.place.path("stderr")).unwrap());
        Daemon { child: self.command.spawn().unwrap(), place: self.place }
    }

    /// Runs it to its end, which is expected soon: its exit code, and what it said on stdout and stderr.
    pub fn run(mut self) -> (i32, String) {
        let output = self.command.output().unwrap();
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said += &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), said)
    }

    /// Its folder.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// Starts a daemon with a configuration.
pub fn daemon(config: &str) -> Daemon {
    Setup::new(config).start()
}

/// A running daemon.
pub struct Daemon {
    child: Child,
    /// Its folder.
    pub place: Place,
}

impl Daemon {
    /// One that a command starts in its own way; waits until it answers on port `{a}`.
    pub fn of(place: Place, mut command: Command) -> Daemon {
        command.stdout(Stdio::null()).stderr(File::create(place.path("stderr")).unwrap());
        let mut daemon = Daemon { child: command.spawn().unwrap(), place };
        daemon.wait_until_it_answers();
        daemon
    }

    /// Another daemon in the folder of this one, which has ended.
    pub fn replaced(mut self, mut by: Command) -> Daemon {
        assert!(!self.is_running());
        by.stdout(Stdio::null()).stderr(File::create(self.place.path("stderr")).unwrap());
        self.child = by.spawn().unwrap();
        self.wait_until_it_answers();
        self
    }

    fn wait_until_it_answers(&mut self) {
        let address = self.address();
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the daemon did not start: {status}\n{}", self.log());
            }
            if std::net::TcpStream::connect(&address).is_ok() {
                // Accepted is not yet served.
                let mut conn = self.connect();
                conn.send(get("/healthz"));
                conn.reply();
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the daemon does not listen:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `127.0.0.1:{a}`.
    pub fn address(&self) -> String {
        self.address_of('a')
    }

    /// `127.0.0.1` and a port.
    pub fn address_of(&self, letter: char) -> String {
        format!("127.0.0.1:{}", self.place.port(letter))
    }

    /// A connection to port `{a}`.
    pub fn connect(&self) -> Conn {
        Conn::tcp(&self.address())
    }

    /// The answer to one request on a connection of its own.
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut conn = self.connect();
        conn.send(request);
        conn.reply()
    }

    /// The answer to a question.
    pub fn get(&self, path: &str) -> Reply {
        self.ask(get(path))
    }

    /// A connection to the control socket.
    pub fn control(&self) -> Conn {
        Conn::unix(&self.place.path("control.sock").to_string_lossy())
    }

    /// The answer to a wish, told at the control socket.
    pub fn wish(&self, method: &str, path: &str, body: &str) -> Reply {
        let mut conn = self.control();
        conn.send(with_body(method, path, "", body));
        conn.reply()
    }

    /// The answer to a beat.
    pub fn beat(&self, body: &str) -> Reply {
        self.ask(beat(body))
    }

    /// A monitor as the API shows it.
    pub fn monitor(&self, id: &str) -> Value {
        let reply = self.get(&format!("/api/v1/monitors/{id}"));
        assert_eq!(reply.status, 200, "{id}: {}", reply.text());
        reply.json()
    }

    /// A sample of the metrics, named with its labels as written there.
    pub fn metric(&self, name: &str) -> u64 {
        let reply = self.get("/metrics");
        let line = reply.text().lines().find(|l| l.rsplit_once(' ').is_some_and(|(n, _)| n == name));
        let value = line.unwrap_or_else(|| panic!("no metric {name}")).rsplit(' ').next();
        value.and_then(|v| v.parse().ok()).expect("a number")
    }

    /// What it wrote to stderr.
    pub fn log(&self) -> String {
        self.place.read("stderr")
    }

    /// Waits until stderr holds a text.
    pub fn wait_for_log(&self, part: &str) {
        until(&format!("{part:?} in the log"), || self.log().contains(part));
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        until("the end of the daemon", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let last: Vec<&str> = log.lines().rev().take(30).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            eprintln!("--- the end of the daemon's stderr\n{}\n---", last.join("\n"));
        }
    }
}

/// A run of the client, in the folder of somebody else; texts may hold the placeholders of that.
pub struct Client<'a> {
    place: &'a Place,
    command: Command,
}

impl<'a> Client<'a> {
    /// Without a configuration.
    pub fn new(place: &'a Place) -> Client<'a> {
        let mut command = place.command_of(CLIENT);
        command.env("HEARTBEAT_CLIENT_CONFIG", place.path("heartbeat-client.toml"));
        // Whoever wants the control socket asked says so.
        command.env_remove("HEARTBEAT_CONTROL");
        if !place.path("heartbeat-client.toml").exists() {
            place.write("heartbeat-client.toml", "");
        }
        Client { place, command }
    }

    /// With no signal ignored, whatever the tests themselves were started with: in the background of a script that is
    /// SIGINT. env(1) becomes the program, so the process is the same.
    pub fn heeding_signals(place: &'a Place) -> Client<'a> {
        let config = place.path("heartbeat-client.toml");
        let mut client = Client::new(place);
        client.command = place.command_of("env");
        client.command.env("HEARTBEAT_CLIENT_CONFIG", config).args(["--default-signal", CLIENT]);
        client
    }

    /// With arguments.
    pub fn args(mut self, args: &[&str]) -> Client<'a> {
        self.command.args(args.iter().map(|arg| self.place.fill(arg)));
        self
    }

    /// With a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Client<'a> {
        self.command.env(name, self.place.fill(value));
        self
    }

    /// Runs it to its end: its exit code, and what it said on stdout and stderr.
    pub fn run(mut self) -> (i32, String) {
        let output = self.command.output().unwrap();
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said += &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), said)
    }

    /// What is to be run, for whoever wants to do it otherwise.
    pub fn command(self) -> Command {
        self.command
    }
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A file of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
