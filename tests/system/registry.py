"""The list of scenarios, filled by the decorators in the files scenarios_*.py."""

import dataclasses
import pathlib
import subprocess
import threading
from typing import Callable

from machine import Failure, tail


@dataclasses.dataclass
class World:
    """What every scenario may use: the packages built for this run, and the project's folder."""

    deb: pathlib.Path
    # That of the client.
    client_deb: pathlib.Path
    # The same package under an older version number, with another packaged configuration.
    older_deb: pathlib.Path
    project: pathlib.Path
    scratch: pathlib.Path
    # The last release as it was, where a scenario about it was chosen and its commit is to be had.
    released_deb: pathlib.Path | None = None
    # By name and release, where a scenario about them was chosen.
    rpms: dict = dataclasses.field(default_factory=dict)


MAKE_LOCK = threading.Lock()


def make(project: pathlib.Path, *arguments: str):
    """Runs `make` in the project. One at a time: scenarios run side by side, and they share target/."""
    command = ["make", "--no-print-directory", *arguments]
    with MAKE_LOCK:
        done = subprocess.run(command, cwd=project, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"`{' '.join(command)}` failed:\n{tail(done.stdout + done.stderr)}")


@dataclasses.dataclass
class Scenario:
    """One named test. `run` gets a booted machine, or None where `on_host` is set, and the world."""

    name: str
    run: Callable
    on_host: bool
    # Packages that its machine has and the others do not, parted by commas.
    packages: str = ""
    # Whether it is tried on every suite that we name, and not on the default one alone.
    everywhere: bool = False


# Servers that others run beside ours, and what their scenarios need; in one image, because each takes a minute.
SERVERS = "sudo,nginx-light,caddy,haproxy,openssl,netcat-openbsd,python3-aiosmtpd"

SCENARIOS: list[Scenario] = []


def scenario(function: Callable) -> Callable:
    """Makes a function a scenario that gets a machine of its own."""
    SCENARIOS.append(Scenario(function.__name__, function, False))
    return function


def scenario_everywhere(function: Callable) -> Callable:
    """The same, on every suite: what it tries depends on the version of systemd."""
    SCENARIOS.append(Scenario(function.__name__, function, False, everywhere=True))
    return function


def scenario_with(packages: str) -> Callable:
    """The same, of an image with more packages."""

    def decorate(function: Callable) -> Callable:
        SCENARIOS.append(Scenario(function.__name__, function, False, packages))
        return function

    return decorate


def host_scenario(function: Callable) -> Callable:
    """Makes a function a scenario that looks at the package from outside and needs no machine."""
    SCENARIOS.append(Scenario(function.__name__, function, True))
    return function
