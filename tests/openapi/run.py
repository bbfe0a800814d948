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
import subprocess
import sys
import tempfile
import traceback
import urllib.request

# Nothing is left in the source folders, which root may be running this from.
sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from clients import PATIENCE_S, Skipped, start, tools  # noqa: E402
from skips import skip  # noqa: E402

# The second generator starts a Java machine; on a busy one that takes its time.
GENERATE_S_MAX = 600
TOKEN = "0123456789abcdef0123456789abcdef"


def with_admin(folder):
    """What has a daemon know an admin's token."""
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN + "\n")
    return f'[access]\nadmin_tokens = [{{ file = "{token}" }}]\n'


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
            daemon, url = start(program, folder, with_admin(folder))
            try:
                bin_dir = tools(HERE / "requirements.txt", "generators")
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
