"""Two hosts and the cable between them: network namespaces, and a cable that can be cut, lose and delay packets.

    with Net() as net:
        net.cable.loss = 0.3
        net.start("server", ["heartbeat-server", …])

Each host has an interface whose other end lies here, and the cable carries whole Ethernet frames from one to the other.
That needs no traffic shaping in the kernel, which not every machine has. Whoever cuts it sends neither FIN nor RST, as
when somebody pulls a plug; the interfaces stay up, so neither side is told. Everything is gone when the `with` is left.
"""

import ctypes
import fcntl
import heapq
import itertools
import os
import pathlib
import random
import selectors
import shutil
import socket
import struct
import subprocess
import threading
import time

ETH_P_ALL = 0x0003
PACKET_IGNORE_OUTGOING = 23
SOL_PACKET = 263
SIOCETHTOOL = 0x8946
# Checksums and segments are made by whoever sends, or what a cable carries would not be whole packets.
OFFLOADS = {"checksums": 0x17, "segments": 0x1F, "generic segments": 0x24, "generic receive": 0x2C}
HOSTS = {"server": "10.77.0.1", "client": "10.77.0.2"}
# A second address of the server, for a name that moves.
ELSEWHERE = "10.77.0.3"
# Several may run side by side.
NUMBERS = itertools.count()


class Cable(threading.Thread):
    """Carries frames between two interfaces. `loss`, `delay_s` and `cut` may be changed while it does."""

    def __init__(self, ends: list, seed: int):
        super().__init__(daemon=True)
        self.loss = 0.0
        self.delay_s = 0.0
        self.cut = False
        self.carried = 0
        self.lost = 0
        self.random = random.Random(seed)
        self.sockets = [self._open(end) for end in ends]
        self.ending = False

    @staticmethod
    def _open(name: str) -> socket.socket:
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        end.bind((name, 0))
        end.setblocking(False)
        return end

    def run(self):
        ready = selectors.DefaultSelector()
        for at, end in enumerate(self.sockets):
            ready.register(end, selectors.EVENT_READ, self.sockets[1 - at])
        waiting, number = [], 0
        while not self.ending:
            pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 0.2
            for key, _ in ready.select(min(pause, 0.2)):
                try:
                    frame = key.fileobj.recv(65536)
                except BlockingIOError:
                    continue
                if self.cut or self.random.random() < self.loss:
                    self.lost += 1
                    continue
                number += 1
                heapq.heappush(waiting, (time.monotonic() + self.delay_s, number, key.data, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(waiting)
                try:
                    to.send(frame)
                    self.carried += 1
                except OSError:
                    # A full queue loses frames on real cables too.
                    self.lost += 1

    def end(self):
        self.ending = True
        self.join()
        for end in self.sockets:
            end.close()


class Net:
    """The two hosts. Use it with `with`."""

    def __init__(self, seed: int = 1):
        number = f"{os.getpid()}-{next(NUMBERS)}"
        self.names = {host: f"hb-{number}-{host}" for host in HOSTS}
        # An interface's name has 15 characters at most.
        self.ends = [f"hb{number}{host[0]}" for host in HOSTS]
        self.seed = seed
        self.processes = []
        self.cable = None

    def __enter__(self) -> "Net":
        try:
            for host, end in zip(HOSTS, self.ends):
                name = self.names[host]
                ip("netns", "add", name)
                ip("link", "add", end, "type", "veth", "peer", "name", "wire", "netns", name)
                ip("-n", name, "addr", "add", f"{HOSTS[host]}/24", "dev", "wire")
                ip("-n", name, "link", "set", "lo", "up")
                without_offloads(end)
                self.inside(host, without_offloads, "wire")
                ip("link", "set", end, "up")
                ip("-n", name, "link", "set", "wire", "up")
            ip("-n", self.names["server"], "addr", "add", f"{ELSEWHERE}/24", "dev", "wire")
            self.cable = Cable(self.ends, self.seed)
            self.cable.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        if self.cable is not None:
            self.cable.end()
        for name, end in zip(self.names.values(), self.ends):
            ip("link", "del", end, check=False)
            ip("netns", "del", name, check=False)
            shutil.rmtree(pathlib.Path("/etc/netns") / name, ignore_errors=True)

    def start(self, host: str, command: list, **options) -> subprocess.Popen:
        """Starts a program on a host."""
        process = subprocess.Popen(["ip", "netns", "exec", self.names[host], *command], **options)
        self.processes.append(process)
        return process

    def connect(self, port: int, host: str = "client", to: str = HOSTS["server"]) -> socket.socket:
        """A connection from one host to the server."""
        return self.inside(host, lambda: socket.create_connection((to, port), timeout=60))

    def inside(self, host: str, do, *arguments):
        """Calls a function that sees the network of a host. What it opens stays there."""
        outcome = []

        def there():
            try:
                # A thread of its own: it alone moves, and it ends there.
                with open(f"/run/netns/{self.names[host]}") as namespace:
                    setns(namespace.fileno())
                outcome.append((do(*arguments), None))
            except BaseException as error:  # noqa: BLE001: it is raised again by whoever waits
                outcome.append((None, error))

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        value, error = outcome[0]
        if error is not None:
            raise error
        return value

    def name(self, host: str, name: str, address: str):
        """Has a host know a name, or know it anew."""
        folder = pathlib.Path("/etc/netns") / self.names[host]
        folder.mkdir(parents=True, exist_ok=True)
        # Written in place: what a host has mounted is this file, not its name.
        with open(folder / "hosts", "w") as hosts:
            hosts.write(f"127.0.0.1 localhost\n{address} {name}\n")


def ip(*words: str, check: bool = True):
    """Runs ip(8)."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def setns(namespace: int):
    """Moves the calling thread into a network namespace (setns(2); Python 3.11 has no name for it)."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000
    if libc.setns(namespace, clone_newnet) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def without_offloads(name: str):
    """Has an interface make its own checksums and segments."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for command in OFFLOADS.values():
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP", name.encode(), ctypes.addressof(value)).ljust(40, b"\0")
            fcntl.ioctl(asked, SIOCETHTOOL, request)
