"""What the runners of the test suites have in common when something cannot be tried; tests/skip.rs does it for Rust.

A skip is said where it happens and written into the file named by HEARTBEAT_SKIPS, from which the closing line of
`make test` is made. Where CI is set everything must run, so there a skip is a failure.
"""

import os
import sys


def skip(suite: str, names: list[str], reason: str) -> int:
    """Says that these tests of a suite do not run, and why; how many of them count as failed: all in CI, else none."""
    lines = [f"SKIPPED {suite}::{name}: {reason}\n" for name in names]
    sys.stdout.write("".join(lines))
    sys.stdout.flush()
    if path := os.environ.get("HEARTBEAT_SKIPS"):
        with open(path, "a", encoding="utf-8") as file:
            file.write("".join(lines))
    if names and "CI" in os.environ:
        print(f"{suite}: in CI everything must run")
        return len(names)
    return 0
