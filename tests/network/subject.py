"""The two programs under test, as a scenario starts and questions them."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error

START_SECONDS_MAX = 60
# A busy machine may be slow; who waits for something waits so long.
PATIENCE_S = 60
HTTP, TCP = 7777, 7778


class Failure(Exception):
    """Something a scenario saw that should not be; its text is what the person reads."""


def expect(seen, what: str):
    """Fails with `what` unless `seen` holds."""
    if not seen:
        raise Failure(what)


def until(seen, what, seconds_max: float = PATIENCE_S):
    """Asks until the answer holds, and returns it. `what` is a text, or makes one when it is needed."""
    deadline = time.monotonic() + seconds_max
    while True:
        answer = seen()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds_max:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.1)


class Daemon:
    """heartbeat-server with a state of its own, on loopback or on a host of a Net. Ended by its process id."""

    def __init__(self, programs: pathlib.Path, config: str = "", net=None, prefix=(), address="127.0.0.1"):
        self.program = programs / "heartbeat-server"
        self.net = net
        self.prefix = list(prefix)
        self.held = tempfile.TemporaryDirectory(prefix="heartbeat-network-")
        self.folder = pathlib.Path(self.held.name)
        self.address = address
        self.http, self.tcp = (HTTP, TCP) if net else (free_port(), free_port())
        self.config = config
        self.process = None

    def __enter__(self) -> "Daemon":
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.held.cleanup()

    def start(self):
        """Starts it, or starts it again over the same state."""
        listen = "".join(
            f'[[listen]]\nname = "{name}"\nprotocol = "{name}"\naddress = "{self.address}:{port}"\n'
            for name, port in (("http", self.http), ("tcp", self.tcp))
        )
        (self.folder / "config.toml").write_text(f"{self.config}\n{listen}")
        command = [*self.prefix, self.program, "-c", self.folder / "config.toml", "--state-dir", self.folder / "state"]
        command = [str(word) for word in [*command, "--log", f"file:{self.folder}/log", "--lang", "en"]]
        # Not the socket of a daemon that serves this machine.
        environment = {**os.environ, "HEARTBEAT_CONTROL": str(self.folder / "control.sock"), "TZ": "UTC"}
        with open(self.folder / "stderr", "a") as said:
            options = {"env": environment, "stdout": said, "stderr": said, "stdin": subprocess.DEVNULL}
            if self.net:
                self.process = self.net.start("server", command, **options)
            else:
                self.process = subprocess.Popen(command, **options)

        def answers():
            if self.process.poll() is not None:
                raise Failure(f"the daemon ended with {self.process.returncode}:\n{self.said()}")
            try:
                return self.get("/readyz")
            except OSError:
                return None

        until(answers, "the daemon answers", START_SECONDS_MAX)

    def stop(self, number=signal.SIGTERM):
        """Has it end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def said(self) -> str:
        """What it wrote to its log and to stderr."""
        texts = [self.folder / name for name in ("log", "stderr")]
        return "".join(text.read_text(errors="replace") for text in texts if text.exists())

    def logged(self, pattern: str) -> list:
        """The lines of its log in which a pattern is found."""
        return [line for line in self.said().splitlines() if re.search(pattern, line)]

    def get(self, path: str) -> str:
        """What it answers to a GET."""
        with self.connect(self.http) as stream:
            stream.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            head, _, body = read_all(stream).partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise urllib.error.URLError(head.split(b"\r\n")[0].decode())
        return body.decode()

    def connect(self, port: int) -> socket.socket:
        """A connection from the daemon's own host."""
        if self.net:
            return self.net.connect(port, host="server", to=self.address)
        return socket.create_connection((self.address, port), timeout=PATIENCE_S)

    def monitors(self) -> dict:
        """All monitors by id."""
        return {each["id"]: each for each in json.loads(self.get("/api/v1/monitors?limit=10000"))["monitors"]}

    def state(self, name: str) -> str:
        """The state of one, `none` where it is unknown."""
        return self.monitors().get(name, {}).get("state", "none")

    def metric(self, name: str, label: str = "") -> float:
        """The sum of a metric over those of its labels that hold `label`."""
        rows = [row for row in self.get("/metrics").splitlines() if re.match(rf"{name}[ {{]", row) and label in row]
        return sum(float(row.rsplit(" ", 1)[1]) for row in rows)

    def cpu_s(self) -> float:
        """The CPU time it has used."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


class Agent:
    """`heartbeat agent` on a host of a Net; what its hooks do is written into a file, a word a call."""

    def __init__(self, programs: pathlib.Path, net, name: str, to: str, *options: str):
        self.name = name
        self.held = tempfile.TemporaryDirectory(prefix="heartbeat-agent-")
        folder = pathlib.Path(self.held.name)
        self.hooks, self.log = folder / "hooks", folder / "log"
        note = "echo {} >> " + str(self.hooks)
        command = [programs / "heartbeat", "agent", "--to", to, "--id", name, *options]
        command += ["--on-down", note.format("down"), "--on-up", note.format("up")]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HEARTBEAT")}
        with open(self.log, "w") as said:
            options = {"stdout": said, "stderr": said, "stdin": subprocess.DEVNULL, "env": environment}
            self.process = net.start("client", [str(word) for word in command], **options)

    def told(self) -> list:
        """What its hooks were called for, in order."""
        return self.hooks.read_text().split() if self.hooks.exists() else []

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    def words(self, what: str):
        """What to say when it does not do something, with its log as it then is."""
        return lambda: f"{self.name} {what}:\n{self.said()}"

    def stop(self):
        """Has it end in order."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        expect(code == 0, f"the agent ended with {code}:\n{self.said()}")
        self.held.cleanup()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_all(stream: socket.socket) -> bytes:
    """All bytes until the other side ends."""
    read = b""
    while True:
        try:
            piece = stream.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return read
        read += piece
