"""The package inside a machine: installing it, sending beats, reading back what it wrote down."""

import ast
import collections
import json
import pathlib
import re
import shlex
import time

from machine import Failure, Machine, tail

SERVICE = "heartbeat-server.service"
SOCKET = "heartbeat-server.socket"
TCP_SOCKET = "heartbeat-server-tcp.socket"
CONFIG = "/etc/heartbeat-server/heartbeat-server.toml"
STATE_DIR = "/var/lib/heartbeat-server"
CONTROL = "/run/heartbeat-server/control.sock"
LOG_DIR = "/var/log/heartbeat-server"
LOG = f"{LOG_DIR}/heartbeat-server.log"
STATUS = re.compile(r"\d+ up, \d+ late, \d+ down; [\d.]+ beats/s; \d+ connections")
# What `journalctl MESSAGE_ID=` finds the changes of state by: part of the product's face.
TRANSITION = "e2914b1d7ba74d919cabeb8c4365d582"
# A beat's line in the classic format, in both languages; the group is the id.
BEAT_LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - (?:heartbeat received - from: \S+, reported IP: \S+, id: (\S+)"
    r"|收到心跳 - 来自: \S+, 报告IP: \S+, 标识: (\S+))"
)


def expect(seen, what: str):
    """Fails with `what` unless `seen` holds."""
    if not seen:
        raise Failure(what)


def equal(seen, wanted, what: str):
    """Fails unless the two are equal."""
    if seen != wanted:
        raise Failure(f"{what}: {seen!r}, expected {wanted!r}")


class Subject:
    """heartbeat-server in one machine."""

    def __init__(self, machine: Machine):
        self.machine = machine
        machine.copy(pathlib.Path(__file__).parent / "client.py")

    def install(self, deb: pathlib.Path, options: str = "") -> str:
        """Installs a package as a person would, and returns what apt said."""
        self.machine.copy(deb)
        return self.machine.run(f"apt-get install -y {options} /root/{deb.name}").stdout

    def drop_in(self, unit: str, text: str):
        """Adds to a unit as an administrator would."""
        self.machine.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.machine.run("systemctl daemon-reload")

    def show(self, name: str, unit: str = SERVICE) -> str:
        """One property of a unit."""
        return self.machine.out(f"systemctl show -P {name} {unit}")

    def is_active(self) -> bool:
        return self.machine.out(f"systemctl is-active {SERVICE}") == "active"

    def reload(self):
        """Reloads the configuration, and waits until the daemon says that it has taken it."""
        taken = f"journalctl --no-pager -o cat -u {SERVICE} | grep -c -e '^configuration reloaded' -e '^配置已重新加载'"
        before = int(self.machine.run(taken, check=False).stdout.strip() or 0)
        self.machine.run(f"systemctl reload {SERVICE}")
        self.machine.until(f"test $({taken}) -gt {before}", "the daemon says that it has taken the configuration")

    def journal(self) -> str:
        """What the unit's journal holds: the daemon's words and systemd's about it."""
        return self.machine.out(f"journalctl --no-pager -o cat -u {SERVICE}")

    def post(self, body: str = "{}", port: int = 7777) -> str:
        """One beat by curl; its answer, head included."""
        return self.machine.run(f"curl -sS -i --max-time 30 -d '{body}' http://localhost:{port}/").stdout

    def line(self, line: str, port: int = 7778) -> str:
        """What a line over raw TCP is answered."""
        talk = f"exec 3<>/dev/tcp/127.0.0.1/{port}; echo {shlex.quote(line)} >&3; read -r -t 30 answer <&3; echo \"$answer\""
        return self.machine.run(talk).stdout.strip()

    def get(self, path: str):
        """What the API says, read."""
        return json.loads(self.machine.run(f"curl -sS --max-time 30 'http://localhost:7777{path}'").stdout)

    def monitor(self, name: str) -> dict:
        """One monitor."""
        found = self.get(f"/api/v1/monitors/{name}")
        expect("state" in found, f"there is no monitor {name}: {found}")
        return found

    def monitors(self, pattern: str) -> dict:
        """All monitors whose ids a pattern matches, by id."""
        found, after = {}, ""
        while after is not None:
            page = self.get(f"/api/v1/monitors?limit=10000&match={pattern}{after and '&after='}{after}")
            found.update((each["id"], each) for each in page["monitors"])
            after = page["next"]
        return found

    def control(self, path: str, body: str = "{}", how: str = "") -> str:
        """A wish through the control socket, as root unless `how` says otherwise: the status code."""
        ask = f"curl -sS -o /dev/null -w '%{{http_code}}' --max-time 30 --unix-socket {CONTROL}"
        return self.machine.out(f"{how} {ask} -d {shlex.quote(body)} http://localhost{path}")

    def changes(self, name: str, pid: str = "") -> list:
        """The states that the journal says a monitor changed to, told by one process or by all there were."""
        match = f"MESSAGE_ID={TRANSITION} HEARTBEAT_MONITOR={name}" + (f" _PID={pid}" if pid else "")
        lines = self.machine.out(f"journalctl --no-pager -q -o json {match}").splitlines()
        return [json.loads(line)["HEARTBEAT_STATE"] for line in lines]

    def answers(self):
        """Fails unless a beat is acknowledged."""
        answer = self.post()
        expect(" 200 OK" in answer and '{"status":"ok"}' in answer, f"a beat was answered:\n{tail(answer)}")

    def count(self, number: int, prefix: str):
        """Sends `number` beats over one connection; all must be acknowledged."""
        told = ast.literal_eval(self.machine.run(f"python3 /root/client.py count {number} {prefix}").stdout)
        equal(len(told["ok"]), number, f"beats acknowledged ({told['reasons']})")

    def flow(self, rate: int, prefix: str, kind: str = "keep") -> "Flow":
        """Beats in the background, see client.py."""
        return Flow(self.machine, rate, prefix, kind)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = self.machine.run("curl -sS --max-time 30 http://localhost:7777/metrics").stdout
        values = [line.rsplit(" ", 1)[1] for line in text.splitlines() if re.match(rf"{name}[ {{]", line)]
        expect(values, f"/metrics holds no {name}:\n{tail(text)}")
        return sum(float(value) for value in values)

    def lines(self, where: str = f"{LOG}*") -> list:
        """All lines of the log, rotated and compressed ones too."""
        # The daemon flushes within 10 ms; a busy machine is given more.
        time.sleep(0.5)
        return self.machine.out(f"zcat -qf {where}").splitlines()

    def ids(self, prefix: str, where: str = f"{LOG}*") -> collections.Counter:
        """How often each id with a prefix stands in the log."""
        found = (BEAT_LINE.search(line) for line in self.lines(where))
        names = (match.group(1) or match.group(2) for match in found if match)
        return collections.Counter(name for name in names if name.startswith(f"{prefix}-"))

    def whole(self, prefix: str, told: dict):
        """Fails unless each acknowledged beat has one line and no beat has two."""
        seen = self.ids(prefix)
        doubled = [name for name, times in seen.items() if times > 1]
        lost = [at for at in told["ok"] if f"{prefix}-{at}" not in seen]
        expect(not doubled, f"{len(doubled)} lines stand twice, such as {doubled[:3]}")
        expect(not lost, f"{len(lost)} of {len(told['ok'])} acknowledged beats have no line, such as {lost[:3]}")


class Flow:
    """Beats that keep coming while a scenario does something to the daemon."""

    def __init__(self, machine: Machine, rate: int, prefix: str, kind: str):
        self.machine = machine
        self.prefix = prefix
        self.process = machine.start(f"exec python3 /root/client.py {kind} {rate} {prefix}")

    def stop(self) -> dict:
        """Ends the flow; what was acknowledged, failed and refused."""
        self.machine.run(f"pkill -TERM -f 'client.py .* {self.prefix}$'", check=False)
        said, _ = self.process.communicate(timeout=60)
        try:
            told = ast.literal_eval(said.splitlines()[-1])
        except (IndexError, ValueError, SyntaxError):
            raise Failure(f"the client ended with {self.process.returncode}:\n{tail(said)}") from None
        expect(told["ok"], f"no beat of the flow was acknowledged: {told['reasons']}")
        return told
