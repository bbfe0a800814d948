"""Runs the system tests: builds the package, boots a Debian for each scenario, says what it saw.

    python3 tests/system/run.py [--suite bookworm|trixie] [--jobs N] [--list] [SCENARIO…]

Needs root, for the containers; without it every scenario counts as skipped. Without --suite each
runs on bookworm, and those that depend on the version of systemd on trixie too. The last
line is always `system: N passed, N failed, N skipped`; the exit code is 1 when one failed.
"""

import argparse
import concurrent.futures
import contextlib
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

# Nothing is left in the source folders, which root may be running this from.
sys.dont_write_bytecode = True
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))

import registry  # noqa: E402
from machine import Failure, Machine, make_image, tail  # noqa: E402
from skips import skip  # noqa: E402

# Their decorators fill the list; those that wait longest come first, so that none of them is left over at the end.
import scenarios_survival  # noqa: E402,F401
import scenarios_restart  # noqa: E402,F401
import scenarios_firewall  # noqa: E402,F401
import scenarios_elsewhere  # noqa: E402,F401
import scenarios_formats  # noqa: E402,F401
import scenarios_alerts, scenarios_service, scenarios_logs, scenarios_network, scenarios_package, scenarios_state  # noqa: E401,E402,F401
import scenarios_client, scenarios_readme, scenarios_security  # noqa: E401,E402,F401

PROJECT = pathlib.Path(__file__).resolve().parents[2]
# Images are kept here between runs, machines are not.
FOLDER = pathlib.Path(os.environ.get("SYSTEM_TEST_DIR", PROJECT / "target" / "system"))
TOOLS = ("make", "mmdebstrap", "systemd-nspawn", "nsenter", "pgrep", "dpkg-deb", "lintian")
OLDER_VERSION = "0.0.1-1"
# What people have, and the commit that it was made from.
RELEASED = ("0.4.0", "acee78feefe3dc7ea267b5d16be277298caf3c16")
# It need not be fast.
QUICKLY = {
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
}
SUITES = ("bookworm", "trixie")


def main() -> int:
    arguments = parse()
    chosen = [each for each in registry.SCENARIOS if not arguments.scenarios or each.name in arguments.scenarios]
    if arguments.list:
        for each in chosen:
            print(f"{each.name:20} {each.run.__doc__}")
        return 0
    # SIGTERM ends like Ctrl-C: through every `with`, so no machine stays behind.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    runs = [(each, suite) for each in chosen for suite in suites_of(each, arguments.suite)]
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        reason = f"missing: {', '.join(missing)}" if os.geteuid() == 0 else "they need root"
        failed = skip("system", [each.name for each, _ in runs], reason)
        print(f"system: 0 passed, {failed} failed, {len(runs) - failed} skipped")
        return 1 if failed else 0
    passed, failed = 0, 0
    scratch = FOLDER / f"run-{os.getpid()}"
    try:
        scratch.mkdir(parents=True)
        wanted = {(suite, each.packages) for each, suite in runs if not each.on_host}
        images = {(suite, packages): make_image(FOLDER, suite, packages) for suite, packages in sorted(wanted)}
        world = build(scratch)
        if any("rpm" in each.name for each in chosen):
            build_rpms(world)
        if any("release" in each.name for each in chosen):
            world.released_deb = build_released()
        for name, seconds, output, failure in run_all(runs, arguments.jobs, images, world):
            print(f"{'ok  ' if failure is None else 'FAIL'} {name} ({seconds:.1f} s)")
            print(output, end="")
            if failure is None:
                passed += 1
            else:
                failed += 1
                print(f"  {failure}")
            sys.stdout.flush()
    except Failure as failure:
        failed = len(runs) - passed
        print(failure)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"system: {passed} passed, {failed} failed, {len(runs) - passed - failed} skipped")
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=SUITES, help="run all on this one and nothing on another")
    parser.add_argument("--jobs", type=int, default=2, help="machines at once")
    parser.add_argument("--list", action="store_true", help="name the scenarios and stop")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - {each.name for each in registry.SCENARIOS}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; --list names them")
    return arguments


def suites_of(each: registry.Scenario, asked: str | None) -> list:
    """Where a scenario runs."""
    if asked:
        return [asked]
    return list(SUITES) if each.everywhere else [SUITES[0]]


def build(scratch: pathlib.Path) -> registry.World:
    """Builds the packages, and out of the server's one that passes for an older version."""
    print("building the packages", flush=True)
    folder = scratch / "deb"
    registry.make(PROJECT, "deb", f"DEB_DIR={folder}")
    [deb] = folder.glob("heartbeat-server_*.deb")
    [client_deb] = folder.glob("heartbeat-client_*.deb")
    unpacked = scratch / "older"
    subprocess.run(["dpkg-deb", "-R", deb, unpacked], check=True)
    control = unpacked / "DEBIAN" / "control"
    lines = control.read_text().splitlines(keepends=True)
    control.write_text("".join(f"Version: {OLDER_VERSION}\n" if at.startswith("Version:") else at for at in lines))
    # The packaged configuration differs, or dpkg would not ask whose to keep.
    with open(unpacked / "etc/heartbeat-server/heartbeat-server.toml", "a") as config:
        config.write("# of an older version\n")
    older = scratch / f"heartbeat-server_{OLDER_VERSION}_older.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", unpacked, older], check=True, stdout=subprocess.DEVNULL)
    return registry.World(deb=deb, client_deb=client_deb, older_deb=older, project=PROJECT, scratch=scratch)


def build_released() -> pathlib.Path | None:
    """The server's package of the last release, built once from its commit; nothing where there is no history."""
    version, commit = RELEASED
    folder = FOLDER / f"released-{version}"
    if not list(folder.glob("heartbeat-server_*.deb")):
        print(f"building version {version}", flush=True)
        archive = subprocess.run(["git", "-C", PROJECT, "archive", commit], capture_output=True)
        if archive.returncode != 0:
            return None
        # In a folder of its own: the names of what is built are the same as ours; and not below this one, whose name
        # may hold spaces, which that version's Makefile did not know of.
        with tempfile.TemporaryDirectory() as place:
            source, unfinished = pathlib.Path(place) / "source", pathlib.Path(place) / "deb"
            source.mkdir()
            subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True)
            built = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
            with registry.MAKE_LOCK:
                subprocess.run(
                    ["make", "--no-print-directory", "deb", f"DEB_DIR={unfinished}"],
                    cwd=source, env={**built, **QUICKLY}, check=True, stdin=subprocess.DEVNULL, capture_output=True,
                )  # fmt: skip
            shutil.rmtree(folder, ignore_errors=True)
            shutil.move(unfinished, folder)
    [deb] = folder.glob("heartbeat-server_*.deb")
    return deb


def build_rpms(world: registry.World):
    """Builds the same as rpm packages, under two release numbers."""
    print("building the rpm packages", flush=True)
    for release in ("1", "2"):
        folder = world.scratch / f"rpm-{release}"
        registry.make(PROJECT, "rpm", f"RPM_DIR={folder}", f"RPM_RELEASE={release}")
        for rpm in folder.glob("*.rpm"):
            world.rpms[rpm.name.rsplit("-", 2)[0], release] = rpm


def run_all(runs, jobs, images, world):
    """Runs scenarios side by side; yields each as it ends."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run_one, each, suite, images.get((suite, each.packages)), world) for each, suite in runs]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            raise


def run_one(each, suite, image, world):
    """One scenario: its name with its suite, its machine, its time, what it printed and, if it failed, why."""
    started = time.monotonic()
    output = io.StringIO()
    failure = None
    journal = ""
    try:
        if each.on_host:
            with redirected(output):
                each.run(None, world)
        else:
            with Machine(image, f"{each.name}-{suite}") as machine:
                try:
                    with redirected(output):
                        each.run(machine, world)
                except BaseException:
                    journal = machine.out("journalctl --no-pager -n 40 -o short-precise -u 'heartbeat*'")
                    raise
    except Failure as seen:
        failure = f"{seen}"
    except Exception:
        failure = traceback.format_exc()
    if failure is not None and journal:
        failure += f"\n  the units' journal:\n{tail(journal)}"
    name = each.name if suite == SUITES[0] or each.on_host else f"{each.name} on {suite}"
    return name, time.monotonic() - started, output.getvalue(), failure


class ThreadOutput(io.TextIOBase):
    """Sends what a thread prints to the buffer it asked for, and the rest to the real output."""

    def __init__(self, real):
        self.real = real
        self.local = threading.local()

    def write(self, text):
        return getattr(self.local, "buffer", self.real).write(text)

    def flush(self):
        self.real.flush()


@contextlib.contextmanager
def redirected(buffer):
    sys.stdout.local.buffer = buffer
    try:
        yield
    finally:
        del sys.stdout.local.buffer


if __name__ == "__main__":
    sys.stdout = ThreadOutput(sys.stdout)
    sys.exit(main())
