"""The files for service managers that no machine of these tests runs: launchd, OpenRC, FreeBSD's rc.d."""

import plistlib
import subprocess

from machine import tail
from registry import host_scenario
from subject import equal, expect

DAEMON, AGENT = "com.heartbeat-server", "com.heartbeat-server.agent"


@host_scenario
def launchd_plists(_, world):
    """The property lists parse and say what launchd has to know: label, program, sockets, restart, limits."""
    for label in (DAEMON, AGENT):
        with open(world.project / f"packaging/launchd/{label}.plist", "rb") as file:
            said = plistlib.load(file)
        check_plist(said, label)


@host_scenario
def launchd_install(_, world):
    """install.sh puts every file in its place, for a machine and for a user, and takes it out again."""
    script = world.project / "packaging/launchd/install.sh"
    root, home = world.scratch / "launchd", "/Users/o'neil & co|1"

    def run(*words, code=0, **more):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DESTDIR": str(root), "HOME": home, **more}
        done = subprocess.run(["sh", script, *words], env=environment, capture_output=True, text=True)
        equal(done.returncode, code, f"exit code of install.sh {' '.join(words)} ({tail(done.stdout + done.stderr)})")
        return done.stdout + done.stderr

    def files():
        return {str(path.relative_to(root)): path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_file()}

    run()
    plist = f"Library/LaunchDaemons/{DAEMON}.plist"
    equal(files(), {plist: 0o644, "etc/newsyslog.d/heartbeat-server.conf": 0o644}, "the files of the daemon")
    said = plistlib.loads((root / plist).read_bytes())
    check_plist(said, DAEMON)
    state = said["ProgramArguments"][said["ProgramArguments"].index("--state-dir") + 1].lstrip("/")
    log = said["ProgramArguments"][said["ProgramArguments"].index("--log") + 1].removeprefix("file:")
    for folder in (state, log.lstrip("/").rsplit("/", 1)[0]):
        expect((root / folder).is_dir(), f"{folder} is named but not made")
    lines = (root / "etc/newsyslog.d/heartbeat-server.conf").read_text().splitlines()
    rotated = [line.split() for line in lines if not line.startswith("#")]
    user = said["UserName"]
    # newsyslog.conf(5): name, owner, mode, count, size, when, flags, file with the pid, signal.
    equal(rotated[0], [log, f"{user}:{user}", "640", "7", "1024", "*", "JB", f"/{state}/lock", "1"], "newsyslog's line")
    run("uninstall")
    equal(files(), {}, "files left by the daemon")

    run("agent")
    plist = f"{home.lstrip('/')}/Library/LaunchAgents/{AGENT}.plist"
    equal(files(), {plist: 0o644}, "the files of the agent")
    said = plistlib.loads((root / plist).read_bytes())
    check_plist(said, AGENT)
    equal(said["StandardErrorPath"], f"{home}/Library/Logs/heartbeat-server/stderr.log", "the agent's log")
    expect("@HOME@" not in str(said), f"the home directory is not filled in: {said}")
    run("agent", "uninstall")
    equal(files(), {}, "files left by the agent")

    run("nonsense", code=64)
    expect("macOS" in run(code=69, DESTDIR=""), "on another system it does not say what it is for")


@host_scenario
def service_scripts(_, world):
    """The scripts for OpenRC and FreeBSD are sound shell, executable, and name what the packages install."""
    for name, wanted in (
        ("openrc/heartbeat-server", ("supervise-daemon", "/usr/sbin/heartbeat-server", "--state-dir", "checkpath")),
        ("freebsd/heartbeat_server", ("# PROVIDE: heartbeat_server", "# REQUIRE:", ". /etc/rc.subr", "run_rc_command")),
        ("launchd/install.sh", ("launchctl bootstrap", "launchctl bootout")),
    ):
        path = world.project / "packaging" / name
        for shell in ("dash", "bash --posix"):
            done = subprocess.run([*shell.split(), "-n", path], capture_output=True, text=True)
            equal((done.returncode, done.stderr), (0, ""), f"{shell} -n {name}")
        expect(path.stat().st_mode & 0o111, f"{name} is not executable")
        for text in wanted:
            expect(text in path.read_text(), f"{name} lacks {text}")


def check_plist(said: dict, label: str):
    """Fails unless a property list has the keys that launchd.plist(5) wants of a service such as ours."""
    equal(said["Label"], label, "Label")
    equal(said["ProgramArguments"][0], "/usr/local/sbin/heartbeat-server", "the program")
    expect("--daemon" not in said["ProgramArguments"], "launchd wants it in the foreground")
    equal("UserName" in said, label == DAEMON, f"{label}: UserName")
    equal(said["RunAtLoad"], True, f"{label}: RunAtLoad")
    equal(said["KeepAlive"], {"SuccessfulExit": False}, f"{label}: KeepAlive")
    expect(said["ExitTimeOut"] > 10, f"{label}: ExitTimeOut is shorter than a stop may take")
    expect(said["ProcessType"] in ("Interactive", "Standard"), f"{label}: ProcessType")
    expect(said["SoftResourceLimits"]["NumberOfFiles"] >= 8192, f"{label}: NumberOfFiles")
    expect(said["StandardErrorPath"].endswith("/stderr.log"), f"{label}: StandardErrorPath")
    # The names are those that the daemon asks launchd for; without SockFamily each is IPv4 and IPv6.
    sockets = {name: {"SockServiceName": port, "SockType": "stream"} for name, port in (("http", "7777"), ("tcp", "7778"))}
    equal(said["Sockets"], sockets, f"{label}: Sockets")
