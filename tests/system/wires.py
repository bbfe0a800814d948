"""Connections that block and say what they expected instead of what came; for edges.py."""

import base64
import json
import os
import re
import socket
import struct
import time

SECONDS_MAX = 60.0


class Failed(Exception):
    """Something a case heard, or did not."""


class Wire:
    """A connection that blocks."""

    def __init__(self, port=7778, receive_bytes=0, unix=None):
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(SECONDS_MAX)
        self.socket.connect(unix or ("127.0.0.1", port))
        self.heard = b""

    def say(self, words):
        self.socket.sendall(words)

    def hear(self, number):
        """Exactly so many bytes."""
        while len(self.heard) < number:
            more = self.socket.recv(65536)
            if not more:
                raise Failed(f"the end came after {self.heard!r}, {number} bytes expected")
            self.heard += more
        said, self.heard = self.heard[:number], self.heard[number:]
        return said

    def expect(self, words):
        said = self.hear(len(words))
        if said != words:
            raise Failed(f"{said + self.heard!r} where {words!r} was due")

    def expect_end(self):
        rest = self.heard
        while more := self.socket.recv(65536):
            rest += more
        if rest:
            raise Failed(f"{rest!r} where the end was due")

    def expect_http(self, status=200):
        """One whole answer; its head and body."""
        while b"\r\n\r\n" not in self.heard:
            more = self.socket.recv(65536)
            if not more:
                raise Failed(f"the end came after {self.heard!r}, an answer expected")
            self.heard += more
        head, _, self.heard = self.heard.partition(b"\r\n\r\n")
        body = self.hear(int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE).group(1)))
        if not head.startswith(b"HTTP/1.1 %d " % status):
            raise Failed(f"answered {head + body!r}")
        return head, body

    def end_writing(self):
        self.socket.shutdown(socket.SHUT_WR)


class WebSocket(Wire):
    """One whose handshake is done."""

    def __init__(self, receive_bytes=0):
        super().__init__(7777, receive_bytes)
        key = base64.b64encode(os.urandom(16))
        self.say(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        while b"\r\n\r\n" not in self.heard:
            self.heard += self.socket.recv(65536) or b"\r\n\r\n"
        head, _, self.heard = self.heard.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Failed(f"the handshake was answered {head!r}")

    def frame(self):
        """Opcode and payload of the next frame."""
        first, length = self.hear(2)
        if length == 126:
            [length] = struct.unpack(">H", self.hear(2))
        return first & 0x0F, self.hear(length)

    def expect_ok(self):
        opcode, payload = self.frame()
        if opcode != 1 or b'"status":"ok"' not in payload:
            raise Failed(f"answered opcode {opcode}: {payload!r}")

    def expect_pong(self):
        if self.frame() != (1, b"PONG"):
            raise Failed("PING was not answered PONG")


def monitor(name):
    """What the API says of a monitor."""
    wire = Wire(7777)
    wire.say(f"GET /api/v1/monitors/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return json.loads(wire.expect_http()[1])


def expect_monitor(name, **wanted):
    seen = monitor(name)
    for key, value in wanted.items():
        if seen[key] != value:
            raise Failed(f"{key} of {name} is {seen[key]!r}, {value!r} expected")


def post(body, more=b""):
    return b"POST / HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s" % (more, len(body), body)


def expect_soon(name, **wanted):
    """The same as `expect_monitor`, for what nobody has answered."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            return expect_monitor(name, **wanted)
        except Failed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
