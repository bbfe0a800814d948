"""What networks do to heartbeats: cables cut, packets lost and late, servers killed and moved, crowds at the door.

Every scenario has two hosts of its own and says what each dialect and the client do.
"""

import base64
import os
import resource
import signal
import socket
import struct
import subprocess
import time

from link import ELSEWHERE, HOSTS, Net
from subject import HTTP, TCP, Agent, Daemon, expect, until

SERVER = HOSTS["server"]
# Times short enough to wait for. The state of a monitor is judged by its own interval and grace.
QUICK = """
[tcp]
ping_interval = "1s"
timeout = "4s"
frame_timeout = "4s"
line_timeout = "4s"
[websocket]
ping_interval = "1s"
timeout = "4s"
[defaults]
interval = "5s"
grace = "60s"
"""
# A crowd takes its time to say its first word where the machine is busy.
CROWDED = """
[limits]
connections_per_address = 100000
[tcp]
ping_interval = "59s"
timeout = "60s"
frame_timeout = "60s"
"""
AGENT = ("--every", "1s", "--timeout", "4s")
HELLO, PONG, HEART = b"hello server", b"pong", struct.pack("<ii", 0, 0)
UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n\r\n"
).encode()
# A masked text frame that says PING, its mask all zeros.
WS_PING = b"\x81\x84\0\0\0\0PING"


class Talker:
    """A client of one dialect on the client's host, which says something whenever it is told to."""

    def __init__(self, net: Net, kind: str):
        self.kind = kind
        self.says = {"pong": PONG, "hello": HELLO, "frame": HEART, "line": b"BEAT liner interval=2s grace=1s\n", "ws": WS_PING}[kind]
        self.stream = net.connect(HTTP if kind == "ws" else TCP)
        self.stream.settimeout(60)
        if kind == "ws":
            self.stream.sendall(UPGRADE)
            answer = self.stream.recv(4096)
            expect(b" 101 " in answer, f"the upgrade was answered {answer!r}")
        if kind == "pong":
            expect(self.stream.recv(4) == b"ping", "who is silent is sent ping")
        self.speak()

    def speak(self):
        self.stream.sendall(self.says)

    def close(self):
        self.stream.close()


KINDS = ("pong", "hello", "frame", "line", "ws")
# What the log says of each at its end, in the seeds' words.
LAST_WORDS = {
    "pong": r"Client timeout, closing connection: 10\.77\.0\.2",
    "hello": r"The client 10\.77\.0\.2 has be offline\.",
    "frame": r"The client 10\.77\.0\.2 has be offline\.",
    "line": r"The client 10\.77\.0\.2 has be offline\.",
}


LATE = "10.77.0.9"


def late_address(programs):
    """An address that comes after the daemon, as a lease or a VPN does, is served when it is there, and no start fails."""
    config = f'[[listen]]\nname = "late"\naddress = "{LATE}:7779"\n'
    with Net() as net, Daemon(programs, config, net, address="0.0.0.0") as daemon:
        ready = daemon.get("/readyz")
        expect('"degraded":true' in ready and LATE in ready, f"the absent address is not named: {ready}")
        subprocess.run(["ip", "-n", net.names["server"], "addr", "add", f"{LATE}/24", "dev", "wire"], check=True)
        with net.connect(7779, to=LATE) as stream:
            stream.sendall(b"GET /healthz HTTP/1.0\r\nHost: late\r\n\r\n")
            expect(b" 200 " in stream.recv(4096), "it is served as soon as it is there")
        until(lambda: '"degraded":false' in daemon.get("/readyz"), "nothing is said to be absent any more")
        # The log is written behind.
        until(lambda: daemon.logged(f"{LATE}:7779 is there now"), "that it came is in the log")


def cable_cut(programs):
    """Nobody sends FIN when a cable is cut: each dialect is offline at its time, and its connection is closed."""
    with Net() as net, Daemon(programs, QUICK, net, address="0.0.0.0") as daemon:
        talkers = [Talker(net, kind) for kind in KINDS]
        # Longer than any timeout: life keeps connections open.
        for _ in range(8):
            time.sleep(1)
            for talker in talkers:
                talker.speak()
        expect(not daemon.logged("offline|Client timeout"), f"offline while alive:\n{daemon.said()}")
        held = daemon.metric("heartbeat_connections")
        expect(held >= len(KINDS), f"{held} connections of {len(KINDS)}")
        net.cable.cut = True
        cut = time.monotonic()
        # The one that asks is a connection too.
        until(lambda: daemon.metric("heartbeat_connections") <= 1, "all connections are closed")
        expect(time.monotonic() - cut > 2, "closed before the time of any dialect")
        for kind, words in LAST_WORDS.items():
            expect(daemon.logged(words), f"{kind}: no line with {words}:\n{daemon.said()}")
        net.cable.cut = False
        for talker in talkers:
            until(lambda talker=talker: is_closed(talker), f"{talker.kind} hears that it is over")
            talker.close()


def is_closed(talker: Talker) -> bool:
    """Whether the other side has ended the connection; speaks to find out."""
    talker.stream.settimeout(1)
    try:
        talker.speak()
        while talker.stream.recv(65536):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


def agents(programs, net: Net, *options: str) -> dict:
    """An agent over each transport, by the name of its monitor."""
    roads = {"http": f"http://{SERVER}:{HTTP}", "line": f"tcp://{SERVER}:{TCP}", "ws": f"ws://{SERVER}:{HTTP}/ws"}
    return {name: Agent(programs, net, name, to, *(options or AGENT)) for name, to in roads.items()}


def are_up(daemon: Daemon, names) -> bool:
    monitors = daemon.monitors()
    return all(monitors.get(name, {}).get("state") == "up" for name in names)


def cable_cut_and_mended(programs):
    """An agent finds its server dead, says so once, keeps its beats and brings them when the cable is mended."""
    with Net() as net, Daemon(programs, QUICK, net, address="0.0.0.0") as daemon:
        all_agents = agents(programs, net)
        until(lambda: are_up(daemon, all_agents), "all agents are up")
        net.cable.cut = True
        for name, agent in all_agents.items():
            until(lambda agent=agent: agent.told()[-1:] == ["down"], agent.words("notices"))
        time.sleep(3)
        net.cable.cut = False
        for name, agent in all_agents.items():
            until(lambda agent=agent: agent.told()[-1:] == ["up"], agent.words("is back"), 120)
        until(lambda: are_up(daemon, all_agents), "all monitors are up")
        complete(daemon, all_agents)


def complete(daemon: Daemon, all_agents: dict):
    """Fails unless every beat that was numbered has come, and every change was told once."""
    for name, agent in all_agents.items():
        until(lambda name=name: daemon.monitors()[name]["gaps"] == 0, f"every beat of {name} has come:\n{agent.said()}")
        told = agent.told()
        # The first word may be that it is up, whoever counts that as a change.
        changes = told[1:] if told[:1] == ["up"] else told
        expect(changes == ["down", "up"] * (len(changes) // 2), f"{name} was told {told}")
        agent.stop()


def killed_and_started_again(programs):
    """A server that is killed and comes back gets the beats of the time between."""
    with Net() as net, Daemon(programs, QUICK, net, address="0.0.0.0") as daemon:
        all_agents = agents(programs, net)
        until(lambda: are_up(daemon, all_agents), "all agents are up")
        daemon.stop(signal.SIGKILL)
        for name, agent in all_agents.items():
            until(lambda agent=agent: agent.told()[-1:] == ["down"], agent.words("notices"))
        daemon.start()
        for name, agent in all_agents.items():
            until(lambda agent=agent: agent.told()[-1:] == ["up"], agent.words("is back"), 120)
        complete(daemon, all_agents)


def refused(programs):
    """An agent that finds nobody at its start goes on trying, and brings what it has kept."""
    with Net() as net:
        all_agents = agents(programs, net)
        for name, agent in all_agents.items():
            until(lambda agent=agent: agent.told() == ["down"], agent.words("notices"))
            expect(agent.process.poll() is None, f"{name} gave up:\n{agent.said()}")
        with Daemon(programs, QUICK, net, address="0.0.0.0") as daemon:
            for name, agent in all_agents.items():
                until(lambda agent=agent: agent.told() == ["down", "up"], f"{name} is there:\n{agent.said()}", 120)
            complete(daemon, all_agents)


def lossy(programs):
    """Of ten packets three are lost: nobody is called dead and no beat is missing."""
    with Net(seed=7) as net, Daemon(programs, QUICK, net, address="0.0.0.0") as daemon:
        all_agents = agents(programs, net, "--every", "1s", "--timeout", "50s")
        until(lambda: are_up(daemon, all_agents), "all agents are up")
        net.cable.loss = 0.3
        time.sleep(20)
        expect(are_up(daemon, all_agents) or not daemon.logged(" down"), f"called dead:\n{daemon.said()}")
        expect(net.cable.lost > 5, f"only {net.cable.lost} packets were lost")
        net.cable.loss = 0
        until(lambda: are_up(daemon, all_agents), "all monitors are up")
        for name, agent in all_agents.items():
            expect("down" not in agent.told(), f"{name} called its server dead:\n{agent.said()}")
        complete(daemon, all_agents)


def slow(programs):
    """Half a second each way: dialects are still told apart, and every client goes on."""
    # To greet one after the other takes its time too.
    patient = QUICK.replace('timeout = "4s"', 'timeout = "20s"')
    with Net() as net, Daemon(programs, patient, net, address="0.0.0.0") as daemon:
        net.cable.delay_s = 0.5
        all_agents = agents(programs, net, "--every", "1s", "--timeout", "20s")
        until(lambda: are_up(daemon, all_agents), "all agents are up")
        talkers = [Talker(net, kind) for kind in KINDS]
        bare = net.connect(TCP)
        for _ in range(6):
            for talker in talkers:
                talker.speak()
            bare.sendall(b"PING")
            expect(bare.recv(16) == b"PONG", "PING without a newline is answered")
        # Each half takes its own time.
        halves = net.connect(TCP)
        for half in (b"PI", b"NG", b"\nBEAT hal", b"ves\n"):
            halves.sendall(half)
            time.sleep(0.3)
        until(lambda: daemon.state("halves") == "up", "a line in halves is a line")
        expect(not daemon.logged("offline|Client timeout"), f"offline while alive:\n{daemon.said()}")
        for name, agent in all_agents.items():
            expect("down" not in agent.told(), f"{name} called its server dead:\n{agent.said()}")
        complete(daemon, all_agents)


def name_that_moves(programs):
    """A server that moves to another address is found there by its name."""
    with Net() as net:
        net.name("client", "beats.example", SERVER)
        with Daemon(programs, QUICK, net, address=SERVER) as daemon:
            roads = {"http": f"http://beats.example:{HTTP}", "line": f"tcp://beats.example:{TCP}"}
            all_agents = {name: Agent(programs, net, name, to, *AGENT) for name, to in roads.items()}
            until(lambda: are_up(daemon, all_agents), "all agents are up")
            daemon.stop()
            daemon.address = ELSEWHERE
            daemon.start()
            for name, agent in all_agents.items():
                until(lambda agent=agent: agent.told()[-1:] == ["down"], agent.words("notices"))
            net.name("client", "beats.example", ELSEWHERE)
            for name, agent in all_agents.items():
                until(lambda agent=agent: agent.told()[-1:] == ["up"], agent.words("follows"), 120)
            complete(daemon, all_agents)


def crowd(programs):
    """Twenty thousand at once: as many are served as there is room for, the others are turned away at once."""
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with Net() as net, Daemon(programs, CROWDED, net, address="0.0.0.0") as daemon:
        count = 20_000
        parts = [net.start("server", crowd_of(count // 2, source), **CROWD) for source in (2, 3)]
        served, ended = 0, 0
        for part in parts:
            said = part.stdout.readline().split()
            expect(len(said) == 3, f"the crowd said {said}")
            served, ended = served + int(said[0]), ended + int(said[1])
            expect(said[2] == "0", f"{said[2]} of the crowd hear nothing at all")
        expect(served + ended == count, f"{served} served and {ended} turned away, of {count}")
        expect(served >= min(count, room - 512) * 0.95, f"only {served} served, with room for {room} files")
        for part in parts:
            part.stdin.close()
            part.wait(60)
        until(lambda: daemon.metric("heartbeat_connections") <= 1, "the crowd has left")


CROWD = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}


def crowd_of(count: int, source: int) -> list:
    """A program of as many clients, which says how many were served, turned away and left without a word."""
    return ["python3", "-c", CROWD_PROGRAM, str(count), f"127.0.0.{source}", str(TCP)]


CROWD_PROGRAM = """
import resource, selectors, socket, sys, time
count, source, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
ready, served, ended, held = selectors.EpollSelector(), 0, 0, []
for number in range(count):
    s = socket.socket()
    s.setblocking(False)
    s.bind((source, 0))
    s.connect_ex(("127.0.0.1", port))
    ready.register(s, selectors.EVENT_WRITE)
waiting, quiet = count, time.monotonic() + 60
while waiting and time.monotonic() < quiet:
    for key, events in ready.select(1):
        s = key.fileobj
        try:
            if events & selectors.EVENT_WRITE:
                s.send(b"PING\\n")
                ready.modify(s, selectors.EVENT_READ)
                continue
            said = s.recv(4096)
        except OSError:
            said = b""
        ready.unregister(s)
        waiting -= 1
        if said == b"PONG\\n":
            served += 1
            held.append(s)
        else:
            ended += 1
            s.close()
        quiet = time.monotonic() + 60
print(served, ended, waiting, flush=True)
sys.stdin.read()
"""


def no_files_left(programs):
    """Where the system has no more files the door waits, at no cost; those inside live on, and it opens again."""
    with Net() as net, Daemon(programs, CROWDED, net, address="0.0.0.0") as daemon:
        inside = [ask(net) for _ in range(20)]
        expect(all(answers(stream) for stream in inside), "those inside are answered")
        used = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (used, 20_000))
        outside = [ask(net) for _ in range(20)]
        until(lambda: daemon.logged("cannot accept connections"), "the log says that nobody can be accepted")
        cpu_s = daemon.cpu_s()
        for _ in range(4):
            time.sleep(1)
            expect(all(answers(stream) for stream in inside), "those inside live on")
        spent_s = daemon.cpu_s() - cpu_s
        expect(spent_s < 1.0, f"it turned in circles: {spent_s:.2f} s of CPU in 4 s")
        expect(len(daemon.logged("cannot accept connections")) <= 2, "it says so again and again")
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, before)
        expect(all(answers(stream) for stream in outside), "those who waited are served")


def ask(net: Net) -> socket.socket:
    return net.connect(TCP)


def answers(stream: socket.socket) -> bool:
    stream.settimeout(60)
    try:
        stream.sendall(b"PING\n")
        return stream.recv(16) == b"PONG\n"
    except OSError:
        return False


SCENARIOS = (
    late_address,
    cable_cut,
    cable_cut_and_mended,
    killed_and_started_again,
    refused,
    lossy,
    slow,
    name_that_moves,
    crowd,
    no_files_left,
)
