"""The clients that load.py drives: what each kind says, how it cuts it in two, and what it must hear.

A client knows nothing of sockets. It composes what it says next, as bytes and the answers due for them; it is fed what
came, and takes it off what is due. A word that comes unasked, or another one than is due, raises `Wrong`.

Kinds whose words bear no id are known by their address, so load.py gives each an address of its own.
"""

import base64
import collections
import os
import random
import re
import struct


class Wrong(Exception):
    """An answer that no healthy server gives."""


class Ended(Exception):
    """The server has announced that it ends the connection."""


class Client:
    """What all kinds have in common."""

    # Whether its words name it, or its address does.
    named = True
    tls = False
    # Whether what it says is answered; else only the server's counts tell that it came.
    answered = True
    port = 7777

    def __init__(self, name: str):
        self.name = name
        self.seq = 0
        # Beats said whole, and those of them that were answered.
        self.sent = 0
        self.acknowledged = 0
        # What is due: (answer, beats it acknowledges, when it was asked for).
        self.due = collections.deque()
        self.heard = b""
        # What the server asked for, to be said as soon as nothing is half said.
        self.owed = collections.deque()
        self.reset()

    def reset(self):
        """A new connection: what was half said or half heard is gone."""
        self.due.clear()
        self.heard = b""
        self.owed.clear()
        # Whether its beats may begin; a WebSocket has a handshake first.
        self.open = True

    def greeting(self) -> bytes:
        """What is said first on a new connection, before any beat."""
        return b""

    def compose(self) -> tuple:
        """What it says next: parts (words, answer due, beats), and where all of it may be cut (0: nowhere)."""
        raise NotImplementedError

    def hear(self, data: bytes) -> int:
        """Takes in what came; how many answers that were."""
        raise NotImplementedError

    def take(self, answer) -> int:
        """An answer has come: the first that is due, or something is wrong."""
        if not self.due:
            raise Wrong(f"unasked for: {answer!r}")
        wanted, beats, _ = self.due.popleft()
        if wanted != answer:
            raise Wrong(f"answered {answer!r} where {wanted!r} was due")
        self.acknowledged += beats
        return 1

    def next(self) -> int:
        self.seq += 1
        return self.seq


class Line(Client):
    """Lines that name it, one to three at a time, among them `PING`."""

    port = 7778

    def compose(self):
        parts = []
        for _ in range(random.choice((1, 1, 2, 3))):
            parts.append((b"BEAT %s seq=%d\n" % (self.name.encode(), self.next()), b"OK", 1))
        if random.random() < 0.2:
            parts.append((b"PING\r\n", b"PONG", 1))
        return parts, random.randrange(sum(len(words) for words, _, _ in parts))

    def hear(self, data):
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            self.take(line.split(b" ")[0])
        return len(lines)


class Ping(Client):
    """`PING` and `HEARTBEAT|ping` lines without a name."""

    port = 7778
    named = False
    hear = Line.hear

    def compose(self):
        # A `PING` whose line end is late is another client's.
        if random.random() < 0.5:
            return [(b"PING\n", b"PONG", 1)], random.randrange(4)
        return [(b"HEARTBEAT|ping\n", b"HEARTBEAT|pong", 1)], random.randrange(15)


class Bare(Client):
    """`PING` without a line end, as the Java client sends it; the server needs silence to know that it is whole."""

    port = 7778
    named = False
    word, answer = b"PING", b"PONG"

    def compose(self):
        return [(self.word, self.answer, 1)], random.randrange(len(self.word))

    def hear(self, data):
        self.heard += data
        count = 0
        while self.heard:
            if not self.heard.startswith(self.answer):
                if self.answer.startswith(self.heard):
                    break
                raise Wrong(f"answered {self.heard!r} where {self.answer!r} was due")
            self.heard = self.heard[len(self.answer) :]
            count += self.take(self.answer)
        return count


class Hello(Bare):
    """`hello server`, and free text up to a NUL, as the C client sends them."""

    answer = b"hello client"

    def compose(self):
        # Half a free text counts as a packet when no more comes for a moment, so only the greeting is cut.
        if random.random() < 0.5:
            return [(b"hello server", self.answer, 1)], random.randrange(12)
        return [(b"all is well (%d)\n\0" % self.next(), self.answer, 1)], 0


class Pong(Client):
    """Says nothing but `pong`, and that when the server says `ping`."""

    port = 7778
    named = False
    answered = False

    def compose(self):
        return [], 0

    def hear(self, data):
        self.heard += data
        count, rest = divmod(len(self.heard), 4)
        if self.heard != (b"ping" * (count + 1))[: len(self.heard)]:
            raise Wrong(f"{self.heard!r} where a ping was expected")
        self.heard = self.heard[len(self.heard) - rest :]
        self.owed.extend([(b"pong", None, 1)] * count)
        return count


class Frame(Client):
    """C structs, which nobody answers."""

    port = 7778
    named = False
    answered = False

    def compose(self):
        payload = random.randbytes(random.randrange(200)) if random.random() < 0.3 else None
        words = struct.pack("<ii", 0, 0) if payload is None else struct.pack("<ii", 1, len(payload)) + payload
        return [(words, None, 1)], random.randrange(len(words))

    def hear(self, data):
        raise Wrong(f"a frame was answered: {data!r}")


class Http(Client):
    """Beats over one kept connection, one request at a time."""

    HEAD = re.compile(rb"HTTP/1\.1 (\d+) .*?\r\n\r\n", re.DOTALL)
    LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
    CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)

    def compose(self):
        body = b'{"id":"%s","seq":%d}' % (self.name.encode(), self.next())
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        # Between head and body more often than elsewhere.
        return [(head + body, b"200", 1)], random.choice((len(head), random.randrange(len(head + body))))

    def hear(self, data):
        self.heard += data
        head = self.HEAD.match(self.heard)
        if head is None:
            return 0
        length = self.LENGTH.search(head.group(0))
        end = head.end() + int(length.group(1)) if length else head.end()
        if len(self.heard) < end:
            return 0
        body, self.heard = self.heard[head.end() : end], self.heard[end:]
        if head.group(1) == b"200" and b'"status":"ok"' not in body:
            raise Wrong(f"answered {head.group(0) + body!r}")
        count = self.take(head.group(1))
        if self.CLOSE.search(head.group(0)):
            raise Ended("Connection: close")
        return count


class Chunked(Http):
    """The same, in chunks: nothing for the server's fast path."""

    def compose(self):
        body = b'{"id":"%s","seq":%d}' % (self.name.encode(), self.next())
        words = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        words += b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        return [(words, b"200", 1)], random.randrange(len(words))


class WebSocket(Client):
    """JSON over a WebSocket, some of it in fragments; answers pings."""

    def reset(self):
        super().reset()
        self.open = False

    def greeting(self):
        key = base64.b64encode(os.urandom(16))
        return (
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )

    def compose(self):
        text = b'{"id":"%s","seq":%d}' % (self.name.encode(), self.next())
        if random.random() < 0.3:
            at = random.randrange(len(text))
            words = client_frame(0x01, text[:at]) + client_frame(0x80, text[at:])
        else:
            words = client_frame(0x81, text)
        return [(words, "text", 1)], random.randrange(len(words))

    def hear(self, data):
        self.heard += data
        if not self.open:
            head, end, self.heard = self.heard.partition(b"\r\n\r\n")
            if not end:
                self.heard = head
                return 0
            if not head.startswith(b"HTTP/1.1 101 "):
                raise Wrong(f"the handshake was answered {head!r}")
            self.open = True
        count = 0
        while len(self.heard) >= 2:
            opcode, length, at = self.heard[0] & 0x0F, self.heard[1], 2
            if length == 126:
                if len(self.heard) < 4:
                    break
                length, at = struct.unpack(">H", self.heard[2:4])[0], 4
            if len(self.heard) < at + length:
                break
            payload, self.heard = self.heard[at : at + length], self.heard[at + length :]
            count += self.frame(opcode, payload)
        return count

    def frame(self, opcode, payload):
        if opcode == 0x1 and b'"status":"ok"' in payload:
            return self.take("text")
        if opcode == 0x9:
            # It counts as a beat too.
            self.owed.append((client_frame(0x8A, payload), None, 1))
            return 0
        if opcode == 0x8:
            raise Ended(f"close {int.from_bytes(payload[:2], 'big')} {payload[2:].decode(errors='replace')}")
        raise Wrong(f"opcode {opcode}: {payload!r}")


class TlsHttp(Http):
    """Beats over a kept connection of HTTPS."""

    tls = True
    port = 7443


class TlsWebSocket(WebSocket):
    """A WebSocket over TLS."""

    tls = True
    port = 7443


def client_frame(first: int, payload: bytes) -> bytes:
    """A frame as a client sends it, masked; shorter than 126 bytes."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[at & 3] for at, byte in enumerate(payload))
    return bytes((first, 0x80 | len(payload))) + mask + masked


KINDS = {
    "line": Line,
    "ping": Ping,
    "bare": Bare,
    "hello": Hello,
    "pong": Pong,
    "frame": Frame,
    "http": Http,
    "chunked": Chunked,
    "ws": WebSocket,
    "tls-http": TlsHttp,
    "tls-ws": TlsWebSocket,
}
