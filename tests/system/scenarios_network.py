"""Who may speak to the daemon, and how much: as seen from another host, not from loopback.

The other host is a network namespace inside the machine, joined to it by a pair
of virtual interfaces. It has an address of a private network and one of the public
internet, as a beat through a forwarded port would have.
"""

import ast
import contextlib
import json
import re

from machine import Machine, tail
from registry import scenario
from subject import Subject, equal, expect

PRIVATE, PRIVATE_SERVER = "192.168.77.9", "192.168.77.1"
PUBLIC, PUBLIC_SERVER = "203.0.113.9", "203.0.113.1"


@scenario
def access_by_network(machine: Machine, world):
    """By default a private address may send beats and read, a public one neither; the answer names the key to change."""
    subject = Subject(machine)
    subject.install(world.deb)
    with other_host(machine) as host:
        equal(host.status(PRIVATE_SERVER, "/", "-d '{}'"), "200", "a beat from a private address")
        equal(host.status(PRIVATE_SERVER, "/api/v1/monitors"), "200", "reading from a private address")
        for path, options, key in (("/", "-d '{}'", "access.allow"), ("/api/v1/monitors", "", "access.read")):
            equal(host.status(PUBLIC_SERVER, path, options), "403", f"{path} from a public address")
            said = host.curl(PUBLIC_SERVER, path, options)
            expect(key in said and PUBLIC in said, f"the refusal does not name {key} and {PUBLIC}: {said}")
        # Refused is refused: nothing of it is remembered.
        listed = json.loads(machine.out("curl -sS http://localhost:7777/api/v1/monitors"))
        equal([each["id"] for each in listed["monitors"]], [PRIVATE], "the monitors")
        machine.write("/etc/heartbeat-server/conf.d/10-test.toml", f'[access]\nallow = ["{PUBLIC}/32"]\n')
        subject.reload()
        machine.until(
            host.line(f"curl -sS -f --max-time 30 -d '{{}}' http://{PUBLIC_SERVER}:7777/"),
            "once access.allow names it, a public address may send beats",
        )
        equal(host.status(PRIVATE_SERVER, "/", "-d '{}'"), "403", "a beat from an address that is no longer named")


@scenario
def limits_by_address(machine: Machine, world):
    """Connections and new monitors of one address are bounded, each refusal says which limit; loopback is not bound."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.write(
        "/etc/heartbeat-server/conf.d/10-test.toml",
        "[limits]\nconnections_per_address = 5\nnew_monitors_per_hour = 8\n",
    )
    subject.reload()
    with other_host(machine) as host:
        told = ast.literal_eval(machine.run(host.line(f"python3 /root/client.py hold 7 {PRIVATE_SERVER}")).stdout)
        for answer in told[:5]:
            expect(answer.startswith("HTTP/1.1 200 "), f"of 7 connections at once the first five hear: {told}")
        for answer in told[5:]:
            expect(answer.startswith("HTTP/1.1 429 "), f"a sixth connection at once hears: {answer!r}")
            expect(re.search(r"(?im)^retry-after: \d+\r?$", answer), f"without Retry-After: {answer!r}")
            expect("limits.connections_per_address" in answer, f"which does not name the limit: {answer!r}")
        told = ast.literal_eval(machine.run("python3 /root/client.py hold 20 127.0.0.1").stdout)
        refused = [answer for answer in told if not answer.startswith("HTTP/1.1 200 ")]
        equal(refused, [], "answers other than 200 to 20 connections at once from loopback")
        # The places are free again as soon as the daemon has seen the ends.
        machine.until(
            host.line(f"curl -sS -f --max-time 30 -d '{{}}' http://{PRIVATE_SERVER}:7777/"),
            "after the connections are closed new ones are let in",
        )

        # The host itself is one monitor already, made by its first beat.
        heard = [host.status(PRIVATE_SERVER, "/", f"""-d '{{"id":"new-{number}"}}'""") for number in range(9)]
        equal(heard, ["200"] * 7 + ["429"] * 2, "nine new monitors, where eight an hour are allowed and one exists")
        said = host.curl(PRIVATE_SERVER, "/", """-i -d '{"id":"one-more"}'""")
        expect(re.search(r"(?im)^retry-after: \d+\r?$", said), f"without Retry-After:\n{tail(said)}")
        expect("limits.new_monitors_per_hour" in said, f"which does not name the limit:\n{tail(said)}")
        equal(host.status(PRIVATE_SERVER, "/", """-d '{"id":"new-0"}'"""), "200", "a beat for one that exists")
        for number in range(20):
            expect(" 200 OK" in subject.post(f'{{"id":"local-{number}"}}'), "new monitors from loopback are bounded")


class Host:
    """Another host that sees the machine over a wire."""

    def __init__(self, machine: Machine, pid: int):
        self.machine = machine
        self.pid = pid

    def line(self, command: str) -> str:
        """A command as it is to be run in the machine so that it sees the other host's network."""
        return f"nsenter --net=/proc/{self.pid}/ns/net -- {command}"

    def curl(self, address: str, path: str, options: str = "") -> str:
        """What the daemon answers to this host."""
        return self.machine.run(self.line(f"curl -sS --max-time 30 {options} http://{address}:7777{path}")).stdout

    def status(self, address: str, path: str, options: str = "") -> str:
        """The status code it answers with."""
        return self.curl(address, path, f"-o /dev/null -w '%{{http_code}}' {options}")


@contextlib.contextmanager
def other_host(machine: Machine):
    """Joins a host to the machine, for as long as the `with` lasts."""
    process = machine.start("exec unshare --net sh -c 'echo $$; exec sleep 3600'")
    pid = int(process.stdout.readline())
    host = Host(machine, pid)
    try:
        machine.run(f"ip link add outside type veth peer name wire netns {pid}")
        machine.run(f"ip addr add {PRIVATE_SERVER}/24 dev outside; ip addr add {PUBLIC_SERVER}/24 dev outside")
        machine.run("ip link set outside up")
        machine.run(host.line(f"ip addr add {PRIVATE}/24 dev wire"))
        machine.run(host.line(f"ip addr add {PUBLIC}/24 dev wire"))
        machine.run(host.line("ip link set wire up"))
        yield host
    finally:
        machine.run(f"kill {pid}", check=False)
        process.wait(30)
