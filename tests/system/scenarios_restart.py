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
from registry import scenario
from subject import CONTROL, LOG, SERVICE, Subject, equal, expect

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


@scenario
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
