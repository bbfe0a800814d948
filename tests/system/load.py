"""A herd of clients with exact accounts, to be set on the daemon while something is done to it.

    load.py [--once RATE] [--log FILE] KIND=NUMBER…       kinds: see herd.py

Runs in the machine's network with the host's Python. Every kept client beats about every two seconds over one
connection; often what it says is cut in two with a pause between, so that whatever happens falls inside of it. RATE
clients a second come besides, each with a connection and an id of its own. Prints `ready` once all have beaten, and
goes on until SIGTERM. Then it waits for the answers still due, asks the server what it has counted, reads the log, and
prints the account as one line of JSON; the exit code is 1 when a beat was lost or doubled or a connection broken.

- sent: said whole. acknowledged: answered well.
- lost: sent, and not among what the server counted or wrote down. lost_acknowledged: those of them that were answered.
- unanswered: sent, and nothing heard for 20 s. doubled: counted or written down more often than sent, or a number twice.
- broken: a connection that ended (end of file, reset, wrong words) although nothing had announced it.
- ended: one that ended as the protocol has it (`Connection: close`, a close frame).
- closed: one whose end came, without a word, while nothing was under way.
- once_refused, once_reset, once_failed: clients of one beat, by how far they came.
- *_s: the longest time from the last byte of a beat to its answer, between two connects that were made, and in which
  nobody at all was answered; and how late this program itself was at its worst.
"""

import argparse
import collections
import errno
import heapq
import itertools
import json
import os
import random
import resource
import select
import signal
import socket
import ssl
import sys
import time

sys.dont_write_bytecode = True

from herd import KINDS, Ended, Wrong  # noqa: E402
from ledger import monitors, written_down  # noqa: E402

PERIOD_S = 2.0
ANSWER_S_MAX = 20.0
READY_S_MAX = 120.0
# Newcomers at the start are brought in at this pace.
OPENINGS_PER_S = 1500
CUT_SHARE = 0.4
EXAMPLES_MAX = 3
IN, OUT = select.EPOLLIN, select.EPOLLOUT


class Kept:
    """A client and the connection that it has just now."""

    __slots__ = ("client", "kind", "source", "socket", "stage", "rest", "opened", "heard_at")

    def __init__(self, client, kind, source):
        self.client, self.kind, self.source = client, kind, source
        self.socket = None
        # "" (none), "connecting", "shaking" hands, "talking", "over" (all is said).
        self.stage = ""
        # What is not said yet of what was begun.
        self.rest = []
        self.opened = self.heard_at = 0.0


class Once:
    """A client of one beat."""

    __slots__ = ("name", "socket", "began", "heard", "asked")

    def __init__(self, name, now):
        self.name, self.began = name, now
        self.socket, self.heard, self.asked = None, b"", False


class Load:
    """All of them, one loop, and the account."""

    def __init__(self, arguments):
        self.rate = arguments.once
        self.epoll = select.epoll()
        self.at_fd = {}
        self.timers = []
        self.order = itertools.count()
        self.stopping = False
        self.count = collections.defaultdict(collections.Counter)
        self.waits = collections.defaultdict(float)
        self.endings = collections.Counter()
        self.seen = collections.Counter()
        self.examples = []
        self.kept = []
        self.once = {}
        self.once_acknowledged = set()
        self.once_sent = set()
        self.once_count = 0
        self.lag = self.answer_gap = self.connect_gap = 0.0
        self.last_answer = self.last_connect = None
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.started = time.monotonic()
        addresses = (f"127.{1 + at // 62500}.{at // 250 % 250}.{1 + at % 250}" for at in itertools.count())
        for kind, number in arguments.herd:
            for at in range(number):
                named = KINDS[kind].named
                name = f"{kind}-{at}" if named else next(addresses)
                self.kept.append(Kept(KINDS[kind](name), kind, None if named else name))
        for at, kept in enumerate(self.kept):
            self.after(at / OPENINGS_PER_S, kept)

    def after(self, seconds, what):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), what))

    # --- the loop

    def run(self):
        """Until SIGTERM, and on until nothing is due any more."""
        if self.rate:
            self.after(1.0, self.come_once)
        self.after(0.2, self.look_ready)
        self.after(1.0, self.look_late)
        while not self.stopping:
            self.turn(0.5)
        deadline = time.monotonic() + ANSWER_S_MAX
        while time.monotonic() < deadline and (self.once or any(each.client.due or each.rest for each in self.kept)):
            self.turn(0.1)
        self.drained = time.monotonic() - deadline + ANSWER_S_MAX
        self.part()

    def turn(self, seconds_max):
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            at, _, what = heapq.heappop(self.timers)
            self.lag = max(self.lag, now - at)
            self.step(what, now) if isinstance(what, Kept) else what(now)
            now = time.monotonic()
        wait = min(seconds_max, self.timers[0][0] - now) if self.timers else seconds_max
        for fd, events in self.epoll.poll(max(0.0, wait)):
            who = self.at_fd.get(fd)
            if isinstance(who, Kept):
                self.happen(who, events)
            elif who is not None:
                self.happen_once(who, events)

    def look_ready(self, now):
        """Says once that every client has beaten."""
        if all(each.client.sent for each in self.kept):
            print("ready", flush=True)
            self.lag = 0.0
        elif now - self.started > READY_S_MAX:
            self.stopping = True
        else:
            self.after(0.2, self.look_ready)

    def look_late(self, now):
        """Gives up those that wait for too long."""
        for once in [each for each in self.once.values() if now - each.began > ANSWER_S_MAX]:
            self.end_once(once, "failed", f"no answer in {ANSWER_S_MAX:.0f} s")
        for kept in self.kept:
            due = kept.client.due
            if due and now - due[0][2] > ANSWER_S_MAX:
                self.count[kept.kind]["unanswered"] += sum(beats for _, beats, _ in due)
                self.end(kept, "broken", f"{len(due)} answers due for {ANSWER_S_MAX:.0f} s")
            elif kept.kind == "pong" and kept.stage == "talking" and now - kept.heard_at > ANSWER_S_MAX:
                self.end(kept, "broken", f"not pinged for {ANSWER_S_MAX:.0f} s")
        self.after(1.0, self.look_late)

    # --- kept clients

    def step(self, kept, now):
        """Its time has come; it always has a next one."""
        client = kept.client
        if kept.stage == "" and not self.stopping:
            self.connect(kept, now)
        elif kept.stage == "talking" and kept.rest:
            self.say(kept, kept.rest, 0, now)
        elif kept.stage == "talking" and client.owed:
            self.say_owed(kept, now)
        elif kept.stage == "talking" and client.open and not client.due and not self.stopping:
            self.say(kept, *client.compose(), now)
        goes_on = kept.stage != "talking" or kept.rest or client.owed
        self.after(random.uniform(0.05, 1.0) if goes_on else random.uniform(0.7, 1.3) * PERIOD_S, kept)

    def connect(self, kept, now):
        kept.client.reset()
        kept.rest = []
        kept.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        kept.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kept.stage = "connecting"
        kept.opened = kept.heard_at = now
        if kept.source:
            kept.socket.bind((kept.source, 0))
        self.at_fd[kept.socket.fileno()] = kept
        error = kept.socket.connect_ex(("127.0.0.1", kept.client.port))
        if error not in (0, errno.EINPROGRESS):
            self.end(kept, "refused", os.strerror(error))
        else:
            self.epoll.register(kept.socket.fileno(), IN | OUT)

    def happen(self, kept, events):
        """Something can be done with its socket."""
        now = time.monotonic()
        try:
            if kept.stage == "connecting":
                error = kept.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    self.end(kept, "refused", os.strerror(error))
                    return
                self.epoll.modify(kept.socket.fileno(), IN)
                kept.stage = "talking"
                kept.stage = "shaking"
                if kept.client.tls:
                    kept.socket = self.context.wrap_socket(kept.socket, do_handshake_on_connect=False)
            if kept.stage == "shaking":
                if kept.client.tls:
                    kept.socket.do_handshake()
                kept.stage = "talking"
                if greeting := kept.client.greeting():
                    kept.socket.send(greeting)
            while self.read(kept, now) and kept.client.tls:
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            self.end(kept, "broken", str(error) or repr(error))

    def read(self, kept, now):
        data = kept.socket.recv(65536)
        if kept.stage == "over" or not data:
            client = kept.client
            idle = not (client.due or kept.rest) and isinstance(client, KINDS["http"])
            if kept.stage == "over":
                if not data:
                    self.forget(kept)
            else:
                self.end(kept, "closed" if idle else "broken", "end of file")
            return False
        client = kept.client
        kept.heard_at = now
        asked = client.due[0][2] if client.due else now
        try:
            answers = client.hear(data)
        except Ended as ended:
            self.end(kept, "ended", str(ended))
            return False
        except Wrong as wrong:
            self.end(kept, "broken", str(wrong))
            return False
        if answers and client.answered:
            self.waits[kept.kind] = max(self.waits[kept.kind], now - asked)
            self.note_answer(now)
        if client.owed and not kept.rest:
            self.say_owed(kept, now)
        return kept.stage == "talking"

    def say_owed(self, kept, now):
        self.say(kept, [kept.client.owed.popleft()], 2 if kept.kind == "pong" else 0, now)

    def say(self, kept, parts, cut, now):
        """Says parts, or what comes before the cut; what is whole then is sent, and its answer due."""
        words = b"".join(part[0] for part in parts)
        room = left = cut if cut and random.random() < CUT_SHARE else len(words)
        client, whole, rest = kept.client, [], []
        for part in parts:
            if left >= len(part[0]):
                whole.append(part)
            else:
                rest.append((part[0][left:], *part[1:]))
            left = max(0, left - len(part[0]))
        kept.rest = rest
        try:
            sent = kept.socket.send(words[:room])
        except (OSError, ssl.SSLError) as error:
            self.end(kept, "broken", f"writing: {error}")
            return
        if sent != room:
            self.end(kept, "broken", f"only {sent} of {room} bytes fit")
            return
        for _, answer, beats in whole:
            client.sent += beats
            if answer is not None:
                client.due.append((answer, beats, now))

    def end(self, kept, how, why):
        """Its connection is over; it comes back with its next step."""
        self.count[kept.kind][how] += 1
        if how == "ended":
            self.endings[f"{kept.kind}: {why}"] += 1
        if how != "ended" and self.is_news(kept.kind, how, why):
            client = kept.client
            state = f"{len(client.due)} due, half said: {b''.join(part[0] for part in kept.rest)!r}"
            age = f"{time.monotonic() - kept.opened:.2f} s old, at {time.monotonic() - self.started:.2f} s"
            self.examples.append(f"{kept.kind} {client.name} {how}: {why} (seq {client.seq}, {state}; {age})")
        self.forget(kept)
        kept.client.reset()
        kept.rest = []

    def forget(self, kept):
        self.at_fd.pop(kept.socket.fileno(), None)
        kept.socket.close()
        kept.stage = ""

    def is_news(self, *what):
        """Whether a thing has been seen only a few times yet."""
        self.seen[what] += 1
        return self.seen[what] <= EXAMPLES_MAX

    def note_answer(self, now):
        if self.last_answer is not None:
            self.answer_gap = max(self.answer_gap, now - self.last_answer)
        self.last_answer = now

    # --- clients of one beat

    def come_once(self, now):
        if self.stopping:
            return
        self.after(1 / self.rate, self.come_once)
        self.once_count += 1
        once = Once(f"once-{self.once_count}", now)
        once.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.at_fd[once.socket.fileno()] = self.once[once.name] = once
        error = once.socket.connect_ex(("127.0.0.1", 7777))
        if error not in (0, errno.EINPROGRESS):
            self.end_once(once, "refused" if error == errno.ECONNREFUSED else "failed", os.strerror(error))
            return
        self.epoll.register(once.socket.fileno(), IN | OUT)

    def happen_once(self, once, events):
        now = time.monotonic()
        try:
            if not once.asked:
                error = once.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    self.end_once(once, "refused" if error == errno.ECONNREFUSED else "failed", os.strerror(error))
                    return
                if self.last_connect is not None:
                    self.connect_gap = max(self.connect_gap, now - self.last_connect)
                self.last_connect = now
                body = b'{"id":"%s"}' % once.name.encode()
                head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
                once.socket.send(head + body)
                once.asked = True
                self.once_sent.add(once.name)
                self.epoll.modify(once.socket.fileno(), IN)
            data = once.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self.end_once(once, "reset", str(error))
            return
        once.heard += data
        if data:
            return
        if once.heard.startswith(b"HTTP/1.1 200 ") and once.heard.rstrip().endswith(b'{"status":"ok"}'):
            self.once_acknowledged.add(once.name)
            self.waits["once"] = max(self.waits["once"], now - once.began)
            self.note_answer(now)
            self.end_once(once, "", "")
        else:
            self.end_once(once, "failed" if once.heard else "reset", f"end of file after {once.heard[:200]!r}")

    def end_once(self, once, how, why):
        if how:
            self.count["once"][how] += 1
        if how and self.is_news("once", how, why):
            now = time.monotonic()
            state = f"{'said' if once.asked else 'not said'}, heard {once.heard[:20]!r}, {now - once.began:.3f} s old"
            self.examples.append(f"{once.name} {how}: {why} ({state}, at {now - self.started:.2f} s)")
        self.at_fd.pop(once.socket.fileno(), None)
        self.once.pop(once.name, None)
        once.socket.close()

    # --- the end

    def part(self):
        """Ends all connections as a client does, so that what was said is read to its end."""
        for kept in self.kept:
            if kept.stage == "talking" and not kept.client.tls:
                kept.stage = "over"
                try:
                    kept.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    self.forget(kept)
            elif kept.stage:
                self.forget(kept)
        self.timers.clear()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(each.stage for each in self.kept):
            self.turn(0.1)
        for kept in self.kept:
            if kept.stage:
                self.forget(kept)

    def account(self, log):
        """What was sent against what the server knows."""
        counted = monitors()
        logged = written_down(log) if log else None
        kinds = {}
        for kept in self.kept:
            of = self.count[kept.kind]
            client = kept.client
            known = counted.get(client.name, {"beats": 0, "repeats": 0})
            of["clients"] += 1
            self.compare(of, client.name, client.sent, client.acknowledged, known, logged)
        if self.once_count:
            of = self.count["once"]
            of["clients"] = self.once_count
            for name in sorted(self.once_sent):
                known = counted.get(name, {"beats": 0, "repeats": 0})
                # Of one that was not answered nobody knows whether it was read.
                sent = 1 if name in self.once_acknowledged else known["beats"]
                self.compare(of, name, sent, int(name in self.once_acknowledged), known, logged)
        for kind, of in self.count.items():
            kinds[kind] = {**of, "longest_s": round(self.waits[kind], 3)}
        total = collections.Counter(once_acknowledged=len(self.once_acknowledged))
        for kind, of in self.count.items():
            total.update({f"once_{name}" if kind == "once" and name not in COMMON else name: n for name, n in of.items()})
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = time.monotonic() - self.started
        return {
            **{name: total[name] for name in (*COMMON, *KEPT, *ONCE)},
            "longest_s": round(max(self.waits.values(), default=0.0), 3),
            "connect_gap_s": round(self.connect_gap, 3),
            "answer_gap_s": round(self.answer_gap, 3),
            "own_lag_s": round(self.lag, 3),
            "drain_s": round(self.drained, 1),
            "seconds": round(seconds, 1),
            "cpu_share": round((used.ru_utime + used.ru_stime) / seconds, 3),
            "kinds": kinds,
            "endings": self.endings,
            "examples": self.examples,
        }

    def compare(self, of, name, sent, acknowledged, known, logged):
        seen = [known["beats"]] + ([logged[name]] if logged is not None else [])
        of["sent"] += sent
        of["acknowledged"] += acknowledged
        lost = max(0, sent - min(seen))
        doubled = max(0, max(seen) - sent) + known["repeats"]
        of["lost"] += lost
        of["lost_acknowledged"] += max(0, acknowledged - min(seen))
        of["doubled"] += doubled
        if (lost or doubled) and self.is_news(name.split("-")[0], bool(lost)):
            self.examples.append(
                f"{name}: sent {sent}, acknowledged {acknowledged}, counted and written down {seen},"
                f" {known['repeats']} numbers twice"
            )


COMMON = ("sent", "acknowledged", "lost", "lost_acknowledged", "doubled")
KEPT = ("clients", "unanswered", "broken", "closed", "ended", "refused")
ONCE = ("once_clients", "once_acknowledged", "once_refused", "once_reset", "once_failed")
WELL = ("lost", "lost_acknowledged", "doubled", "unanswered", "broken", "closed", "ended", "refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", type=float, default=0)
    parser.add_argument("--log")
    parser.add_argument("herd", nargs="*", type=lambda text: (text.split("=")[0], int(text.split("=")[1])))
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = Load(arguments)
    signal.signal(signal.SIGTERM, lambda *_: setattr(load, "stopping", True))
    load.run()
    account = load.account(arguments.log)
    print(json.dumps(account), flush=True)
    well = not any(account[name] for name in (*WELL, "once_refused", "once_reset", "once_failed"))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
