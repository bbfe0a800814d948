"""One client for each odd moment in which a restart can catch a connection.

    edges.py UNIX_SOCKET       where raw TCP is spoken too

Runs in the machine's network with the host's Python. Each case is a generator of three parts: before the restart, while
no daemon runs, and after the next one is ready. Prints `before` when the first part is done and waits for a line, then
`gap` and waits again; at last a JSON object of the cases that failed and why. What a case does in the gap is right after
it too, so on a busy machine nothing fails for being late.
"""

import json
import select
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True

from herd import client_frame  # noqa: E402
from wires import SECONDS_MAX, Failed, WebSocket, Wire, expect_monitor, expect_soon, post  # noqa: E402

CASES = []
[UNIX] = sys.argv[1:]


def case(function):
    CASES.append(function)
    return function


# --- who does not read; first, because these take their time


@case
def deaf_ws():
    """Says much and reads nothing until after the restart, when all answers are there, in order."""
    wire = WebSocket(receive_bytes=4096)
    wire.socket.settimeout(1)
    said, half = 0, b""
    try:
        while said < 200_000:
            half = client_frame(0x89, b"%08d" % said + b"." * 92)
            while half:
                half = half[wire.socket.send(half) :]
            said += 1
    except TimeoutError:
        pass
    else:
        raise Failed("the server reads on and on")
    yield
    yield
    wire.socket.settimeout(SECONDS_MAX)
    if half:
        said += 1
    heard = 0
    wire.socket.setblocking(False)
    deadline = time.monotonic() + SECONDS_MAX
    buffer = b""
    while heard < said and time.monotonic() < deadline:
        try:
            half = half[wire.socket.send(half) :] if half else half
        except BlockingIOError:
            pass
        try:
            more = wire.socket.recv(1 << 20)
            if not more:
                raise Failed(f"the end came after {heard} of {said} pongs, {buffer[:100]!r}")
            buffer += more
        except BlockingIOError:
            time.sleep(0.01)
        at = 0
        while len(buffer) - at >= 102:
            frame = buffer[at : at + 102]
            if frame[0] == 0x89:
                # It pings too; its own have no payload.
                at += 2
                continue
            if frame[:2] != b"\x8a\x64" or frame[2:10] != b"%08d" % heard:
                raise Failed(f"{frame!r} where pong {heard} was due")
            at += 102
            heard += 1
        buffer = buffer[at:]
    if heard < said:
        raise Failed(f"{heard} of {said} pongs came")


@case
def deaf_line():
    """The same over raw TCP, where the server stores little for such a client."""
    wire = Wire(receive_bytes=4096)
    port = wire.socket.getsockname()[1]
    said, before = 0, -1
    wire.say(b"HEARTBEAT|ping\n")
    while said < 1_000_000:
        wire.say(b"HEARTBEAT|ping\n" * 400)
        said += 400
        time.sleep(0.005)
        now = unsent(port)
        # 400 answers more and the kernel holds no more of them than before: the server itself does.
        if now == before and now > 0:
            break
        before = now
    yield
    yield
    wire.expect(b"HEARTBEAT|pong\n" * (said + 1))
    wire.say(b"BEAT deaf-line\n")
    wire.expect(b"OK 60\n")


def unsent(port):
    """Bytes in the server's side of a connection that our side has not taken."""
    with open("/proc/self/net/tcp6") as table:
        for line in table:
            at = line.split()
            if at[1].endswith(f":{7778:04X}") and at[2].endswith(f":{port:04X}"):
                return int(at[4].split(":")[0], 16)
    return 0


# --- who is asked


@case
def pong_is_asked_on():
    wire = Wire()
    wire.expect(b"ping")
    wire.say(b"po")
    yield
    wire.say(b"ng")
    yield
    wire.expect(b"ping")


# --- what is half said


def halves(name, whole, first, then, make=Wire, port=7778, counted=None):
    """A message cut in two: its second half comes in the gap, or after the restart."""

    def half(cut, in_gap):
        def run():
            wire = make(port) if make is Wire else make()
            first(wire)
            words = whole(run.__name__)
            at = int(len(words) * cut) if isinstance(cut, float) else cut
            wire.say(words[:at])
            yield
            if in_gap:
                wire.say(words[at:])
            yield
            if not in_gap:
                wire.say(words[at:])
            then(wire)
            # And it goes on as before.
            wire.say(whole(run.__name__))
            then(wire)
            if counted:
                expect_monitor(run.__name__, beats=counted)

        run.__name__ = f"{name}-{cut}-{'gap' if in_gap else 'after'}"
        return run

    for cut in (1, 0.3, 0.7, -1):
        for in_gap in (False, True):
            case(half(cut, in_gap))


def nothing(_):
    pass


halves(
    "half-line", lambda name: f"BEAT {name} seq=7 interval=60s\n".encode(), nothing, lambda wire: wire.expect(b"OK 60\n"), counted=2
)
halves(
    "half-line-later",
    lambda name: f"BEAT {name} interval=60s\r\n".encode(),
    lambda wire: (wire.say(b"PING\nHEARTBEAT|ping\n"), wire.expect(b"PONG\nHEARTBEAT|pong\n")),
    lambda wire: wire.expect(b"OK 60\n"),
    counted=2,
)
halves("half-hello", lambda _: b"hello server", nothing, lambda wire: wire.expect(b"hello client"))
halves("half-ping", lambda _: b"PING", nothing, lambda wire: (wire.expect(b"PONG")))
halves(
    "half-http", lambda name: post(b'{"id":"%s","seq":9}' % name.encode()), nothing, Wire.expect_http, port=7777, counted=2
)
halves(
    "half-http-later",
    lambda name: post(b'{"id":"%s"}' % name.encode()),
    lambda wire: (wire.say(post(b'{"id":"half-http-first"}')), wire.expect_http()),
    Wire.expect_http,
    port=7777,
    counted=2,
)
halves(
    "half-ws",
    lambda name: client_frame(0x81, b'{"id":"%s","seq":5}' % name.encode()),
    nothing,
    WebSocket.expect_ok,
    make=WebSocket,
    counted=2,
)
halves(
    "half-ws-fragments",
    lambda name: client_frame(0x01, b'{"id":') + client_frame(0x00, b'"%s"' % name.encode()) + client_frame(0x80, b"}"),
    lambda wire: (wire.say(client_frame(0x81, b'{"id":"half-ws-first"}')), wire.expect_ok()),
    WebSocket.expect_ok,
    make=WebSocket,
    counted=2,
)


@case
def half_long_line():
    wire = Wire()
    message = "m" * 9000
    wire.say(f"BEAT half-long-line message={message[:8000]}".encode())
    yield
    yield
    wire.say(f"{message[8000:]}\n".encode())
    wire.expect(b"OK 60\n")
    expect_monitor("half-long-line", message=message)


@case
def half_long_body():
    wire = Wire(7777)
    words = post(b'{"id":"half-long-body","ignored":"%s"}' % (b"x" * 16000))
    wire.say(words[:15000])
    yield
    yield
    wire.say(words[15000:])
    wire.expect_http()


def half_big_ws(length):
    def run():
        wire = WebSocket()
        text = b'{"id":"half-big-ws-%d","ignored":"%s"}' % (length, b"x" * length)
        size = b"\xfe" + struct.pack(">H", len(text)) if len(text) < 65536 else b"\xff" + struct.pack(">Q", len(text))
        words = b"\x81" + size + b"\0\0\0\0" + text
        wire.say(words[: length // 2])
        yield
        yield
        wire.say(words[length // 2 :])
        wire.expect_ok()

    run.__name__ = f"half-big-ws-{length}"
    return run


case(half_big_ws(60_000))
case(half_big_ws(250_000))


@case
def pipelined():
    wire = Wire(7777)
    words = [post(b'{"id":"pipelined","seq":%d}' % at) for at in (1, 2, 3)]
    wire.say(words[0] + words[1] + words[2][:40])
    yield
    yield
    wire.say(words[2][40:])
    for _ in words:
        wire.expect_http()
    expect_monitor("pipelined", beats=3, seq=3, repeats=0)


@case
def half_frames():
    wire = Wire()
    source = wire.socket.getsockname()
    wire.say(struct.pack("<ii", 0, 0) + struct.pack("<ii", 1, 100) + b"f" * 60)
    yield
    wire.say(b"f" * 40 + struct.pack("<ii", 0, 0)[:3])
    yield
    wire.say(struct.pack("<ii", 0, 0)[3:])
    # No frame is answered; one that cannot be would end it.
    wire.socket.settimeout(1)
    try:
        raise Failed(f"{wire.socket.recv(100)!r} where nothing was due, from {source}")
    except TimeoutError:
        pass


# --- ends


@case
def line_ends_in_gap():
    wire = Wire()
    wire.say(b"PING\n")
    wire.expect(b"PONG\n")
    yield
    wire.say(b"BEAT line-ends-in-gap seq=1\n")
    wire.end_writing()
    yield
    wire.expect(b"OK 60\n")
    wire.expect_end()


@case
def line_gone_in_gap():
    wire = Wire()
    wire.say(b"BEAT line-gone-in-gap seq=1\n")
    wire.expect(b"OK 60\n")
    yield
    wire.say(b"BEAT line-gone-in-gap seq=2\n")
    wire.socket.close()
    yield
    expect_soon("line-gone-in-gap", beats=2, seq=2)


@case
def http_ends_in_gap():
    wire = Wire(7777)
    wire.say(post(b'{"id":"http-ends-in-gap"}'))
    wire.expect_http()
    yield
    wire.say(post(b'{"id":"http-ends-in-gap"}'))
    wire.end_writing()
    yield
    wire.expect_http()
    wire.expect_end()


@case
def http_gone_in_gap():
    wire = Wire(7777)
    yield
    wire.say(post(b'{"id":"http-gone-in-gap"}'))
    wire.socket.close()
    yield
    expect_soon("http-gone-in-gap", beats=1)


@case
def idle_gone_in_gap():
    wires = [Wire(7777), Wire(7778), WebSocket()]
    yield
    for wire in wires:
        wire.socket.close()
    yield


# --- newcomers


@case
def newcomers_in_gap():
    yield
    line, plain = Wire(7778), Wire(7777)
    line.say(b"BEAT new-line\n")
    plain.say(post(b'{"id":"new-http"}'))
    yield
    line.expect(b"OK 60\n")
    plain.expect_http()


@case
def silent():
    wire = Wire()
    yield
    yield
    wire.expect(b"ping")
    wire.say(b"pong")
    wire.expect(b"ping")


@case
def silent_then_line():
    wire = Wire()
    yield
    yield
    wire.say(b"BEAT silent-then-line\n")
    while (said := wire.hear(4)) == b"ping":
        pass
    if said + wire.hear(2) != b"OK 60\n":
        raise Failed(f"answered {said!r}")


# --- who it is


@case
def name_stays():
    wire = Wire()
    wire.say(b"BEAT name-stays\n")
    wire.expect(b"OK 60\n")
    yield
    yield
    wire.say(b"PING\n")
    wire.expect(b"PONG\n")
    expect_monitor("name-stays", beats=2, state="up")


@case
def fail_stays():
    wire = Wire()
    wire.say(b"BEAT fail-stays status=fail\n")
    wire.expect(b"OK 60\n")
    yield
    yield
    wire.say(b"PING\n")
    wire.expect(b"PONG\n")
    expect_monitor("fail-stays", beats=1, state="down")


@case
def ws_name_stays():
    wire = WebSocket()
    wire.say(client_frame(0x81, b'{"id":"ws-name-stays"}'))
    wire.expect_ok()
    yield
    yield
    wire.say(client_frame(0x81, b"PING"))
    wire.expect_pong()
    expect_monitor("ws-name-stays", beats=2, state="up")


@case
def ws_fail_stays():
    wire = WebSocket()
    wire.say(client_frame(0x81, b'{"id":"ws-fail-stays","status":"fail"}'))
    wire.expect_ok()
    yield
    yield
    wire.say(client_frame(0x81, b"PING"))
    wire.expect_pong()
    expect_monitor("ws-fail-stays", beats=1, state="down")


# --- what cannot be handed over is ended as its protocol has it


@case
def events_end():
    wire = Wire(7777)
    wire.say(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while b"\r\n\r\n" not in wire.heard:
        wire.heard += wire.socket.recv(65536) or b"\r\n\r\n"
    yield
    yield
    while more := wire.socket.recv(65536):
        wire.heard += more
    if not wire.heard.endswith(b"0\r\n\r\n"):
        raise Failed(f"the stream ends with {wire.heard[-60:]!r}")


@case
def general_path():
    """A connection that has left the fast path goes on, or is closed while it is idle."""
    wire = Wire(7777)
    wire.say(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wire.expect_http()
    yield
    yield
    readable, _, _ = select.select([wire.socket], [], [], 1)
    if readable:
        wire.expect_end()
    else:
        wire.say(post(b'{"id":"general-path"}'))
        wire.expect_http()


@case
def unix_socket():
    wire = Wire(unix=UNIX)
    wire.say(b"BEAT unix-socket seq=1\nBEAT unix-so")
    wire.expect(b"OK 60\n")
    yield
    wire.say(b"cket seq")
    yield
    wire.say(b"=2\n")
    wire.expect(b"OK 60\n")
    expect_monitor("unix-socket", beats=2, seq=2)


@case
def unix_newcomer():
    yield
    wire = Wire(unix=UNIX)
    wire.say(b"BEAT unix-newcomer\n")
    yield
    wire.expect(b"OK 60\n")


def main():
    failures, running = {}, {}
    for each in CASES:
        running[each.__name__] = each()
    for said in ("before", "gap", None):
        for name, steps in list(running.items()):
            try:
                next(steps)
            except StopIteration:
                pass
            except (Failed, OSError, ValueError, AttributeError) as failed:
                failures[name] = f"{said or 'after'}: {failed or repr(failed)}"
                del running[name]
        if said:
            # What is half said is read by the old process, and not only by the next.
            time.sleep(0.3)
            print(said, flush=True)
            sys.stdin.readline()
    print(json.dumps({"cases": len(CASES), "failures": failures}), flush=True)


main()
