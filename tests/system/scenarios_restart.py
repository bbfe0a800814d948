"""Restart, upgrade and crash: what is promised of them, under load with exact accounts (load.py), at odd moments (edges.py).

Times are printed and only held against bounds that a busy machine keeps too; `answer_gap_s` is the time in which nobody
at all was answered.
"""

import contextlib
import json
import random
import subprocess
import sys
import time

from machine import Failure, Machine, tail
from registry import scenario, scenario_everywhere
from scenarios_survival import facts, furnish
from skips import skip
from subject import CONTROL, LOG, SERVICE, SOCKET, TCP_SOCKET, Subject, equal, expect

TCP = "line=800 ping=200 bare=200 hello=200 pong=300 frame=300"
HERD = f"{TCP} http=2000 ws=500"
ONCE_PER_S = 50
GAP_S_MAX = 10
# What none of these restarts may do to anybody.
HARM = (
    "lost", "lost_acknowledged", "doubled", "unanswered", "broken", "closed", "ended", "refused",
    "once_refused", "once_reset", "once_failed",
)  # fmt: skip
FIGURES = (
    "clients", "once_clients", "sent", "longest_s", "answer_gap_s", "connect_gap_s", "own_lag_s", "cpu_share",
)  # fmt: skip
STORED = f"systemctl show -P NFileDescriptorStore {SERVICE}"
LISTENING = "ss -Hltn '( sport = :7777 or sport = :7778 )'"


@scenario_everywhere
def restart_under_load(machine: Machine, world):
    """Twenty restarts under 4,500 kept connections of all kinds: nothing lost, nothing doubled, nobody cut off."""
    subject = Subject(machine)
    subject.install(world.deb)
    with Herd(subject, HERD) as herd:
        for _ in range(20):
            machine.run(f"systemctl restart {SERVICE}")
            time.sleep(random.uniform(1, 3))
        unharmed(herd.stop())
    equal(subject.show("NRestarts"), "0", "starts that systemd made by itself")


@scenario
def upgrade_under_load(machine: Machine, world):
    """Five upgrades and downgrades under the same load, the same accounts."""
    subject = Subject(machine)
    subject.install(world.older_deb)
    machine.copy(world.deb)
    with Herd(subject, HERD) as herd:
        for deb in (world.deb, world.older_deb, world.deb, world.older_deb, world.deb):
            pid = subject.show("MainPID")
            machine.run(f"dpkg -i /root/{deb.name}")
            expect(subject.show("MainPID") != pid, "the old process still runs after the upgrade")
            time.sleep(2)
        unharmed(herd.stop())
    version = machine.out("dpkg-query -W -f '${Version}' heartbeat-server")
    expect(version in world.deb.name, f"version {version} is installed")


@scenario
def upgrade_from_the_last_release(machine: Machine, world):
    """The package that people have, upgraded to this one under the same load; what it knew is known."""
    if world.released_deb is None:
        reason = "this checkout has no history to build the last release from"
        expect(not skip("system", ["upgrade_from_the_last_release"], reason), reason)
        return
    subject = Subject(machine)
    subject.install(world.released_deb)
    furnish(subject)
    before = facts(subject)
    machine.copy(world.deb)
    with Herd(subject, HERD) as herd:
        pid = subject.show("MainPID")
        machine.run(f"dpkg --force-confold -i /root/{world.deb.name}")
        expect(subject.show("MainPID") != pid, "the old process still runs after the upgrade")
        time.sleep(5)
        unharmed(herd.stop())
    # Nobody named a grace for the nightly job, and 0.4.0 had one for all; since then it fits the schedule.
    expected = {**before, "nightly": {**before["nightly"], "grace_s": 3600}}
    equal(as_known(expected, facts(subject)), expected, "what is known after the upgrade")
    expect(not machine.out(f"grep -i -E 'damaged|unknown key' {LOG} | head -3"), "it complains of what it found")


def as_known(before, now):
    """What is known now, without what the version before had no name for."""
    if isinstance(before, dict) and isinstance(now, dict):
        return {key: as_known(each, now.get(key)) for key, each in before.items()}
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [as_known(one, other) for one, other in zip(before, now)]
    return now


@scenario
def restart_socket_activated(machine: Machine, world):
    """With both socket units in use five restarts under load do no more harm than without them."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run(f"systemctl disable --now {SERVICE}")
    machine.run(f"systemctl enable --now {SOCKET} {TCP_SOCKET}")
    with Herd(subject, HERD) as herd:
        for _ in range(5):
            machine.run(f"systemctl restart {SERVICE}")
            time.sleep(random.uniform(1, 3))
        unharmed(herd.stop())
    machine.run(f"systemctl stop {SOCKET} {TCP_SOCKET} {SERVICE}")
    equal(machine.out(LISTENING), "", "listeners after all are stopped")
    equal(machine.out(STORED), "0", "descriptors in systemd's store after the stop")


@scenario
def kill_under_load(machine: Machine, world):
    """Ten times kill -9: nobody who comes is refused, and no acknowledged beat is lost; kept connections come back."""
    subject = Subject(machine)
    subject.install(world.deb)
    # Without the log: a line that was under way to it when the process was killed is not written.
    with Herd(subject, "line=100 http=100 ws=20", log=False) as herd:
        for _ in range(10):
            pid = subject.show("MainPID")
            machine.run(f"kill -KILL {pid}")
            machine.until(
                f"systemctl is-active {SERVICE} && test $(systemctl show -P MainPID {SERVICE}) -ne {pid}",
                "another is there",
            )
            time.sleep(random.uniform(1, 3))
        told = herd.stop()
    for name in ("once_refused", "once_failed", "refused", "lost_acknowledged", "doubled"):
        expect(told[name] == 0, f"{name} is {told[name]}: {said(told)}")
    expect(told["broken"] >= 220 and told["once_acknowledged"] > 0, f"the kills were not noticed: {said(told)}")


@scenario
def stop_closes(machine: Machine, world):
    """A stop closes both ports for good, under load as without; nothing stays with systemd; a start opens them again."""
    subject = Subject(machine)
    subject.install(world.deb)
    with Herd(subject, "line=50 http=50 ws=10", once=20) as herd:
        # A restart before the stop, so that something has been in the store.
        machine.run(f"systemctl restart {SERVICE}")
        machine.run(f"systemctl stop {SERVICE}")
        for _ in range(5):
            equal(machine.out(LISTENING), "", "listeners after the stop")
            for port in (7777, 7778):
                refused = machine.run(f"exec 3<>/dev/tcp/127.0.0.1/{port}", check=False)
                expect("refused" in refused.stdout.lower(), f"a connection to {port} after the stop: {refused.stdout}")
            time.sleep(0.5)
        equal(machine.out(STORED), "0", "descriptors in systemd's store after the stop")
        equal(machine.out(f"systemctl is-active {SERVICE}"), "inactive", "is-active after the stop")
        equal(subject.show("Result"), "success", "the result of the stop")
        machine.run(f"systemctl start {SERVICE}")
        subject.answers()
        equal(subject.line("PING"), "PONG", "a line after the start")
        machine.until("test $(ss -Htn state established sport = :7777 | wc -l) -ge 60", "the clients come back")
        told = herd.stop()
    for name in ("lost_acknowledged", "doubled", "unanswered"):
        expect(told[name] == 0, f"{name} is {told[name]}: {said(told)}")


@scenario
def restart_ends_tls(machine: Machine, world):
    """TLS is ended as its protocol has it and comes back; what was acknowledged is there; the others notice nothing."""
    subject = Subject(machine)
    subject.install(world.deb)
    certificate(subject)
    machine.write("/etc/heartbeat-server/conf.d/10-test.toml", PLAIN_AND_TLS)
    machine.run(f"systemctl restart {SERVICE}")
    with Herd(subject, "line=50 http=50 ws=20 tls-http=100 tls-ws=30", once=10) as herd:
        for _ in range(5):
            machine.run(f"systemctl restart {SERVICE}")
            time.sleep(4)
        told = herd.stop()
    for name in ("lost_acknowledged", "doubled", "unanswered", "once_refused", "once_reset", "once_failed"):
        expect(told[name] == 0, f"{name} is {told[name]}: {said(told)}")
    for kind in ("line", "http", "ws"):
        for name in ("broken", "closed", "ended", "refused"):
            expect(not told["kinds"][kind].get(name), f"{kind}, that need not end: {said(told)}")
    sockets = {why: number for why, number in told["endings"].items() if why.startswith("tls-ws")}
    expect(not told["kinds"]["tls-ws"].get("broken"), f"WebSockets ended without a close: {said(told)}")
    expect(sum(sockets.values()) >= 5 * 30, f"WebSockets were ended only so often: {sockets}")
    expect(all("close 1012" in why for why in sockets), f"WebSockets were ended with other words than 1012: {sockets}")
    requests = told["kinds"]["tls-http"]
    ended = requests.get("ended", 0) + requests.get("closed", 0)
    expect(ended >= 5 * 90, f"HTTPS was ended as it should be only {ended} times: {said(told)}")


@scenario_everywhere
def restart_at_odd_moments(machine: Machine, world):
    """Connections in the middle of a line, a head, a frame, a word, half closed, deaf or silent: all go on after a restart."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.write("/etc/heartbeat-server/conf.d/10-test.toml", PLAIN_AND_UNIX)
    # The gap is long enough to do something in it.
    subject.drop_in(SERVICE, "[Service]\nExecStartPre=/bin/sleep 3\n")
    machine.run(f"systemctl restart {SERVICE}")
    odd_moments(subject)
    # All again, when the listeners themselves have been handed over once more, and no count begins anywhere but at 0.
    names = " ".join(f"http://localhost/api/v1/monitors/{name}" for name in subject.monitors("*"))
    machine.run(f"curl -sS -f -X DELETE --unix-socket {CONTROL} {names}")
    odd_moments(subject)


@scenario
def restart_keeps_who_may(machine: Machine, world):
    """A connection that has shown its token need not show it again after a restart; one that has not still must."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.write("/etc/heartbeat-server/beat.token", "a-token-of-this-test\n")
    machine.run("chmod 644 /etc/heartbeat-server/beat.token")
    machine.write(
        "/etc/heartbeat-server/conf.d/10-test.toml",
        '[access]\nbeat_tokens = [{ file = "/etc/heartbeat-server/beat.token" }]\n',
    )
    machine.run(f"systemctl restart {SERVICE}")
    talk = machine.start(
        "exec 3<>/dev/tcp/127.0.0.1/7778 4<>/dev/tcp/127.0.0.1/7778; echo AUTH a-token-of-this-test >&3; read -r -t 60 a <&3;"
        f" systemctl restart {SERVICE};"
        " echo BEAT known >&3; read -r -t 60 b <&3; echo BEAT stranger >&4; read -r -t 60 c <&4; echo \"$a|$b|$c\""
    )
    heard, _ = talk.communicate(timeout=180)
    first, second, third = heard.strip().split("|")
    expect(first.startswith("OK"), f"AUTH was answered {first!r}")
    equal(second, "OK 60", "a beat after the restart of who had shown a token before it")
    expect("ERR" in third and "AUTH" in third, f"a beat of who had shown none was answered {third!r}")


@scenario
def restart_moves_listeners(machine: Machine, world):
    """With other addresses in the configuration a restart closes the stored ports and opens the new ones; and back again."""
    subject = Subject(machine)
    subject.install(world.deb)
    stored = machine.out(STORED)
    for http, tcp, gone in ((8777, 8778, LISTENING), (7777, 7778, LISTENING.replace("777", "877"))):
        machine.write(
            "/etc/heartbeat-server/conf.d/10-test.toml",
            f'[[listen]]\nname = "http"\nprotocol = "http"\naddress = "{http}"\n'
            f'[[listen]]\nname = "tcp"\nprotocol = "tcp"\naddress = "{tcp}"\n',
        )
        machine.run(f"systemctl restart {SERVICE}")
        equal(machine.out(gone), "", f"listeners on the old ports, with {http} and {tcp} configured")
        equal(subject.line("PING", port=tcp), "PONG", f"a line to {tcp}")
        expect('{"status":"ok"}' in subject.post(port=http), f"a beat to {http}")
        equal(machine.out(STORED), stored, "descriptors in systemd's store")
    # One of two taken away is no longer held open either.
    machine.write(
        "/etc/heartbeat-server/conf.d/10-test.toml", '[[listen]]\nname = "http"\nprotocol = "http"\naddress = "7777"\n'
    )
    machine.run(f"systemctl restart {SERVICE}")
    equal(machine.out("ss -Hltn 'sport = :7778'"), "", "listeners on the port that is not configured any more")
    subject.answers()


PLAIN = """
[[listen]]
name = "http"
protocol = "http"
address = "7777"
[[listen]]
name = "tcp"
protocol = "tcp"
address = "7778"
"""
PLAIN_AND_TLS = f"""{PLAIN}
[[listen]]
name = "https"
protocol = "http"
address = "7443"
tls = {{ cert = "/etc/heartbeat-server/tls/cert.pem", key = "/etc/heartbeat-server/tls/key.pem" }}
"""
UNIX_SOCKET = "/run/heartbeat-server/lines.sock"
PLAIN_AND_UNIX = f"""{PLAIN}
[[listen]]
name = "lines"
protocol = "tcp"
address = "unix:{UNIX_SOCKET}"
[tcp]
# Nobody is to be silent for too long on a busy machine.
timeout = "90s"
"""


class Herd:
    """load.py in the machine's network, with the host's Python; use it with `with`."""

    def __init__(self, subject: Subject, herd: str, once: int = ONCE_PER_S, log: bool = True):
        self.machine = subject.machine
        written = ["--log", f"{self.machine.root}{LOG}"] if log else []
        self.command = ["load.py", "--once", str(once), *written, *herd.split()]

    def __enter__(self) -> "Herd":
        self.process = in_network(self.machine, *self.command)
        if self.process.stdout.readline().strip() != "ready":
            output, _ = self.process.communicate(timeout=120)
            raise Failure(f"the clients did not all get to beat:\n{tail(output)}")
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.communicate()

    def stop(self) -> dict:
        """Lets them finish; the account. Prints the figures."""
        self.process.terminate()
        output, _ = self.process.communicate(timeout=180)
        try:
            told = json.loads(output.splitlines()[-1])
        except (IndexError, ValueError):
            raise Failure(f"load.py ended with {self.process.returncode}:\n{tail(output)}") from None
        print("    " + ", ".join(f"{name} {told[name]}" for name in FIGURES))
        harm = {name: told[name] for name in HARM if told[name]}
        print(f"    {harm or 'nothing lost, doubled, broken or refused'}")
        return told


def in_network(machine: Machine, script: str, *arguments: str) -> subprocess.Popen:
    """A script of this folder, run by the host's Python in the machine's network."""
    command = ["nsenter", "-t", str(machine.pid1), "-n", "--", sys.executable, f"{sys.path[0]}/{script}", *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )


def unharmed(told: dict):
    """Fails when anything was lost, doubled, cut off or refused, or nobody was answered for long."""
    harm = {name: told[name] for name in HARM if told[name]}
    expect(not harm, f"{harm} of {told['sent']} beats: {said(told)}")
    expect(told["acknowledged"] > 0 and told["once_acknowledged"] > 0, "nobody was answered")
    expect(told["answer_gap_s"] < GAP_S_MAX, f"nobody was answered for {told['answer_gap_s']} s")


def said(told: dict) -> str:
    """An account as far as it helps to find a fault."""
    kinds = {
        kind: {name: number for name, number in of.items() if number and name not in ("clients", "longest_s")}
        for kind, of in told["kinds"].items()
    }
    lines = [f"{kind}: {of}" for kind, of in kinds.items()] + [f"endings: {told['endings']}"] + told["examples"]
    return "\n" + "\n".join(f"    {line}" for line in lines)


def odd_moments(subject: Subject):
    """All cases of edges.py around one restart."""
    machine = subject.machine
    process = in_network(machine, "edges.py", f"/proc/{machine.pid1}/root{UNIX_SOCKET}")
    try:
        equal(process.stdout.readline().strip(), "before", "what edges.py says first")
        machine.run(f"systemctl restart --no-block {SERVICE}")
        machine.until(f"test $(systemctl show -P SubState {SERVICE}) = start-pre", "the gap between two processes")
        print("", file=process.stdin, flush=True)
        equal(process.stdout.readline().strip(), "gap", "what edges.py says in the gap")
        machine.until(f"systemctl is-active {SERVICE}", "the next process is ready")
        output, _ = process.communicate("\n", timeout=300)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    told = json.loads(output.splitlines()[-1])
    failures = "\n".join(f"    {name}: {why}" for name, why in told["failures"].items())
    expect(not failures, f"{len(told['failures'])} of {told['cases']} cases failed:\n{failures}")
    print(f"    {told['cases']} cases")


def certificate(subject: Subject):
    """A certificate of its own, that the daemon may read."""
    folder = f"{subject.machine.root}/etc/heartbeat-server/tls"
    made = subprocess.run(
        f"mkdir -p {folder} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
        f" -subj /CN=localhost -keyout {folder}/key.pem -out {folder}/cert.pem && chmod 644 {folder}/*.pem",
        shell=True,
        capture_output=True,
        text=True,
    )
    expect(made.returncode == 0, f"no certificate was made:\n{tail(made.stderr)}")
