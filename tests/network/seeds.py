"""The programs printed in the texts that this project began with, built and run against ours, unchanged but for the port.

The texts are not part of the project: `HEARTBEAT_SEEDS` names the folder that holds them, `0-*.txt` to `4-*.txt`. There are
a client in C that says `hello server`, a server and a client in Node that say `ping` and `pong`, and a server and a
client in C++ that exchange frames of eight bytes.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from subject import Daemon, Failure, expect, free_port, until

# As the texts have it, so no configuration shortens anything.
LIFE_S = 60
FOLDER = os.environ.get("HEARTBEAT_SEEDS", "")
TOOLS = ("cc", "c++", "node")


def wanting() -> str:
    """What is missing to try this; empty when nothing is."""
    if not FOLDER or not pathlib.Path(FOLDER).is_dir():
        return "HEARTBEAT_SEEDS names no folder with the texts"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"missing: {', '.join(missing)}" if missing else ""


class Programs:
    """The printed programs, built. They and what was started of them are gone with the `with`."""

    def __enter__(self) -> "Programs":
        self.processes = []
        self.held = tempfile.TemporaryDirectory(prefix="heartbeat-seeds-")
        self.folder = pathlib.Path(self.held.name)
        c = text_of(1)
        c = re.sub(r"(?m)^\t", "", c[c.index("\t#include") :])
        # Its buffer is one byte shorter than what it clears: today's compilers stop it for that.
        c = c.replace("port = 80;", "port = atoi(argv[1]);").replace("bzero(buffer, MAXBUF + 1)", "bzero(buffer, MAXBUF)")
        self._build("hello", "c", c, "cc")
        node = [piece for piece in re.split(r"(?m)^(?=const net = require)", text_of(2)) if piece.startswith("const net")]
        serve, dial = (piece.split("\n\n\n")[0] if "\n\n\n" in piece else piece for piece in node)
        serve = serve[: serve.index("server.listen(3000")] + "server.listen(+process.argv[2]);\n"
        dial = dial[: dial.index("// 错误处理")].replace("port: 3000", "port: +process.argv[2]")
        (self.folder / "server.js").write_text(serve)
        (self.folder / "client.js").write_text(dial)
        for name, cpp in zip(("frames-server", "frames-client"), re.findall(r"```cpp\n(.*?)```", text_of(3), re.S)):
            cpp = "#include <pthread.h>\n" + cpp.replace("int main()", "int main(int argc, char **argv)")
            cpp = cpp.replace("Server server(15000)", "Server server(atoi(argv[1]))")
            cpp = cpp.replace('"127.0.0.1", 15000', '"127.0.0.1", atoi(argv[1])')
            self._build(name, "cpp", cpp, "c++")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.held.cleanup()

    def _build(self, name: str, ending: str, text: str, compiler: str):
        source = self.folder / f"{name}.{ending}"
        source.write_text(text)
        command = [compiler, "-w", "-pthread", "-o", self.folder / name, source]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{name} does not build:\n{done.stderr}")

    def run(self, name: str, port: int) -> subprocess.Popen:
        """Starts one, its output in lines."""
        path = self.folder / name
        # They print for a terminal; without one their words would wait in a buffer.
        command = ["node", path] if name.endswith(".js") else ["stdbuf", "-oL", path]
        return self._start([*command, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def agent(self, programs: pathlib.Path, port: int, *options: str) -> subprocess.Popen:
        """Starts our own agent, talking raw TCP to a port; its hooks leave a word each, see `told`."""
        note = f"echo {{}} >> {self.folder}/hooks"
        command = [programs / "heartbeat", "agent", "--to", f"tcp://127.0.0.1:{port}", "--id", "agent", *options]
        command += ["--on-down", note.format("down"), "--on-up", note.format("up")]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HEARTBEAT")}
        with open(self.folder / "agent.log", "w") as log:
            return self._start(command, env=environment, stderr=log)

    def told(self) -> list:
        """What the agent's hooks were called for, in order."""
        hooks = self.folder / "hooks"
        return hooks.read_text().split() if hooks.exists() else []

    def notices(self):
        """Waits until the agent has found its server dead."""
        log = self.folder / "agent.log"
        until(lambda: self.told()[-1:] == ["down"], lambda: f"the agent notices:\n{log.read_text()}")

    def _start(self, command: list, **options) -> subprocess.Popen:
        process = subprocess.Popen([str(word) for word in command], text=True, **options)
        self.processes.append(process)
        return process


def text_of(number: int) -> str:
    [path] = pathlib.Path(FOLDER).glob(f"{number}-*.txt")
    return path.read_text(encoding="utf8")


def end(process: subprocess.Popen) -> str:
    """Ends a program; what it said."""
    process.terminate()
    return process.communicate(timeout=60)[0]


def node_client(programs):
    """Node's client is sent ping and answers pong for a minute; when it hangs it is closed after ten seconds."""
    with Daemon(programs) as daemon, Programs() as printed:
        client = printed.run("client.js", daemon.tcp)
        time.sleep(LIFE_S)
        expect(daemon.state("127.0.0.1") == "up", "it is up for a minute")
        expect(not daemon.logged("timeout, closing"), f"closed while alive:\n{daemon.said()}")
        beats = daemon.monitors()["127.0.0.1"]["beats"]
        expect(beats >= LIFE_S / 3 - 4, f"{beats} beats in a minute")
        client.send_signal(signal.SIGSTOP)  # The machine is there, the program is not.
        hung = time.monotonic()
        until(lambda: daemon.logged(r"Client timeout, closing connection: 127\.0\.0\.1"), "the timeout is logged")
        expect(time.monotonic() - hung > 5, "it was given up before its time")
        client.send_signal(signal.SIGCONT)
        said, _ = client.communicate(timeout=60)
        pings = said.count("Received ping from server")
        expect(pings >= LIFE_S / 3 - 4, f"it saw {pings} pings")
        expect("Connection closed" in said, f"it was not told of its end:\n{said}")
        # Those that came while it hung lie in its socket as one piece.
        others = re.findall(r"(?m)^Received data: (?!(?:ping)+$).*", said)
        expect(not others, f"it was sent something else than ping: {others}")


def c_client(programs):
    """The C client says hello for a minute; each is answered, and when it is gone it is offline."""
    with Daemon(programs) as daemon, Programs() as printed:
        client = printed.run("hello", daemon.tcp)
        time.sleep(LIFE_S / 2)
        client.stdin.write("a free text\n")
        client.stdin.flush()
        time.sleep(LIFE_S / 2)
        expect(client.poll() is None, "the client runs for a minute though it never reads")
        expect(daemon.state("127.0.0.1") == "up", "it is up for a minute")
        beats = daemon.monitors()["127.0.0.1"]["beats"]
        expect(beats >= LIFE_S / 2 - 8, f"{beats} beats in a minute")
        client.send_signal(signal.SIGSTOP)
        until(lambda: daemon.logged(r"The client 127\.0\.0\.1 has be offline\."), "offline is logged")
        until(lambda: daemon.state("127.0.0.1") == "down", "it is down")
        client.send_signal(signal.SIGCONT)
        end(client)


def cpp_client(programs):
    """The C++ client sends sixteen hearts and falls silent: fifteen seconds later it is offline and closed."""
    with Daemon(programs) as daemon, Programs() as printed:
        client = printed.run("frames-client", daemon.tcp)
        until(lambda: daemon.monitors().get("127.0.0.1", {}).get("beats") == 16, "sixteen hearts", 90)
        last = time.monotonic()
        expect(not daemon.logged("offline"), f"offline while alive:\n{daemon.said()}")
        until(lambda: daemon.logged(r"The client 127\.0\.0\.1 has be offline\."), "offline is logged")
        expect(12 < time.monotonic() - last, "it was given up before its fifteen seconds")
        until(lambda: daemon.metric("heartbeat_connections") <= 1, "its connection is closed")
        end(client)


def node_server(programs):
    """Our agent answers Node's pings for half a minute, and notices when that server hangs."""
    with Programs() as printed:
        port = free_port()
        server = printed.run("server.js", port)
        until(lambda: accepts(port), "the server listens")
        agent = printed.agent(programs, port, "--timeout", "10s")
        time.sleep(30)
        expect(agent.poll() is None and "down" not in printed.told(), f"it is content: {printed.told()}")
        server.send_signal(signal.SIGSTOP)
        printed.notices()
        server.send_signal(signal.SIGCONT)
        agent.terminate()
        agent.wait(60)
        said = end(server)
        pongs = said.count("Received pong from client")
        expect(pongs >= 8, f"the server saw {pongs} pongs:\n{said}")
        # Over each connection it speaks lines until it hears the first ping.
        afterwards = said.partition("Sent ping to client")[2].partition("Client timeout")[0]
        expect("Received data" not in afterwards, f"it was sent something else than pong:\n{said}")


def cpp_server(programs):
    """Our agent sends frames to the C++ server, which hears each, and notices its end."""
    with Programs() as printed:
        port = free_port()
        # It cannot be asked whether it listens: it dies of a client that leaves.
        server = printed.run("frames-server", port)
        time.sleep(2)
        agent = printed.agent(programs, port, "--dialect", "frame", "--every", "2s")
        time.sleep(20)
        expect(agent.poll() is None and "down" not in printed.told(), f"it is content: {printed.told()}")
        said = end(server)
        hearts = said.count("Received heart-beat from client.")
        expect(hearts >= 7, f"the server heard {hearts} hearts:\n{said}")
        printed.notices()
        agent.terminate()
        agent.wait(60)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
        return True
    except OSError:
        return False


SCENARIOS = (node_client, c_client, cpp_client, node_server, cpp_server)
