#!/usr/bin/env python3
"""Runs the two programs against old clients and servers, and over networks that fail.

    tests/network/run.py FOLDER [--jobs N] [--list] [SCENARIO...]

FOLDER holds heartbeat-server and heartbeat. The scenarios of faults.py need root, for the network namespaces in which
they make their own hosts and cables; those of seeds.py need the texts, see there. What cannot be tried is said and
counted. The last line is always `network: N passed, N failed, N skipped`.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import sys
import time
import traceback

# Nothing is left in the source folders, which root may be running this from.
sys.dont_write_bytecode = True
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))

import faults  # noqa: E402
import seeds  # noqa: E402
from skips import skip  # noqa: E402
from subject import Failure  # noqa: E402


def main() -> int:
    every = {each.__name__: each for each in (*seeds.SCENARIOS, *faults.SCENARIOS)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=3, help="scenarios at once; they mostly wait")
    parser.add_argument("--list", action="store_true", help="name the scenarios and stop")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_args()
    unknown = set(options.scenarios) - set(every)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    chosen = [every[name] for name in options.scenarios or every]
    if options.list:
        for each in chosen:
            print(f"{each.__name__:26} {each.__doc__}")
        return 0
    passed, failed, skipped = 0, 0, 0
    for kind, reason in (("seeds", seeds.wanting()), ("faults", faults_want())):
        left_out = [each for each in chosen if reason and each.__module__ == kind]
        if left_out:
            chosen = [each for each in chosen if each not in left_out]
            failing = skip("network", [each.__name__ for each in left_out], reason)
            failed, skipped = failed + failing, skipped + len(left_out) - failing
    folder = options.folder.resolve()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for each, seconds, trouble in pool.map(lambda each: attempt(each, folder), chosen):
            passed, failed = passed + (not trouble), failed + bool(trouble)
            print(f"{'FAILED' if trouble else 'ok    '} {each.__name__} ({seconds:.0f} s): {trouble or each.__doc__}")
            sys.stdout.flush()
    print(f"network: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def attempt(scenario, folder: pathlib.Path):
    """Runs one; what went wrong, or nothing."""
    began = time.monotonic()
    try:
        scenario(folder)
        trouble = ""
    except Failure as failure:
        trouble = str(failure)
    except Exception:
        trouble = traceback.format_exc()
    return scenario, time.monotonic() - began, trouble


def faults_want() -> str:
    """What is missing to make hosts and cables; empty when nothing is."""
    if os.geteuid() != 0:
        return "they need root"
    return "" if shutil.which("ip") else "missing: ip"


if __name__ == "__main__":
    sys.exit(main())
