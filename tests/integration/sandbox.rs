//! What the daemon takes from itself: its user, where it may write, who may look into it, what its programs inherit.

use crate::harness::{Daemon, Place, Setup, project, until};
use crate::skip::skip;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A folder that is neither below /tmp nor /var/tmp, where a confined daemon may write; gone when the test is over. A
/// checkout may lie there, so it is looked for.
struct Outside(PathBuf);

impl Outside {
    /// `None`, counted as a skip, where we may write nowhere else.
    fn new(name: &str) -> Option<Outside> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let places =
            [Some(env!("CARGO_TARGET_TMPDIR").into()), home, Some("/var/lib".into()), Some("/srv".into())];
        for place in places.into_iter().flatten() {
            let path = place.join(format!("heartbeat-{name}-{}", std::process::id()));
            let Ok(real) = std::fs::create_dir_all(&path).and_then(|()| std::fs::canonicalize(&path)) else {
                continue;
            };
            let outside = Outside(real);
            if !outside.0.starts_with("/tmp") && !outside.0.starts_with("/var/tmp") {
                return Some(outside);
            }
        }
        skip("every folder that we may write to is below /tmp");
        None
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether the kernel lets a daemon confine itself; what it says when it does not is said here too.
fn is_confined(hb: &Daemon) -> bool {
    until("a word on its confinement", || {
        hb.log().contains("confined: writes only below") || hb.log().contains("no Landlock")
    });
    let confined = hb.log().contains("confined: writes only below");
    if !confined {
        skip("this kernel has no Landlock");
    }
    confined
}

/// A notifier that runs a script of the shell.
fn script(name: &str, script: &str) -> String {
    format!(
        "[[notifier]]\nname = \"{name}\"\ntype = \"exec\"\nshow_answers = true\ncommand = [\"sh\", \"-c\", '''{script}''']\n"
    )
}

fn test_alert(hb: &Daemon, name: &str) -> (bool, String) {
    let mut command = hb.place.command();
    command.arg("--config").arg(hb.place.path("heartbeat-server.toml")).args(["test-alert", name]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

/// A line of /proc/PID/status.
fn status(pid: u32, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn outside_its_folders_neither_the_daemon_nor_its_programs_write() {
    let Some(outside) = Outside::new("outside") else { return };
    let (closed, open) = (outside.0.join("closed"), outside.0.join("open"));
    [&closed, &open].into_iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    let config = [
        format!("[confine]\nprogram_user = \"root\"\nwrite = [\"{}\"]\n", open.display()),
        script("there", &format!("echo x > {}/file", closed.display())),
        script("opened", &format!("echo x > {}/file", open.display())),
        script("usual", "echo x > {dir}/state/hook; echo x > /dev/null; f=$(mktemp) && rm $f"),
        script("reading", "cat /etc/passwd > /dev/null"),
    ];
    let hb = Setup::new(&config.concat()).args(&["-v"]).start();
    for name in ["opened", "usual", "reading"] {
        assert_eq!(test_alert(&hb, name), (true, format!("{name}: sent\n")));
    }
    assert!(open.join("file").exists());
    if is_confined(&hb) {
        let (sent, said) = test_alert(&hb, "there");
        assert!(!sent && said.contains("ermission denied"), "{said}");
        assert!(!closed.join("file").exists());
    }
    assert_eq!(status(hb.pid(), "NoNewPrivs"), "1");
}

#[test]
fn whoever_switches_it_off_is_not_confined() {
    let Some(outside) = Outside::new("free") else { return };
    let there = script("there", &format!("echo x > {}/file", outside.0.display()));
    let hb = Setup::new(&format!("[confine]\nenabled = false\n{there}")).args(&["-v"]).start();
    assert_eq!(test_alert(&hb, "there"), (true, "there: sent\n".into()));
    assert!(outside.0.join("file").exists() && !hb.log().contains("confined"), "{}", hb.log());
    assert_eq!(status(hb.pid(), "NoNewPrivs"), "0");
}

#[test]
fn a_log_in_a_new_folder_needs_a_restart_and_is_told_so() {
    let Some(outside) = Outside::new("log") else { return };
    let hb = Setup::new("").args(&["-v"]).start();
    if !is_confined(&hb) {
        return;
    }
    let log = outside.0.join("hb.log");
    hb.place.configure(&format!("[log]\ntargets = [\"file:{}\"]\n", log.display()));
    hb.signal(Signal::SIGHUP);
    hb.wait_for_log("the server has confined itself (Landlock) to the folders that it had at its start");
    hb.wait_for_log("log.targets");
    assert!(!log.exists());
    // It goes on as before, and a folder that it has is taken at once.
    hb.beat(r#"{"id":"before"}"#);
    hb.wait_for_log("id: before");
    hb.place.configure("[log]\ntargets = [\"file:{dir}/new.log\"]\n");
    hb.signal(Signal::SIGHUP);
    until("a log in the old folder", || {
        hb.beat(r#"{"id":"after"}"#);
        hb.place.read("new.log").contains("id: after")
    });
}

#[test]
fn a_log_outside_every_other_folder_is_written_set_aside_and_written_again() {
    let Some(outside) = Outside::new("logged") else { return };
    let log = outside.0.join("hb.log");
    let targets = format!("targets = [\"file:{}\", \"stderr\"]", log.display());
    let hb = Setup::new(&format!("[log]\n{targets}\nfile_bytes_max = \"64K\"\n")).start();
    let beats: Vec<String> = (0..1000).map(|n| format!("{{\"id\":\"some-longer-name-{n}\"}}")).collect();
    assert_eq!(hb.beat(&format!("[{}]", beats.join(","))).status, 200);
    let files = || std::fs::read_dir(&outside.0).unwrap().count();
    until("a file set aside", || files() > 1 && log.exists());
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn programs_inherit_neither_descriptors_nor_words_nor_secrets_of_ours() {
    let place = Place::new();
    let look = "ls /proc/self/fd > {dir}/fds; env > {dir}/env; \
                ulimit -c > {dir}/core; umask > {dir}/umask";
    place.configure(&format!(
        "[access]\nadmin_tokens = [{{ file = \"admin\" }}]\n[confine]\nprogram_user = \"root\"\n[log]\ntargets = [\"file:{{dir}}/log\"]\n{}",
        script("look", look)
    ));
    place.write("admin", "a-token-of-the-administrator\n");
    let mut command = place.command_of("bash");
    // Left open by whoever starts us: a file, a pipe, a high number. A pid file is one more, and stays locked.
    let start = format!(
        "exec 7< /etc/passwd 8> >(cat) 99< /etc/passwd; \
         exec '{}' --daemon --pid-file {{dir}}/pid --config {{dir}}/heartbeat-server.toml --state-dir {{dir}}/state",
        crate::harness::PROGRAM
    );
    command.args(["-c", &place.fill(&start)]).env("HEARTBEAT_WEBHOOK_TOKEN", "a-token-in-the-environment");
    // What was meant for another process, or for us alone.
    command
        .env("LISTEN_PID", "1")
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", "http")
        .env("LISTEN_OTHER", "x");
    command.env("CREDENTIALS_DIRECTORY", place.path("credentials"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let pid: i32 = place.read("pid").trim().parse().unwrap();
    let end = End(pid);
    // What the starter left open is closed in the daemon itself.
    for left in ["/etc/passwd", "/pipe:"] {
        let holds = |entry: std::fs::DirEntry| {
            let to = std::fs::read_link(entry.path()).unwrap_or_default();
            to.to_string_lossy().contains(left.trim_start_matches('/'))
        };
        let mut open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        assert!(!open.any(holds), "{left} is still open");
    }
    let mut command = place.command();
    command.arg("--config").arg(place.path("heartbeat-server.toml")).args(["test-alert", "look"]);
    let said = command.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    // The fourth is what ls looks with.
    assert_eq!(place.read("fds").split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    let env = place.read("env");
    for ours in ["NOTIFY_SOCKET", "LISTEN_", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY", "a-token"] {
        assert!(!env.contains(ours), "{ours} in {env}");
    }
    assert!(env.contains("HEARTBEAT_KIND=test"), "{env}");
    assert_eq!((place.read("core").trim(), place.read("umask").trim()), ("0", "0077"));
    drop(end);
}

/// Ends a process that is no child of ours.
struct End(i32);

impl Drop for End {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0), Signal::SIGKILL);
    }
}

/// What somebody without privileges, of the account that the daemon runs as, is told when he reads a file.
fn read_as(account: Option<u32>, path: &str) -> bool {
    let mut cat = Command::new("cat");
    cat.arg(path).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(number) = account {
        cat.uid(number).gid(number);
    }
    cat.status().unwrap().success()
}

#[test]
fn nobody_of_the_same_account_looks_into_its_memory_and_no_core_is_left() {
    let account = geteuid().is_root().then_some(65534);
    let user: &[&str] = if account.is_some() { &["--user", "65534", "--group", "65534"] } else { &[] };
    let hb = Setup::new("").args(user).start();
    let mut other = Command::new("sleep");
    other.arg("600").stdin(Stdio::null());
    account.inspect(|number| _ = other.uid(*number).gid(*number));
    let mut other = other.spawn().unwrap();
    until("another process of the account", || read_as(account, &format!("/proc/{}/maps", other.id())));
    for what in ["maps", "environ", "io"] {
        let path = format!("/proc/{}/{what}", hb.pid());
        assert!(!read_as(account, &path), "{path} is open to its account");
    }
    assert_eq!(std::fs::metadata(format!("/proc/{}/environ", hb.pid())).unwrap().uid(), 0);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", hb.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let _ = other.kill();
    let _ = other.wait();
}

#[test]
fn it_leaves_no_core_where_others_do() {
    let place = Place::new();
    place.configure("");
    // What is killed in a folder of its own, with leave to write a core of any size; what it leaves there.
    let killed = |name: &str, run: &str| {
        let folder = place.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut bash = place.command_of("bash");
        bash.args(["-c", &place.fill(&format!("ulimit -c unlimited || ulimit -c hard; exec {run}"))]);
        let mut child = bash.current_dir(&folder).stderr(Stdio::null()).spawn().unwrap();
        (folder, child.id(), std::iter::from_fn(move || child.wait().ok()))
    };
    let cores = |folder: &PathBuf| {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("core")).count()
    };
    let crash = |pid: u32| {
        let pid = nix::unistd::Pid::from_raw(pid as i32);
        nix::sys::signal::kill(pid, Signal::SIGABRT).unwrap();
    };
    let (other, pid, mut end) = killed("other", "sleep 600");
    until("sleep", || std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c == "sleep\n"));
    crash(pid);
    end.next().unwrap();
    if cores(&other) == 0 {
        return skip("on this system nobody leaves a core in its folder (kernel.core_pattern, ulimit -Hc)");
    }
    let run = format!(
        "'{}' --config {{dir}}/heartbeat-server.toml --state-dir {{dir}}/state",
        crate::harness::PROGRAM
    );
    let (ours, pid, mut end) = killed("ours", &run);
    until("the daemon", || std::net::TcpStream::connect(place.fill("127.0.0.1:{a}")).is_ok());
    crash(pid);
    end.next().unwrap();
    assert_eq!(cores(&ours), 0);
}

#[test]
fn a_holder_that_nobody_may_look_into_is_named_all_the_same() {
    let place = Place::new();
    let mut first = place.command();
    first.args(["--http", &place.fill("127.0.0.1:{a}"), "--tcp", "off"]);
    first.arg("--state-dir").arg(place.path("one")).stderr(Stdio::piped());
    let mut second = place.command();
    second.args(["--http", &place.fill("127.0.0.1:{a}"), "--tcp", "off"]);
    second.arg("--state-dir").arg(place.path("two"));
    if geteuid().is_root() {
        // An account of this test alone: of several daemons it could not say which.
        for command in [&mut first, &mut second] {
            command.uid(64_321).gid(64_321);
        }
        std::os::unix::fs::chown(place.path("."), Some(64_321), Some(64_321)).unwrap();
    }
    let mut first = first.spawn().unwrap();
    until("the first", || std::net::TcpStream::connect(place.fill("127.0.0.1:{a}")).is_ok());
    let output = second.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let _ = first.kill();
    let _ = first.wait();
    assert_eq!(output.status.code(), Some(69), "{said}");
    if geteuid().is_root() {
        assert!(said.contains(&format!("heartbeat-server (pid {})", first.id())), "{said}");
    }
}

#[test]
fn started_by_root_it_runs_as_whom_it_was_told_and_has_nothing_of_roots() {
    if !geteuid().is_root() {
        skip("only root can become another");
        return;
    }
    let log = "[log]\ntargets = [\"file:{dir}/state/hb.log\", \"stderr\"]\n";
    let hb = Setup::new(log).args(&["--user", "nobody"]).start();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let (uid, gid) = (nobody.uid.to_string(), nobody.gid.to_string());
    assert_eq!(status(hb.pid(), "Uid"), [uid.as_str(); 4].join(" "));
    assert_eq!(status(hb.pid(), "Gid"), [gid.as_str(); 4].join(" "));
    assert_eq!(status(hb.pid(), "Groups"), gid);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(u64::from_str_radix(&status(hb.pid(), set), 16), Ok(0), "{set}");
    }
    assert_eq!((status(hb.pid(), "NoNewPrivs"), status(hb.pid(), "Umask")), ("1".into(), "0077".into()));
    // Every thread: what is given up is given up by threads.
    for thread in std::fs::read_dir(format!("/proc/{}/task", hb.pid())).unwrap() {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let held = |line: &&str| line.starts_with("CapEff:") || line.starts_with("CapPrm:");
        assert!(status.lines().filter(held).all(|line| line.ends_with("\t0000000000000000")), "{status}");
    }
    hb.beat(r#"{"id":"x"}"#);
    until("its log", || hb.place.read("state/hb.log").contains("id: x"));
    let of = |name: &str| std::fs::metadata(hb.place.path(name)).unwrap();
    for (name, mode) in [("state/hb.log", 0o640), ("state/lock", 0o600), ("state", 0o700)] {
        let seen = of(name);
        assert_eq!((seen.mode() & 0o777, seen.uid()), (mode, nobody.uid.as_raw()), "{name}");
    }
}

#[test]
fn root_that_stays_root_changes_nothing_of_the_machine() {
    if !geteuid().is_root() {
        skip("this is about root");
        return;
    }
    let hb = Setup::new("").start();
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        let held = u64::from_str_radix(&status(hb.pid(), set), 16).unwrap();
        // CAP_CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, SETFCAP: files of others.
        for number in [0, 1, 2, 3, 4, 31] {
            assert_eq!(held >> number & 1, 0, "{set} has capability {number}");
        }
        // CAP_NET_ADMIN, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, SYS_BOOT, SYS_TIME, MKNOD.
        for number in [12, 16, 17, 19, 21, 22, 25, 27] {
            assert_eq!(held >> number & 1, 0, "{set} has capability {number}");
        }
    }
    assert_eq!(u64::from_str_radix(&status(hb.pid(), "CapInh"), 16), Ok(0));
}

#[test]
fn programs_of_root_are_nobodys_and_can_give_nothing_away() {
    if !geteuid().is_root() {
        return skip("only root has programs of others");
    }
    let look = "id -u > {dir}/open/uid; cp /bin/true {dir}/open/own; \
                grep -E ^Cap /proc/self/status > {dir}/open/caps; \
                chown 12345 {dir}/open/own 2> {dir}/open/chown || chmod 4755 {dir}/given 2> {dir}/open/chmod || \
                cat {dir}/secret 2> {dir}/open/read || exit 0; exit 1";
    let setup = Setup::new(&script("look", look)).file("secret", "of root").file("given", "");
    let path = |name: &str| setup.place().path(name);
    std::fs::create_dir(path("open")).unwrap();
    std::fs::set_permissions(path("open"), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::set_permissions(path("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let hb = setup.start();
    assert_eq!(test_alert(&hb, "look"), (true, "look: sent\n".into()));
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    assert_eq!(hb.place.read("open/uid").trim(), nobody.uid.to_string());
    for line in hb.place.read("open/caps").lines() {
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
    for file in ["open/chown", "open/chmod", "open/read"] {
        assert!(!hb.place.read(file).is_empty(), "{file}: it was refused");
    }
    // Who wants them to be root's gets a root without capabilities.
    let look = "id -u > {dir}/uid; cp /bin/true {dir}/own; chown 12345 {dir}/own 2> /dev/null && exit 1; \
                chown 12345 {dir}/given 2> /dev/null && exit 1; exit 0";
    let config = format!("[confine]\nprogram_user = \"root\"\n{}", script("look", look));
    let hb = Setup::new(&config).file("given", "").start();
    assert_eq!(test_alert(&hb, "look"), (true, "look: sent\n".into()));
    assert_eq!(hb.place.read("uid").trim(), "0");
}

#[test]
fn what_the_environment_says_of_a_manager_switches_nothing_off() {
    let hb = Setup::new("")
        .args(&["-v"])
        .env("NOTIFY_SOCKET", "{dir}/nobody-is-there")
        .env("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
        .start();
    assert_eq!(status(hb.pid(), "NoNewPrivs"), "1");
    assert_eq!(status(hb.pid(), "CapInh").trim_start_matches('0'), "");
    let mask = u32::from_str_radix(&status(hb.pid(), "Umask"), 8).unwrap();
    assert_eq!(mask & 0o027, 0o027, "nothing for others, no writing for the group");
    is_confined(&hb);
    hb.signal(Signal::SIGUSR1);
    hb.wait_for_log("; confined by itself: new privileges");
}

#[test]
fn neither_links_nor_fifos_that_others_planted_are_written_to() {
    let setup = Setup::new("[log]\ntargets = [\"file:{dir}/shared/log\"]\n").file("precious", "data");
    let path = |name: &str| setup.place().path(name);
    std::fs::create_dir(path("shared")).unwrap();
    std::fs::set_permissions(path("shared"), std::fs::Permissions::from_mode(0o1777)).unwrap();
    std::os::unix::fs::symlink(path("precious"), path("shared/log")).unwrap();
    let precious = std::fs::File::open(path("precious")).unwrap();
    let (code, said) = setup.run();
    assert!(code == 77 && said.contains("it is a link"), "{code} {said}");
    assert_eq!(precious.metadata().unwrap().len(), 4, "it is as it was");
    for make_fifo in [false, true] {
        let setup =
            Setup::new("").args(&["--daemon", "--pid-file", "{dir}/shared/pid"]).file("precious", "data");
        let path = |name: &str| setup.place().path(name);
        std::fs::create_dir(path("shared")).unwrap();
        std::fs::set_permissions(path("shared"), std::fs::Permissions::from_mode(0o1777)).unwrap();
        let pid = path("shared/pid");
        match make_fifo {
            true => nix::unistd::mkfifo(&pid, nix::sys::stat::Mode::S_IRWXU).unwrap(),
            false => std::os::unix::fs::symlink(path("precious"), &pid).unwrap(),
        }
        let precious = std::fs::File::open(path("precious")).unwrap();
        let (code, said) = setup.run();
        assert!([74, 77].contains(&code) && said.contains("shared/pid"), "{code} {said}");
        assert_eq!(precious.metadata().unwrap().len(), 4, "it is as it was");
    }
}

#[test]
fn a_state_directory_that_others_may_write_is_refused() {
    let setup = Setup::new("");
    let state = setup.place().path("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (code, said) = setup.run();
    assert!(code == 77 && said.contains("mode 0777") && said.contains("--state-dir"), "{code} {said}");
}

#[test]
fn the_packaged_configuration_is_no_secret_and_holds_none() {
    let sample = std::fs::read_to_string(project("packaging/heartbeat-server.toml")).unwrap();
    let set: Vec<&str> = sample.lines().filter(|l| !l.starts_with('#') && l.contains("token")).collect();
    assert!(set.is_empty(), "{set:?}");
}
