"""What tests share that have other people's clients use a real daemon: a Python of their own, and the daemon."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

PATIENCE_S = 60


class Skipped(Exception):
    """What is needed is not here."""


def tools(requirements, named):
    """The folder of programs of a Python of the test's own, installed if it is not, or not the one that is wanted."""
    root = pathlib.Path(__file__).resolve().parents[1]
    folder = pathlib.Path(os.environ.get("TOOLS", root / "target" / "tools")).resolve() / requirements.parent.name
    wanted = requirements.read_text()
    mark = folder / "installed"
    if not mark.is_file() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [folder / "bin" / "pip", "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*pip, "-r", requirements], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Skipped(f"the {named} cannot be installed: {error}") from None
        mark.write_text(wanted)
    return folder / "bin"


def start(program, folder, more=""):
    """A daemon, with more in its configuration than where it listens; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config.toml"
    config.write_text(f'[[listen]]\naddress = "127.0.0.1:{port}"\n{more}')
    environment = {**os.environ, "HEARTBEAT_CONTROL": str(folder / "control.sock")}
    arguments = ["-c", config, "--state-dir", folder / "state", "--log", f"file:{folder}/log"]
    daemon = subprocess.Popen([program, *map(str, arguments)], cwd=folder, env=environment)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            urllib.request.urlopen(url + "/healthz", timeout=PATIENCE_S).close()
            return daemon, url
        except OSError:
            time.sleep(0.05)
    daemon.kill()
    sys.exit("the daemon does not start:\n" + (folder / "log").read_text())
