#!/usr/bin/env python3
"""Drives the pages of a real daemon in a headless Chromium, as people use them.

    tests/browser/run.py PROGRAM [--pictures DIR] [SCENARIO...]

PROGRAM is the heartbeat-server to try. Each scenario has a daemon of its own on
loopback. With --pictures the pages are also written as PNG, to be looked at.
Without a Chromium nothing is tried, which is said, and is no failure. The last
line is always `browser: N passed, N failed, N skipped`.
"""

import argparse
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

# Nothing is left in the source folders, which root may be running this from.
sys.dont_write_bytecode = True
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))

from browser import Browser, Failure, program  # noqa: E402
from skips import skip  # noqa: E402

START_SECONDS_MAX = 30
# Only the events can bring news to a page whose clockwork stands still.
NO_POLLING = "window.setInterval = () => 0;"
ROWS = "document.querySelectorAll('.list tbody tr').length"
FIRST = "document.querySelector('.list tbody th bdi').textContent"
SIZES = {"desktop": (1280, 1000), "phone": (390, 844)}


class Daemon:
    """A daemon with a state of its own, ended by its process id."""

    def __init__(self, path, config=""):
        self.path, self.config = path, config

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="heartbeat-pages-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        folder = pathlib.Path(self.folder.name)
        config = folder / "config.toml"
        config.write_text("[log]\nbeats = false\n" + self.config)
        arguments = ["-c", config, "--http", f"127.0.0.1:{port}", "--state-dir", folder / "state"]
        arguments += ["--log", f"file:{folder}/log"]
        # Not the socket of a daemon that serves this machine.
        environment = {**os.environ, "HEARTBEAT_CONTROL": str(folder / "control.sock")}
        self.process = subprocess.Popen([self.path, *map(str, arguments)], cwd=folder, env=environment)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self.get("healthz")
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Failure("the daemon does not answer; its log:\n" + (folder / "log").read_text())
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(START_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=START_SECONDS_MAX) as answer:
            return answer.read().decode()

    def beat(self, *beats):
        body = "\n".join(json.dumps(beat) for beat in beats).encode()
        with urllib.request.urlopen(self.url, data=body, timeout=START_SECONDS_MAX) as answer:
            answer.read()


def want(what, got, expected):
    if got != expected:
        raise Failure(f"{what}: {got!r}, expected {expected!r}")


def empty(daemon, browser, pictures):
    """The first beat takes the place of the welcome, by itself."""
    tab = browser.open(daemon.url, before=NO_POLLING)
    tab.wait("document.body.textContent.includes('Waiting for the first heartbeat')")
    tab.wait("document.querySelector('[data-live]').textContent === 'live'", "the script")
    daemon.beat({"id": "first"})
    tab.wait(f"{ROWS} === 1", "the first monitor")
    want("the title", tab.run("document.title"), "1 up, 0 down · Heartbeat server")
    tab.check()


def live(daemon, browser, pictures):
    """A change shows at once and leaves alone what the reader is doing."""
    daemon.beat(*({"id": name} for name in ("a", "b", "c")))
    tab = browser.open(daemon.url, before=NO_POLLING, height=400)
    tab.wait(f"{ROWS} === 3")
    # Not before the page listens.
    tab.wait("performance.getEntriesByType('resource').length > 0")
    tab.run("window.row = document.querySelector('.list tbody tr:nth-child(2)'); row.querySelector('a').focus()")
    tab.run("scrollTo(0, 60)")
    daemon.beat({"id": "c", "status": "fail", "message": "<img src=x onerror=wrongs.push(1)>"})
    tab.wait(f"{FIRST} === 'c'", "who is down to come first")
    tab.wait("!!document.querySelector('.incidents a[href=\"monitors/c\"]')", "the open incident")
    want("the row that did not change", tab.run("row.isConnected && row.textContent.includes('b')"), True)
    want("the focus", tab.run("document.activeElement.textContent"), "b")
    want("the scrolling", tab.run("scrollY"), 60)
    want("what is read out", tab.run("news.textContent"), "1 monitor is down")
    want("the title", tab.run("document.title"), "2 up, 1 down · Heartbeat server")
    daemon.beat({"id": "c"})
    tab.wait("!!document.querySelector('#recent a[href=\"monitors/c\"]')", "the ended incident")
    tab.check()


def search(daemon, browser, pictures):
    """Typing filters, the address follows, and the text stays while the page changes."""
    daemon.beat(*({"id": f"{kind}-{n}"} for kind in ("web", "db") for n in range(5)))
    tab = browser.open(daemon.url)
    tab.wait(f"{ROWS} === 10")
    tab.click("#search")
    tab.type("db-")
    tab.wait(f"{ROWS} === 5", "the filter")
    want("the address", tab.run("location.search"), "?match=db-")
    daemon.beat({"id": "db-new"})
    tab.wait(f"{ROWS} === 6", "a new one that matches")
    want("the text", tab.run("document.activeElement.value"), "db-")
    tab.type("new")
    tab.wait(f"{ROWS} === 1")
    tab.go(tab.run("location.href"))
    want("the same address opened anew", tab.run(f"[{ROWS}, document.querySelector('#search').value]"), [1, "db-new"])
    tab.check()


def without_scripts(daemon, browser, pictures):
    """Links, the form and the refresh do it all where nothing may run."""
    daemon.beat({"id": "a"}, {"id": "b", "status": "fail"})
    tab = browser.open(daemon.url, scripts=False)
    tab.wait(f"{ROWS} === 2")
    want("what it says of itself", tab.run("document.querySelector('[data-live]').textContent"), "refreshes every 15\u00a0s")
    daemon.beat({"id": "c"})
    tab.wait(f"{ROWS} === 3", "the page to load itself again", seconds=60)
    tab.click(".counts .down a")
    tab.wait(f"{ROWS} === 1 && {FIRST} === 'b'", "the filter by state")
    tab.click(".counts .all a")
    tab.wait(f"{ROWS} === 3")
    tab.click("#search")
    tab.type("c")
    tab.press("Enter", 13)
    tab.wait(f"{ROWS} === 1 && {FIRST} === 'c'", "the search")
    tab.click(".list tbody th a")
    tab.wait("document.querySelector('h1').textContent === 'c'", "the page of a monitor")
    tab.click(".home a")
    tab.wait(f"{ROWS} === 3", "the way back")


def one(daemon, browser, pictures):
    """The page of one monitor lives too, from before its first beat."""
    tab = browser.open(daemon.url + "monitors/it=s", before=NO_POLLING)
    tab.wait("document.querySelector('h1').textContent === 'No such monitor'")
    tab.wait("performance.getEntriesByType('resource').length > 0")
    daemon.beat({"id": "it=s"})
    tab.wait("document.querySelector('h1').textContent === \"it=s\"", "the first beat")
    daemon.beat({"id": "it=s", "status": "fail"})
    tab.wait("document.querySelector('.stands b').textContent === 'Down'")
    tab.wait("document.querySelectorAll('.plain tr.down').length === 1", "its incident")
    want("the badge", tab.run("document.querySelector('img').naturalWidth > 40"), True)
    tab.check()
    if pictures:
        for name, (width, height) in SIZES.items():
            picture = browser.open(daemon.url + "monitors/it=s", width=width, height=height)
            picture.check()
            picture.picture(pictures / f"monitor-{name}.png")


def gone(daemon, browser, pictures):
    """That the server does not answer is said, and unsaid when it does."""
    daemon.beat({"id": "a"})
    tab = browser.open(daemon.url)
    tab.wait(f"{ROWS} === 1")
    want("the notice", tab.run("lost.hidden"), True)
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        tab.wait("!lost.hidden", "the notice", seconds=90)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    tab.wait("lost.hidden", "the end of the notice", seconds=90)


def many(daemon, browser, pictures):
    """Ten thousand are paged, and everything can be reached by the keyboard alone."""
    for start in range(0, 10_000, 1_000):
        daemon.beat(*({"id": f"web-{n:05}"} for n in range(start, start + 1_000)))
    daemon.beat({"id": "web-07777", "status": "fail"})
    tab = browser.open(daemon.url)
    tab.wait(f"{ROWS} === 100")
    want("the first", tab.run(FIRST), "web-07777")
    want("the caption", tab.run("document.querySelector('caption').textContent"), "Monitors · 100 of 10,000 shown")
    tab.click("[rel=next]")
    tab.wait("location.search.includes('after=')")
    tab.wait(f"{FIRST} === 'web-00099'", "the second page")
    tab.go(daemon.url + "?sort=id")
    tab.wait(f"{FIRST} === 'web-00000'")
    tab.press("Tab", 9)
    want("the first stop", tab.run("document.activeElement.className"), "skip")
    tab.press("Enter", 13)
    want("the skip link leads", tab.run("document.activeElement.id"), "content")
    seen = set()
    for _ in range(12):
        tab.press("Tab", 9)
        place = "document.activeElement.getBoundingClientRect()"
        want("what has the focus is seen", tab.run(f"{place}.width > 4 && {place}.right > 0"), True)
        seen.add(tab.run("document.activeElement.id || document.activeElement.getAttribute('href') || 'button'"))
    for stop in ("search", "?", "?sort=since", "monitors/web-00000"):
        want(f"{stop} among {sorted(seen)}", stop in seen, True)
    tab.check()


def looks(daemon, browser, pictures):
    """No page is wider than its window, on no screen, in no language, in no light."""
    ids = [{"id": "x" * 128, "message": "m" * 300, "tags": ["t" * 64]}, {"id": "数据库-上海"}, {"id": "192.168.1.53"}]
    kinds = [{"id": "fail", "status": "fail"}, {"id": "run", "status": "start"}]
    daemon.beat(*ids, *kinds)
    for size, (width, height) in {**SIZES, "narrow": (320, 600), "tablet": (900, 1000)}.items():
        for dark in (False, True):
            tab = browser.open(daemon.url, width=width, height=height, dark=dark)
            tab.wait(f"{ROWS} === 5")
            tab.check()
            if pictures:
                tab.picture(pictures / f"status-{size}-{'dark' if dark else 'light'}.png")


# A name without a place to break it, as far as it can go: 63 letters between two dots.
LONG_NAME = "l" * 64


def phone(daemon, browser, pictures):
    """On a phone nothing has to be pushed sideways to be read, however long ids, reasons and messages are."""
    word = "w" * 600
    long = {"id": "i" * 128, "message": word, "tags": ["t" * 64], "rid": "r" * 64}
    daemon.beat(long, {**long, "status": "fail"}, {"id": "nas", "ip": "x" * 128, "message": f"/{word}/{word}", "seq": 1})
    daemon.beat({"id": "心" * 42, "status": 255, "message": "错" * 2000}, {"id": "run", "status": "start", "rid": "r" * 64})
    tab = browser.open(daemon.url)
    tab.wait("document.querySelectorAll('.incidents li').length === 2", "both incidents")
    long_id = "i" * 128
    paths = ["", f"monitors/{long_id}", "monitors/nas", "monitors/" + "%E5%BF%83" * 42, "monitors/" + "n" * 128]
    paths.append("?match=" + "q" * 128)
    for lang in ("en", "zh-CN"):
        for width in (320, 360, 390):
            for number, path in enumerate(paths):
                tab = browser.open(daemon.url + path, width=width, height=844, lang=lang, dark=width == 360)
                want("the language", tab.run("document.documentElement.lang.slice(0, 2)"), lang[:2])
                tab.run("document.querySelectorAll('details').forEach(d => d.open = true); 0")
                if not path:
                    want("the long reason", tab.run(f"document.querySelector('.troubles').textContent.includes('{LONG_NAME}')"), True)
                tab.check()
                if pictures:
                    tab.picture(pictures / f"phone-{number}-{lang}-{width}.png")
                tab.close()


phone.config = f'[[listen]]\nname = "{LONG_NAME}"\nprotocol = "tcp"\naddress = "heartbeat.invalid:7"\n'


def socket_(daemon, browser, pictures):
    """A page keeps a WebSocket alive with the lines that everybody copies, and may send beats on it."""
    tab = browser.open(daemon.url)
    tab.run(
        """
        window.heard = [];
        window.ws = new WebSocket(location.origin.replace("http", "ws"));
        setInterval(() => ws.send("PING"), 50);
        ws.onmessage = (event) => {
          if (event.data === "PONG") heard.push("Alive"); else heard.push(JSON.parse(event.data).status);
        };
        0
        """
    )
    tab.wait("heard.filter((word) => word === 'Alive').length > 2", "the server to be alive")
    tab.run("ws.send('{\"id\": \"browser\"}'); 0")
    tab.wait("heard.includes('ok')", "the answer to a beat")
    want("the beat", json.loads(daemon.get("api/v1/monitors/browser"))["transport"], "ws")
    tab.run("ws.onclose = (event) => { heard.push(event.code + ' ' + event.wasClean) }; ws.close(1000); 0")
    tab.wait("heard.includes('1000 true')", "a clean close")


SCENARIOS = {
    f.__name__.strip("_"): f for f in (empty, live, search, without_scripts, one, gone, many, looks, phone, socket_)
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--pictures", type=pathlib.Path)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_args()
    unknown = set(options.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    chosen = options.scenarios or list(SCENARIOS)
    if program() is None:
        failed = skip("browser", chosen, "there is no chromium")
        print(f"browser: 0 passed, {failed} failed, {len(chosen) - failed} skipped")
        return 1 if failed else 0
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in chosen:
        scenario = SCENARIOS[name]
        try:
            with Daemon(options.program.resolve(), getattr(scenario, "config", "")) as daemon, Browser() as browser:
                scenario(daemon, browser, options.pictures)
            print(f"ok      {name}: {scenario.__doc__}")
        except Failure as failure:
            failed += 1
            print(f"FAILED  {name}: {failure}")
        sys.stdout.flush()
    print(f"browser: {len(chosen) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
