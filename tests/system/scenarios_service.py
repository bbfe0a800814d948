"""The daemon under systemd: start, stop, reload, watchdog, sockets, hardening."""

import re
import time

from machine import Machine, tail
from registry import scenario
from subject import CONFIG, LOG, SERVICE, SOCKET, STATUS, TCP_SOCKET, Subject, equal, expect


@scenario
def install(machine: Machine, world):
    """After apt install the service is enabled, ready and answers; its socket is off."""
    subject = Subject(machine)
    said = subject.install(world.deb)
    expect("warning" not in said.lower() or "unsandboxed" in said, f"apt warns:\n{tail(said)}")
    expect(subject.is_active(), f"not active after the installation:\n{tail(subject.journal())}")
    equal(machine.out(f"systemctl is-enabled {SERVICE}"), "enabled", "is-enabled")
    equal(machine.out(f"systemctl is-enabled {SOCKET}"), "disabled", "is-enabled of the socket")
    equal(machine.out(f"systemctl is-active {SOCKET}"), "inactive", "is-active of the socket")
    # Type=notify: active means the daemon said READY=1.
    equal(subject.show("Type"), "notify", "the type of the unit")
    status = subject.show("StatusText")
    expect(STATUS.search(status), f"the status text is {status!r}")
    subject.answers()
    equal(machine.out(f"stat -c %U:%a {LOG}"), "heartbeat-server:640", "owner and mode of the log")
    equal(machine.out("stat -c %U:%a /var/lib/heartbeat-server"), "heartbeat-server:750", "owner and mode of the state")
    equal(machine.out("ps -o user:32= -C heartbeat-server"), "heartbeat-server", "the daemon's user")
    machine.until(
        f"systemctl show -P StatusText {SERVICE} | grep -E '^[1-9][0-9]* up'", "the status line counts the monitor"
    )
    for page in ("man8/heartbeat-server.8", "man5/heartbeat-server.toml.5"):
        manual(machine, page)
    machine.run("bash -n /usr/share/bash-completion/completions/heartbeat-server")
    checked = machine.run("heartbeat-server check-config")
    expect("7777" in checked.stdout, f"check-config does not name the port:\n{tail(checked.stdout)}")


@scenario
def by_hand_as_root(machine: Machine, world):
    """Root who runs the daemon on the package's state leaves nothing that the service cannot open; README's old way too."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run(f"systemctl stop {SERVICE}")
    machine.run("heartbeat-server --daemon --pid-file /run/by-hand.pid")
    pid = machine.out("cat /run/by-hand.pid")
    equal(machine.out(f"ps -o user:32= -p {pid}"), "heartbeat-server", "whom root's daemon runs as")
    subject.post('{"id":"by-hand"}')
    machine.run(f"kill {pid}")
    machine.until(f"! test -e /proc/{pid}", "it ends")
    folders = "/var/lib/heartbeat-server /var/log/heartbeat-server"
    equal(machine.out(f"find {folders} ! -user heartbeat-server"), "", "files of another")
    machine.run(f"systemctl start {SERVICE}")
    equal(subject.monitor("by-hand")["beats"], 1, "what was noted by hand")
    # Beside the service, as the README says.
    old_way = "/usr/sbin/heartbeat-server 8080 --tcp off --state-dir ~/heartbeat --log file:$HOME/heartbeat/heartbeat_server.log --lang zh"
    machine.start(f"export HOME=/root; exec {old_way}")
    machine.until("curl -fsS -d '{\"ip\":\"192.168.1.9\"}' http://localhost:8080/", "the old way answers beside the service")
    machine.until("grep -q '收到心跳 - 来自: 127.0.0.1, 报告IP: 192.168.1.9' /root/heartbeat/heartbeat_server.log", "its log")


def manual(machine: Machine, page: str):
    """A page in both languages: man has nothing to say against it, and finds the Chinese one by itself."""
    for file in (f"/usr/share/man/{page}.gz", f"/usr/share/man/zh_CN/{page}.gz"):
        warnings = machine.out(f"man --warnings -E UTF-8 -l -Tutf8 -Z {file} 2>&1 >/dev/null")
        equal(warnings, "", f"man warns of {file}")
    name, section = page.rsplit("/", 1)[1].rsplit(".", 1)
    said = machine.out(f"MANWIDTH=80 man -L zh_CN.UTF-8 -E UTF-8 {section} {name}")
    # Its lines are broken between characters; an example may be longer than the rest.
    chinese = [line for line in said.splitlines() if re.search("[\u4e00-\u9fff]", line)]
    too_long = [line for line in chinese if sum(1 + (ord(each) > 0x2E80) for each in line) > 90]
    expect("名称" in said and not too_long, f"the Chinese {name}({section}) looks so:\n{tail(said)}")


@scenario
def stop(machine: Machine, world):
    """`systemctl stop` closes the port, at once although a client keeps its connection; start opens it again."""
    subject = Subject(machine)
    subject.install(world.deb)
    flow = subject.flow(100, "idle")
    subject.answers()
    machine.run(f"systemctl stop {SERVICE}")
    equal(subject.show("Result"), "success", "the result of the stop")
    equal(subject.show("ExecMainStatus"), "0", "the exit code")
    equal(machine.out("ss -Hltn 'sport = :7777'"), "", "listeners on 7777 after the stop")
    refused = machine.run("curl -sS --max-time 30 -d '{}' http://localhost:7777/", check=False)
    equal(refused.returncode, 7, "curl after the stop (7 is: could not connect)")
    machine.run(f"systemctl start {SERVICE}")
    subject.answers()
    told = flow.stop()
    subject.whole("idle", told)


@scenario
def reload(machine: Machine, world):
    """A reload takes a new configuration; a wrong one is refused and the old one stays, in the same process."""
    subject = Subject(machine)
    subject.install(world.deb)
    pid = subject.show("MainPID")
    machine.write("/etc/heartbeat-server/conf.d/10-test.toml", '[defaults]\ninterval = "120s"\n')
    subject.reload()
    wanted = re.compile(r"^heartbeat-interval: 120\r?$", re.IGNORECASE | re.MULTILINE)
    machine.until(
        "curl -sS -i -d '{\"id\":\"reloaded\"}' http://localhost:7777/ | grep -i '^heartbeat-interval: 120'",
        "a new monitor gets the new interval",
    )
    machine.write("/etc/heartbeat-server/conf.d/10-test.toml", '[defaults]\ninterval = "240s"\nbogus = 1\n')
    refused = machine.run(f"systemctl reload {SERVICE}", check=False)
    expect(refused.returncode != 0, "a reload with an unknown key succeeds")
    complaint = re.compile(r"10-test\.toml:3: .*bogus")
    expect(complaint.search(subject.journal()), f"the journal does not name file, line and key:\n{tail(subject.journal())}")
    # A bare SIGHUP passes by the check of ExecReload=; the daemon has to refuse by itself.
    before = len(complaint.findall(subject.journal()))
    machine.run(f"systemctl kill -s HUP --kill-whom=main {SERVICE}")
    machine.until(
        f"test $(journalctl -o cat -u {SERVICE} | grep -c '10-test.toml:3: .*bogus') -gt {before}",
        "the daemon reports the wrong configuration after SIGHUP",
    )
    expect(subject.is_active(), "not active after a refused reload")
    equal(subject.show("MainPID"), pid, "the process after three reloads")
    answer = subject.post('{"id":"after-refusal"}')
    expect(wanted.search(answer), f"the old configuration does not hold:\n{tail(answer)}")


@scenario
def watchdog(machine: Machine, world):
    """A daemon that hangs is killed by the watchdog, one that is killed comes back; both without a person."""
    subject = Subject(machine)
    subject.install(world.deb)
    subject.drop_in(SERVICE, "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n")
    machine.run(f"systemctl restart {SERVICE}")
    # Idle for longer than the watchdog's time: no false alarm.
    time.sleep(5)
    equal(subject.show("NRestarts"), "0", "restarts of a healthy daemon")
    for number, sign in (("STOP", "watchdog"), ("KILL", "signal")):
        pid = subject.show("MainPID")
        restarts = int(subject.show("NRestarts"))
        machine.run(f"kill -{number} {pid}")
        machine.until(
            f"systemctl is-active {SERVICE} && test $(systemctl show -P NRestarts {SERVICE}) -gt {restarts}"
            f" && test $(systemctl show -P MainPID {SERVICE}) -ne {pid}",
            f"the daemon is back after SIG{number}",
        )
        subject.answers()
        expect(f"result '{sign}'" in subject.journal(), f"systemd does not say {sign}:\n{tail(subject.journal())}")


@scenario
def socket_activation(machine: Machine, world):
    """With the socket unit the first beat starts the daemon, and the port stays open over a restart."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run(f"systemctl disable --now {SERVICE}")
    machine.run(f"systemctl enable --now {SOCKET}")
    expect(not subject.is_active(), "the service runs before the first beat")
    subject.answers()
    expect(subject.is_active(), "the service does not run after the first beat")
    status = subject.show("StatusText")
    expect(STATUS.search(status), f"the status text is {status!r}")
    flow = subject.flow(100, "fresh", "flow")
    for _ in range(5):
        machine.run(f"systemctl restart {SERVICE}")
    told = flow.stop()
    equal(told["refused"], 0, "connections refused over five restarts")
    subject.whole("fresh", told)
    machine.run(f"systemctl stop {SOCKET} {SERVICE}")
    equal(machine.out("ss -Hltn 'sport = :7777'"), "", "listeners on 7777 after both are stopped")


@scenario
def both_sockets(machine: Machine, world):
    """Each port may be systemd's, the daemon's or one of each; raw TCP starts the daemon as HTTP does."""
    subject = Subject(machine)
    subject.install(world.deb)
    equal(subject.line("BEAT own"), "OK 60", "a line, with no socket unit in use")
    machine.run(f"systemctl disable --now {SERVICE}")
    machine.run(f"systemctl enable --now {TCP_SOCKET}")
    expect(not subject.is_active(), "the service runs before the first beat")
    equal(subject.line("BEAT tcp-first"), "OK 60", "the line that starts the daemon")
    expect(subject.is_active(), "the service does not run after the first beat")
    # The other port is none of systemd's.
    subject.answers()
    machine.run(f"systemctl stop {TCP_SOCKET} {SERVICE}")
    machine.run(f"systemctl enable --now {SOCKET} {TCP_SOCKET}")
    subject.answers()
    pid = subject.show("MainPID")
    equal(subject.line("BEAT tcp-second"), "OK 60", "a line, with both sockets in use")
    equal(subject.show("MainPID"), pid, "the process that answers on both ports")
    machine.run(f"systemctl restart {SERVICE}")
    equal(subject.line("PING"), "PONG", "a line after a restart")
    equal(subject.monitor("tcp-second")["transport"], "tcp", "the transport of its monitor")
    machine.run(f"systemctl stop {SOCKET} {TCP_SOCKET} {SERVICE}")
    equal(machine.out("ss -Hltn '( sport = :7777 or sport = :7778 )'"), "", "listeners after all are stopped")


@scenario
def port_in_use(machine: Machine, world):
    """A port that somebody else has: exit 69, a sentence that names it, and no endless restarts."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run(f"systemctl stop {SERVICE}")
    other = machine.start(
        "exec python3 -c 'import socket, time; s = socket.socket(); s.bind((\"\", 7777)); s.listen(); time.sleep(600)'"
    )
    machine.until("ss -Hltn 'sport = :7777' | grep -q .", "the other program listens")
    started = machine.run(f"systemctl start {SERVICE}", check=False)
    expect(started.returncode != 0, "the start succeeds")
    equal(subject.show("ExecMainStatus"), "69", "the exit code")
    said = [line for line in subject.journal().splitlines() if "7777" in line and "in use" in line]
    expect(said, f"the journal does not say which address is in use:\n{tail(subject.journal())}")
    time.sleep(1)
    equal(subject.show("ActiveState"), "failed", "the state")
    equal(subject.show("NRestarts"), "0", "restarts")
    machine.run("pkill -f 's.bind'", check=False)
    other.wait(30)
    machine.run(f"systemctl start {SERVICE}")
    subject.answers()


@scenario
def low_port(machine: Machine, world):
    """Port 80 in the configuration: the message sends one to the socket unit, and that works."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.write(
        "/etc/heartbeat-server/conf.d/10-test.toml",
        '[[listen]]\nname = "http"\nprotocol = "http"\naddress = "80"\n',
    )
    started = machine.run(f"systemctl restart {SERVICE}", check=False)
    expect(started.returncode != 0, "the start succeeds")
    equal(subject.show("ExecMainStatus"), "77", "the exit code")
    said = subject.journal()
    expect(SOCKET in said and ":80" in said, f"the journal does not name port and socket unit:\n{tail(said)}")
    subject.drop_in(SOCKET, "[Socket]\nListenStream=\nListenStream=80\n")
    machine.run(f"systemctl reset-failed {SERVICE}", check=False)
    machine.run(f"systemctl enable --now {SOCKET}")
    answer = subject.post(port=80)
    expect('{"status":"ok"}' in answer, f"a beat to port 80 was answered:\n{tail(answer)}")


@scenario
def hardening(machine: Machine, world):
    """systemd rates the exposure of the unit at 1.2 or less and finds nothing wrong with it."""
    subject = Subject(machine)
    subject.install(world.deb)
    for options in ("", "--offline=true "):
        said = machine.out(f"systemd-analyze security --no-pager {options}{SERVICE}")
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
        expect(found, f"systemd-analyze security says:\n{tail(said)}")
        expect(float(found.group(1)) <= 1.2, f"exposure {found.group(1)}")
    for unit in (SERVICE, SOCKET):
        said = machine.out(f"systemd-analyze verify /usr/lib/systemd/system/{unit}")
        equal(said, "", f"systemd-analyze verify of {unit}")
    # The daemon has the limit that the unit names, or all there is where the machine itself has less.
    granted = machine.out("awk '/open files/ {print $5}' /proc/1/limits")
    limit = machine.out(f"awk '/open files/ {{print $4}}' /proc/{subject.show('MainPID')}/limits")
    equal(int(limit), min(524288, int(granted)), "the open-file limit")
    expect(CONFIG in machine.out("dpkg-query -W -f '${Conffiles}' heartbeat-server"), "the configuration is no conffile")
