"""A headless Chromium to drive pages with, by its DevTools protocol over a pair of pipes: nothing but Python needed.

    with Browser() as browser:
        tab = browser.open("http://127.0.0.1:7777/", scripts=False)
        tab.wait("document.querySelectorAll('tbody tr').length === 3")
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ANSWER_SECONDS_MAX = 60
WAIT_SECONDS_MAX = 40


# What the page's Content-Security-Policy forbade, and what its script threw.
WATCH = """
window.wrongs = [];
addEventListener('securitypolicyviolation', e => wrongs.push(e.violatedDirective + ' ' + e.blockedURI));
addEventListener('error', e => wrongs.push(e.message));
addEventListener('unhandledrejection', e => wrongs.push(String(e.reason)));
"""


class Failure(Exception):
    """Something a scenario saw that should not be; its text is what the person reads."""


def program():
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One Chromium with a profile of its own, gone when it is closed."""

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="heartbeat-browser-", ignore_cleanup_errors=True)
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()

        def place():
            # It reads commands from 3 and writes answers to 4. Going above both first keeps one from the other.
            read, write = os.dup(to_read), os.dup(to_write)
            high_read, high_write = os.dup(read), os.dup(write)
            os.dup2(high_read, 3)
            os.dup2(high_write, 4)

        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        options += [f"--user-data-dir={self.profile.name}", "--remote-debugging-pipe", "about:blank"]
        self.process = subprocess.Popen(
            [program(), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=place,
            close_fds=False,
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_write)
        self.number = 0
        self.buffer = b""
        return self

    def __exit__(self, *_):
        # The group is ours alone: it was started as a session of its own.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.write_end)
        os.close(self.read_end)
        self.profile.cleanup()

    def ask(self, method, session=None, **params):
        """The result of a command; what the browser tells meanwhile is passed over."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            while b"\0" not in self.buffer:
                rest = deadline - time.monotonic()
                if rest <= 0 or not select.select([self.read_end], [], [], rest)[0]:
                    raise Failure(f"the browser does not answer {method}")
                part = os.read(self.read_end, 1 << 16)
                if not part:
                    raise Failure("the browser is gone")
                self.buffer += part
            answer, self.buffer = self.buffer.split(b"\0", 1)
            answer = json.loads(answer)
            if answer.get("id") != self.number:
                continue
            if "error" in answer:
                raise Failure(f"{method}: {answer['error']['message']}")
            return answer["result"]

    def open(self, address, scripts=True, width=1280, height=1000, dark=False, before="", lang="en"):
        """A new tab at an address; `before` is a script that runs before those of each page."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session, target)
        tab.ask("Page.enable")
        tab.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        tab.ask("Emulation.setEmulatedMedia", features=[scheme])
        agent = self.ask("Browser.getVersion")["userAgent"]
        tab.ask("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=lang)
        if not scripts:
            tab.ask("Emulation.setScriptExecutionDisabled", value=True)
        tab.ask("Page.addScriptToEvaluateOnNewDocument", source=WATCH + before)
        # A hidden tab does not listen; of several only one is in front.
        tab.ask("Page.bringToFront")
        tab.go(address)
        return tab


class Tab:
    """One page."""

    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target

    def close(self):
        """What is open listens to events, and of that the server bears only so much."""
        self.browser.ask("Target.closeTarget", targetId=self.target)

    def ask(self, method, **params):
        return self.browser.ask(method, self.session, **params)

    def go(self, address):
        answer = self.ask("Page.navigate", url=address)
        if answer.get("errorText"):
            raise Failure(f"{address}: {answer['errorText']}")
        self.wait("document.readyState === 'complete'")

    def run(self, script):
        """The value of an expression; the DevTools' own scripts run even where the page's may not."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failure(f"{script}: {answer['exceptionDetails']['exception'].get('description')}")
        return answer["result"].get("value")

    def wait(self, condition, what=None, seconds=WAIT_SECONDS_MAX):
        """Returns once the condition holds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.run(condition):
                    return
            except Failure:
                # Between two documents there is nothing to ask.
                pass
            if time.monotonic() > deadline:
                raise Failure(f"waited in vain for: {what or condition}")
            time.sleep(0.05)

    def type(self, text):
        """Types into what has the focus."""
        for character in text:
            self.ask("Input.dispatchKeyEvent", type="keyDown", text=character, key=character)
            self.ask("Input.dispatchKeyEvent", type="keyUp", key=character)

    def press(self, key, code):
        """Presses a key that writes nothing, or Enter."""
        text = "\r" if key == "Enter" else ""
        for kind in ("keyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text
            )

    def click(self, selector):
        """Clicks where the element is, as a person would."""
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def check(self):
        """Fails if something was forbidden or thrown, or if the page is wider than the window."""
        wrongs = self.run("window.wrongs || []")
        if wrongs:
            raise Failure(f"the page did what it may not: {wrongs}")
        wide, window = self.run("[document.documentElement.scrollWidth, innerWidth]")
        if wide > window:
            raise Failure(f"the page is {wide} pixels wide in a window of {window}")

    def picture(self, path, whole=True):
        """Writes a PNG of the page, or of what the window shows of it."""
        data = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
