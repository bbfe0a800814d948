"""Sends beats, from inside the machine. It only needs what python3-minimal has (not even json).

    client.py count N PREFIX            N beats over one connection
    client.py flow RATE PREFIX          RATE beats a second until SIGTERM, each over a connection of its own
    client.py keep RATE PREFIX          the same over one connection, reconnecting when it is closed
    client.py pulse N PREFIX            a beat a second for each of PREFIX-1 to PREFIX-N, which promise one every 3 s
    client.py hold N ADDRESS            N connections at once, a beat without an id on each; prints the list of answers

Every attempt bears an id of its own, PREFIX-1, PREFIX-2, …, so a line in the log
answers exactly one attempt. Prints a Python dictionary: the numbers acknowledged,
failed and refused.
"""

import signal
import socket
import sys
import time

ADDRESS = ("127.0.0.1", 7777)
stopped = False


def stop(*_):
    global stopped
    stopped = True


def connect():
    connection = socket.create_connection(ADDRESS, timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def beat(connection, beat_id, close, more=b""):
    """Sends one beat and reads its answer; an OSError unless it is 200 with status ok."""
    body = b'{"id":"%s"%s}' % (beat_id.encode(), more)
    last = "Connection: close\r\n" if close else ""
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\n{last}Content-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = connection.recv(4096)
        if not more:
            raise ConnectionError(f"closed after {answer!r}")
        answer += more
    head, rest = answer.split(b"\r\n\r\n", 1)
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(rest) < int(fields[b"content-length"]):
        more = connection.recv(4096)
        if not more:
            raise ConnectionError("closed within the body")
        rest += more
    if not head.startswith(b"HTTP/1.1 200 ") or rest.strip() != b'{"status":"ok"}':
        raise OSError(f"answered {answer!r}")


def hold(number, address):
    """What each of `number` simultaneous connections hears."""
    held = []
    for _ in range(number):
        held.append(socket.create_connection((address, ADDRESS[1]), timeout=30))
    answers = []
    for connection in held:
        answer = b""
        try:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
            while not answer.rstrip().endswith(b"}"):
                more = connection.recv(4096)
                if not more:
                    break
                answer += more
        except OSError as error:
            answer += str(error).encode()
        answers.append(answer.decode())
    return answers


def pulse(number, prefix):
    """Keeps monitors alive until SIGTERM; says how many rounds were answered."""
    connection = connect()
    rounds = []
    while not stopped:
        for at in range(1, number + 1):
            beat(connection, f"{prefix}-{at}", False, b',"interval":3,"grace":1')
        rounds.append(len(rounds) + 1)
        time.sleep(1)
    return {"ok": rounds, "failed": [], "refused": 0, "reasons": []}


def main():
    if sys.argv[1] == "hold":
        print(hold(int(sys.argv[2]), sys.argv[3]))
        return
    kind, number, prefix = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGTERM, stop)
    if kind == "pulse":
        print(pulse(number, prefix))
        return
    acknowledged, failed, refused, reasons = [], [], 0, set()
    connection = None
    at = 0
    started = time.monotonic()
    while not stopped and (kind != "count" or at < number):
        at += 1
        if kind != "count":
            time.sleep(max(0.0, started + at / number - time.monotonic()))
        try:
            if connection is None:
                connection = connect()
            beat(connection, f"{prefix}-{at}", kind == "flow")
            acknowledged.append(at)
            if kind == "flow":
                connection.close()
                connection = None
        except OSError as error:
            refused += isinstance(error, ConnectionRefusedError)
            failed.append(at)
            reasons.add(str(error))
            connection = None
            if kind == "count":
                break
    print({"ok": acknowledged, "failed": failed, "refused": refused, "reasons": sorted(reasons)[:5]})


main()
