"""A booted Debian to try things in: the image, made once, and machines started from copies of it.

A machine is a container with its own systemd, network and users. Nothing reaches
it but its own loopback, and nothing in it reaches out. It lives for one scenario:

    with Machine(image, "install") as machine:
        machine.run("apt-get install -y /root/x.deb")

Each machine gets a control group of its own. Without that the systemds of two
machines running at once would take one another's services for theirs.
"""

import hashlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import time

PACKAGES = (
    "systemd,systemd-sysv,dbus,curl,iproute2,procps,logrotate,rsyslog,"
    "nftables,iptables,man-db,python3-minimal,sqlite3,tzdata"
)
BOOT_SECONDS_MAX = 90
STOP_SECONDS_MAX = 30
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Failure(Exception):
    """Something a scenario saw that should not be; its text is what the person reads."""


def make_image(folder: pathlib.Path, suite: str, more: str = "") -> pathlib.Path:
    """The folder of a minimal installed `suite`, made if it is not there yet; with `more` packages it is another one."""
    packages = f"{PACKAGES},{more}" if more else PACKAGES
    # A changed list of packages is another image.
    mark = hashlib.sha256(packages.encode()).hexdigest()[:8]
    image = folder / f"image-{suite}-{mark}"
    if image.exists():
        return image
    print(f"making the image of {suite}{more and ' with '}{more}, once, in {image}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{image.name}.{os.getpid()}"
    log = folder / f"{image.name}.log"
    with open(log, "w") as output:
        made = subprocess.run(
            ["mmdebstrap", "--variant=apt", f"--include={packages}", suite, unfinished],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if made.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise Failure(f"mmdebstrap failed, see {log}:\n{tail(log.read_text())}")
    try:
        unfinished.rename(image)
    except OSError:
        # Another run was quicker.
        shutil.rmtree(unfinished)
    return image


class Machine:
    """One booted copy of an image. Use it with `with`: that is what stops and removes it."""

    def __init__(self, image: pathlib.Path, name: str):
        self.name = f"heartbeat-{os.getpid()}-{name}".replace("_", "-")
        self.root = image.parent / f"machine-{self.name}"
        self.image = image
        self.legacy_cgroups = "bookworm" in image.name and not os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        self.cgroups = own_cgroups(self.name)
        self.nspawn = None
        self.pid1 = None

    def __enter__(self) -> "Machine":
        try:
            subprocess.run(["cp", "-a", "--reflink=auto", self.image, self.root], check=True)
            self._boot()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        self._remove()

    def run(self, command: str, check: bool = True, seconds_max: float = 120) -> subprocess.CompletedProcess:
        """Runs a shell command inside; stdout and stderr come back together in `.stdout`."""
        done = subprocess.run(
            self._inside(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds_max,
        )
        if check and done.returncode != 0:
            raise Failure(f"`{command}` ended with {done.returncode}:\n{tail(done.stdout)}")
        return done

    def out(self, command: str) -> str:
        """What a command prints, without the white space around it; its exit code does not matter."""
        return self.run(command, check=False).stdout.strip()

    def start(self, command: str) -> subprocess.Popen:
        """Starts a command inside and returns at once."""
        return subprocess.Popen(
            self._inside(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def reboot(self, orderly: bool = True):
        """Starts it anew over the same disk. Not orderly: every process is killed where it stands."""
        if orderly:
            self.run("systemctl reboot", check=False)
        else:
            try_kill(self.pid1, signal.SIGKILL)
        try:
            self.nspawn.wait(BOOT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise Failure("the machine does not go down to be started anew") from None
        self.pid1 = None
        self._boot()

    def copy(self, file: pathlib.Path, to: str = "/root/"):
        """Puts a file of ours into the machine."""
        target = self.root / to.lstrip("/")
        shutil.copy(file, target)

    def write(self, path: str, text: str):
        """Writes a file inside, with its folders."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def until(self, command: str, what: str, seconds_max: float = 60) -> str:
        """Repeats a command until it succeeds, and returns what it then printed."""
        deadline = time.monotonic() + seconds_max
        while True:
            done = self.run(command, check=False)
            if done.returncode == 0:
                return done.stdout.strip()
            if time.monotonic() > deadline:
                raise Failure(f"not within {seconds_max:.0f} s: {what}; `{command}` says:\n{tail(done.stdout)}")
            time.sleep(0.1)

    def _inside(self, command: str) -> list:
        environment = [f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        return ["nsenter", "-t", str(self.pid1), "-a", "--", "env", "-i", *environment, "/bin/bash", "-c", command]

    def _boot(self):
        nspawn = [
            "systemd-nspawn", "-q", "-D", str(self.root), f"--machine={self.name}", "--boot",
            "--register=no", "--keep-unit", "--private-network", "--console=pipe",
        ]  # fmt: skip
        if self.legacy_cgroups:
            nspawn += ["--", "systemd.unified_cgroup_hierarchy=0"]
        joins = "".join(f"echo $$ > {shlex.quote(str(group))}/cgroup.procs; " for group in self.cgroups)
        for group in self.cgroups:
            group.mkdir(exist_ok=True)
        console = open(self.root.with_suffix(".console"), "w")
        self.nspawn = subprocess.Popen(
            ["/bin/sh", "-c", joins + "exec " + shlex.join(nspawn)],
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0" if self.legacy_cgroups else "1"},
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        console.close()
        deadline = time.monotonic() + BOOT_SECONDS_MAX
        state = ""
        while time.monotonic() < deadline and self.nspawn.poll() is None:
            children = subprocess.run(["pgrep", "-P", str(self.nspawn.pid)], capture_output=True, text=True).stdout.split()
            if children:
                self.pid1 = int(children[0])
                state = self.out("systemctl is-system-running 2>/dev/null")
                if state in ("running", "degraded"):
                    return
            time.sleep(0.1)
        said = tail(self.root.with_suffix(".console").read_text(errors="replace"))
        raise Failure(f"the machine did not boot (its systemd says `{state}`); its console:\n{said}")

    def _remove(self):
        if self.nspawn is not None:
            if self.pid1 is not None and self.nspawn.poll() is None:
                # systemd takes this signal as the order to power off.
                try_kill(self.pid1, signal.SIGRTMIN + 4)
                try:
                    self.nspawn.wait(STOP_SECONDS_MAX)
                except subprocess.TimeoutExpired:
                    pass
            if self.nspawn.poll() is None:
                self.nspawn.kill()
                self.nspawn.wait()
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.with_suffix(".console").unlink(missing_ok=True)
        for group in self.cgroups:
            for folder, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass


def own_cgroups(name: str) -> list:
    """Where a machine's own control groups go: below ours, in systemd's old and in the unified hierarchy."""
    groups = []
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "name=systemd":
            groups.append(pathlib.Path(f"/sys/fs/cgroup/systemd{path}") / name)
        elif controllers == "":
            unified = pathlib.Path("/sys/fs/cgroup/unified")
            groups.append(pathlib.Path(f"{unified if unified.exists() else '/sys/fs/cgroup'}{path}") / name)
    return [group for group in groups if os.access(group.parent, os.W_OK)]


def try_kill(pid: int, number: int):
    """Sends a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def tail(text: str, lines_max: int = 40) -> str:
    """The last lines of a text, indented to stand below a message."""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines_max:])
