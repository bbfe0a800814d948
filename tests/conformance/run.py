#!/usr/bin/env python3
"""Puts the WebSocket of a real daemon through autobahn's test suite.

    tests/conformance/run.py PROGRAM [CASE...]

PROGRAM is a heartbeat-server built with the feature ws-echo; CASE is a pattern
such as 6.4.*, all by default. Compression is not offered, so 12 and 13 are left
out. The suite is a program of Python 2.7, which must be on the machine, on the
path or among pyenv's; it is installed under $TOOLS (target/tools) once. Without
a Python 2.7 nothing is tried, which counts as skipped; the families of its cases
also stand in tests/integration/ws.rs. The last line is always
`conformance: N passed, N failed, N skipped`.
"""

import glob
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

# Nothing is left in the source folders, which root may be running this from.
sys.dont_write_bytecode = True
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))

from skips import skip  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE_S = 60
# All 301 cases take twenty seconds on an idle machine.
SUITE_S_MAX = 600
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
# pip puts packages beside each other whose shared names only a site folder resolves.
STARTER = "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; run()"


def python2():
    """A Python 2.7 that runs and has pip; a name on the path may be a mere shim."""
    found = [shutil.which("python2.7"), *sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/2.7*/bin/python2.7")))]
    for path in filter(None, found):
        try:
            tried = subprocess.run([path, "-m", "pip", "--version"], capture_output=True, timeout=PATIENCE_S)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if tried.returncode == 0:
            return path
    return None


def suite(python):
    """The folder of the suite, installed if it is not, or not the one that is wanted."""
    tools = pathlib.Path(os.environ.get("TOOLS", HERE.parent.parent / "target" / "tools"))
    # The pip of Python 2 cannot read the names of some folders.
    if not str(tools).isascii():
        tools = pathlib.Path(tempfile.gettempdir()) / f"heartbeat-tools-{os.getuid()}"
    wanted = (HERE / "requirements.txt").read_text()
    folder = tools / "autobahn"
    mark = folder / "installed"
    if not mark.is_file() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        tools.mkdir(parents=True, exist_ok=True)
        install = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
        shutil.copy(HERE / "requirements.txt", tools / "autobahn.txt")
        subprocess.run([*install, "--target", folder, "-r", tools / "autobahn.txt"], check=True)
        mark.write_text(wanted)
    return folder


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(program, folder, port):
    config = folder / "config.toml"
    # The largest messages of the suite have 16 MiB.
    config.write_text(f'[[listen]]\naddress = "127.0.0.1:{port}"\n[limits]\nbody_bytes = "32M"\nbody_timeout = "2m"\n')
    environment = {**os.environ, "HEARTBEAT_CONTROL": str(folder / "control.sock")}
    arguments = ["-c", config, "--state-dir", folder / "state", "--log", f"file:{folder}/log"]
    daemon = subprocess.Popen([program, *map(str, arguments)], cwd=folder, env=environment)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return daemon
        except OSError:
            time.sleep(0.05)
    daemon.kill()
    sys.exit("the daemon does not start:\n" + (folder / "log").read_text())


def run(program, cases):
    python = python2()
    if python is None:
        failed = skip("conformance", ["autobahn"], "there is no Python 2.7 with pip to run it")
        return 0, failed, 1 - failed
    installed = suite(python)
    with tempfile.TemporaryDirectory(prefix="heartbeat-conformance-") as name:
        folder = pathlib.Path(name)
        port = free_port()
        daemon = start(program, folder, port)
        try:
            spec = {
                "outdir": str(folder / "reports"),
                "servers": [{"agent": "heartbeat-server", "url": f"ws://127.0.0.1:{port}/echo"}],
                "cases": cases,
                "exclude-cases": ["12.*", "13.*"],
                "exclude-agent-cases": {},
            }
            (folder / "spec.json").write_text(json.dumps(spec))
            command = [python, "-c", STARTER, installed, "--mode", "fuzzingclient", "--spec", folder / "spec.json"]
            # Colours of a terminal and modules of another Python are of no use to it.
            environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
            done = subprocess.run(
                command, cwd=folder, env=environment, timeout=SUITE_S_MAX, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            index = folder / "reports" / "index.json"
            if not index.is_file():
                sys.exit(f"the suite ended with {done.returncode} and no report:\n{done.stdout[-4000:]}")
            (results,) = json.loads(index.read_text()).values()
            failed = {
                case: result
                for case, result in results.items()
                if result["behavior"] not in GOOD or result["behaviorClose"] not in GOOD
            }
            for case, result in sorted(failed.items()):
                report = json.loads((folder / "reports" / result["reportfile"]).read_text())
                print(f"{case}: {result['behavior']}, close {result['behaviorClose']}: {report.get('description')}")
                print(f"    expected {report.get('expected')}, got {report.get('received')}; {report.get('resultClose')}")
            # A server that lets nobody in passes nothing.
            if not results or daemon.poll() is not None:
                sys.exit("no case was run, or the daemon has ended:\n" + (folder / "log").read_text()[-4000:])
            return len(results) - len(failed), len(failed), 0
        finally:
            daemon.terminate()
            try:
                daemon.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                daemon.kill()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    passed, failed, skipped = run(os.path.abspath(sys.argv[1]), sys.argv[2:] or ["*"])
    print(f"conformance: {passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
