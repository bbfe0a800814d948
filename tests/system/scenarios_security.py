"""What the daemon cannot do: without a network under the lockdown drop-in, and as its own keeper where systemd is not."""

import pathlib
import re

from machine import Machine, tail
from registry import scenario
from skips import skip
from subject import LOG, SERVICE, SOCKET, STATE_DIR, TCP_SOCKET, Subject, equal, expect

LOCKDOWN = "/usr/share/heartbeat-server/lockdown.conf"
EXPOSURE_MAX = 0.2
# A receiver that nothing reaches, a program that needs no network and one that does.
NOTIFIERS = """
[defaults]
notify = ["web", "note", "call"]
[[notifier]]
name = "web"
type = "webhook"
url = "http://127.0.0.1:9098/alerts"
group_wait = "1s"
[[notifier]]
name = "note"
type = "exec"
command = ["sh", "-c", 'echo "$HEARTBEAT_KIND $HEARTBEAT_MONITOR" >> "$STATE_DIRECTORY/noted"; logger -t noted "$HEARTBEAT_TEXT"']
group_wait = "1s"
[[notifier]]
name = "call"
type = "exec"
command = ["curl", "-sS", "-m", "10", "http://127.0.0.1:9098/from-a-program"]
group_wait = "1s"
"""
# A WebSocket as RFC 6455 has it, spoken with what a minimal Python has: `PING` in a masked frame, `PONG` comes back.
WEBSOCKET = """
import socket
s = socket.create_connection(("127.0.0.1", 7777), timeout=30)
s.sendall(b"GET /ws HTTP/1.1\\r\\nHost: localhost\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
          b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n")
head = b""
while not head.endswith(b"\\r\\n\\r\\n"):
    head += s.recv(1)
def send(text):
    s.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)
def hear():
    length = s.recv(2, socket.MSG_WAITALL)[1]
    return s.recv(length, socket.MSG_WAITALL).decode()
send(b"PING")
print(head.split()[1].decode(), hear())
send(b'{"id":"over-websocket","interval":"1h"}')
print(hear())
"""


@scenario
def lockdown(machine: Machine, world):
    """With the lockdown drop-in systemd rates the exposure at 0.2 or less; beats come in by every way, nothing goes out."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.copy(pathlib.Path(__file__).parent / "receivers.py")
    machine.start("exec python3 /root/receivers.py http 9098 /root/heard")
    machine.until("ss -Hltn 'sport = :9098' | grep -q .", "the receiver listens")
    machine.write("/etc/heartbeat-server/conf.d/10-notifiers.toml", NOTIFIERS)
    equal(machine.out(f"systemctl cat {SERVICE} | grep -c PrivateNetwork"), "0", "the drop-in, before it is linked,")
    subject.post('{"id":"before","interval":"1h"}')
    # As its own header says, word for word.
    header = (machine.root / LOCKDOWN.lstrip("/")).read_text().split("\n[Unit]")[0]
    commands = re.findall(r"^#   (\S.*)$", header, re.MULTILINE)
    expect(len(commands) == 6, f"the header of the drop-in tells {commands}")
    for command in commands:
        machine.run(command)
    machine.until(f"systemctl is-active {SERVICE}", "the service is active")
    for options in ("", "--offline=true "):
        said = machine.out(f"systemd-analyze security --no-pager {options}{SERVICE}")
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
        expect(found, f"systemd-analyze security says:\n{tail(said)}")
        expect(float(found.group(1)) <= EXPOSURE_MAX, f"exposure {found.group(1)}")
        print(f"  exposure {options}{found.group(1)}")
    equal(machine.out(f"systemd-analyze verify {SERVICE}"), "", "systemd-analyze verify")

    # In: by all ways, seen on the page, in the log and in the state.
    all_ways(machine, subject, "locked")
    expect(machine.out("curl -sS http://[::1]:7777/healthz"), "over IPv6 nothing is answered")
    equal(subject.monitor("before")["beats"], 1, "what was known before")
    machine.run(f"systemctl restart {SERVICE}")
    equal(subject.monitor("over-line-locked")["beats"], 1, "what was known before a restart")
    expect(subject.control("/api/v1/monitors/before/pause") == "200", "the control socket does not take a wish")

    # Out: nothing, and that is reported and kept.
    for name, works in (("note", True), ("web", False), ("call", False)):
        done = machine.run(f"heartbeat-server test-alert {name}", check=False)
        equal(done.returncode == 0, works, f"test-alert {name} ({done.stdout.strip()})")
    expect("cannot" in done.stdout or "failed" in done.stdout, f"the failure is told as {done.stdout}")
    subject.post('{"id":"falls-silent","interval":"1s","grace":"1s"}')
    machine.until(f"grep -q 'down falls-silent' {STATE_DIR}/noted", "a program without a network is told of silence")
    machine.until("journalctl -t noted | grep -q falls-silent", "what it logs is in the journal")
    waiting = "curl -sS 'http://localhost:7777/api/v1/alerts?state=pending'"
    for name in ("web", "call"):
        machine.until(f"{waiting} | grep -q '\"{name}\"'", f"the alert for {name} is shown as pending")
    expect(not (machine.root / "root/heard").exists(), "something went out")

    # And back: what could not go out goes now.
    machine.run(f"rm /etc/systemd/system/{SERVICE}.d/lockdown.conf")
    machine.run(f"systemctl disable --now {SOCKET} {TCP_SOCKET}")
    machine.run(f"systemctl daemon-reload && systemctl restart {SERVICE}")
    all_ways(machine, subject, "free")
    for word in ("falls-silent", "from-a-program"):
        machine.until(f"grep -q {word} /root/heard", f"what waited is told: {word}", 180)


def all_ways(machine: Machine, subject: Subject, mark: str):
    """A beat over HTTP, raw TCP and WebSocket, on the page, in the log."""
    expect('{"status":"ok"}' in subject.post(f'{{"id":"over-http-{mark}","interval":"1h"}}'), "a beat over HTTP")
    equal(subject.line(f"BEAT over-line-{mark} interval=1h"), "OK 3600", "a beat over raw TCP")
    machine.write("/root/websocket.py", WEBSOCKET)
    said = machine.run("python3 /root/websocket.py").stdout
    expect(said.startswith("101 PONG\n") and '"status":"ok"' in said, f"over a WebSocket: {said}")
    page = machine.out("curl -sS http://localhost:7777/")
    log = "\n".join(subject.lines())
    for name in (f"over-http-{mark}", f"over-line-{mark}", "over-websocket"):
        expect(name in page and name in log, f"{name} is not on the page or not in the log")


@scenario
def sees_its_network(machine: Machine, world):
    """Confined as it is, the service notices that the machine loses its network and has one again."""
    subject = Subject(machine)
    machine.run("ip link add here type veth peer name there && ip address add 10.9.9.1/24 dev here")
    machine.run("ip link set there up && ip link set here up")
    subject.install(world.deb)
    subject.answers()
    for change, word in (("down", "this machine has lost its network"), ("up", "this machine has a network again")):
        # It looks once a second, and has to have seen how it was before.
        machine.run(f"sleep 3 && ip link set here {change}")
        machine.until(f"journalctl -u {SERVICE} | grep -q '{word}'", f"it says: {word}")


@scenario
def by_hand(machine: Machine, world):
    """Started by root without systemd it gives up root, confines itself, and lets nobody of its account look into it."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run(f"systemctl stop {SERVICE}")
    machine.run("sed -i '/^adm:/ { s/$/,heartbeat-server/; s/:,/:/ }' /etc/group && mkdir -p /srv/elsewhere && chmod 777 /srv/elsewhere")
    machine.write(
        "/etc/heartbeat-server/conf.d/10-hooks.toml",
        "".join(
            f"[[notifier]]\nname = \"{name}\"\ntype = \"exec\"\ncommand = [\"sh\", \"-c\", '{script}']\nshow_answers = true\n"
            for name, script in (
                ("outside", "echo x > /srv/elsewhere/file"),
                ("inside", f"cat /proc/self/status > {STATE_DIR}/status; ls /proc/self/fd > {STATE_DIR}/fds"),
                ("setuid", "sudo -n true || su -c true"),
            )
        ),
    )
    start = "heartbeat-server --daemon --user heartbeat-server --pid-file /run/by-hand.pid -v"
    machine.run(f"exec 7</etc/shadow; {start} --log file:{LOG}")
    pid = machine.out("cat /run/by-hand.pid")
    status = dict(re.findall(r"^(\w+):\s*(.*)$", machine.out(f"cat /proc/{pid}/status"), re.MULTILINE))
    user, adm = machine.out("id -u heartbeat-server"), machine.out("getent group adm | cut -d: -f3")
    group = machine.out("id -g heartbeat-server")
    equal(status["Uid"].split(), [user] * 4, "its user")
    equal(status["Gid"].split(), [group] * 4, "its group")
    equal(sorted(status["Groups"].split()), sorted([group, adm]), "its other groups")
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        equal(int(status[name], 16), 0, name)
    equal((status["NoNewPrivs"], status["Umask"]), ("1", "0077"), "no_new_privs and umask")
    subject.answers()
    equal(machine.out(f"stat -c '%a %U' {LOG}"), "640 heartbeat-server", "mode and owner of the log")
    expect(machine.run("heartbeat-server test-alert inside", check=False).returncode == 0, "a program is not started")
    equal(machine.out(f"cat {STATE_DIR}/fds").split(), ["0", "1", "2", "3"], "the descriptors of a program")
    expect("NoNewPrivs:\t1" in machine.out(f"cat {STATE_DIR}/status"), "a program may gain privileges")
    expect(machine.run("heartbeat-server test-alert setuid", check=False).returncode != 0, "a program became root")
    confined = machine.out(f"grep -c 'confined: writes only below' {LOG}") != "0"
    if confined:
        done = machine.run("heartbeat-server test-alert outside", check=False)
        expect(done.returncode != 0 and "ermission denied" in done.stdout, f"writing outside: {done.stdout}")
        equal(machine.out("ls /srv/elsewhere"), "", "what was written outside")
    else:
        reason = f"no Landlock in this machine ({machine.out(f'grep -i landlock {LOG} | head -1')})"
        expect(not skip("system", ["writing outside"], reason), reason)
    closed(machine, pid)
    machine.run(f"kill {pid}")
    machine.until(f"! test -e /proc/{pid}", "it ends")
    # Under systemd the same holds of its memory.
    machine.run(f"systemctl start {SERVICE}")
    closed(machine, subject.show("MainPID"))


def closed(machine: Machine, pid: str):
    """Fails where a process of the daemon's own account can look into it, though it can into another of them."""
    as_it = "runuser -u heartbeat-server --"
    machine.start(f"exec {as_it} sleep 1000")
    other = machine.until("pgrep -u heartbeat-server -x sleep | head -1 | grep .", "another process of the account")
    for what in ("environ", "maps"):
        machine.until(f"{as_it} cat /proc/{other}/{what} > /dev/null", "what is not closed can be read")
        done = machine.run(f"{as_it} cat /proc/{pid}/{what}", check=False)
        expect(done.returncode != 0, f"/proc/{pid}/{what} can be read by its account")
    machine.run(f"kill {other}", check=False)
    core = machine.out(f"awk '/Max core file size/ {{print $5}}' /proc/{pid}/limits")
    equal(core, "0", "the bound on cores")
