#!/usr/bin/env python3
"""Clients of other heartbeat services, unchanged but for the host, on a real daemon.

    tests/compat/run.py PROGRAM

They come from PyPI and are installed under $TOOLS (target/tools) once; where
they cannot be, all of this counts as skipped. Each is judged by what its
monitor looks like afterwards. The last line is always
`compat: N passed, N failed, N skipped`.
"""

import asyncio
import json
import os
import pathlib
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

TOKEN = "0123456789abcdef0123456789abcdef"
UUID = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
PING_KEY = "fqOOd6-F4MMNuCEnzJYvRg"
URL = os.environ.get("HEARTBEAT_TEST_URL", "")


def monitor(name):
    with urllib.request.urlopen(f"{URL}/api/v1/monitors/{name}", timeout=PATIENCE_S) as answer:
        return json.load(answer)


def expect(name, **fields):
    found = monitor(name)
    assert {field: found[field] for field in fields} == fields, f"{name}: {found}"


def with_healthchecks_io():
    from healthchecks_io import Client

    client = Client(api_key="x" * 32, ping_key=PING_KEY, ping_url=f"{URL}/ping/", api_url=f"{URL}/api/")
    assert client.success_ping(uuid=UUID) == (True, "OK")
    expect(UUID, state="up")
    assert client.exit_code_ping(3, uuid=UUID, data="no space") == (True, "OK")
    expect(UUID, state="down", exit_code=3, message="no space")
    client.start_ping(slug="nightly")
    client.success_ping(slug="nightly")
    expect("nightly", state="up", beats=2)


def with_opsgenie_sdk():
    import opsgenie_sdk

    configuration = opsgenie_sdk.configuration.Configuration()
    configuration.host = URL
    configuration.api_key["Authorization"] = TOKEN
    api = opsgenie_sdk.HeartbeatApi(opsgenie_sdk.ApiClient(configuration))
    assert api.ping(name="nas").result == "PONG - Heartbeat received"
    expect("nas", state="up")


def with_sentry_sdk():
    import sentry_sdk
    from sentry_sdk.crons import monitor as watched

    sentry_sdk.init(dsn=URL.replace("http://", f"http://{TOKEN}@") + "/42")
    schedule = {"schedule": {"type": "interval", "value": 10, "unit": "minute"}, "checkin_margin": 5}

    @watched(monitor_slug="good", monitor_config=schedule)
    def good():
        pass

    @watched(monitor_slug="bad")
    def bad():
        raise ValueError("bad")

    good()
    try:
        bad()
    except ValueError as error:
        sentry_sdk.capture_exception(error)
    sentry_sdk.flush(PATIENCE_S)
    expect("good", state="up", interval_s=600, grace_s=300, beats=2)
    expect("bad", state="down", beats=2)


def with_sentry_cli():
    environment = {**os.environ, "SENTRY_DSN": URL.replace("http://", f"http://{TOKEN}@") + "/42"}
    program = pathlib.Path(sys.executable).parent / "sentry-cli"
    for command, state in [("true", "up"), ("false", "down")]:
        subprocess.run(
            [program, "monitors", "run", f"cli-{command}", "--", command], env=environment, timeout=PATIENCE_S
        )
        expect(f"cli-{command}", state=state)


def with_prometheus_client():
    from prometheus_client import CollectorRegistry, Gauge, delete_from_gateway, push_to_gateway, pushadd_to_gateway

    registry = CollectorRegistry()
    Gauge("last_success", "unix time", registry=registry).set_to_current_time()
    address = URL.removeprefix("http://")
    push_to_gateway(address, job="batch", registry=registry)
    pushadd_to_gateway(address, job="two words", registry=registry, grouping_key={"path": "/var/lib", "none": ""})
    delete_from_gateway(address, job="gone")
    expect("batch", state="up")
    expect("two_words/path=_var_lib", state="up")


def with_nrdpy():
    from nrdpy import NRDP, HostResult, ServiceResult

    host, service = HostResult("web-1", output="fine"), ServiceResult("web-1", "disk", output="98% <full>")
    # Its constructors take a state only as a text, and then not as that.
    host.state, service.state = HostResult.Up, ServiceResult.Critical
    assert NRDP(f"{URL}/nrdp/", TOKEN).submit([host, service])
    expect("web-1", state="up")
    expect("web-1/disk", state="down", exit_code=2)


def with_apykuma():
    import aiohttp
    import apykuma

    async def push():
        async with aiohttp.ClientSession() as session:
            answer = await apykuma.ping(session, f"{URL}/api/push/k0m4?status=up&msg=OK&ping=")
            assert answer.status == 200, answer

    asyncio.run(push())
    expect("k0m4", state="up")


CLIENTS = [
    with_healthchecks_io, with_opsgenie_sdk, with_sentry_sdk, with_sentry_cli, with_prometheus_client, with_nrdpy,
    with_apykuma,
]


def main():
    if len(sys.argv) == 3:
        return {client.__name__: client for client in CLIENTS}[sys.argv[2]]()
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = str(pathlib.Path(sys.argv[1]).resolve())
    names = [client.__name__ for client in CLIENTS]
    try:
        python = tools(HERE / "requirements.txt", "clients") / "python"
    except Skipped as missing:
        failed = skip("compat", names, str(missing))
        print(f"compat: 0 passed, {failed} failed, {len(names)} skipped")
        sys.exit(1 if failed else 0)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="heartbeat-compat-") as name:
        daemon, url = start(program, pathlib.Path(name))
        try:
            for client in names:
                environment = {**os.environ, "HEARTBEAT_TEST_URL": url}
                command = [python, "-W", "ignore", __file__, program, client]
                done = subprocess.run(
                    command, env=environment, timeout=2 * PATIENCE_S, text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                )
                passed += done.returncode == 0
                failed += done.returncode != 0
                print(f"ok      {client}" if done.returncode == 0 else f"FAILED  {client}\n{done.stdout[-4000:]}")
        except subprocess.TimeoutExpired:
            failed += 1
            traceback.print_exc(file=sys.stdout)
        finally:
            daemon.terminate()
            daemon.wait(PATIENCE_S)
    print(f"compat: {passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
