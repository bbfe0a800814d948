#!/usr/bin/env python3
"""Has clients made from the API's own description, and uses them on a real daemon.

    tests/openapi/run.py PROGRAM

The document is that of PROGRAM, as it answers at /api/v1/openapi.json. Two
generators make a Python client of it, openapi-python-client and
openapi-generator (a program for Java); both come from PyPI and are installed
under $TOOLS (target/tools) once. Where they cannot be installed, or there is no
Java, what needs it counts as skipped. The last line is always
`openapi: N passed, N failed, N skipped`.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

# Nothing is left in the source folders, which root may be running this from.
sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from skips import skip  # noqa: E402

PATIENCE_S = 60
# The second generator starts a Java machine; on a busy one that takes its time.
GENERATE_S_MAX = 600
TOKEN = "0123456789abcdef0123456789abcdef"


class Skipped(Exception):
    """What is needed is not here."""


def tools():
    """The folder of programs of the generators' own Python, installed if it is not, or not the one that is wanted."""
    folder = pathlib.Path(os.environ.get("TOOLS", HERE.parent.parent / "target" / "tools")).resolve() / "openapi"
    wanted = (HERE / "requirements.txt").read_text()
    mark = folder / "installed"
    if not mark.is_file() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [folder / "bin" / "pip", "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Skipped(f"the generators cannot be installed: {error}") from None
        mark.write_text(wanted)
    return folder / "bin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(program, folder):
    """A daemon with an admin's token; its address."""
    port = free_port()
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN + "\n")
    config = folder / "config.toml"
    config.write_text(
        f'[[listen]]\naddress = "127.0.0.1:{port}"\n[access]\nadmin_tokens = [{{ file = "{token}" }}]\n'
    )
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


def generate(command, environment=None):
    done = subprocess.run(
        list(map(str, command)), timeout=GENERATE_S_MAX, text=True, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-4000:]}")


def use(python, script, package, url):
    """Runs a script with the client on its path."""
    environment = {**os.environ, "PYTHONPATH": str(package), "HEARTBEAT_TEST_URL": url, "HEARTBEAT_TEST_TOKEN": TOKEN}
    # A warning of a client that is made anew each time is somebody else's business.
    command = [python, "-W", "ignore", HERE / script]
    done = subprocess.run(command, env=environment, timeout=PATIENCE_S, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise AssertionError(f"{script} ended with {done.returncode}:\n{done.stdout[-4000:]}")


def with_openapi_python_client(bin_dir, document, folder, url):
    package = folder / "first"
    package.mkdir()
    # It has its output put in order by a program beside it.
    environment = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}"}
    generate(
        [bin_dir / "openapi-python-client", "generate", "--path", document, "--meta", "none",
         "--output-path", package / "first_client"],
        environment,
    )
    use(bin_dir / "python", "first.py", package, url)


def with_openapi_generator(bin_dir, document, folder, url):
    if shutil.which("java") is None:
        raise Skipped("there is no Java for openapi-generator")
    package = folder / "second"
    generate(
        [bin_dir / "openapi-generator-cli", "generate", "-i", document, "-g", "python", "-o", package,
         "--package-name", "second_client"]
    )
    use(bin_dir / "python", "second.py", package, url)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = str(pathlib.Path(sys.argv[1]).resolve())
    passed = failed = skipped = 0
    for try_it in [with_openapi_python_client, with_openapi_generator]:
        with tempfile.TemporaryDirectory(prefix="heartbeat-openapi-") as name:
            folder = pathlib.Path(name)
            daemon, url = start(program, folder)
            try:
                bin_dir = tools()
                document = folder / "openapi.json"
                with urllib.request.urlopen(url + "/api/v1/openapi.json", timeout=PATIENCE_S) as answer:
                    document.write_bytes(answer.read())
                json.loads(document.read_text())
                try_it(bin_dir, document, folder, url)
                passed += 1
                print(f"ok      {try_it.__name__}")
            except Skipped as reason:
                skipped += 1
                failed += skip("openapi", [try_it.__name__], str(reason))
            except Exception:
                failed += 1
                print(f"FAILED  {try_it.__name__}")
                traceback.print_exc(file=sys.stdout)
            finally:
                daemon.terminate()
                daemon.wait(PATIENCE_S)
    print(f"openapi: {passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
